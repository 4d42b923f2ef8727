//! What was published is gone, while the memory of the server, or of Talon, still has it.
#![allow(clippy::unwrap_used)]

mod support;

use talon_brokers::{Nats as Server, NatsCluster as Cluster};
use talon_runtime::bus::BusFault;

use crate::support::{DEAD_LETTERS, Log, TABLE, World};

const ENTITIES: usize = 30;

/// Publishes every entity as a first read does: with the same ids each time.
fn first_read(log: &mut Log<'_>) {
    for number in 0..ENTITIES {
        log.put(&format!("entity {number}"), "v", &format!("first {number}"));
    }
}

fn purge(world: &World, stream: &str) {
    let jetstream = world.jetstream();
    world.runtime.block_on(async {
        jetstream.get_stream(stream).await.unwrap().purge().await.unwrap();
    });
}

/// Purges between two processes, within the duplicate window. Of a cluster a stream may have no leader for
/// a moment.
fn is_published_again(world: &World) {
    let (mut log, _) = world.open_when_up(&world.process());
    first_read(&mut log);
    log.commit(Some("c1")).unwrap();
    drop(log);
    for turn in 0..3 {
        purge(world, &world.stream());
        let (mut log, found) = world.open_when_up(&world.process());
        assert!(found.records.is_empty(), "turn {turn}");
        assert_eq!(found.checkpoints["field/call"], if turn == 0 { "c1" } else { "c2" });
        first_read(&mut log);
        log.commit(Some("c2")).unwrap();
        assert_eq!(world.messages(&world.stream()).len(), ENTITIES, "turn {turn}");
        // What is known of them is true.
        log.put("entity 0", &format!("w{turn}"), &format!("second {turn}"));
        log.commit(Some("c2")).unwrap();
        log.idle().unwrap();
    }
    let (_, found) = world.open_when_up(&world.process());
    assert_eq!(found.records.len(), ENTITIES);
    assert_eq!(found.ids[&(TABLE, "entity 1".to_owned())], "first 1");
}

#[test]
fn ends_say_what_was_restored() {
    let Some(server) = Server::shared("ends_say") else { return };
    let world = World::new(server.url());
    let (mut log, _) = world.open_when_up(&world.process());
    first_read(&mut log);
    log.commit(Some("c1")).unwrap();
    let end = log.ends(TABLE);
    assert_eq!((end[0], log.ends(DEAD_LETTERS)), (ENTITIES as u64, vec![]));
    drop(log);
    // A purge takes no sequence back, and its loss is counted.
    purge(&world, &world.stream());
    let (log, _) = world.open_when_up(&world.process());
    assert_eq!(log.ends(TABLE), end);
    drop(log);
    // A stream that somebody fills anew begins anew.
    let jetstream = world.jetstream();
    world.runtime.block_on(async {
        let stream = jetstream.get_stream(world.stream()).await.unwrap();
        let config = stream.cached_info().config.clone();
        jetstream.delete_stream(world.stream()).await.unwrap();
        jetstream.create_stream(config).await.unwrap();
    });
    let (log, _) = world.open_when_up(&world.process());
    assert_eq!(log.ends(TABLE), [0]);
}

#[test]
fn what_was_purged_is_published_again_within_the_duplicate_window() {
    let Some(server) = Server::shared("what_was_purged_is_published_again") else { return };
    is_published_again(&World::new(server.url()));
}

#[test]
fn what_was_purged_on_a_cluster_is_published_again_within_the_duplicate_window() {
    let Some(cluster) = Cluster::start("what_was_purged_on_a_cluster") else { return };
    is_published_again(&World { replication: 3, ..World::new(&cluster.urls()) });
}

#[test]
fn what_was_purged_is_published_again_with_at_least_once() {
    let Some(server) = Server::shared("what_was_purged_at_least_once") else { return };
    let world = World { exactly_once: false, ..World::new(server.url()) };
    let (mut log, _) = world.open(&world.process());
    first_read(&mut log);
    log.commit(Some("c1")).unwrap();
    purge(&world, &world.stream());
    let (mut log, _) = world.open(&world.process());
    first_read(&mut log);
    log.commit(Some("c1")).unwrap();
    assert_eq!(world.messages(&world.stream()).len(), ENTITIES);
    first_read(&mut log);
    log.commit(Some("c1")).unwrap();
    assert_eq!(world.messages(&world.stream()).len(), ENTITIES, "those are there");
}

