//! What Talon may do on a broker that refuses everything that is not granted, and secrets that change.
//! Against a real Kafka with `StandardAuthorizer` and users that sign in with SASL/PLAIN.
#![allow(clippy::unwrap_used)]

#[path = "support/rights.rs"]
mod granting;
mod support;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use granting::{Operation, Resource, Right, allow};
use support::{World, until};
use talon_brokers::Kafka as Broker;
use talon_kafka::{Kafka, Properties};
use talon_runtime::bus::{
    Bus, BusFault, Expected, Grant, Look, Membership, Ownership, Start, Stop, Told, TopicSpec,
    Which, WriteFault,
};
use talon_sdk::config::Secrets;

/// What `bridge/kafka/README.md` says is needed, on names that begin with `prefix` (topics, transactional
/// ids) and `talon.group` (groups), which are the same here.
const ALL: &[Right] = &[
    (Resource::Topic, Operation::Read),
    (Resource::Topic, Operation::Write),
    (Resource::Topic, Operation::Create),
    (Resource::Topic, Operation::DescribeConfigs),
    (Resource::Group, Operation::Read),
    (Resource::TransactionalId, Operation::Write),
];

const PASSWORDS: &[(&str, &str)] = &[("talon", "one"), ("less", "two"), ("turning", "old")];

fn settings(passwords: &[(&str, &str)]) -> String {
    let users: String =
        passwords.iter().map(|(user, password)| format!(" user_{user}=\"{password}\"")).collect();
    format!(
        "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer\n\
         allow.everyone.if.no.acl.found=false\n\
         super.users=User:ANONYMOUS\n\
         sasl.enabled.mechanisms=PLAIN\n\
         listener.name.door0.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required{users};\n"
    )
}

fn sign_in(world: &mut World, user: &str, password: &str) {
    world.set("security.protocol", "SASL_PLAINTEXT");
    world.set("sasl.mechanism", "PLAIN");
    world.set("sasl.username", user);
    world.set("sasl.password", password);
}

/// Everything that a process does with a broker; the first fault.
fn everything(world: &World) -> Result<(), BusFault> {
    let kafka = world.process();
    kafka.probe()?;
    kafka.probe_transactions()?;
    member(world, &kafka)?;
    let mut log = world.try_open(&kafka, "field")?;
    log.recover()?;
    log.append(support::TABLE, "k", Some("v"))?;
    log.commit(Some("c"))?;
    log.recover()?;
    log.idle()?;
    let lane = world.lane_spec("field");
    let _inside = world.runtime.enter();
    store(&kafka, &world.prefix)?;
    let (mut reader, mut log) = kafka.open_lane(&lane, &Grant::unlimited("field"))?;
    log.recover(&mut |_| Ok(()))?;
    kafka.send(&lane, "k", b"command")?;
    let arrival = loop {
        if let Some(arrival) = reader.next(Duration::from_secs(1))? {
            break arrival;
        }
    };
    log.commit(&[arrival.position])?;
    let (stop, topics) = (Stop::default(), [lane.commands.name.clone()]);
    kafka.tail(&topics, Start::Beginning, &stop, &mut |_| stop.set())?;
    let [topic] = topics;
    kafka.look(&Look::new(topic, Which::Newest, 1)).map(drop)
}

/// Writes to a store in both ways, and follows it.
fn store(kafka: &Kafka, prefix: &str) -> Result<(), BusFault> {
    let store = kafka.store(&TopicSpec::configs(prefix, 0));
    store.write("k", Some(b"1"), Expected::Absent).map_err(|fault| match fault {
        WriteFault::Bus(fault) => fault,
        other => panic!("{other:?}"),
    })?;
    store.put("k", Some(b"2"));
    assert!(store.flush(support::LIMIT));
    let mut told = store.follow();
    loop {
        match told.blocking_recv() {
            Some(Told::Current) => return Ok(()),
            Some(Told::Trouble(fault)) => return Err(fault),
            Some(_) => {}
            None => panic!("it goes on for ever"),
        }
    }
}

/// Joins the group until something is granted or refused.
fn member(world: &World, kafka: &Kafka) -> Result<(), BusFault> {
    let (ownership, stop) = (Ownership::default(), Stop::default());
    let fault: Arc<Mutex<Option<BusFault>>> = Arc::default();
    let into = fault.clone();
    let _inside = world.runtime.enter();
    let joined = kafka.join(Membership {
        shards: ["field"].into(),
        replication: 0,
        ownership: ownership.clone(),
        report: Arc::new(move |told| *into.lock().unwrap() = told.cloned()),
        stop: stop.clone(),
    });
    let refused = || {
        let fault = fault.lock().unwrap().clone();
        fault.filter(|fault| matches!(fault, BusFault::Misconfigured(_)))
    };
    until("it is granted, or refused", || !ownership.granted().is_empty() || refused().is_some());
    stop.set();
    world.runtime.block_on(joined).unwrap();
    refused().map_or(Ok(()), Err)
}

