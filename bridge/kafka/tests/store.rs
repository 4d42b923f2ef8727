//! Stores on a real broker: what every store promises, and how it can fail.
#![allow(clippy::unwrap_used)]

#[path = "../../runtime/tests/store/contract.rs"]
mod contract;
mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use contract::{Entries, Follower, Open, entries, seen};
use rdkafka::producer::Producer;
use support::{World, until};
use talon_brokers::Kafka as Broker;
use talon_runtime::bus::{Bus, BusFault, Expected, Store, TopicSpec, WriteFault};

fn store(world: &World) -> Arc<dyn Store> {
    world.process().store(&TopicSpec::configs(&world.prefix, 0))
}

/// A prefix on the shared broker, inside a runtime.
fn with_world(test: &str, run: impl FnOnce(&World, &Open<'_>)) {
    let Some(broker) = Broker::shared(test) else { return };
    let world = World::new(broker.bootstrap());
    let _inside = world.runtime.enter();
    run(&world, &|| store(&world));
}

#[test]
fn a_follower_is_told_what_is_there_then_each_change() {
    with_world("a_follower_is_told_what_is_there_then_each_change", |_, open| {
        contract::a_follower_is_told_what_is_there_then_each_change(open);
    });
}

#[test]
fn only_what_is_expected_is_written_over() {
    with_world("only_what_is_expected_is_written_over", |_, open| {
        contract::only_what_is_expected_is_written_over(open);
    });
}

#[test]
fn every_text_is_a_key() {
    with_world("every_text_is_a_key", |_, open| contract::every_text_is_a_key(open));
}

#[test]
fn increments_by_many_writers_are_all_counted_while_the_broker_is_restarted() {
    let test = "increments_by_many_writers_are_all_counted_while_the_broker_is_restarted";
    let Some(mut broker) = Broker::start(test) else { return };
    let bootstrap = broker.bootstrap().to_owned();
    let world = World::new(&bootstrap);
    let _inside = world.runtime.enter();
    let restart = || broker.restart();
    let counts = (8, contract::increments());
    contract::increments_by_many_writers_are_all_counted(&|| store(&world), counts, restart);
}

#[test]
fn every_follower_sees_the_same_in_the_end_though_the_broker_is_killed() {
    let test = "every_follower_sees_the_same_in_the_end_though_the_broker_is_killed";
    let Some(mut broker) = Broker::start(test) else { return };
    let bootstrap = broker.bootstrap().to_owned();
    let world = World::new(&bootstrap);
    let _inside = world.runtime.enter();
    contract::every_follower_sees_the_same_in_the_end(&|| store(&world), || {
        broker.kill();
        broker.restart();
    });
}

/// The second number: a writer that is killed between produce and commit.
#[test]
fn a_writer_that_is_killed_in_the_middle_leaves_nothing_half_and_holds_nobody_up() {
    let test = "a_writer_that_is_killed_in_the_middle_leaves_nothing_half_and_holds_nobody_up";
    with_world(test, |world, open| {
        let one = open();
        let first = one.write("k", Some(b"1"), Expected::Absent).unwrap();
        let mut follower = Follower::of(&*open());
        follower.until_entries(&entries(&[("k", "1")]));
        // As a writer has it open: its id, its topic.
        let killed = world.transaction("configs", "configs", "k");
        let second = one.write("k", Some(b"2"), Expected::Revision(first)).unwrap();
        follower.until_entries(&entries(&[("k", "2")]));
        // It is revived: what it began is over.
        assert!(killed.commit_transaction(Duration::from_secs(30)).is_err());
        assert_eq!(seen(open), entries(&[("k", "2")]));
        one.write("k", Some(b"3"), Expected::Revision(second)).unwrap();
        assert_eq!(follower.order, ["k", "k"]);
        follower.until_entries(&entries(&[("k", "3")]));
    });
}

#[test]
fn a_topic_with_more_partitions_or_a_policy_that_deletes_is_refused_with_the_remedy() {
    let test = "a_topic_with_more_partitions_or_a_policy_that_deletes_is_refused_with_the_remedy";
    for (partitions, settings, remedy) in [
        (2, vec![("cleanup.policy", "compact")], "one partition"),
        (1, vec![("cleanup.policy", "compact,delete")], "cleanup.policy=compact"),
    ] {
        with_world(test, |world, open| {
            world.create_topic_with("configs", partitions, &settings);
            let store = open();
            let fault = store.write("k", Some(b"1"), Expected::Anything).unwrap_err();
            let WriteFault::Bus(BusFault::Misconfigured(why)) = fault else { panic!("{fault:?}") };
            assert!(why.contains(remedy), "{why}");
            let mut follower = Follower::of(&*store);
            follower.until("it is told", |follower| follower.trouble.is_some());
            assert!(follower.trouble.as_ref().unwrap().contains(remedy));
            // What was put is refused as well, and is there when it is mended.
            store.put("k", Some(b"2"));
            if partitions == 1 {
                world.alter_topic("configs", "cleanup.policy", "compact");
                follower.until_current();
                follower.until_entries(&entries(&[("k", "2")]));
            }
        });
    }
}

#[test]
fn a_topic_that_is_deleted_is_trouble_and_never_an_empty_store() {
    let test = "a_topic_that_is_deleted_is_trouble_and_never_an_empty_store";
    let Some(broker) = Broker::shared(test) else { return };
    let world = World::new(broker.bootstrap());
    let _inside = world.runtime.enter();
    let process = world.process().looking_every(Duration::from_millis(500));
    let one = process.store(&TopicSpec::configs(&world.prefix, 0));
    one.write("a", Some(b"1"), Expected::Absent).unwrap();
    one.write("b", Some(b"1"), Expected::Absent).unwrap();
    let mut follower = Follower::of(&*one);
    follower.until_current();
    world.delete_topic("configs");
    follower.until("it is told", |follower| {
        follower.trouble.as_ref().is_some_and(|trouble| trouble.contains("is gone"))
    });
    assert_eq!(follower.entries, entries(&[("a", "1"), ("b", "1")]));
    // It is not made again by who has seen it, neither for a write nor for what is put.
    one.put("a", Some(b"2"));
    let fault = one.write("a", Some(b"3"), Expected::Anything).unwrap_err();
    assert!(fault.to_string().contains("is gone"), "{fault}");
    // One that is started anew makes it, and what is not in it is told as removed.
    let other = store(&world);
    other.write("b", Some(b"4"), Expected::Absent).unwrap();
    follower.until_entries(&entries(&[("a", "2"), ("b", "4")]));
    follower.until_current();
}

#[test]
fn a_value_that_is_too_large_is_refused_and_nothing_else() {
    let test = "a_value_that_is_too_large_is_refused_and_nothing_else";
    with_world(test, |world, open| {
        world.create_topic_with(
            "configs",
            1,
            &[("cleanup.policy", "compact"), ("max.message.bytes", "10000")],
        );
        let store = open();
        // It does not compress.
        let large: Vec<u8> =
            (0..40_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()).collect();
        let fault = store.write("k", Some(&large), Expected::Anything).unwrap_err();
        assert!(matches!(fault, WriteFault::Bus(BusFault::TooLarge(_))), "{fault:?}");
        store.put("large", Some(&large));
        store.put("small", Some(b"1"));
        assert!(store.flush(Duration::from_secs(120)));
        store.write("k", Some(b"1"), Expected::Absent).unwrap();
        assert_eq!(seen(open), entries(&[("k", "1"), ("small", "1")]));
    });
}

/// Compaction takes records, tombstones and markers; what is left is the same picture, and compare and set goes on.
#[test]
fn a_compacted_topic_is_the_same_store() {
    with_world("a_compacted_topic_is_the_same_store", |world, open| {
        world.create_topic_with(
            "configs",
            1,
            &[
                ("cleanup.policy", "compact"),
                ("segment.ms", "100"),
                ("min.cleanable.dirty.ratio", "0.01"),
                ("delete.retention.ms", "100"),
            ],
        );
        let store = open();
        let mut revision = store.write("k", Some(b"0"), Expected::Absent).unwrap();
        let gone = store.write("gone", Some(b"0"), Expected::Absent).unwrap();
        store.write("gone", None, Expected::Revision(gone)).unwrap();
        for count in 1..5_u32 {
            let value = count.to_string();
            revision =
                store.write("k", Some(value.as_bytes()), Expected::Revision(revision)).unwrap();
        }
        until("it is compacted", || {
            std::thread::sleep(Duration::from_millis(200));
            // The active segment is never compacted, and a write ends it.
            store.write("more", Some(b"1"), Expected::Anything).unwrap();
            world.records("configs").iter().filter(|(_, key, _)| key == "k").count() == 1
        });
        let expected: Entries = entries(&[("k", "4"), ("more", "1")]);
        assert_eq!(seen(open), expected);
        store.write("k", None, Expected::Revision(revision)).unwrap();
        store.write("gone", Some(b"1"), Expected::Absent).unwrap();
        assert_eq!(seen(open), entries(&[("gone", "1"), ("more", "1")]));
    });
}

#[test]
fn a_thousand_states_are_written_at_once_and_threads_end_with_who_uses_them() {
    let test = "a_thousand_states_are_written_at_once_and_threads_end_with_who_uses_them";
    with_world(test, |world, _| {
        let process = world.process();
        let store = process.store(&TopicSpec::status(&world.prefix, 0));
        let mut follower = Follower::of(&*store);
        follower.until_current();
        for number in 0..1_000 {
            store.put(&format!("status-{number}"), Some(b"RUNNING"));
        }
        let since = Instant::now();
        assert!(store.flush(Duration::from_secs(120)));
        println!("{:?}", since.elapsed());
        follower.until("all are told", |follower| follower.entries.len() == 1_000);
        let threads = || std::fs::read_dir("/proc/self/task").unwrap().count();
        let before = threads();
        drop((store, follower));
        until("its threads have ended", || threads() < before);
    });
}
