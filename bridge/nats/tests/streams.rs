//! Streams and the bucket on a real server: created, refused, vanished.
#![allow(clippy::unwrap_used)]

mod support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType};
use talon_brokers::{Nats as Server, NatsCluster as Cluster};
use talon_runtime::bus::{Bus, BusFault, Membership, Ownership, Stop};

use crate::support::{KEEP, TABLE, World};

fn misconfigured(result: Result<(), BusFault>) -> String {
    match result {
        Err(BusFault::Misconfigured(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn streams_and_the_bucket_are_created_as_documented() {
    let Some(server) = Server::shared("streams_and_the_bucket_are_created") else { return };
    let world = World::new(server.url());
    world.open(&world.process());
    let jetstream = world.jetstream();
    let config = |name: String| {
        let found = world.runtime.block_on(jetstream.get_stream(name)).unwrap();
        found.cached_info().config.clone()
    };
    let feeds = config(world.stream());
    let field = format!("{}.field", world.prefix);
    assert_eq!(feeds.subjects, [format!("{field}.call.>"), format!("{field}.message.>")]);
    assert_eq!(feeds.storage, StorageType::File);
    assert_eq!(feeds.retention, RetentionPolicy::Limits);
    assert_eq!(feeds.discard, DiscardPolicy::New);
    assert_eq!(feeds.max_messages_per_subject, 64);
    assert_eq!(feeds.max_age, Duration::ZERO);
    assert_eq!(feeds.duplicate_window, Duration::from_secs(120));
    assert!(feeds.allow_direct);
    assert_eq!(feeds.allow_message_ttl, world.markers());
    let dead = config(format!("{}_DLQ", world.stream()));
    assert_eq!(dead.subjects, [format!("{field}.dlq")]);
    assert_eq!((dead.max_age, dead.max_messages_per_subject), (KEEP, -1));
    let bucket = config(format!("KV_{}", world.bucket()));
    assert_eq!(bucket.max_messages_per_subject, 1);
    assert_eq!(bucket.max_age, Duration::ZERO);
}

#[test]
fn a_stream_that_would_break_a_guarantee_is_refused_with_a_sentence() {
    let Some(server) = Server::shared("a_stream_that_would_break") else { return };
    type Change = fn(&mut Config);
    let table: [(&str, Change); 9] = [
        ("`subjects` does not cover", |c| {
            c.subjects.pop();
        }),
        ("`storage` is memory", |c| c.storage = StorageType::Memory),
        ("`max_age` is set", |c| c.max_age = Duration::from_secs(3_600)),
        ("`discard` is old with a limit", |c| {
            c.discard = DiscardPolicy::Old;
            c.max_messages = 1_000;
        }),
        ("`retention` is not limits", |c| c.retention = RetentionPolicy::Interest),
        ("`max_msgs_per_subject` is 1", |c| c.max_messages_per_subject = 1),
        ("`discard_new_per_subject` is set", |c| c.discard_new_per_subject = true),
        ("`duplicate_window` is 1000 ms", |c| c.duplicate_window = Duration::from_secs(1)),
        ("`no_ack` is set", |c| c.no_ack = true),
    ];
    for (sentence, change) in table {
        let world = World::new(server.url());
        let field = format!("{}.field", world.prefix);
        let mut config = Config {
            name: world.stream(),
            subjects: vec![format!("{field}.call.>"), format!("{field}.message.*")],
            discard: DiscardPolicy::New,
            max_messages_per_subject: 10,
            duplicate_window: Duration::from_secs(120),
            ..Config::default()
        };
        config.subjects[1] = format!("{field}.message.>");
        change(&mut config);
        world.runtime.block_on(world.jetstream().create_stream(config)).unwrap();
        let why = misconfigured(world.try_open(&world.process()).map(drop));
        assert!(why.contains(sentence), "{why}");
        assert!(why.contains(&world.stream()), "{why}");
    }
}

#[test]
fn a_stream_that_somebody_created_well_is_used_as_it_is() {
    let Some(server) = Server::shared("a_stream_that_somebody_created") else { return };
    let world = World::new(server.url());
    let config = Config {
        name: world.stream(),
        subjects: vec![format!("{}.field.*.>", world.prefix)],
        duplicate_window: Duration::from_secs(300),
        ..Config::default()
    };
    world.runtime.block_on(world.jetstream().create_stream(config)).unwrap();
    let (mut log, _) = world.open(&world.process());
    log.put("1", "v", "1v");
    log.commit(None).unwrap();
    // It has no message ttl, so a delete stays, without a marker.
    log.delete("1", "1d");
    log.commit(None).unwrap();
    let (mut log, found) = world.open(&world.process());
    assert_eq!(found.value(TABLE, "1"), Some(Some("deleted")));
    assert_eq!(world.messages(&world.stream()).len(), 2);
    log.put("1", "w", "1w");
    log.commit(None).unwrap();
}

#[test]
fn a_new_feed_gets_its_subject() {
    let Some(server) = Server::shared("a_new_feed_gets_its_subject") else { return };
    let world = World::new(server.url());
    let nats = world.process();
    let mut spec = world.spec();
    spec.topics.remove(TABLE);
    {
        let _inside = world.runtime.enter();
        use talon_runtime::bus::{Bus, Grant};
        nats.open(&spec, &Grant::unlimited("test")).unwrap();
    }
    let (mut log, _) = world.open(&nats);
    log.put("1", "v", "1v");
    log.commit(None).unwrap();
}

#[test]
fn a_connector_whose_stream_is_that_of_anothers_commands_is_refused() {
    let Some(server) = Server::shared("a_connector_whose_stream_is") else { return };
    for what in ["COMMANDS", "RESULTS", "DLQ"] {
        let world = World::new(server.url());
        let (nats, other) = (world.process(), world.process());
        let _inside = world.runtime.enter();
        use talon_runtime::bus::{Bus, Grant};
        let grant = Grant::unlimited("test");
        nats.open(&world.spec(), &grant).unwrap();
        nats.open_lane(&world.lane_spec(), &grant).unwrap();
        let mut spec = world.spec();
        spec.name = format!("field_{what}");
        for topic in &mut spec.topics {
            topic.name = topic.name.replace(".field.", &format!(".field_{what}."));
        }
        let why = misconfigured(other.open(&spec, &grant).map(drop));
        assert!(why.contains("of another connector"), "{what}: {why}");
    }
}

#[test]
fn a_stream_that_vanished_is_not_made_again_empty() {
    let Some(server) = Server::shared("a_stream_that_vanished") else { return };
    let world = World::new(server.url());
    let nats = world.process();
    let (mut log, _) = world.open(&nats);
    log.put("1", "v", "1v");
    log.commit(None).unwrap();
    let jetstream = world.jetstream();
    world.runtime.block_on(jetstream.delete_stream(world.stream())).unwrap();
    let fault = log.idle_fault();
    assert!(matches!(fault, BusFault::Aborted(_)), "{fault}");
    log.put("1", "w", "1w");
    let fault = log.commit(None).unwrap_err();
    assert!(matches!(fault, BusFault::Unavailable(_)), "{fault}");
    // By the same process, and by one that never saw it.
    for nats in [&nats, &world.process()] {
        let why = misconfigured(world.try_open(nats).map(drop));
        assert!(why.contains("existed and is gone"), "{why}");
        assert!(why.contains("nats kv del"), "{why}");
    }
    // The remedy that it names works.
    let key = format!("=created/{}", world.stream());
    world.runtime.block_on(async {
        let store = jetstream.get_key_value(world.bucket()).await.unwrap();
        store.delete(key).await.unwrap();
    });
    let (_, found) = world.open(&nats);
    assert!(found.records.is_empty());
}

#[test]
fn a_bucket_that_vanished_is_not_made_again_empty() {
    let Some(server) = Server::shared("a_bucket_that_vanished") else { return };
    let world = World::new(server.url());
    let nats = world.process();
    world.open(&nats).0.commit(Some("c")).unwrap();
    let jetstream = world.jetstream();
    world.runtime.block_on(jetstream.delete_key_value(world.bucket())).unwrap();
    for nats in [&nats, &world.process()] {
        let why = misconfigured(world.try_open(nats).map(drop));
        assert!(why.contains("existed and is gone"), "{why}");
    }
    // The remedy that it names works.
    world.runtime.block_on(async {
        let config =
            async_nats::jetstream::kv::Config { bucket: world.bucket(), ..Default::default() };
        jetstream.create_key_value(config).await.unwrap();
    });
    assert!(world.open(&world.process()).1.checkpoints.is_empty());
}

#[test]
fn a_prefix_that_looks_the_same_to_nats_is_refused() {
    let Some(server) = Server::shared("a_prefix_that_looks_the_same") else { return };
    let mut one = World::new(server.url());
    let mut two = World::new(server.url());
    one.prefix = talon_brokers::unique("a-b");
    two.prefix = one.prefix.replacen("a-b", "a.b", 1);
    one.open(&one.process());
    let why = misconfigured(two.try_open(&two.process()).map(drop));
    assert!(why.contains("belongs to the prefix"), "{why}");
}

#[test]
fn the_leases_have_the_replicas_of_the_safest_connector() {
    let Some(cluster) = Cluster::start("the_leases_have_the_replicas") else { return };
    let world = World::new(&cluster.urls());
    let stop = Stop::default();
    let membership = Membership {
        shards: ["field"].into(),
        replication: 3,
        ownership: Ownership::default(),
        report: Arc::new(|_| {}),
        stop: stop.clone(),
    };
    let member = {
        let _inside = world.runtime.enter();
        world.process().join(membership)
    };
    let jetstream = world.jetstream();
    let bucket = format!("KV_{}_leases", world.prefix);
    let since = Instant::now();
    let replicas = loop {
        let stream = world.runtime.block_on(jetstream.get_stream(&bucket));
        if let Ok(stream) = stream {
            break stream.cached_info().config.num_replicas;
        }
        assert!(since.elapsed() < Duration::from_secs(60), "no bucket");
        std::thread::sleep(Duration::from_millis(20));
    };
    assert_eq!(replicas, 3);
    stop.set();
    world.runtime.block_on(member).unwrap();
}
