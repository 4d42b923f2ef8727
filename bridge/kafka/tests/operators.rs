//! What operators do to brokers and topics, and clocks that are wrong. Against a real Kafka.
#![allow(clippy::unwrap_used)]

mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::Producer;
use support::{LIMIT, World, until};
use talon_brokers::Kafka as Broker;
use talon_runtime::bus::{Bus, BusFault, Grant, Membership, Ownership, Stop};

fn refused(result: Result<(), BusFault>, names: &[&str]) {
    let Err(BusFault::Misconfigured(why)) = result else { panic!("{result:?}") };
    names.iter().for_each(|name| assert!(why.contains(name), "{name}: {why}"));
}

/// The broker takes no record that is older than its own clock: to it, this host's clock is wrong. That a
/// clock is ahead it tells with the same code.
#[test]
fn a_clock_that_is_wrong_is_misconfigured_and_names_the_setting() {
    let Some(broker) = Broker::shared("wrong_clock") else { return };
    for count in [1, 500] {
        let mut world = World::new(broker.bootstrap());
        // Records wait in the client for long enough to be old.
        world.set("linger.ms", "100");
        let oldest = "message.timestamp.before.max.ms";
        world.create_topic_with("field.call", 1, &[("cleanup.policy", "compact"), (oldest, "0")]);
        // A broker that has just started has no coordinators yet.
        let mut opened = None;
        until("it is opened", || {
            opened = world.try_open(&world.process(), "field").ok();
            opened.is_some()
        });
        let mut log = opened.unwrap();
        let appended =
            (0..count).try_for_each(|key| log.append(support::TABLE, &key.to_string(), Some("v")));
        let committed = appended.and_then(|()| log.commit(Some("c")));
        refused(committed, &["field.call", "clock", "message.timestamp"]);
        drop(log);
        // The broker cannot end that transaction before: its own marker is too old for the topic, too.
        world.alter_topic("field.call", oldest, "9223372036854775807");
        until("it is taken", || {
            let Ok(mut log) = world.try_open(&world.process(), "field") else { return false };
            log.append(support::TABLE, "k", Some("v")).and_then(|()| log.commit(Some("c"))).is_ok()
        });
    }
}

#[test]
fn internal_topics_that_want_more_replicas_than_there_are_brokers_are_named() {
    let settings = "\
        offsets.topic.replication.factor=3\n\
        transaction.state.log.replication.factor=3\n";
    let Some(broker) = Broker::start_with("three_replicas", settings) else { return };
    let world = World::new(broker.bootstrap());
    let kafka = world.process();
    let groups = ["groups", "__consumer_offsets", "offsets.topic.replication.factor"];
    let transactions =
        ["transactions", "__transaction_state", "transaction.state.log.replication.factor"];
    let _inside = world.runtime.enter();
    // The probe asks for both.
    refused(kafka.probe().map(drop), &groups);
    refused(kafka.probe_transactions(), &transactions);
    // So does whoever joins, and whoever opens.
    let told: Arc<Mutex<Option<BusFault>>> = Arc::default();
    let (into, ownership, stop) = (told.clone(), Ownership::default(), Stop::default());
    let joined = kafka.join(Membership {
        shards: ["field"].into(),
        replication: 0,
        ownership: ownership.clone(),
        report: Arc::new(move |fault| *into.lock().unwrap() = fault.cloned()),
        stop: stop.clone(),
    });
    until("it is told", || told.lock().unwrap().is_some());
    refused(Err(told.lock().unwrap().clone().unwrap()), &groups);
    refused(world.try_open(&kafka, "field").map(drop), &transactions);
    stop.set();
    world.runtime.block_on(joined).unwrap();
}

#[test]
fn the_newer_protocol_of_groups_is_refused_by_the_check_and_the_classic_one_is_not() {
    let problems = |value: &str| {
        talon_kafka::problems(&std::collections::BTreeMap::from([
            ("bootstrap.servers".to_owned(), "k:9092".to_owned()),
            ("group.protocol".to_owned(), value.to_owned()),
        ]))
    };
    let wrong = problems("consumer");
    assert_eq!(wrong.len(), 1, "{wrong:?}");
    assert!(wrong[0].0 == "group.protocol" && wrong[0].1.contains("classic"), "{wrong:?}");
    assert_eq!(problems("classic"), []);
}

/// A log that looks at its topics whenever it can; what became of it.
fn looks_until_it_fails(world: &World, change: impl FnOnce()) -> BusFault {
    let kafka = world.process().looking_every(Duration::ZERO);
    let mut log = world.try_open(&kafka, "field").unwrap();
    log.recover().unwrap();
    log.put("1", "v");
    log.put("2", "v");
    log.commit(Some("c")).unwrap();
    // Right after a commit the broker may still tell the end before it.
    let asker: BaseConsumer = world.config().set("group.id", &world.prefix).create().unwrap();
    until("the end is told", || {
        asker.fetch_watermarks(&world.name("field.call"), 0, LIMIT).unwrap().1 > 2
    });
    // The end that is known is that of the last look.
    log.idle().unwrap();
    change();
    let mut fault = None;
    until("it is noticed", || {
        fault = log.idle().err();
        fault.is_some()
    });
    fault.unwrap()
}

