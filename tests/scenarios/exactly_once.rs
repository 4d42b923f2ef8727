//! Exactly once, whatever happens to the process and the broker. Against a real Kafka and a real NATS.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeMap;
use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use support::consumer::histories;
use support::truth::{check, settled};
use support::{On, Talon, configuration, live, settings, until, upstream};
use talon_brokers::unique;
use talon_contractor::contracts;
use talon_simulators::contractor::{Settings, Simulator};

#[tokio::test(flavor = "multi_thread")]
async fn invariants_1_and_2_killed_at_random_points_nothing_is_lost_or_doubled_on_kafka() {
    killed_at_random_points(On::Kafka).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn invariants_1_and_2_killed_at_random_points_nothing_is_lost_or_doubled_on_nats() {
    killed_at_random_points(On::Nats).await;
}

async fn killed_at_random_points(on: On) {
    let Some(address) = on.shared("exactly_once") else { return };
    let seed = std::env::var("TALON_TEST_SEED")
        .map_or_else(|_| rand::rng().random(), |s| s.parse().unwrap());
    eprintln!("TALON_TEST_SEED={seed}");
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    // All rows are read after each kill, and to spell so many anew takes long.
    let settings = Settings { noise: 0.1, ..settings(10_000, seed) };
    let upstream = Simulator::start(settings).await.unwrap();
    let prefix = unique("kill");
    let texts = configuration(&prefix, address, &upstream.url());
    live(&upstream, 300.0);
    for kill in 0..20 {
        let mut talon = Talon::run(&texts);
        // From before it has connected to well after it serves.
        let wait =
            if kill < 5 { random.random_range(0..400) } else { random.random_range(200..2_500) };
        tokio::time::sleep(Duration::from_millis(wait)).await;
        talon.kill();
        // Where it had ended by itself, the test would test nothing.
        assert!(!talon.log().contains("ERROR"), "{}", talon.log());
    }
    live(&upstream, 0.0);
    let mut talon = Talon::run(&texts);
    talon.ready().await;
    settled(address, &prefix, &upstream).await;
    assert!(talon.terminate().await.success(), "{}", talon.log());
    check(address, &prefix, &upstream).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_1_the_first_read_is_a_snapshot_and_a_restart_is_none_on_kafka() {
    first_read_and_restart(On::Kafka).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_1_the_first_read_is_a_snapshot_and_a_restart_is_none_on_nats() {
    first_read_and_restart(On::Nats).await;
}

async fn first_read_and_restart(on: On) {
    let Some(address) = on.shared("snapshot") else { return };
    let upstream = upstream(50, 3).await;
    let prefix = unique("snapshot");
    let texts = configuration(&prefix, address, &upstream.url());
    let mut talon = Talon::run(&texts);
    talon.ready().await;
    settled(address, &prefix, &upstream).await;
    assert!(talon.terminate().await.success());
    upstream.edit(200);
    let mut talon = Talon::run(&texts);
    talon.ready().await;
    settled(address, &prefix, &upstream).await;

    let calls = histories(address, &format!("{prefix}.field.call"), &contracts::CALL);
    let mut ops: BTreeMap<String, usize> = BTreeMap::new();
    for event in calls.values().flatten() {
        let (op, snapshot) =
            (event["op"].as_str().unwrap(), event["source"]["snapshot"].as_str().unwrap());
        *ops.entry(format!("{op} {snapshot}")).or_default() += 1;
        assert_eq!(event["before"].is_null(), op != "u");
    }
    assert_eq!(ops["r true"], 50, "{ops:?}");
    assert!(ops["u false"] > 0, "{ops:?}");
    assert!(!ops.contains_key("r false") && !ops.contains_key("u true"), "{ops:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn kafka_that_is_killed_and_comes_back_costs_nothing_but_time() {
    killed_broker(On::Kafka).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nats_that_is_killed_and_comes_back_costs_nothing_but_time() {
    killed_broker(On::Nats).await;
}

async fn killed_broker(on: On) {
    let Some(mut broker) = on.start("broker_restart") else { return };
    let upstream = upstream(500, 7).await;
    let prefix = unique("outage");
    let texts = configuration(&prefix, broker.address(), &upstream.url());
    live(&upstream, 100.0);
    let mut talon = Talon::run(&texts);
    talon.ready().await;
    for _ in 0..2 {
        broker.kill();
        until("the outage is noticed", async || talon.health().await.0 == 503).await;
        upstream.edit(100);
        broker.restart();
        talon.ready().await;
    }
    live(&upstream, 0.0);
    settled(broker.address(), &prefix, &upstream).await;
    assert!(talon.terminate().await.success(), "{}", talon.log());
}
