//! What happens to the server and the connection: killed, paused, away.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use talon_brokers::{Nats as Server, NatsCluster as Cluster};
use talon_runtime::bus::BusFault;

use crate::support::{Found, Log, TABLE, World};

const KEYS: usize = 300;

/// Counts every key up, one or two steps in each window, until told to stop. After a fault it opens
/// anew, as the runtime does, and counts on from what is recovered. Returns the last number of each;
/// tells when all are counted.
fn count(world: &World, began: &AtomicBool, stop: &AtomicBool) -> BTreeMap<String, u32> {
    let nats = world.process();
    let mut log: Option<Log<'_>> = None;
    let mut numbers = BTreeMap::new();
    let (mut windows, mut faults) = (0, 0);
    let since = Instant::now();
    loop {
        assert!(since.elapsed() < Duration::from_secs(120), "{windows} windows, {faults} faults");
        let worked = match &mut log {
            None => world.try_log(&nats).map(|(opened, found)| {
                log = Some(opened);
                numbers = numbers_of(&found);
            }),
            Some(log) => window(log, &mut numbers, windows),
        };
        match worked {
            Ok(()) => windows += 1,
            Err(BusFault::Unavailable(_) | BusFault::Aborted(_)) => {
                faults += 1;
                log = None;
                std::thread::sleep(Duration::from_millis(10));
            }
            Err(fault) => panic!("{fault}"),
        }
        if log.is_some() && numbers.len() == KEYS {
            began.store(true, Ordering::Release);
        }
        if log.is_some() && stop.load(Ordering::Acquire) {
            eprintln!("{windows} windows, {faults} faults");
            return numbers;
        }
    }
}

fn window(
    log: &mut Log<'_>,
    numbers: &mut BTreeMap<String, u32>,
    turn: usize,
) -> Result<(), BusFault> {
    for key in 0..KEYS {
        let key = format!("key {key}");
        for _ in 0..1 + (turn % 2) {
            let number = numbers.entry(key.clone()).or_insert(0);
            *number += 1;
            let id = format!("{key} {number}");
            log.append(TABLE, &key, Some(&number.to_string()), &id)?;
        }
    }
    log.commit(Some(&turn.to_string()))
}

fn numbers_of(found: &Found) -> BTreeMap<String, u32> {
    let number = |value: &Option<String>| value.as_ref().unwrap().parse().unwrap();
    found.records.iter().map(|((_, key), value)| (key.clone(), number(value))).collect()
}

/// Every number of every key is on the stream once, in order.
fn check(world: &World, numbers: &BTreeMap<String, u32>) {
    let mut seen: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for message in world.messages(&world.stream()) {
        let key = talon_nats::key(message.subject.rsplit('.').next().unwrap()).unwrap();
        let number = std::str::from_utf8(&message.payload).unwrap().parse().unwrap();
        seen.entry(key).or_default().push(number);
    }
    assert_eq!(seen.len(), KEYS);
    for (key, seen) in seen {
        assert_eq!(seen, (1..=numbers[&key]).collect::<Vec<_>>(), "{key}");
    }
}

fn survives(test: &str, mut disturb: impl FnMut(&mut Server) + Send) {
    let Some(mut server) = Server::start(test) else { return };
    counts_through(World::new(server.url()), 6, |_| disturb(&mut server));
}

/// Counts while something happens so often, and then checks that nothing is lost or doubled.
fn counts_through(mut world: World, times: usize, mut disturb: impl FnMut(&World)) {
    world.extra.push(("stream.history", "1000000".to_owned()));
    let (began, stop) = (AtomicBool::new(false), AtomicBool::new(false));
    let numbers = std::thread::scope(|scope| {
        let counting = scope.spawn(|| count(&world, &began, &stop));
        while !began.load(Ordering::Acquire) && !counting.is_finished() {
            std::thread::sleep(Duration::from_millis(10));
        }
        for _ in 0..times {
            std::thread::sleep(Duration::from_millis(rand::random_range(50..600)));
            disturb(&world);
        }
        stop.store(true, Ordering::Release);
        counting.join().unwrap()
    });
    check(&world, &numbers);
}

