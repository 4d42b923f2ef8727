//! A stream, and subjects, as the source of a relay.
#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use async_nats::HeaderMap;
use talon_brokers::Nats as Server;
use talon_runtime::bus::{BusFault, Grant};
use talon_runtime::relay::{
    Begin, From, Part, Position, Record, RelayBus, Selection, Source, SourceSpec,
};

use crate::support::World;
use crate::support::relay::{Target, Way, next, part, read, read_once, record, source, try_source};

const EARLIEST: From = From::Begin(Begin::Earliest);

/// Publishes numbers as anybody would.
fn publish(target: &Target<'_>, numbers: std::ops::Range<u64>, headers: &HeaderMap) {
    let jetstream = target.world.jetstream();
    target.world.runtime.block_on(async {
        for number in numbers {
            let (subject, headers) = (target.address(number, 10).name, headers.clone());
            let payload = number.to_string().into();
            jetstream.publish_with_headers(subject, headers, payload).await.unwrap().await.unwrap();
        }
    });
}

fn numbers(records: &[Record]) -> Vec<u64> {
    let number = |record: &Record| {
        std::str::from_utf8(record.value.as_ref().unwrap()).unwrap().parse().unwrap()
    };
    records.iter().map(number).collect()
}

#[test]
fn a_record_of_kafka_that_passed_a_stream_is_the_same_record() {
    let Some(server) = Server::shared("a_record_that_passed") else { return };
    let world = World::new(server.url());
    for way in [Way::Batches, Way::Chain] {
        let Some(target) = Target::new(&world, way) else { continue };
        let nats = world.process();
        let (mut sink, _) = target.open(&nats);
        let mut tombstone = record(1);
        tombstone.value = None;
        let written = [record(0), tombstone];
        for record in &written {
            sink.write(&target.address(0, 1), record).unwrap();
        }
        sink.commit(&[]).unwrap();
        let (mut source, _) = source(&world, &nats, &target.stream, EARLIEST);
        let back = read(&mut *source, 2);
        for (back, written) in back.into_iter().zip(&written) {
            let same =
                Record { part: part(), position: written.position, subject: None, ..back.clone() };
            assert_eq!(&same, written, "{way:?}");
        }
        // The positions of a relay are no records, and no progress to be committed.
        let rest = read_once(&mut *source, 10);
        assert!(rest.records.is_empty() && rest.passed.is_empty());
    }
}

#[test]
fn reading_begins_where_it_is_told_and_goes_on_at_a_position() {
    let Some(server) = Server::shared("reading_begins") else { return };
    let world = World::new(server.url());
    let target = Target::new(&world, Way::Chain).unwrap();
    let nats = world.process();
    publish(&target, 0..10, &HeaderMap::new());
    let (mut first, begun) = source(&world, &nats, &target.stream, EARLIEST);
    assert_eq!(begun.next, 1);
    let records = read(&mut *first, 10);
    assert_eq!(numbers(&records), (0..10).collect::<Vec<_>>());
    let (mut latest, begun) = source(&world, &nats, &target.stream, From::Begin(Begin::Latest));
    assert_eq!(begun.next, 11);
    let from = From::Position(records[3].position);
    let (mut later, begun) = source(&world, &nats, &target.stream, from);
    assert_eq!(begun, records[3].position);
    assert_eq!(numbers(&read(&mut *later, 6)), (4..10).collect::<Vec<_>>());
    let since = From::Begin(Begin::Time(records[0].timestamp_ms.unwrap() - 1_000));
    assert_eq!(source(&world, &nats, &target.stream, since).1.next, 1);
    publish(&target, 10..11, &HeaderMap::new());
    assert_eq!(numbers(&read(&mut *latest, 1)), [10]);
}

#[test]
fn a_stream_that_was_made_anew_is_read_from_its_beginning() {
    let Some(server) = Server::shared("a_stream_made_anew_is_read") else { return };
    let world = World::new(server.url());
    let target = Target::new(&world, Way::Chain).unwrap();
    let nats = world.process();
    publish(&target, 0..5, &HeaderMap::new());
    let (mut old, _) = source(&world, &nats, &target.stream, EARLIEST);
    let position = read(&mut *old, 5)[4].position;
    let jetstream = world.jetstream();
    world.runtime.block_on(async { jetstream.delete_stream(&target.stream).await.unwrap() });
    target.create();
    publish(&target, 100..120, &HeaderMap::new());
    assert!(matches!(old.lag(), Err(BusFault::Unavailable(_))));
    let (mut new, begun) = source(&world, &nats, &target.stream, From::Position(position));
    assert_eq!(begun.next, 1);
    assert_ne!(begun.of, position.of);
    assert_eq!(numbers(&read(&mut *new, 20)), (100..120).collect::<Vec<_>>());
    assert_ne!(old.bus(), new.bus());
}

