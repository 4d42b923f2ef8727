//! Bookings that change two months later, seen by another process than the one that read them.

use std::sync::atomic::Ordering;

use jiff::ToSpan;
use talon_simulators::enter_export::{Settings, Simulator};

use crate::program::{Site, end_ms, now_ms, today};
use crate::support::{On, Talon, until};

const ZONE: &str = "Asia/Yekaterinburg";

#[tokio::test(flavor = "multi_thread")]
async fn invariant_1_a_booking_that_changes_sixty_days_later_is_one_update_after_a_kill_on_kafka() {
    changes_later(On::Kafka).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_1_a_booking_that_changes_sixty_days_later_is_one_update_after_a_kill_on_nats() {
    changes_later(On::Nats).await;
}

async fn changes_later(on: On) {
    let Some(address) = on.shared("enter_later") else { return };
    let settings = Settings {
        branches: 1,
        zones: vec![ZONE.to_owned()],
        tickets_per_day: 30,
        booked: 1.0,
        ..Settings::noisy()
    };
    let site = Site::new("later", Simulator::start(settings).await.unwrap(), address);
    // The hall stands still at the end of a day that is more than two months ago.
    let day = today(ZONE).checked_sub(63.days()).unwrap();
    site.upstream.clock().store(end_ms(day, ZONE), Ordering::SeqCst);
    let texts = site.configuration(&[
        ("backfill.from", &day.to_string()),
        ("backfill.order", "oldest-first"),
        ("late.poll.interval.ms", "200"),
        // Elsewhere than in the reply, the zone would be another.
        ("time.zone", "Asia/Kamchatka"),
    ]);
    let mut talon = Talon::run(&texts);
    talon.ready().await;
    let before = site.settled(day, day).await;
    let done = "talon_backfill_days_done{connector=\"hall\"}";
    until("the past is read", async || talon.metric(done).await >= 60.0).await;
    talon.kill();
    let waiting: Vec<&String> = before
        .tickets
        .iter()
        .filter(|(_, events)| events.last().unwrap()["after"]["is_open"] == true)
        .map(|(key, _)| key)
        .collect();
    assert!(waiting.len() > 5, "{} bookings wait", waiting.len());

    site.upstream.clock().store(now_ms(), Ordering::SeqCst);
    let mut talon = Talon::run(&texts);
    talon.ready().await;
    let truth = site.truth(day, day);
    until("the bookings have ended", async || {
        let newest = site.published().newest();
        truth.iter().all(|(key, ticket)| newest.get(key) == Some(ticket))
    })
    .await;
    assert!(talon.terminate().await.success(), "{}", talon.log());
    let after = site.published();
    after.check_facts();
    for key in waiting {
        let (then, now) = (&before.tickets[key], &after.tickets[key]);
        assert_eq!(now.len(), then.len() + 1, "one update of {key}");
        let last = now.last().unwrap();
        assert_eq!((&last["op"], &last["after"]["is_open"]), (&"u".into(), &false.into()));
        assert_eq!(last["after"]["time_zone"], ZONE);
    }
}