#[test]
fn single_entities_that_were_purged_are_published_again() {
    let Some(server) = Server::shared("single_entities_that_were_purged") else { return };
    let world = World::new(server.url());
    let (mut log, _) = world.open(&world.process());
    first_read(&mut log);
    log.commit(Some("c1")).unwrap();
    drop(log);
    let jetstream = world.jetstream();
    world.runtime.block_on(async {
        let stream = jetstream.get_stream(world.stream()).await.unwrap();
        for number in [3, 7, 29] {
            let subject = format!("{}.field.call.entity%20{number}", world.prefix);
            assert_eq!(stream.purge().filter(subject).await.unwrap().purged, 1);
        }
    });
    let (mut log, found) = world.open(&world.process());
    assert_eq!(found.records.len(), ENTITIES - 3);
    first_read(&mut log);
    log.commit(Some("c2")).unwrap();
    let (_, found) = world.open(&world.process());
    assert_eq!(found.records.len(), ENTITIES);
}

#[test]
fn a_purge_while_it_runs_is_noticed_when_there_is_nothing_to_publish() {
    let Some(server) = Server::shared("a_purge_while_it_runs") else { return };
    let world = World::new(server.url());
    let (mut log, _) = world.open(&world.process());
    first_read(&mut log);
    log.commit(Some("c1")).unwrap();
    log.idle().unwrap();
    purge(&world, &world.stream());
    let fault = log.idle_fault();
    assert!(matches!(&fault, BusFault::Aborted(why) if why.contains("purged")), "{fault}");
    let (mut log, found) = world.open(&world.process());
    assert!(found.records.is_empty());
    first_read(&mut log);
    log.commit(Some("c2")).unwrap();
    assert_eq!(world.messages(&world.stream()).len(), ENTITIES);
}

#[test]
fn a_stream_that_is_made_anew_while_it_runs_is_noticed_by_its_sequences() {
    let Some(server) = Server::shared("a_stream_that_is_made_anew") else { return };
    let world = World::new(server.url());
    let (mut log, _) = world.open(&world.process());
    first_read(&mut log);
    log.commit(Some("c1")).unwrap();
    let jetstream = world.jetstream();
    world.runtime.block_on(async {
        let config = jetstream.get_stream(world.stream()).await.unwrap();
        let config = config.cached_info().config.clone();
        jetstream.delete_stream(world.stream()).await.unwrap();
        jetstream.create_stream(config).await.unwrap();
    });
    // An entity that nobody knew of meets no conflict.
    log.put("new", "v", "new");
    let fault = log.commit(Some("c2")).unwrap_err();
    assert!(matches!(&fault, BusFault::Aborted(why) if why.contains("made anew")), "{fault}");
    let (_, found) = world.open(&world.process());
    assert_eq!(found.records.len(), 1);
    assert_eq!(found.checkpoints["field/call"], "c1");
}

#[test]
fn a_checkpoint_that_was_purged_is_written_again() {
    let Some(server) = Server::shared("a_checkpoint_that_was_purged") else { return };
    let world = World::new(server.url());
    let (mut log, _) = world.open(&world.process());
    log.commit(Some("c1")).unwrap();
    drop(log);
    purge(&world, &format!("KV_{}", world.bucket()));
    let (mut log, found) = world.open(&world.process());
    assert!(found.checkpoints.is_empty());
    log.commit(Some("c1")).unwrap();
    let (_, found) = world.open(&world.process());
    assert_eq!(found.checkpoints["field/call"], "c1");
    log.commit(Some("c2")).unwrap();
}

#[test]
fn a_dead_letter_that_was_purged_is_put_aside_again() {
    let Some(server) = Server::shared("a_dead_letter_that_was_purged") else { return };
    let world = World::new(server.url());
    let letters = format!("{}_DLQ", world.stream());
    let (mut log, _) = world.open(&world.process());
    let mut put_aside = || {
        log.append(DEAD_LETTERS, "1", Some("{"), "1").unwrap();
        log.commit(None).unwrap();
    };
    put_aside();
    put_aside();
    assert_eq!(world.messages(&letters).len(), 1, "the same is there once");
    purge(&world, &letters);
    put_aside();
    assert_eq!(world.messages(&letters).len(), 1);
}