/// A world on a cluster, with three replicas of everything.
fn clustered(cluster: &Cluster) -> World {
    World { replication: 3, ..World::new(&cluster.urls()) }
}

/// The place of the server that leads the stream of the feeds; waits until there is one.
fn leader(world: &World) -> usize {
    let jetstream = world.jetstream();
    let since = Instant::now();
    loop {
        let found = world.runtime.block_on(async {
            let stream = jetstream.get_stream(world.stream()).await.ok()?;
            let cluster = stream.cached_info().cluster.as_ref()?;
            cluster.leader.as_ref()?.strip_prefix('n')?.parse().ok()
        });
        match found {
            Some(leader) => return leader,
            None => assert!(since.elapsed() < Duration::from_secs(60), "the stream has no leader"),
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn the_leader_of_a_cluster_that_is_killed_loses_and_doubles_nothing() {
    let Some(mut cluster) = Cluster::start("the_leader_that_is_killed") else { return };
    counts_through(clustered(&cluster), 4, |world| {
        let leader = leader(world);
        cluster.kill(leader);
        cluster.restart(leader);
    });
}

#[test]
fn a_lame_duck_loses_and_doubles_nothing() {
    let Some(mut cluster) = Cluster::start("a_lame_duck") else { return };
    // All of them in turn, so that of the connected server too.
    let mut servers = 0..3;
    counts_through(clustered(&cluster), 3, |_| {
        let server = servers.next().unwrap();
        cluster.retire(server);
        cluster.restart(server);
    });
}

#[test]
fn a_server_that_is_killed_loses_and_doubles_nothing() {
    survives("a_server_that_is_killed", |server| {
        server.kill();
        server.restart();
    });
}

#[test]
fn a_server_that_stops_in_order_loses_and_doubles_nothing() {
    survives("a_server_that_stops_in_order", |server| server.restart());
}

#[test]
fn a_server_that_is_paused_loses_and_doubles_nothing() {
    survives("a_server_that_is_paused", |server| {
        server.pause();
        std::thread::sleep(Duration::from_millis(1_500));
        server.resume();
    });
}

#[test]
fn an_outage_is_noticed_when_there_is_nothing_to_publish_and_so_is_its_end() {
    let Some(mut server) = Server::start("an_outage_is_noticed") else { return };
    let world = World::new(server.url());
    let nats = world.process();
    let (mut log, _) = world.open(&nats);
    log.put("1", "v", "1v");
    log.commit(None).unwrap();
    server.kill();
    let fault = log.idle_fault();
    assert!(matches!(fault, BusFault::Unavailable(_)), "{fault}");
    assert!(matches!(world.try_open(&nats).map(drop), Err(BusFault::Unavailable(_))));
    server.restart();
    let (mut log, found) = world.open_when_up(&nats);
    assert_eq!(found.records.len(), 1);
    assert_eq!(log.idle(), Ok(()));
}

#[test]
fn a_short_outage_between_windows_needs_no_recovery() {
    let Some(mut server) = Server::start("a_short_outage") else { return };
    let world = World::new(server.url());
    let nats = world.process();
    let (mut log, _) = world.open(&nats);
    log.put("1", "v", "1v");
    log.commit(Some("c1")).unwrap();
    server.kill();
    server.restart();
    log.put("1", "w", "1w");
    log.commit(Some("c2")).unwrap();
    assert_eq!(world.open(&world.process()).1.value(TABLE, "1"), Some(Some("w")));
}

#[test]
fn no_server_at_all_is_an_outage() {
    let world = World::new("nats://127.0.0.1:1");
    let fault = world.try_open(&world.process()).map(drop).unwrap_err();
    assert!(matches!(fault, BusFault::Unavailable(_)), "{fault}");
}