#[test]
fn a_topic_that_is_deleted_under_a_connector_with_nothing_to_publish_is_noticed() {
    let Some(broker) = Broker::shared("deleted_running") else { return };
    let world = World::new(broker.bootstrap());
    let fault = looks_until_it_fails(&world, || world.delete_topic("field.call"));
    assert!(matches!(fault, BusFault::Aborted(_)), "{fault:?}");
    assert!(fault.to_string().contains("field.call"), "{fault}");
    // Opening makes it anew, and the checkpoint that stayed stands on nothing.
    let mut found = None;
    until("it is opened", || {
        found = world.try_open(&world.process(), "field").and_then(|mut log| log.recover()).ok();
        found.is_some()
    });
    let found = found.unwrap();
    assert_eq!((found.records.len(), found.checkpoints["field/call"].as_str()), (0, "c"));
}

#[test]
fn a_topic_that_is_made_anew_under_a_connector_with_nothing_to_publish_is_noticed() {
    let Some(broker) = Broker::shared("anew_running") else { return };
    let world = World::new(broker.bootstrap());
    let fault = looks_until_it_fails(&world, || {
        world.delete_topic("field.call");
        until("it can be made again", || world.try_create_topic("field.call"));
    });
    assert!(matches!(fault, BusFault::Aborted(_)), "{fault:?}");
    assert!(fault.to_string().contains("field.call"), "{fault}");
}

#[test]
fn ends_say_what_was_restored() {
    let Some(broker) = Broker::shared("ends") else { return };
    let mut world = World::new(broker.bootstrap());
    world.partitions = 2;
    let kafka = world.process().looking_every(Duration::ZERO);
    let mut log = None;
    until("it is opened", || {
        log = world.try_open(&kafka, "field").ok();
        log.is_some()
    });
    let mut log = log.unwrap();
    log.recover().unwrap();
    assert_eq!(log.ends(support::TABLE), [0, 0]);
    assert_eq!(log.ends(support::DEAD_LETTERS), [0; 0], "they are not read back");
    (0..10).for_each(|key| log.put(&key.to_string(), "v"));
    log.commit(Some("c")).unwrap();
    // Records, and the marker of the transaction in each.
    until("the ends are told", || {
        log.idle().unwrap();
        log.ends(support::TABLE).iter().sum::<u64>() == 12
    });
    let ends = log.ends(support::TABLE);
    drop(log);
    let (log, _) = world.open("field");
    assert_eq!(log.ends(support::TABLE), ends, "as it was when it is read back");
    drop(log);
    world.delete_topic("field.call");
    until("it is made anew", || {
        world
            .try_open(&world.process(), "field")
            .and_then(|mut log| log.recover().map(|_| ()))
            .is_ok()
    });
    let (log, _) = world.open("field");
    assert!(log.ends(support::TABLE).iter().zip(&ends).all(|(now, then)| now < then));
}

#[test]
fn a_policy_that_loses_state_is_found_also_when_it_is_changed_while_it_runs() {
    let Some(broker) = Broker::shared("loses_state") else { return };
    let world = World::new(broker.bootstrap());
    let kafka = world.process();
    let lane = world.lane_spec("field");
    let _inside = world.runtime.enter();
    let found = || world.look(&kafka, "field");
    // What is not there yet loses nothing.
    assert_eq!(found(), [""; 0]);
    world.create_topic_with("field.call", 1, &[("cleanup.policy", "delete")]);
    world.open("field");
    until("it is opened", || kafka.open_lane(&lane, &Grant::unlimited("field")).is_ok());
    let told = found();
    assert!(told.len() == 1 && told[0].contains("field.call"), "{told:?}");
    world.alter_topic("field.call", "cleanup.policy", "compact");
    until("it is right", || found().is_empty());
    for (topic, name, value) in [
        ("field.call", "cleanup.policy", "compact,delete"),
        ("field.message", "retention.ms", "60000"),
        ("field.dlq", "message.timestamp.before.max.ms", "1000"),
        ("field.commands", "cleanup.policy", "compact"),
        ("field.results", "retention.bytes", "1000"),
        ("checkpoints", "cleanup.policy", "delete"),
    ] {
        world.alter_topic(topic, name, value);
        until("it is told", || found().iter().any(|told| told.contains(&world.name(topic))));
    }
    assert_eq!(found().len(), 6);
}

#[test]
fn an_open_transaction_on_the_topic_of_commands_counts_as_lag_and_is_told() {
    let Some(broker) = Broker::shared("open_transaction") else { return };
    let world = World::new(broker.bootstrap());
    let kafka = world.process();
    let lane = world.lane_spec("field");
    let _inside = world.runtime.enter();
    // A broker that has just started has no coordinators yet.
    let mut opened = None;
    until("it is opened", || {
        opened = kafka.open_lane(&lane, &Grant::unlimited("field")).ok();
        opened.is_some()
    });
    let (mut reader, _log) = opened.unwrap();
    let found = || world.look(&kafka, "field");
    assert_eq!((found(), found()), (vec![], vec![]));
    let sender = world.transaction("sender", "field.commands", "k");
    until("it counts as lag", || {
        assert!(reader.next(Duration::from_millis(50)).unwrap().is_none());
        reader.behind() == Some(1)
    });
    assert_eq!(found(), [""; 0], "one that was not there at the last look");
    let told = found();
    assert!(told.len() == 1 && told[0].contains("a transaction of a sender"), "{told:?}");
    sender.abort_transaction(LIMIT).unwrap();
    until("it is over", || found().is_empty());
    until("nothing is left", || {
        assert!(reader.next(Duration::from_millis(50)).unwrap().is_none());
        reader.behind() == Some(0)
    });
}
