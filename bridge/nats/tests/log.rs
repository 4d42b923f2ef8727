//! The log of a shard on a real server.
#![allow(clippy::unwrap_used)]

mod support;

use crate::support::{DEAD_LETTERS, KEEP, LOG, TABLE, World, header};
use talon_brokers::Nats as Server;
use talon_runtime::bus::BusFault;

const KEYS: [&str; 12] =
    ["42", "7/42", "", "a b", "a.b", "*", ">", "%", "талон №7", "$SYS.x", "a\r\nb", "日本"];

#[test]
fn what_was_committed_is_recovered_whatever_the_key() {
    let Some(server) = Server::shared("what_was_committed_is_recovered") else { return };
    let world = World::new(server.url());
    let (mut log, found) = world.open(&world.process());
    assert_eq!(found, support::Found::default());
    for (i, key) in KEYS.iter().enumerate() {
        log.put(key, &format!("first {key}"), &format!("a{i}"));
        log.append(LOG, key, Some("fact"), &format!("b{i}")).unwrap();
        log.append(DEAD_LETTERS, key, Some("row"), "").unwrap();
    }
    log.commit(Some("cursor 1")).unwrap();
    for (i, key) in KEYS.iter().enumerate().skip(1) {
        log.put(key, &format!("second {key}"), &format!("c{i}"));
    }
    log.delete("a b", "d");
    log.commit(Some("cursor 2")).unwrap();

    let (mut log, found) = world.open(&world.process());
    assert_eq!(found.records.len(), 2 * KEYS.len());
    assert_eq!(found.value(TABLE, "42"), Some(Some("first 42")));
    assert_eq!(found.ids[&(TABLE, "42".to_owned())], "a0");
    let gone = if world.markers() { None } else { Some("deleted") };
    assert_eq!(found.value(TABLE, "a b"), Some(gone));
    assert_eq!(found.ids[&(TABLE, "a b".to_owned())], "d");
    for key in KEYS.iter().skip(1).filter(|key| **key != "a b") {
        assert_eq!(found.value(TABLE, key), Some(Some(format!("second {key}").as_str())), "{key}");
        assert_eq!(found.value(LOG, key), Some(Some("fact")));
    }
    assert_eq!(found.checkpoints["field/call"], "cursor 2");
    assert_eq!(found.checkpoints.len(), 1);

    // What was recovered is what the next records expect.
    for (i, key) in KEYS.iter().enumerate() {
        log.put(key, "third", &format!("e{i}"));
    }
    log.commit(Some("cursor 3")).unwrap();
}

#[test]
fn records_carry_the_headers_of_kafka_and_those_of_the_server() {
    let Some(server) = Server::shared("records_carry_the_headers") else { return };
    let world = World::new(server.url());
    let (mut log, _) = world.open(&world.process());
    log.put("1", "created", "id-1");
    log.commit(None).unwrap();
    log.delete("1", "id-2");
    log.append(LOG, "9", Some("fact"), "id-3").unwrap();
    log.append(DEAD_LETTERS, "a b", Some("row"), "").unwrap();
    log.commit(None).unwrap();

    let keep = KEEP.as_secs().to_string();
    let twice = (2 * KEEP.as_secs()).to_string();
    let messages = world.messages(&world.stream());
    let table: Vec<_> = messages.iter().filter(|m| m.subject.contains(".call.")).collect();
    let seen: Vec<_> = table
        .iter()
        .map(|message| {
            (
                std::str::from_utf8(&message.payload).unwrap(),
                header(message, "talon-event-id").unwrap(),
                header(message, "Nats-Msg-Id").unwrap(),
                header(message, "Nats-TTL"),
            )
        })
        .collect();
    let markers = world.markers();
    let (keep, twice) = (markers.then_some(keep.as_str()), markers.then_some(twice.as_str()));
    let mut expected = vec![
        ("created", "id-1", "id-1", None),
        ("deleted", "id-2", "id-2", None),
        ("", "id-2", "id-2-marker", twice),
    ];
    expected.truncate(2 + usize::from(markers));
    assert_eq!(seen, expected);
    let sequence = |i: usize| table[i].info().unwrap().stream_sequence.to_string();
    let expected = |i: usize| header(table[i], "Nats-Expected-Last-Subject-Sequence");
    assert_eq!(expected(0), Some("0"));
    for i in 1..table.len() {
        assert_eq!(expected(i), Some(sequence(i - 1).as_str()));
    }
    let fact = messages.iter().find(|m| m.subject.contains(".message.")).unwrap();
    assert_eq!(header(fact, "Nats-TTL"), keep);
    assert_eq!(header(fact, "talon-schema"), Some("Call"));

    let dead = world.messages(&format!("{}_DLQ", world.stream()));
    assert_eq!(dead[0].subject.as_str(), format!("{}.field.dlq", world.prefix));
    assert_eq!(header(&dead[0], "talon-key"), Some("a%20b"));
}