#[test]
fn what_was_deleted_before_it_was_carried_is_passed_over() {
    let Some(server) = Server::shared("what_was_deleted") else { return };
    let world = World::new(server.url());
    let target = Target::new(&world, Way::Chain).unwrap();
    let nats = world.process();
    publish(&target, 0..10, &HeaderMap::new());
    let (mut first, _) = source(&world, &nats, &target.stream, EARLIEST);
    let position = read(&mut *first, 2)[1].position;
    let jetstream = world.jetstream();
    world.runtime.block_on(async {
        let stream = jetstream.get_stream(&target.stream).await.unwrap();
        stream.purge().sequence(6).await.unwrap();
        stream.delete_message(8).await.unwrap();
    });
    let (mut left, begun) = source(&world, &nats, &target.stream, From::Position(position));
    assert_eq!(begun.next, 6);
    assert_eq!(numbers(&read(&mut *left, 4)), [5, 6, 8, 9]);
}

#[test]
fn headers_that_a_server_acts_on_are_carried_without_acting() {
    let Some(server) = Server::shared("headers_that_a_server_acts_on") else { return };
    let world = World::new(server.url());
    let (from, to) = (Target::new(&world, Way::Chain).unwrap(), Target::new(&world, Way::Chain));
    let (nats, to) = (world.process(), to.unwrap());
    let mut headers = HeaderMap::new();
    headers.insert("Nats-Msg-Id", "same");
    publish(&from, 0..1, &headers);
    let (mut source, _) = source(&world, &nats, &from.stream, EARLIEST);
    let mut copied = read(&mut *source, 1).remove(0);
    assert_eq!(copied.header("Nats-Msg-Id").unwrap(), "same");
    let acts = ["Nats-Rollup", "Nats-TTL", "Nats-Stream-Source", "Nats-Marker-Reason"];
    for name in acts {
        let value = Some("sub".into());
        copied.headers.push(talon_runtime::relay::Header { name: name.to_owned(), value });
    }
    let (mut sink, _) = to.open(&nats);
    for next in 1..4 {
        copied.position = Position { next, of: 1 };
        sink.write(&to.address(0, 1), &copied).unwrap();
    }
    sink.commit(&[]).unwrap();
    assert_eq!(to.numbers(), [0, 0, 0]);
}

#[test]
fn lag_counts_what_was_not_read_and_ends() {
    let Some(server) = Server::shared("lag_counts") else { return };
    let world = World::new(server.url());
    let target = Target::new(&world, Way::Chain).unwrap();
    let nats = world.process();
    publish(&target, 0..10, &HeaderMap::new());
    let (mut source, _) = source(&world, &nats, &target.stream, EARLIEST);
    let of = Part::new(&target.stream, 0);
    read(&mut *source, 4);
    assert_eq!(source.lag().unwrap()[&of].records, 6);
    assert!(source.lag().unwrap()[&of].oldest_ms < 3_600_000);
    read(&mut *source, 6);
    let lag = source.lag().unwrap()[&of];
    assert_eq!((lag.records, lag.oldest_ms), (0, 0));
}

#[test]
fn a_server_that_restarts_is_read_on_from_the_position() {
    let Some(mut server) = Server::start("a_server_that_restarts_is_read_on") else { return };
    let world = World::new(server.url());
    let target = Target::new(&world, Way::Chain).unwrap();
    let nats = world.process();
    publish(&target, 0..100, &HeaderMap::new());
    let (mut before, _) = source(&world, &nats, &target.stream, EARLIEST);
    let mut all = read(&mut *before, 50);
    server.kill();
    server.restart();
    drop(before);
    let from = From::Position(all[49].position);
    let since = std::time::Instant::now();
    let (mut after, _) = loop {
        match try_source(&world, &nats, &target.stream, from) {
            Ok(opened) => break opened,
            Err(fault) => assert!(since.elapsed() < Duration::from_secs(60), "{fault}"),
        }
    };
    all.extend(read(&mut *after, 50));
    assert_eq!(numbers(&all), (0..100).collect::<Vec<_>>());
}

