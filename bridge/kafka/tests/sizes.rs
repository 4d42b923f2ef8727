//! Records and transactions that are larger, or take longer, than usual. Against a real Kafka.
#![allow(clippy::unwrap_used)]

mod support;

use std::process::Command;
use std::time::Instant;

use support::{DEAD_LETTERS, TABLE, World};
use talon_brokers::Kafka as Broker;
use talon_runtime::bus::BusFault;

fn opened(world: &World) -> support::Log<'_> {
    world.open("field").0
}

#[test]
fn a_record_beyond_its_topic_is_too_large_and_what_follows_flows() {
    let Some(broker) = Broker::shared("too_large") else { return };
    let world = World::new(broker.bootstrap());
    world.create_topic_with(
        "field.call",
        1,
        &[("max.message.bytes", "20000"), ("cleanup.policy", "compact")],
    );
    let mut log = opened(&world);
    log.put("before", "x");
    let large = log.append(TABLE, "large", Some(&"x".repeat(30_000)));
    assert!(matches!(large, Err(BusFault::TooLarge(_))), "{large:?}");
    // Another topic of the shard takes it.
    log.append(DEAD_LETTERS, "large", Some(&"x".repeat(30_000))).unwrap();
    // Many small ones are not put into one batch that is too large.
    let random: String = (0..200_u64)
        .map(|i| format!("{:x}", (i + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)))
        .collect();
    for key in 0..200 {
        log.put(&key.to_string(), &random[key..]);
    }
    log.commit(Some("c")).unwrap();
    let (_, found) = world.open("field");
    assert_eq!((found.records.len(), found.value("before")), (201, Some("x")));
}

#[test]
fn a_topic_that_takes_more_gets_more() {
    let Some(broker) = Broker::shared("larger") else { return };
    let world = World::new(broker.bootstrap());
    world.create_topic_with("field.call", 1, &[("max.message.bytes", "5000000")]);
    let mut log = opened(&world);
    let value = "x".repeat(4_000_000);
    log.put("large", &value);
    log.commit(None).unwrap();
    assert_eq!(world.open("field").1.value("large"), Some(value.as_str()));
}

#[test]
fn a_topic_that_is_created_takes_the_records_that_it_is_meant_for() {
    let Some(broker) = Broker::shared("meant") else { return };
    let mut world = World::new(broker.bootstrap());
    world.set("compression.type", "none");
    let largest = 8_000_000;
    world.record_bytes = Some(largest);
    let mut log = opened(&world);
    let value = random(largest - 1_000);
    log.put("large", &value);
    log.put("small", "x");
    log.commit(None).unwrap();
    let found = world.open("field").1;
    assert_eq!((found.value("large"), found.value("small")), (Some(value.as_str()), Some("x")));
}

#[test]
fn a_record_that_the_broker_refuses_all_the_same_is_known_when_the_shard_is_opened_again() {
    let Some(broker) = Broker::shared("refused") else { return };
    let world = World::new(broker.bootstrap());
    let kafka = world.process();
    let mut log = world.try_open(&kafka, "field").unwrap();
    log.recover().unwrap();
    // Lowered while the shard runs.
    world.alter_topic("field.call", "max.message.bytes", "20000");
    let random = random(40_000);
    let mut refusals = 0;
    let since = Instant::now();
    loop {
        let appended = log.append(TABLE, "large", Some(&random));
        if let Err(BusFault::TooLarge(_)) = appended {
            break;
        }
        let fault = appended.and_then(|()| log.commit(None)).unwrap_err();
        assert!(matches!(fault, BusFault::Aborted(_)), "{fault:?}");
        assert!(fault.to_string().contains("max.message.bytes"), "{fault}");
        refusals += 1;
        assert!(refusals <= 2, "{:?}", since.elapsed());
        drop(log);
        log = world.try_open(&kafka, "field").unwrap();
        log.recover().unwrap();
    }
    log.put("small", "x");
    log.commit(None).unwrap();
    assert_eq!(world.open("field").1.value("small"), Some("x"));
}

#[test]
fn a_quota_delays_a_commit_and_does_not_fail_it() {
    let Some(mut broker) = Broker::start("quota") else { return };
    let mut world = World::new(broker.bootstrap());
    world.set("client.id", "slow");
    world.set("compression.type", "none");
    let mut log = opened(&world);
    let jars = format!("{}/../../target/brokers/kafka-4.1.1/*", env!("CARGO_MANIFEST_DIR"));
    let set = Command::new("java")
        .args(["-cp", &jars, "kafka.admin.ConfigCommand"])
        .args(["--bootstrap-server", broker.bootstrap(), "--alter", "--entity-type", "clients"])
        .args(["--entity-name", "slow", "--add-config", "producer_byte_rate=100000"])
        .output();
    let Ok(set) = set else { return };
    let failed = String::from_utf8_lossy(&set.stderr).into_owned();
    if failed.contains("ClassNotFound") || failed.contains("Could not find") {
        eprintln!("no tool for quotas here: {failed}");
        return;
    }
    assert!(set.status.success(), "{failed}");
    let since = Instant::now();
    for key in 0..30 {
        log.put(&key.to_string(), &random(100_000));
    }
    log.commit(None).unwrap();
    eprintln!("3 MB at 100 kB/s took {:?}", since.elapsed());
    assert_eq!(world.open("field").1.records.len(), 30);
    broker.stop();
}

#[test]
fn a_broker_that_allows_only_short_transactions_is_asked_for_short_ones_by_all_shards_at_once() {
    let settings = "transaction.max.timeout.ms=60000\n";
    let Some(mut broker) = Broker::start_with("short", settings) else { return };
    let world = World::new(broker.bootstrap());
    let kafka = world.process();
    // They open together, so that more than one is refused before the first knows why.
    std::thread::scope(|scope| {
        for shard in ["one", "two", "three", "four"] {
            let (world, kafka) = (&world, &kafka);
            scope.spawn(move || {
                let mut log = world.try_open(kafka, shard).unwrap();
                log.recover().unwrap();
                log.put("a", "x");
                log.commit(None).unwrap();
            });
        }
    });
    for shard in ["one", "two", "three", "four"] {
        assert_eq!(world.open(shard).1.value("a"), Some("x"));
    }
    broker.stop();
}

#[test]
fn a_time_of_transactions_that_is_configured_is_not_shortened_but_explained() {
    let settings = "transaction.max.timeout.ms=60000\n";
    let Some(mut broker) = Broker::start_with("configured", settings) else { return };
    let mut world = World::new(broker.bootstrap());
    world.set("transaction.timeout.ms", "120000");
    let Err(fault) = world.try_open(&world.process(), "field") else {
        panic!("the broker allows no such transactions");
    };
    assert!(matches!(fault, BusFault::Misconfigured(_)), "{fault:?}");
    assert!(fault.to_string().contains("transaction.max.timeout.ms"), "{fault}");
    broker.stop();
}

/// What a compressor makes no smaller.
fn random(bytes: usize) -> String {
    let mut state = 1_u64;
    let mut text = String::new();
    while text.len() < bytes {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        text.push_str(&format!("{:08x}", state >> 32));
    }
    text.truncate(bytes);
    text
}