#[test]
fn appending_does_not_wait_for_the_server() {
    let Some(server) = Server::start("appending_does_not_wait") else { return };
    let world = World::new(server.url());
    let (mut log, _) = world.open(&world.process());
    server.pause();
    // As many as may be on their way.
    for i in 0..1_000 {
        log.put(&i.to_string(), "v", &i.to_string());
    }
    server.resume();
    log.commit(None).unwrap();
    assert_eq!(world.open(&world.process()).1.records.len(), 1_000);
}

#[test]
fn a_window_of_many_records_and_deletes_commits() {
    let Some(server) = Server::shared("a_window_of_many_records") else { return };
    let world = World::new(server.url());
    let (mut log, _) = world.open(&world.process());
    let started = std::time::Instant::now();
    for i in 0..10_000 {
        log.put(&i.to_string(), "v", &format!("a{i}"));
    }
    log.commit(Some("1")).unwrap();
    eprintln!("10,000 records: {:?}", started.elapsed());
    let started = std::time::Instant::now();
    for i in 0..10_000 {
        log.delete(&i.to_string(), &format!("b{i}"));
    }
    log.commit(Some("2")).unwrap();
    eprintln!("10,000 deletes: {:?}", started.elapsed());
    // All in one window, of one entity: in order.
    for i in 0..100 {
        log.put("x", &i.to_string(), &format!("c{i}"));
    }
    log.commit(Some("3")).unwrap();
    let started = std::time::Instant::now();
    let (_, found) = world.open(&world.process());
    eprintln!("read back {} records: {:?}", found.records.len(), started.elapsed());
    assert_eq!(found.records.len(), 10_001);
    let gone = if world.markers() { None } else { Some("deleted") };
    assert_eq!(found.records.values().filter(|value| value.as_deref() == gone).count(), 10_000);
    assert_eq!(found.value(TABLE, "x"), Some(Some("99")));
    let subject = format!("{}.field.call.x", world.prefix);
    let messages = world.messages(&world.stream());
    let of_x = messages.iter().filter(|message| message.subject.as_str() == subject);
    let values: Vec<_> =
        of_x.map(|m| std::str::from_utf8(&m.payload).unwrap().parse::<u32>().unwrap()).collect();
    assert_eq!(values, (36..100).collect::<Vec<_>>(), "the last 64");
}

#[test]
fn the_same_event_published_twice_is_stored_once() {
    let Some(server) = Server::shared("the_same_event_published_twice") else { return };
    let world = World::new(server.url());
    let (mut one, _) = world.open(&world.process());
    let (mut two, _) = world.open(&world.process());
    one.put("1", "v", "same");
    one.commit(None).unwrap();
    two.put("1", "v", "same");
    two.commit(None).unwrap();
    assert_eq!(world.messages(&world.stream()).len(), 1);
    // Both know where the entity stands.
    two.put("1", "w", "next");
    two.commit(None).unwrap();
}

