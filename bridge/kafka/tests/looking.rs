//! Bounded looks at topics. Against a real Kafka.
#![allow(clippy::unwrap_used)]

mod support;

use std::time::Instant;

use support::World;
use talon_brokers::Kafka as Broker;
use talon_runtime::bus::{Bus, Look, Looked, Which};

fn look(world: &World, look: &Look) -> Looked {
    let _inside = world.runtime.enter();
    world.process().look(look).unwrap()
}

fn patient(topic: &str, which: Which, most: usize) -> Look {
    let until = Instant::now() + support::LIMIT;
    Look { until, ..Look::new(topic, which, most) }
}

fn values(looked: &Looked) -> Vec<String> {
    let text = |value: &Vec<u8>| String::from_utf8(value.clone()).unwrap();
    looked.records.iter().map(|found| found.value.as_ref().map_or(String::new(), text)).collect()
}

#[test]
fn a_look_finds_the_newest_of_a_key_however_far_back_and_only_what_is_committed() {
    let Some(broker) = Broker::shared("looks_back") else { return };
    let mut world = World::new(broker.bootstrap());
    world.partitions = 3;
    let topic = world.name("field.call");
    let (mut log, _) = world.open("field");
    for value in ["one", "two", "three"] {
        log.put("old", value);
    }
    for key in 0..5_000 {
        log.put(&key.to_string(), "v");
    }
    log.put("new", "first");
    log.put("new", "second");
    log.commit(Some("c")).unwrap();
    log.put("new", "never");
    log.put("old", "never");
    drop(log);
    // Whoever takes over aborts what was not committed.
    let (log, _) = world.open("field");
    let of_key = |key: &str| patient(&topic, Which::OfKey(key.to_owned()), 2);
    let looked = look(&world, &of_key("new"));
    assert_eq!(values(&looked), ["second", "first"]);
    assert!(looked.read < 100, "the newest are near: {} records were read", looked.read);
    let looked = look(&world, &of_key("old"));
    assert_eq!(values(&looked), ["three", "two"]);
    let found = &looked.records[0];
    let place = format!("partition {}, offset {}", found.position.partition, found.position.offset);
    assert!(found.stands.contains(&topic) && found.stands.contains(&place), "{}", found.stands);
    assert!(found.at_ms > 1_600_000_000_000);
    let at = look(&world, &patient(&topic, Which::At(found.position), 1));
    assert_eq!((values(&at), at.read), (vec!["three".to_owned()], 1));
    let looked = look(&world, &of_key("none"));
    assert!(looked.records.is_empty() && looked.is_there && looked.is_complete);
    let looked = look(&world, &patient(&topic, Which::Newest, 300));
    assert_eq!((looked.records.len(), looked.is_complete), (300, true));
    drop(log);
}

#[test]
fn a_look_ends_at_its_bounds_and_says_so() {
    let Some(broker) = Broker::shared("looks_bounded") else { return };
    let world = World::new(broker.bootstrap());
    let topic = world.name("field.call");
    let (mut log, _) = world.open("field");
    log.put("old", "far");
    for key in 0..3_000 {
        log.put(&key.to_string(), "value");
    }
    log.commit(Some("c")).unwrap();
    let of_key = patient(&topic, Which::OfKey("old".to_owned()), 2);
    // The broker tells what was committed a moment later.
    while look(&world, &of_key).records.is_empty() {
        assert!(Instant::now() < of_key.until, "nothing is told of what was committed");
    }
    let looked = look(&world, &Look { records: 1_000, ..of_key.clone() });
    assert!(looked.records.is_empty() && !looked.is_complete, "{looked:?}");
    assert!((1..=1_000).contains(&looked.read), "{}", looked.read);
    let looked = look(&world, &Look { bytes: 400, ..of_key.clone() });
    assert!(looked.records.is_empty() && !looked.is_complete);
    assert!(looked.read < 200, "{}", looked.read);
    let looked = look(&world, &of_key);
    assert_eq!((values(&looked), looked.is_complete), (vec!["far".to_owned()], true));
    // No topic is made by looking at it.
    for _ in 0..2 {
        let looked = look(&world, &patient(&world.name("field.nothing"), Which::Newest, 2));
        assert!(!looked.is_there && looked.records.is_empty());
    }
}
