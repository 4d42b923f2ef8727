//! What is dropped with time, on a real server.
#![allow(clippy::unwrap_used)]

mod support;

use std::time::{Duration, Instant};

use async_nats::jetstream::stream::Config;
use talon_brokers::Nats as Server;

use crate::support::{LOG, Log, TABLE, World};

/// Idle until so many records are left.
fn left(world: &World, log: &mut Log<'_>, records: usize) {
    let since = Instant::now();
    while world.messages(&world.stream()).len() != records {
        log.idle().unwrap();
        assert!(since.elapsed() < Duration::from_secs(30), "{records} records never came");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn the_past_of_a_deleted_entity_goes_with_its_marker_and_it_can_come_back() {
    let Some(server) = Server::shared("the_past_of_a_deleted_entity") else { return };
    let mut world = World::new(server.url());
    world.keep = Duration::from_secs(2);
    let (mut log, _) = world.open(&world.process());
    if !world.markers() {
        return;
    }
    for i in 0..10 {
        log.put("1", &i.to_string(), &format!("{i}"));
    }
    log.put("2", "stays", "2v");
    log.delete("1", "1d");
    log.commit(None).unwrap();
    assert_eq!(world.messages(&world.stream()).len(), 13);
    left(&world, &mut log, 1);
    log.put("1", "back", "1b");
    log.commit(None).unwrap();
    let (_, found) = world.open(&world.process());
    assert_eq!(found.value(TABLE, "1"), Some(Some("back")));
    assert_eq!(found.value(TABLE, "2"), Some(Some("stays")));
}

#[test]
fn what_was_deleted_before_a_restart_goes_too() {
    let Some(server) = Server::shared("what_was_deleted_before_a_restart") else { return };
    let mut world = World::new(server.url());
    world.keep = Duration::from_secs(2);
    let (mut log, _) = world.open(&world.process());
    if !world.markers() {
        return;
    }
    log.put("1", "v", "1v");
    log.put("2", "v", "2v");
    log.delete("1", "1d");
    log.delete("2", "2d");
    log.commit(None).unwrap();
    drop(log);
    let (mut log, _) = world.open(&world.process());
    log.put("2", "back", "2b");
    log.commit(None).unwrap();
    // Of the one that came back nothing goes.
    left(&world, &mut log, 4);
}

#[test]
fn old_facts_go_with_and_without_message_ttl() {
    let Some(server) = Server::shared("old_facts_go") else { return };
    for ttl in [true, false] {
        let mut world = World::new(server.url());
        world.keep = Duration::from_secs(2);
        if !ttl {
            let config = Config {
                name: world.stream(),
                subjects: vec![format!("{}.field.*.>", world.prefix)],
                duplicate_window: Duration::from_secs(120),
                ..Config::default()
            };
            world.runtime.block_on(world.jetstream().create_stream(config)).unwrap();
        }
        let (mut log, _) = world.open(&world.process());
        for i in 0..10 {
            log.append(LOG, &i.to_string(), Some("fact"), &format!("f{i}")).unwrap();
        }
        log.put("1", "v", "1v");
        log.commit(None).unwrap();
        drop(log);
        std::thread::sleep(world.keep);
        // Without message ttl the first look is at the start.
        let (mut log, _) = world.open(&world.process());
        left(&world, &mut log, 1);
        assert_eq!(log.commit(None), Ok(()));
    }
}