#[test]
fn an_entity_that_comes_back_with_an_old_id_is_published() {
    let Some(server) = Server::shared("an_entity_that_comes_back") else { return };
    let world = World::new(server.url());
    let (mut log, _) = world.open(&world.process());
    log.put("1", "v", "same");
    log.commit(None).unwrap();
    log.delete("1", "gone");
    log.put("1", "v", "same");
    log.commit(None).unwrap();
    let (_, found) = world.open(&world.process());
    assert_eq!(found.value(TABLE, "1"), Some(Some("v")));
    assert_eq!(world.messages(&world.stream()).len(), 3 + usize::from(world.markers()));
}

#[test]
fn an_older_owner_cannot_publish_over_a_newer_one() {
    let Some(server) = Server::shared("an_older_owner_cannot_publish") else { return };
    let world = World::new(server.url());
    let (mut old, _) = world.open(&world.process());
    old.put("1", "a", "1a");
    old.commit(Some("c1")).unwrap();
    let (mut new, _) = world.open(&world.process());
    new.put("1", "b", "1b");
    new.commit(Some("c2")).unwrap();

    old.put("1", "stale", "1s");
    let fault = old.commit(Some("stale")).unwrap_err();
    assert!(matches!(fault, BusFault::Aborted(_)), "{fault}");
    let (_, found) = world.open(&world.process());
    assert_eq!(found.value(TABLE, "1"), Some(Some("b")));
    assert_eq!(found.checkpoints["field/call"], "c2");
    // The newer one goes on.
    new.put("1", "c", "1c");
    new.commit(Some("c3")).unwrap();
}

#[test]
fn what_an_older_owner_got_in_is_noticed_with_and_without_publishing() {
    let Some(server) = Server::shared("what_an_older_owner_got_in") else { return };
    let world = World::new(server.url());
    let (mut old, _) = world.open(&world.process());
    let (mut busy, _) = world.open(&world.process());
    let (mut quiet, _) = world.open(&world.process());
    assert_eq!(quiet.idle(), Ok(()));
    old.put("2", "stale", "2s");
    old.commit(None).unwrap();
    busy.put("3", "v", "3v");
    let fault = busy.commit(None).unwrap_err();
    assert!(matches!(fault, BusFault::Aborted(_)), "{fault}");
    let fault = quiet.idle_fault();
    assert!(matches!(fault, BusFault::Aborted(_)), "{fault}");
    let (mut corrected, found) = world.open(&world.process());
    assert_eq!(found.value(TABLE, "2"), Some(Some("stale")));
    corrected.put("2", "right", "2r");
    corrected.commit(None).unwrap();
}

#[test]
fn a_checkpoint_is_not_written_where_an_event_was_refused() {
    let Some(server) = Server::shared("a_checkpoint_is_not_written") else { return };
    let world = World::new(server.url());
    let (mut one, _) = world.open(&world.process());
    let (mut two, _) = world.open(&world.process());
    two.put("1", "b", "1b");
    two.commit(None).unwrap();
    for i in 2..500 {
        one.put(&i.to_string(), "v", &format!("{i}v"));
    }
    one.put("1", "a", "1a");
    assert!(matches!(one.commit(Some("ahead")), Err(BusFault::Aborted(_))));
    assert!(world.open(&world.process()).1.checkpoints.is_empty());
}

#[test]
fn a_checkpoint_over_a_newer_one_is_a_conflict() {
    let Some(server) = Server::shared("a_checkpoint_over_a_newer_one") else { return };
    let world = World::new(server.url());
    let (mut one, _) = world.open(&world.process());
    let (mut two, _) = world.open(&world.process());
    two.commit(Some("newer")).unwrap();
    assert!(matches!(one.commit(Some("older")), Err(BusFault::Aborted(_))));
    assert_eq!(world.open(&world.process()).1.checkpoints["field/call"], "newer");
}

