//! A reply that is large, and the memory of the process that reads it.

use std::sync::atomic::Ordering;

use jiff::Timestamp;
use talon_brokers::unique;
use talon_simulators::connect1c::{Operation, Settings, Simulator};

use crate::support::{On, Talon, until};
use crate::{configuration, now_ms};

const DAY_MS: i64 = 24 * 3_600_000;
/// About as many bytes of XML has a row.
const ROW_BYTES: usize = 1_200;

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_is_never_in_memory_as_a_whole() {
    let Some(small) = reading(500).await else { return };
    let Some(large) = reading(100_000).await else { return };
    let grown = large.saturating_sub(small);
    println!("{small} bytes with a small reply, {large} with one of {} bytes", 100_000 * ROW_BYTES);
    // What is known of each treatment stays; a reply as a whole would be more than twice as much.
    assert!(grown < 100_000 * ROW_BYTES / 2, "memory grew by {grown} bytes");
}

/// The most memory that reading so many treatments in one window took.
async fn reading(treatments: i64) -> Option<usize> {
    let address = On::Nats.shared("connect1c_large")?;
    let since = now_ms() - 30 * DAY_MS;
    let settings = Settings {
        since: Timestamp::from_millisecond(since).unwrap().to_string(),
        opened_every_ms: 29 * DAY_MS / treatments,
        lasts_ms: (1_000, 60_000),
        rated_late: 0.0,
        ..Settings::default()
    };
    let upstream = Simulator::start(settings).await.unwrap();
    upstream.clock().store(now_ms(), Ordering::SeqCst);
    let from = Timestamp::from_millisecond(since).unwrap().to_string();
    let more = [("backfill.from", &from[..10]), ("before.image", "none")];
    let mut texts = configuration(&unique("large"), address, &upstream, &more);
    // So that what waits for the bus is small beside a reply.
    texts.insert("bus.nats.max.in.flight".to_owned(), "64".to_owned());
    let mut talon = Talon::run(&texts);
    until("the past is read", async || {
        let entities = "talon_feed_entities{connector=\"lines\",feed=\"treatment\"}";
        talon.metric(entities).await > treatments as f64 * 0.9
    })
    .await;
    assert_eq!(upstream.journal().calls_of(Operation::GetHistoryOfServiceTreatments).len(), 1);
    let largest = talon.largest_resident();
    assert!(talon.terminate().await.success(), "{}", talon.log());
    Some(largest)
}
