//! The program, killed again and again while the hall is busy.

use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::json;
use talon_brokers::unique;
use talon_simulators::quickq::Simulator;

use crate::support::{On, Talon};
use crate::truth::settled;
use crate::{configuration, hall};

const KILLS: usize = 10;

#[tokio::test(flavor = "multi_thread")]
async fn invariants_1_and_4_killed_at_random_nothing_is_lost_doubled_or_wrongly_deleted_on_kafka() {
    killed(On::Kafka).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn invariants_1_and_4_killed_at_random_nothing_is_lost_doubled_or_wrongly_deleted_on_nats() {
    killed(On::Nats).await;
}

async fn killed(on: On) {
    let Some(address) = on.shared("quickq_killed") else { return };
    let seed = std::env::var("TALON_TEST_SEED")
        .map_or_else(|_| rand::rng().random(), |s| s.parse().unwrap());
    eprintln!("TALON_TEST_SEED={seed}");
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let hall = Simulator::start(hall(seed)).await.unwrap();
    let prefix = unique("hall");
    // What a kill hides may be much of a small queue: believed here.
    let settings = [("queue.workplaces", "1,2"), ("deletes.guard.ratio", "1")];
    let texts = configuration(&prefix, address, &hall.url(), &settings);
    hall.change_settings(&json!({ "edits_per_second": 40.0 })).unwrap();
    for kill in 0..KILLS {
        let mut talon = Talon::run(&texts);
        // From before it has connected to well after it serves.
        let wait = if kill < 3 { 0..400 } else { 300..1_500 };
        tokio::time::sleep(Duration::from_millis(random.random_range(wait))).await;
        talon.kill();
        // Where it had ended by itself, the test would test nothing.
        assert!(!talon.log().contains("ERROR"), "{}", talon.log());
    }
    let mut talon = Talon::run(&texts);
    talon.ready().await;
    hall.change_settings(&json!({ "edits_per_second": 0.0 })).unwrap();
    settled(address, &prefix, &hall).await;
    assert!(talon.terminate().await.success(), "{}", talon.log());
    // Those that were killed left theirs behind; this one has given its own back.
    assert!(hall.counts().sessions <= KILLS, "{:?}", hall.counts());
}
