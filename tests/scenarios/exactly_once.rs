//! Exactly once, whatever happens to the process and the broker. Against a real Kafka.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeMap;
use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use support::consumer::{content, histories};
use support::truth::{check, settled};
use support::{Talon, configuration, live, until, upstream};
use talon_brokers::{Kafka, unique};
use talon_schemas::contractor as contracts;

#[tokio::test(flavor = "multi_thread")]
async fn invariants_1_and_2_a_process_killed_at_random_points_loses_and_doubles_nothing() {
    let Some(kafka) = Kafka::shared("exactly_once") else { return };
    let seed = std::env::var("TALON_TEST_SEED")
        .map_or_else(|_| rand::rng().random(), |s| s.parse().unwrap());
    eprintln!("TALON_TEST_SEED={seed}");
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let upstream = upstream(10_000, seed).await;
    let prefix = unique("kill");
    let texts = configuration(&prefix, kafka.bootstrap(), &upstream.url());
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
    settled(kafka.bootstrap(), &prefix, &upstream).await;
    assert!(talon.terminate().await.success(), "{}", talon.log());
    check(kafka.bootstrap(), &prefix, &upstream).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_1_the_first_read_is_a_snapshot_and_a_restart_is_none() {
    let Some(kafka) = Kafka::shared("snapshot") else { return };
    let upstream = upstream(50, 3).await;
    let prefix = unique("snapshot");
    let texts = configuration(&prefix, kafka.bootstrap(), &upstream.url());
    let mut talon = Talon::run(&texts);
    talon.ready().await;
    settled(kafka.bootstrap(), &prefix, &upstream).await;
    assert!(talon.terminate().await.success());
    upstream.edit(200);
    let mut talon = Talon::run(&texts);
    talon.ready().await;
    settled(kafka.bootstrap(), &prefix, &upstream).await;

    let calls = histories(kafka.bootstrap(), &format!("{prefix}.field.call"), &contracts::CALL);
    let mut ops: BTreeMap<String, usize> = BTreeMap::new();
    for event in calls.values().flatten() {
        let (op, snapshot) =
            (event["op"].as_str().unwrap(), event["source"]["snapshot"].as_str().unwrap());
        *ops.entry(format!("{op} {snapshot}")).or_default() += 1;
        assert_eq!(content(&event["before"]).is_null(), op != "u");
    }
    assert_eq!(ops["r true"], 50, "{ops:?}");
    assert!(ops["u false"] > 0, "{ops:?}");
    assert!(!ops.contains_key("r false") && !ops.contains_key("u true"), "{ops:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_killed_and_comes_back_costs_nothing_but_time() {
    let Some(mut kafka) = Kafka::start("broker_restart") else { return };
    let upstream = upstream(500, 7).await;
    let prefix = unique("outage");
    let texts = configuration(&prefix, kafka.bootstrap(), &upstream.url());
    live(&upstream, 100.0);
    let mut talon = Talon::run(&texts);
    talon.ready().await;
    for _ in 0..2 {
        kafka.kill();
        until("the outage is noticed", async || talon.health().await.0 == 503).await;
        upstream.edit(100);
        kafka.restart();
        talon.ready().await;
    }
    live(&upstream, 0.0);
    settled(kafka.bootstrap(), &prefix, &upstream).await;
    assert!(talon.terminate().await.success(), "{}", talon.log());
}
