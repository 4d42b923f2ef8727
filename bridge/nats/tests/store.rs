//! Stores on a real server: what every store promises, and how it can fail.
#![allow(clippy::unwrap_used)]

#[path = "../../runtime/tests/store/contract.rs"]
mod contract;
#[path = "support/deaf.rs"]
mod deaf;
mod support;

use std::sync::Arc;
use std::time::Duration;

use contract::{Follower, Open, entries, seen};
use deaf::Proxy;
use support::World;
use talon_brokers::Nats as Server;
use talon_nats::Nats;
use talon_runtime::bus::{Bus, BusFault, Expected, Store, TopicSpec, WriteFault};
use tokio::runtime::Handle;

fn configs(world: &World, nats: &Nats) -> Arc<dyn Store> {
    nats.store(&TopicSpec::configs(&world.prefix, 0))
}

/// A process that reads everything anew every half second.
fn restless(world: &World) -> Nats {
    world.process().reading_every(Duration::from_millis(500))
}

/// A prefix on the shared server, inside a runtime.
fn with_world(test: &str, run: impl FnOnce(&World, &Open<'_>)) {
    let Some(server) = Server::shared(test) else { return };
    let world = World::new(server.url());
    let _inside = world.runtime.enter();
    run(&world, &|| configs(&world, &world.process()));
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
    with_world("every_text_is_a_key", |_, open| {
        contract::every_text_is_a_key(open);
        let store = open();
        store.write("", Some(b"1"), Expected::Absent).unwrap();
        let fault = store.write(&"k".repeat(3_000), Some(b"1"), Expected::Absent).unwrap_err();
        assert!(matches!(fault, WriteFault::Bus(BusFault::TooLarge(_))), "{fault:?}");
        assert_eq!(seen(open), entries(&[("", "1")]));
    });
}

#[test]
fn increments_by_many_writers_are_all_counted_while_the_server_is_killed() {
    let test = "increments_by_many_writers_are_all_counted_while_the_server_is_killed";
    let Some(mut server) = Server::start(test) else { return };
    let world = World::new(server.url());
    let _inside = world.runtime.enter();
    let open = || configs(&world, &world.process());
    let counts = (8, contract::increments());
    contract::increments_by_many_writers_are_all_counted(&open, counts, || {
        server.kill();
        server.restart();
    });
}

#[test]
fn every_follower_sees_the_same_in_the_end_though_the_server_is_killed() {
    let test = "every_follower_sees_the_same_in_the_end_though_the_server_is_killed";
    let Some(mut server) = Server::start(test) else { return };
    let world = World::new(server.url());
    let _inside = world.runtime.enter();
    let open = || world.process().store(&TopicSpec::status(&world.prefix, 0));
    contract::every_follower_sees_the_same_in_the_end(&open, || {
        server.kill();
        server.restart();
    });
}

/// The third number: an acknowledgement that is lost.
#[test]
fn a_write_whose_answer_is_lost_does_not_conflict_with_itself() {
    let test = "a_write_whose_answer_is_lost_does_not_conflict_with_itself";
    let Some(server) = Server::shared(test) else { return };
    let proxy = Proxy::new(server.url());
    let mut world = World::new(server.url());
    let _inside = world.runtime.enter();
    let direct = configs(&world, &world.process());
    world.url.clone_from(&proxy.url);
    let behind = configs(&world, &world.process());
    let mut follower = Follower::of(&*direct);
    let mut revision = behind.write("k", Some(b"0"), Expected::Absent).unwrap();
    // Once it is the newest, once others were written over it, and once it is a removal.
    for (value, others) in [(Some("1"), 0), (Some("2"), 3), (None, 1)] {
        proxy.lose_answers();
        let (over, runtime, mine) = (revision, Handle::current(), behind.clone());
        let writing = std::thread::spawn(move || {
            let _inside = runtime.enter();
            mine.write("k", value.map(str::as_bytes), Expected::Revision(over))
        });
        follower.until("it is stored", |follower| {
            follower.entries.get("k").map(String::as_str) == value
        });
        let stored = follower.revisions.get("k").copied();
        for other in 0..others {
            let other = format!("other {other}");
            revision = direct.write("k", Some(other.as_bytes()), Expected::Anything).unwrap();
        }
        proxy.cut();
        let written = writing.join().unwrap().unwrap();
        assert!(stored.is_none_or(|stored| stored == written), "{stored:?} {written}");
        if others == 0 {
            revision = written;
        }
    }
    assert_eq!(behind.write("k", None, Expected::Revision(1)), Err(WriteFault::Conflict));
    behind.write("k", None, Expected::Revision(revision)).unwrap();
}

#[test]
fn what_vanishes_without_a_word_is_told_as_removed() {
    with_world("what_vanishes_without_a_word_is_told_as_removed", |world, open| {
        let store = open();
        for key in ["a", "b"] {
            store.write(key, Some(b"1"), Expected::Absent).unwrap();
        }
        let mut follower = Follower::of(&*configs(world, &restless(world)));
        follower.until_current();
        // Nobody is told of a purge.
        let name = format!("KV_{}_configs", world.prefix);
        let jetstream = world.jetstream();
        let subject = format!("$KV.{}_configs.a", world.prefix);
        Handle::current().block_on(async {
            jetstream.get_stream(&name).await.unwrap().purge().filter(subject).await.unwrap();
        });
        follower.until_entries(&entries(&[("b", "1")]));
        store.write("a", Some(b"2"), Expected::Absent).unwrap();
        follower.until_entries(&entries(&[("a", "2"), ("b", "1")]));
        assert!(follower.current);
    });
}

#[test]
fn a_bucket_that_is_deleted_is_trouble_and_never_an_empty_store() {
    with_world("a_bucket_that_is_deleted_is_trouble_and_never_an_empty_store", |world, open| {
        let one = configs(world, &restless(world));
        one.write("a", Some(b"1"), Expected::Absent).unwrap();
        one.write("b", Some(b"1"), Expected::Absent).unwrap();
        let mut follower = Follower::of(&*one);
        follower.until_current();
        let (jetstream, bucket) = (world.jetstream(), format!("{}_configs", world.prefix));
        Handle::current().block_on(jetstream.delete_key_value(&bucket)).unwrap();
        follower.until("it is told", |follower| {
            follower.trouble.as_ref().is_some_and(|trouble| trouble.contains("is gone"))
        });
        assert_eq!(follower.entries, entries(&[("a", "1"), ("b", "1")]));
        // It is not made again by who has seen it.
        let fault = one.write("a", Some(b"3"), Expected::Anything).unwrap_err();
        assert!(!matches!(fault, WriteFault::Conflict), "{fault}");
        // One that is started anew makes it, and what is not in it is told as removed.
        open().write("b", Some(b"4"), Expected::Absent).unwrap();
        follower.until_entries(&entries(&[("b", "4")]));
        follower.until_current();
    });
}

#[test]
fn a_bucket_that_loses_entries_or_is_of_another_prefix_is_refused() {
    with_world("a_bucket_that_loses_entries_or_is_of_another_prefix_is_refused", |world, open| {
        let bucket = format!("{}_configs", world.prefix);
        let config = async_nats::jetstream::kv::Config {
            bucket,
            max_age: Duration::from_secs(3_600),
            ..Default::default()
        };
        Handle::current().block_on(world.jetstream().create_key_value(config)).unwrap();
        let store = open();
        let fault = store.write("k", Some(b"1"), Expected::Anything).unwrap_err();
        let WriteFault::Bus(BusFault::Misconfigured(why)) = fault else { panic!("{fault:?}") };
        assert!(why.contains("max_age"), "{why}");
        let mut follower = Follower::of(&*store);
        follower.until("it is told", |follower| follower.trouble.is_some());
        let dotted = TopicSpec::status(&format!("{}.x", world.prefix), 0);
        let mut of_dotted = World::new(&world.url);
        of_dotted.prefix = format!("{}.x", world.prefix);
        let status = of_dotted.process().store(&dotted);
        status.write("k", Some(b"1"), Expected::Absent).unwrap();
        of_dotted.prefix = format!("{}-x", world.prefix);
        let same = of_dotted.process().store(&TopicSpec::status(&of_dotted.prefix, 0));
        let fault = same.write("k", Some(b"1"), Expected::Anything).unwrap_err();
        assert!(fault.to_string().contains("belongs to the prefix"), "{fault}");
    });
}

#[test]
fn a_value_that_is_too_large_is_refused_and_nothing_else() {
    with_world("a_value_that_is_too_large_is_refused_and_nothing_else", |_, open| {
        let (store, large) = (open(), vec![b'x'; 2_000_000]);
        let fault = store.write("k", Some(&large), Expected::Anything).unwrap_err();
        assert!(matches!(fault, WriteFault::Bus(BusFault::TooLarge(_))), "{fault:?}");
        store.put("large", Some(&large));
        store.put("small", Some(b"1"));
        assert!(store.flush(Duration::from_secs(120)));
        store.write("k", Some(b"1"), Expected::Absent).unwrap();
        assert_eq!(seen(open), entries(&[("k", "1"), ("small", "1")]));
    });
}

#[test]
fn a_thousand_states_are_written_at_once() {
    with_world("a_thousand_states_are_written_at_once", |world, _| {
        let store = world.process().store(&TopicSpec::status(&world.prefix, 0));
        let mut follower = Follower::of(&*store);
        follower.until_current();
        for number in 0..1_000 {
            store.put(&format!("status-{number}"), Some(b"RUNNING"));
        }
        assert!(store.flush(Duration::from_secs(120)));
        follower.until("all are told", |follower| follower.entries.len() == 1_000);
    });
}
