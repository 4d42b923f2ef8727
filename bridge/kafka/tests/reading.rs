//! What is read back when a shard is taken over. Against a real Kafka.
#![allow(clippy::unwrap_used)]

mod support;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rdkafka::producer::Producer;
use support::{LIMIT, World};
use talon_brokers::Kafka as Broker;
use talon_runtime::bus::{Bus, BusFault, Grant};

#[test]
fn a_busy_connector_beside_it_does_not_end_the_reading_of_a_large_one() {
    let Some(broker) = Broker::shared("busy") else { return };
    let mut world = World::new(broker.bootstrap());
    world.partitions = 6;
    // Many small fetches, so that the reading takes a while.
    world.set("message.max.bytes", "20000");
    world.set("fetch.max.bytes", "20000");
    let count = 30_000;
    let (mut log, _) = world.open("field");
    let value = "x".repeat(500);
    for key in 0..count {
        log.put(&key.to_string(), &value);
        if key % 10_000 == 9_999 {
            log.commit(Some("c")).unwrap();
        }
    }
    log.commit(Some("c")).unwrap();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (mut busy, _) = world.open("busy");
            while !stop.load(Ordering::Relaxed) {
                busy.commit(Some("b")).unwrap();
            }
        });
        for round in 0..6 {
            let (_, found) = world.open("field");
            let known = found.records.len();
            if known != count {
                stop.store(true, Ordering::Relaxed);
            }
            assert_eq!(known, count, "round {round}");
            assert_eq!(found.checkpoints["field/call"], "c");
        }
        stop.store(true, Ordering::Relaxed);
    });
}

#[test]
fn whoever_takes_over_right_after_a_commit_reads_what_was_committed() {
    let Some(broker) = Broker::shared("takes_over") else { return };
    let world = World::new(broker.bootstrap());
    let (mut log, _) = world.open("field");
    for round in 0..25 {
        let value = round.to_string();
        log.put("k", &value);
        log.commit(Some(&value)).unwrap();
        let (next, found) = world.open("field");
        assert_eq!(found.value("k"), Some(value.as_str()));
        assert_eq!(found.checkpoints["field/call"], value);
        log = next;
    }
}

#[test]
fn a_checkpoint_behind_a_transaction_of_another_connector_is_waited_for() {
    let Some(broker) = Broker::shared("behind") else { return };
    let world = World::new(broker.bootstrap());
    let (mut log, _) = world.open("field");
    log.commit(Some("one")).unwrap();
    let other = world.transaction("other", "checkpoints", "other/call");
    log.put("k", "two");
    log.commit(Some("two")).unwrap();
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_secs(2));
            ended.store(true, Ordering::Release);
            other.commit_transaction(LIMIT).unwrap();
        });
        let (_, found) = world.open("field");
        assert_eq!(found.checkpoints["field/call"], "two");
        assert!(ended.load(Ordering::Acquire));
    });
}

#[test]
fn a_transaction_of_another_connector_on_the_checkpoints_holds_nobody_up() {
    let Some(broker) = Broker::shared("foreign") else { return };
    let world = World::new(broker.bootstrap());
    let (mut log, _) = world.open("field");
    log.commit(Some("one")).unwrap();
    let _open = world.transaction("other", "checkpoints", "other/call");
    let (_, found) = world.open("field");
    assert_eq!(found.checkpoints["field/call"], "one");
}

#[test]
fn what_an_aborted_transaction_left_behind_is_passed_over() {
    let Some(broker) = Broker::shared("aborted") else { return };
    let world = World::new(broker.bootstrap());
    let (mut log, _) = world.open("field");
    log.put("k", "one");
    log.commit(None).unwrap();
    for _ in 0..3 {
        log.put("k", "never");
        // Taken over with its transaction open.
        let (next, found) = world.open("field");
        assert_eq!(found.value("k"), Some("one"));
        log = next;
    }
}

#[test]
fn a_topic_that_is_not_there_is_not_empty() {
    let Some(broker) = Broker::shared("gone") else { return };
    let world = World::new(broker.bootstrap());
    let (mut log, _) = world.open("field");
    log.put("k", "one");
    log.commit(None).unwrap();
    let mut log = world.try_open(&world.process(), "field").unwrap();
    world.delete_topic("field.call");
    support::until("the topic is gone", || match log.recover() {
        Ok(found) => {
            assert_eq!(found.value("k"), Some("one"));
            false
        }
        Err(fault) => {
            assert!(matches!(fault, BusFault::Aborted(_) | BusFault::Unavailable(_)), "{fault:?}");
            assert!(fault.to_string().contains(&world.name("field.call")), "{fault}");
            true
        }
    });
}