#[test]
fn subjects_of_core_nats_are_read_from_now_on_and_mean_nothing_later() {
    let Some(server) = Server::shared("subjects_of_core_nats") else { return };
    let world = World::new(server.url());
    let nats = world.process();
    let subject = talon_brokers::unique("core");
    let open = || {
        let _inside = world.runtime.enter();
        let selection = Selection::Subjects(vec![format!("{subject}.>")]);
        let spec = SourceSpec { relay: "r".to_owned(), task: 0, selection };
        let mut source = nats.source(&spec, &Grant::unlimited("test")).unwrap();
        let part = source.parts().unwrap().remove(0);
        let begun = source.assign(&[(part, EARLIEST)]).unwrap();
        (source, begun[0].1)
    };
    let client = world.jetstream().client();
    let publish = |text: &str| {
        let (to, text) = (format!("{subject}.a"), text.to_owned());
        world.runtime.block_on(async {
            client.publish(to, text.into()).await.unwrap();
            client.flush().await.unwrap();
        });
    };
    publish("0");
    let (mut source, _) = open();
    publish("1");
    publish("2");
    let records = read(&mut *source, 2);
    assert_eq!(numbers(&records), [1, 2]);
    assert_eq!(records[0].subject.as_deref(), Some(&*format!("{subject}.a")));
    assert!(records[1].position.next > records[0].position.next);
    drop(source);
    publish("3");
    let (mut source, begun) = open();
    assert_eq!(begun.next, 0);
    publish("4");
    assert_eq!(numbers(&read(&mut *source, 1)), [4]);
}

#[test]
fn a_stream_is_carried_to_another_exactly_once_over_restarts_of_both_ends() {
    let Some(server) = Server::shared("a_stream_is_carried_to_another") else { return };
    let world = World::new(server.url());
    let from = Target::new(&world, Way::Chain).unwrap();
    let Some(to) = Target::new(&world, Way::Batches) else { return };
    publish(&from, 0..2_000, &HeaderMap::new());
    let nats = world.process();
    let mut carried = 0;
    while carried < 2_000 {
        let (mut sink, resume) = to.open(&nats);
        let of = Part::new(&from.stream, 0);
        let begin = resume.positions.get(&of).map_or(EARLIEST, |at| From::Position(*at));
        let (mut source, _) = source(&world, &nats, &from.stream, begin);
        for _ in 0..2 {
            let read = source.read(300, 8 << 20, Duration::from_millis(500)).unwrap();
            for record in &read.records {
                let number = numbers(std::slice::from_ref(record))[0];
                sink.write(&to.address(number, 10), record).unwrap();
            }
            sink.commit(&read.passed).unwrap();
            carried += read.records.len();
        }
        let lost = source.read(100, 8 << 20, Duration::from_millis(1)).unwrap();
        for record in &lost.records {
            sink.write(&to.address(0, 10), record).unwrap();
        }
        let _ = next(&resume);
    }
    assert_eq!(to.numbers(), (0..2_000).collect::<Vec<_>>());
}

/// By hand with a million: `TALON_RELAY_SUBJECTS=1000000`, which prints how fast it was.
#[test]
fn a_stream_of_many_subjects_is_read_whole() {
    let Some(server) = Server::shared("a_stream_of_many_subjects") else { return };
    let world = World::new(server.url());
    let target = Target::new(&world, Way::Chain).unwrap();
    let nats = world.process();
    let many = std::env::var("TALON_RELAY_SUBJECTS").map_or(10_000, |text| text.parse().unwrap());
    let (mut sink, _) = target.open(&nats);
    let since = std::time::Instant::now();
    for number in 0..many {
        sink.write(&target.address(number, many), &record(number)).unwrap();
    }
    sink.commit(&[]).unwrap();
    eprintln!("written in {:?}", since.elapsed());
    let since = std::time::Instant::now();
    let (mut source, _) = source(&world, &nats, &target.stream, EARLIEST);
    let mut next = 0;
    while next < many {
        for record in read_once(&mut *source, 10_000).records {
            assert_eq!(numbers(&[record]), [next]);
            next += 1;
        }
    }
    eprintln!("read in {:?}", since.elapsed());
}