#[test]
fn these_rights_are_enough_and_each_of_them_is_needed() {
    let started = Broker::start_secured("rights", &settings(PASSWORDS));
    let Some((broker, door)) = started else { return };
    let mut world = World::new(&door);
    sign_in(&mut world, "talon", "one");
    allow(broker.bootstrap(), "talon", &world.prefix, ALL);
    until("the rights are there", || match everything(&world) {
        Ok(()) => true,
        Err(fault) => {
            eprintln!("{fault}");
            assert!(matches!(fault, BusFault::Misconfigured(_)), "{fault:?}");
            false
        }
    });

    for right in ALL {
        let mut world = World::new(&door);
        sign_in(&mut world, "less", "two");
        let rest: Vec<Right> = ALL.iter().copied().filter(|other| other != right).collect();
        allow(broker.bootstrap(), "less", &world.prefix, &rest);
        let told = everything(&world);
        eprintln!("without {right:?}: {told:?}");
        match right {
            // Limits and policies are not known then; nothing else.
            (Resource::Topic, Operation::DescribeConfigs) => assert_eq!(told, Ok(())),
            (resource, operation) => {
                let Err(BusFault::Misconfigured(why)) = told else { panic!("{right:?}: {told:?}") };
                let names = match resource {
                    Resource::Topic => "topic",
                    Resource::Group => "group",
                    Resource::TransactionalId => "transactional id",
                };
                assert!(why.contains(names), "{right:?}: {why}");
                let operation = format!("{operation:?}").to_uppercase();
                assert!(why.contains(&operation), "{right:?}: {why}");
            }
        }
    }
}

#[test]
fn a_password_that_is_rotated_needs_no_restart() {
    let started = Broker::start_secured("rotated", &settings(PASSWORDS));
    let Some((mut broker, door)) = started else { return };
    let mut world = World::new(&door);
    sign_in(&mut world, "turning", "old");
    allow(broker.bootstrap(), "turning", &world.prefix, ALL);
    let file = std::env::temp_dir().join(talon_brokers::unique("password"));
    std::fs::write(&file, "old\n").unwrap();
    let mut texts: BTreeMap<String, String> = world.properties();
    texts.insert("sasl.password".to_owned(), format!("${{file:{}}}", file.display()));
    texts.insert("session.timeout.ms".to_owned(), "3000".to_owned());
    texts.insert("heartbeat.interval.ms".to_owned(), "300".to_owned());
    let properties = Properties::resolved(&texts, &Secrets::of_process());
    let kafka = Kafka::following(properties, &world.prefix, &world.prefix);

    let (ownership, stop) = (Ownership::default(), Stop::default());
    let _inside = world.runtime.enter();
    let joined = kafka.join(Membership {
        shards: ["field"].into(),
        replication: 0,
        ownership: ownership.clone(),
        report: Arc::new(|_| {}),
        stop: stop.clone(),
    });
    until("it is granted", || !ownership.granted().is_empty());
    let since = std::time::Instant::now();
    let at = |what: &str| eprintln!("{:?}: {what}", since.elapsed());
    let mut log = world.try_open(&kafka, "field").unwrap();
    at("open");
    log.recover().unwrap();
    log.put("k", "one");
    log.commit(None).unwrap();

    // The broker takes the new one only, and every connection is made anew.
    broker.restart_with("user_turning=\"old\"", "user_turning=\"new\"");
    until("it is refused", || log.idle().is_err() || log.commit(None).is_err());
    at("refused");
    std::fs::write(&file, "new\n").unwrap();
    let later = std::time::SystemTime::now() + Duration::from_secs(5);
    std::fs::File::options().write(true).open(&file).unwrap().set_modified(later).unwrap();
    let mut log = None;
    until("it is opened with the new one", || {
        log = world.try_open(&kafka, "field").ok();
        log.is_some()
    });
    at("opened");
    let found = log.unwrap().recover().unwrap();
    assert_eq!(found.value("k"), Some("one"));
    until("the group is joined again", || !ownership.granted().is_empty());
    at("joined again");
    stop.set();
    world.runtime.block_on(joined).unwrap();
    at("left");
    std::fs::remove_file(&file).unwrap();
}