#[test]
fn what_reads_back_is_ended_by_the_callback_and_by_the_grant() {
    let Some(broker) = Broker::shared("ended") else { return };
    let world = World::new(broker.bootstrap());
    let (mut log, _) = world.open("field");
    for key in 0..5_000 {
        log.put(&key.to_string(), "x");
    }
    log.commit(None).unwrap();
    let mut read = 0;
    let ended = log.recover_each(&mut |_, _| {
        read += 1;
        if read == 3 { Err(BusFault::Aborted("enough".to_owned())) } else { Ok(()) }
    });
    assert_eq!((ended, read), (Err(BusFault::Aborted("enough".to_owned())), 3));

    let grant = Grant::unlimited("field");
    let mut log = world.open_under(&world.process(), "field", &grant).unwrap();
    let mut read = 0;
    let ended = log.recover_each(&mut |_, _| {
        read += 1;
        grant.close();
        Ok(())
    });
    assert_eq!(ended, Err(BusFault::Revoked));
    assert!(read < 5_000, "it ends while records come in");
    let again = world.open_under(&world.process(), "field", &grant);
    assert_eq!(again.err(), Some(BusFault::Revoked));
}

#[test]
fn a_topic_with_nothing_on_it_is_read_at_once() {
    let Some(broker) = Broker::shared("empty") else { return };
    let mut world = World::new(broker.bootstrap());
    world.partitions = 6;
    world.open("field");
    let since = Instant::now();
    let (_, found) = world.open("field");
    eprintln!("an empty shard: open and recover in {:?}", since.elapsed());
    assert_eq!(found, support::Found::default());
}

/// What a consumer of the compacted topic ends with, partition by partition: key and values.
fn alive(world: &World) -> Vec<(i32, String)> {
    let mut last = std::collections::BTreeMap::new();
    for (partition, key, value) in world.records("field.call") {
        last.insert((partition, key), value);
    }
    last.into_iter().filter(|(_, value)| value.is_some()).map(|(key, _)| key).collect()
}

#[test]
fn after_partitions_were_added_the_newest_record_of_a_key_counts() {
    let Some(broker) = Broker::shared("grown") else { return };
    let mut world = World::new(broker.bootstrap());
    world.partitions = 3;
    let keys: Vec<String> = (0..300).map(|key| format!("task-{key}")).collect();
    let (mut log, _) = world.open("field");
    for key in &keys {
        log.put(key, "one");
    }
    log.commit(None).unwrap();
    world.grow("field.call", 6);

    // Known although their partition is another one now.
    let (mut log, found) = world.open("field");
    for key in &keys {
        assert_eq!(found.value(key), Some("one"), "{key}");
    }
    for key in &keys {
        log.put(key, "two");
    }
    log.commit(None).unwrap();
    for _ in 0..3 {
        let (_, found) = world.open("field");
        let stale = keys.iter().filter(|key| found.value(key) != Some("two")).count();
        assert_eq!(stale, 0);
    }

    // Grown again, so that some keys come back to a partition that has an old copy of theirs.
    world.grow("field.call", 8);
    let (mut log, found) = world.open("field");
    assert_eq!(keys.iter().filter(|key| found.value(key) != Some("two")).count(), 0);
    for key in &keys[..150] {
        log.put(key, "one");
    }
    for key in &keys[200..] {
        log.delete(key);
    }
    log.commit(None).unwrap();
    let (_, found) = world.open("field");
    for (i, key) in keys.iter().enumerate() {
        let expected =
            [Some("one"), Some("two"), None][usize::from(i >= 150) + usize::from(i >= 200)];
        assert_eq!(found.value(key), expected, "{key}");
    }
    // A deleted key leaves no copy behind in any partition.
    let left = alive(&world).into_iter().filter(|(_, key)| keys[200..].contains(key)).count();
    assert_eq!(left, 0);
}

#[test]
fn a_shard_that_runs_while_partitions_are_added_keeps_each_key_in_one_of_them() {
    let Some(broker) = Broker::shared("grows") else { return };
    let mut world = World::new(broker.bootstrap());
    world.partitions = 3;
    // The client hears of the new partitions soon.
    world.set("topic.metadata.refresh.interval.ms", "200");
    let keys: Vec<String> = (0..100).map(|key| format!("task-{key}")).collect();
    let (mut log, _) = world.open("field");
    for key in &keys {
        log.put(key, "one");
    }
    log.commit(None).unwrap();
    world.grow("field.call", 6);
    std::thread::sleep(Duration::from_secs(1));
    for key in &keys {
        log.put(key, "two");
    }
    log.commit(None).unwrap();
    let mut places: std::collections::BTreeMap<String, std::collections::BTreeSet<i32>> =
        std::collections::BTreeMap::new();
    for (partition, key, _) in world.records("field.call") {
        places.entry(key).or_default().insert(partition);
    }
    assert!(places.values().all(|places| places.len() == 1), "{places:?}");
}

#[test]
fn results_that_are_not_there_stop_the_commands() {
    let Some(broker) = Broker::shared("results") else { return };
    let world = World::new(broker.bootstrap());
    let lane = world.lane_spec("field");
    let kafka = world.process();
    let (_reader, mut log) = {
        let _inside = world.runtime.enter();
        kafka.open_lane(&lane, &Grant::unlimited("field")).unwrap()
    };
    assert_eq!(log.recover(&mut |_| Ok(())), Ok(()));
    world.delete_topic("field.results");
    support::until("the topic is gone", || {
        let _inside = world.runtime.enter();
        log.recover(&mut |_| Ok(())).is_err()
    });
}
