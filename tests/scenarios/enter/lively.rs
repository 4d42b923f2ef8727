//! A lively day that processes take from each other, because they are killed.

use std::sync::atomic::Ordering;

use jiff::ToSpan;
use rand::RngExt;
use talon_simulators::enter_export::{Settings, Simulator};

use crate::program::{Site, now_ms, today};
use crate::support::{On, Talon};

const KILLS: i64 = 3;

/// The life of the hall that a process sees goes on in so many steps of so many minutes.
const STEPS: i64 = 20;
const MINUTES: i64 = 6;

#[tokio::test(flavor = "multi_thread")]
async fn invariants_1_to_3_two_replicas_that_are_killed_in_turn_lose_nothing_of_a_lively_day_on_kafka()
 {
    killed_in_turn(On::Kafka).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn invariants_1_to_3_two_replicas_that_are_killed_in_turn_lose_nothing_of_a_lively_day_on_nats()
 {
    killed_in_turn(On::Nats).await;
}

async fn killed_in_turn(on: On) {
    let Some(address) = on.shared("enter_lively") else { return };
    let seed: u64 = rand::rng().random();
    println!("seed {seed}");
    let settings = Settings {
        seed,
        tickets_per_day: 60,
        opens_at: 0.0,
        closes_at: 24.0,
        booked: 0.05,
        ..Settings::noisy()
    };
    let upstream = Simulator::start(settings).await.unwrap();
    let site = Site::new("lively", upstream, address);
    // The hall's clock lags behind and catches up, so its yesterday must not settle.
    let clock = site.upstream.clock();
    let all = ((STEPS + 1) * KILLS + STEPS) * MINUTES;
    clock.store(now_ms() - all * 60_000, Ordering::SeqCst);
    // The days of the branch where they begin first.
    let last = today("Asia/Kamchatka");
    let first = last.checked_sub(3.days()).unwrap();
    let mut texts = site.configuration(&[
        ("backfill.from", &first.to_string()),
        ("late.poll.interval.ms", "300"),
        ("day.settle.ms", "604800000"),
    ]);
    // As a deployment of several pods has it: members without a fixed place in the group.
    if texts.remove("bus.kafka.group.instance.id").is_some() {
        texts.insert("bus.kafka.session.timeout.ms".to_owned(), "2000".to_owned());
        texts.insert("bus.kafka.heartbeat.interval.ms".to_owned(), "300".to_owned());
    }
    let step = || clock.fetch_add(MINUTES * 60_000, Ordering::SeqCst);
    let mut owner = Talon::run(&texts);
    for life in 0..=KILLS {
        owner.becomes("hall", "up").await;
        for _ in 0..STEPS {
            step();
            site.asked_again(0, 2).await;
        }
        if life < KILLS {
            let mut other = Talon::run(&texts);
            other.becomes("hall", "standby").await;
            step();
            owner.kill();
            owner = other;
        }
    }
    let published = site.settled(first, last).await;
    published.check_facts();
    let updates = published.tickets.values().map(|events| events.len() - 1).sum::<usize>();
    assert!(updates > 20, "the day was lively: {updates} updates");
    assert!(owner.terminate().await.success(), "{}", owner.log());
}
