//! Sizes of streams: accounts that demand them, streams that are full, and what an operator changes while
//! Talon runs. Against a real nats-server.
#![allow(clippy::unwrap_used)]

mod support;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use support::World;
use talon_brokers::{Nats as Server, NatsCluster as Cluster};
use talon_runtime::bus::{Bus, BusFault, Grant, Membership, Ownership, Stop};

const DEMANDING: &str = "accounts { A { jetstream { max_bytes_required: true, max_file: 1GB, max_memory: 1MB }, users: [{ user: talon, password: hunter2 }] } }";

const SIZES: [&str; 8] = [
    "feeds.max.bytes",
    "dlq.max.bytes",
    "checkpoints.max.bytes",
    "leases.max.bytes",
    "commands.max.bytes",
    "results.max.bytes",
    "configs.max.bytes",
    "status.max.bytes",
];

fn demanding(url: &str) -> World {
    let mut world = World::new(url);
    let login = [("user", "talon"), ("password", "hunter2")];
    world.extra.extend(login.map(|(key, value)| (key, value.to_owned())));
    world
}

fn until(what: &str, mut met: impl FnMut() -> bool) {
    let since = Instant::now();
    while !met() {
        assert!(since.elapsed() < Duration::from_secs(60), "not in time: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn misconfigured<T>(result: Result<T, BusFault>) -> String {
    match result.map(drop) {
        Err(BusFault::Misconfigured(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_account_that_demands_sizes_is_told_of_with_the_settings_and_served_with_them() {
    let Some(server) = Server::start_with("max_bytes_required", DEMANDING) else { return };
    let world = demanding(server.url());
    let nats = world.process();
    let why = misconfigured(world.try_open(&nats));
    assert!(why.contains("max_bytes_required") && why.contains("feeds.max.bytes"), "{why}");
    // The leases are told of in the same words, not as a server that does not answer.
    let told: Arc<Mutex<Option<BusFault>>> = Arc::default();
    let (into, stop) = (told.clone(), Stop::default());
    let _inside = world.runtime.enter();
    let joined = nats.join(Membership {
        shards: ["field"].into(),
        replication: 0,
        ownership: Ownership::default(),
        report: Arc::new(move |fault| *into.lock().unwrap() = fault.cloned()),
        stop: stop.clone(),
    });
    until("it is told", || told.lock().unwrap().is_some());
    let why = misconfigured::<()>(Err(told.lock().unwrap().clone().unwrap()));
    assert!(why.contains("max_bytes_required"), "{why}");
    stop.set();
    joined.abort();

    let mut world = demanding(server.url());
    world.extra.extend(SIZES.map(|name| (name, "10000000".to_owned())));
    let nats = world.process();
    let (mut log, _) = world.open(&nats);
    log.put("1", "v", "1v");
    log.commit(Some("c")).unwrap();
    let _inside = world.runtime.enter();
    nats.open_lane(&world.lane_spec(), &Grant::unlimited("field")).unwrap();
    let (ownership, stop) = (Ownership::default(), Stop::default());
    let joined = nats.join(Membership {
        shards: ["field"].into(),
        replication: 0,
        ownership: ownership.clone(),
        report: Arc::new(|_| {}),
        stop: stop.clone(),
    });
    until("it is granted", || !ownership.granted().is_empty());
    stop.set();
    world.runtime.block_on(joined).unwrap();
}

#[test]
fn a_full_stream_is_told_as_what_it_is_and_a_larger_size_mends_it() {
    let Some(server) = Server::shared("full_stream") else { return };
    let mut world = World::new(server.url());
    world.extra.push(("feeds.max.bytes", "20000".to_owned()));
    let nats = world.process();
    let (mut log, _) = world.open(&nats);
    assert_eq!(
        {
            let _inside = world.runtime.enter();
            world.look(&nats)
        },
        [""; 0]
    );
    let value = "v".repeat(1_000);
    let mut filled = Ok(());
    for n in 0..100 {
        filled = log
            .append(support::TABLE, &n.to_string(), Some(&value), &format!("{n}"))
            .and_then(|()| log.commit(None));
        if filled.is_err() {
            break;
        }
    }
    let why = misconfigured(filled);
    assert!(why.contains("full") && why.contains("max_bytes"), "{why}");
    {
        let _inside = world.runtime.enter();
        let told = world.look(&nats);
        assert!(told.len() == 1 && told[0].contains("max_bytes"), "{told:?}");
    }
    // Talon's own stream gets the larger size.
    let mut larger = World::new(server.url());
    larger.prefix.clone_from(&world.prefix);
    larger.extra.push(("feeds.max.bytes", "10000000".to_owned()));
    let (mut log, found) = larger.open(&larger.process());
    assert!(!found.records.is_empty());
    log.put("after", "v", "after");
    log.commit(None).unwrap();
}

/// From nats-server 2.12 on, a stream with replicas refuses what would only replace a newest value.
#[test]
fn a_full_bucket_of_checkpoints_with_replicas_is_told_as_what_it_is() {
    let Some(cluster) = Cluster::start("full_bucket") else { return };
    let mut world = World::new(&cluster.urls());
    world.replication = 3;
    world.extra.push(("checkpoints.max.bytes", "4000".to_owned()));
    let (mut log, _) = world.open_when_up(&world.process());
    let mut committed = Ok(());
    for round in 0..3 {
        log.put("1", &round.to_string(), &round.to_string());
        committed = log.commit(Some(&round.to_string().repeat(2_500)));
        if committed.is_err() {
            break;
        }
    }
    let why = misconfigured(committed);
    assert!(why.contains("full") && why.contains("replaces the newest value"), "{why}");
}

#[test]
fn a_stream_that_is_changed_while_it_runs_is_found() {
    let Some(server) = Server::shared("changed_stream") else { return };
    let world = World::new(server.url());
    let nats = world.process();
    let lane = world.lane_spec();
    world.open(&nats);
    let _inside = world.runtime.enter();
    nats.open_lane(&lane, &Grant::unlimited("field")).unwrap();
    let found = || world.look(&nats);
    assert_eq!(found(), [""; 0]);
    let jetstream = world.jetstream();
    let change = |stream: &str, change: fn(&mut async_nats::jetstream::stream::Config)| {
        world.runtime.block_on(async {
            let stream = jetstream.get_stream(stream).await.unwrap();
            let mut config = stream.cached_info().config.clone();
            change(&mut config);
            jetstream.update_stream(config).await.unwrap();
        });
    };
    change(&world.stream(), |config| config.max_age = Duration::from_secs(3_600));
    let told = found();
    assert!(told.len() == 1 && told[0].contains("`max_age`"), "{told:?}");
    change(&world.stream(), |config| config.max_age = Duration::ZERO);
    assert_eq!(found(), [""; 0]);
    change(&format!("{}_RESULTS", world.stream()), |config| {
        config.max_age = Duration::from_secs(3_600);
    });
    let told = found();
    assert!(told.len() == 1 && told[0].contains("forgotten too early"), "{told:?}");
}
