//! A day that is large, and the memory of the process that reads it.

use jiff::ToSpan;
use talon_simulators::enter_export::{Settings, Simulator};

use crate::program::{Site, today};
use crate::support::{On, Talon, until};

/// Bytes that make each ticket large.
const PADDING: usize = 60_000;

#[tokio::test(flavor = "multi_thread")]
async fn a_day_is_never_in_memory_as_a_whole() {
    let Some((small, _)) = reading(20).await else { return };
    let Some((large, body)) = reading(4_500).await else { return };
    println!("{small} bytes with a small day, {large} with one of {body} bytes");
    assert!(body > 200_000_000, "the day is large: {body} bytes");
    let grown = large.saturating_sub(small);
    assert!(grown < body / 4, "memory grew by {grown} bytes with a day of {body} bytes");
}

/// The most memory that reading a day of so many tickets took, and how large they are as JSON.
async fn reading(tickets_per_day: usize) -> Option<(usize, usize)> {
    let address = On::Nats.shared("enter_large")?;
    // Without noise: how much memory is taken is compared with the size of the tickets.
    let settings = Settings {
        branches: 1,
        tickets_per_day,
        padding: PADDING,
        booked: 0.0,
        zones: vec!["Europe/Moscow".to_owned()],
        ..Settings::default()
    };
    let site = Site::new("large", Simulator::start(settings).await.unwrap(), address);
    let yesterday = today("Europe/Moscow").checked_sub(1.day()).unwrap();
    let mut texts = site.configuration(&[
        ("backfill.from", &yesterday.to_string()),
        // So that yesterday is done whatever the time of day is.
        ("day.settle.ms", "0"),
        ("before.image", "none"),
        ("poll.interval.ms", "60000"),
    ]);
    // So that what waits for the bus is small beside a day.
    texts.insert("bus.nats.max.in.flight".to_owned(), "16".to_owned());
    let mut talon = Talon::run(&texts);
    let tickets = site.upstream.day(0, yesterday);
    until("the day is read", async || {
        let sample = "talon_backfill_days_done{connector=\"hall\"}";
        talon.metric(sample).await >= 1.0
    })
    .await;
    let largest = talon.largest_resident();
    let body = tickets.iter().map(|ticket| ticket.to_string().len()).sum();
    assert!(talon.terminate().await.success(), "{}", talon.log());
    Some((largest, body))
}
