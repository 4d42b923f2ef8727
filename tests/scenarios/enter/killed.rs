//! The program, killed in the middle of a backfill.

use std::sync::atomic::Ordering;

use jiff::ToSpan;
use rand::RngExt;
use talon_simulators::enter_export::{Fault, FaultKind, Settings, Simulator};

use crate::program::{Site, now_ms, today};
use crate::support::{On, Talon, until};

const DAYS: i32 = 20;
const KILLS: usize = 5;

#[tokio::test(flavor = "multi_thread")]
async fn invariant_1_facts_and_tickets_are_exactly_once_after_kills_on_kafka() {
    killed_in_a_backfill(On::Kafka).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_1_facts_and_tickets_are_exactly_once_after_kills_on_nats() {
    killed_in_a_backfill(On::Nats).await;
}

async fn killed_in_a_backfill(on: On) {
    let Some(address) = on.shared("enter_killed") else { return };
    let seed: u64 = rand::rng().random();
    println!("seed {seed}");
    let settings = Settings { seed, tickets_per_day: 12, ..Settings::noisy() };
    let upstream = Simulator::start(settings).await.unwrap();
    // From now on nothing happens there.
    upstream.clock().store(now_ms(), Ordering::SeqCst);
    upstream.fault(Fault::from(FaultKind::Slow { ms: 10 }).at("/api/1/queue"));
    let site = Site::new("killed", upstream, address);
    // The days of the branch where they begin first.
    let last = today("Asia/Kamchatka");
    let first = last.checked_sub(DAYS.days()).unwrap();
    let texts = site.configuration(&[
        ("backfill.from", &first.to_string()),
        ("before.image", "none"),
        ("late.max.age.days", "0"),
        // So that yesterday is done whatever the time of day is.
        ("day.settle.ms", "0"),
    ]);
    let asked = || site.upstream.asked().values().sum::<u64>();
    for kill in 0..KILLS {
        let mut talon = Talon::run(&texts);
        let then = asked() + 4 + (seed >> (8 * kill)) % 20;
        until("some days are asked for", async || asked() > then).await;
        talon.kill();
    }
    site.upstream.faults().clear();
    let mut talon = Talon::run(&texts);
    talon.ready().await;
    let published = site.settled(first, last).await;
    published.check_facts();
    for (key, events) in &published.tickets {
        assert_eq!(events.len(), 1, "nothing has changed, but {key} was published again");
    }
    // All may have been there before this process has read the last days.
    let [done, all] = ["talon_backfill_days_done", "talon_backfill_days"]
        .map(|name| format!("{name}{{connector=\"hall\"}}"));
    until("the backfill is done", async || {
        let all = talon.metric(&all).await;
        all > 0.0 && talon.metric(&done).await == all
    })
    .await;
    assert!(talon.terminate().await.success(), "{}", talon.log());
}