#[test]
fn a_record_that_is_too_large_affects_nothing_else() {
    let Some(server) = Server::shared("a_record_that_is_too_large") else { return };
    let world = World::new(server.url());
    let (mut log, _) = world.open(&world.process());
    log.put("1", "v", "1v");
    let large = "x".repeat(1_100_000);
    let fault = log.append(TABLE, "2", Some(&large), "2v").unwrap_err();
    assert!(matches!(fault, BusFault::TooLarge(_)), "{fault}");
    let fault = log.append(TABLE, &"k".repeat(5_000), Some("v"), "3v").unwrap_err();
    assert!(matches!(fault, BusFault::TooLarge(_)), "{fault}");
    log.put(&"k".repeat(2_000), "v", "4v");
    // To the limit, a byte more or less.
    for size in 1_048_000..1_048_600 {
        match log.append(TABLE, "5", Some(&large[..size]), &format!("5-{size}")) {
            Err(BusFault::TooLarge(_)) => break,
            other => other.unwrap(),
        }
        if size % 100 == 0 {
            log.commit(None).unwrap();
        }
    }
    log.commit(None).unwrap();
    assert_eq!(world.open(&world.process()).1.records.len(), 3);
}

#[test]
fn a_checkpoint_that_is_too_large_holds_up_no_other_and_says_which_it_is() {
    let settings = "max_payload: 64KB";
    let Some(server) = Server::start_with("a_checkpoint_that_is_too_large", settings) else {
        return;
    };
    let world = World::new(server.url());
    let (mut log, _) = world.open(&world.process());
    log.put("1", "v", "1v");
    let large = "x".repeat(100_000);
    let fault = log.commit_all(&[("field/call", &large), ("field/message", "m1")]).unwrap_err();
    assert!(matches!(&fault, BusFault::TooLarge(why) if why.contains("`field/call`")), "{fault}");
    // The log goes on.
    log.put("1", "w", "1w");
    log.commit_all(&[("field/call", "c2"), ("field/message", "m2")]).unwrap();
    let (_, found) = world.open(&world.process());
    assert_eq!(found.value(TABLE, "1"), Some(Some("w")));
    assert_eq!(found.checkpoints["field/call"], "c2");
    assert_eq!(found.checkpoints["field/message"], "m2");
}

#[test]
fn a_bucket_and_dead_letters_with_smaller_limits_are_kept_to() {
    let Some(server) = Server::shared("a_bucket_and_dead_letters") else { return };
    let world = World::new(server.url());
    world.open(&world.process());
    let jetstream = world.jetstream();
    world.runtime.block_on(async {
        for stream in [format!("KV_{}", world.bucket()), format!("{}_DLQ", world.stream())] {
            let stream = jetstream.get_stream(stream).await.unwrap();
            let mut config = stream.cached_info().config.clone();
            config.max_message_size = 2_000;
            jetstream.update_stream(config).await.unwrap();
        }
    });
    let (mut log, _) = world.open(&world.process());
    let large = "x".repeat(3_000);
    log.put("1", &large, "1v");
    let fault = log.append(DEAD_LETTERS, "1", Some(&large), "1").unwrap_err();
    assert!(matches!(fault, BusFault::TooLarge(_)), "{fault}");
    let fault = log.commit_all(&[("field/call", &large)]).unwrap_err();
    assert!(matches!(fault, BusFault::TooLarge(_)), "{fault}");
    log.commit(Some("c1")).unwrap();
}

#[test]
fn a_server_that_cuts_slow_readers_off_is_read_back() {
    let Some(server) = Server::start_with("a_server_that_cuts", "max_pending: 24MB") else {
        return;
    };
    let world = World::new(server.url());
    let (mut log, _) = world.open(&world.process());
    let large = "x".repeat(50_000);
    for i in 0..1_500 {
        log.put(&i.to_string(), &large, &i.to_string());
        if i % 100 == 99 {
            log.commit(None).unwrap();
        }
    }
    assert_eq!(world.open(&world.process()).1.records.len(), 1_500);
}
