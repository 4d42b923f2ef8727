//! The lane of commands on a real server.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use talon_brokers::Nats as Server;
use talon_nats::Nats;
use talon_runtime::bus::{
    Arrival, Bus, BusFault, Grant, LaneLog, LaneReader, LaneRecord, LaneTopic, Position, Start,
    Stop,
};

use crate::support::{World, header};

/// A lane as its owner has it, used inside the runtime.
struct Lane<'w> {
    world: &'w World,
    reader: Box<dyn LaneReader>,
    log: Box<dyn LaneLog>,
}

impl<'w> Lane<'w> {
    fn try_open(world: &'w World, nats: &Nats) -> Result<Lane<'w>, BusFault> {
        Lane::try_open_under(world, nats, &Grant::unlimited("test"))
    }

    fn try_open_under(world: &'w World, nats: &Nats, grant: &Grant) -> Result<Lane<'w>, BusFault> {
        let _inside = world.runtime.enter();
        let (reader, log) = nats.open_lane(&world.lane_spec(), grant)?;
        Ok(Lane { world, reader, log })
    }

    /// Opened and recovered; with what was recovered.
    fn open(world: &'w World, nats: &Nats) -> (Lane<'w>, Vec<(String, String)>) {
        let mut lane = Lane::try_open(world, nats).unwrap();
        let results = lane.recover().unwrap();
        (lane, results)
    }

    fn recover(&mut self) -> Result<Vec<(String, String)>, BusFault> {
        let _inside = self.world.runtime.enter();
        let mut results = Vec::new();
        self.log.recover(&mut |found| {
            let value = String::from_utf8(found.value.unwrap().to_vec()).unwrap();
            results.push((found.key.to_owned(), value));
            Ok(())
        })?;
        Ok(results)
    }

    fn next(&mut self, patience: Duration) -> Result<Option<Arrival>, BusFault> {
        let _inside = self.world.runtime.enter();
        self.reader.next(patience)
    }

    /// As many commands, in the order of their arrival; those that come again are left out.
    fn read(&mut self, count: usize) -> Result<Vec<Arrival>, BusFault> {
        let since = Instant::now();
        let mut read: Vec<Arrival> = Vec::new();
        while read.len() < count {
            assert!(since.elapsed() < Duration::from_secs(60), "{} of {count}", read.len());
            if let Some(arrival) = self.next(Duration::from_millis(100))?
                && read.iter().all(|before| before.position != arrival.position)
            {
                read.push(arrival);
            }
        }
        Ok(read)
    }

    fn append(&mut self, topic: LaneTopic, key: &str, value: &str, id: &str) {
        self.try_append(topic, key, value, id).unwrap();
    }

    /// The refusal of a record is told at the next call, whichever that is.
    fn try_append(
        &mut self,
        topic: LaneTopic,
        key: &str,
        value: &str,
        id: &str,
    ) -> Result<(), BusFault> {
        let _inside = self.world.runtime.enter();
        let headers = vec![("talon-schema", b"Result".to_vec())];
        let (key, value, id) = (key.to_owned(), value.as_bytes().to_vec(), id.to_owned());
        self.log.append(&LaneRecord { topic, key, value, headers, id })
    }

    fn commit(&mut self, settled: &[Position]) -> Result<(), BusFault> {
        let _inside = self.world.runtime.enter();
        self.log.commit(settled)
    }

    /// Stores an outcome for each, and settles them.
    fn settle(&mut self, arrivals: &[Arrival]) -> Result<(), BusFault> {
        for arrival in arrivals {
            let id = text(arrival);
            self.append(LaneTopic::Results, &id, "OUTCOME", &format!("{id}-outcome"));
        }
        let positions: Vec<Position> = arrivals.iter().map(|arrival| arrival.position).collect();
        self.commit(&positions)
    }

    /// Reads until that fails.
    fn fault(&mut self) -> BusFault {
        let since = Instant::now();
        loop {
            match self.next(Duration::from_millis(50)) {
                Err(fault) => return fault,
                Ok(_) => assert!(since.elapsed() < Duration::from_secs(60), "all is well"),
            }
        }
    }
}

fn text(arrival: &Arrival) -> String {
    String::from_utf8(arrival.value.clone()).unwrap()
}

fn texts(arrivals: &[Arrival]) -> Vec<String> {
    arrivals.iter().map(text).collect()
}

fn numbers(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|number| number.to_string()).collect()
}

/// Sends commands whose values are numbers, by turns under three keys.
fn send(world: &World, nats: &Nats, range: std::ops::Range<usize>) {
    let _inside = world.runtime.enter();
    for number in range {
        let key = format!("key {}", number % 3);
        nats.send(&world.lane_spec(), &key, number.to_string().as_bytes()).unwrap();
    }
}

#[test]
fn a_command_is_read_its_outcome_is_stored_and_it_does_not_come_again() {
    let Some(server) = Server::shared("a_command_is_read") else { return };
    let world = World::new(server.url());
    let nats = world.process();
    {
        let _inside = world.runtime.enter();
        let fault = nats.send(&world.lane_spec(), "k", b"early").unwrap_err();
        assert!(matches!(fault, BusFault::Misconfigured(_)), "{fault}");
    }
    let (mut lane, results) = Lane::open(&world, &nats);
    assert_eq!(results, []);
    assert_eq!(lane.reader.behind(), Some(0));
    send(&world, &nats, 0..3);
    let read = lane.read(3).unwrap();
    assert_eq!(texts(&read), numbers(0..3));
    assert_eq!(read[1].key.as_deref(), Some("key 1"));
    assert_eq!(read[1].position, Position { partition: 0, offset: 2 });
    lane.append(LaneTopic::Results, "0", "INTENT", "0-intent");
    lane.commit(&[]).unwrap();
    lane.settle(&read).unwrap();
    lane.append(LaneTopic::Results, "0", "DUPLICATE", "0-duplicate");
    lane.append(LaneTopic::DeadLetters, "no.key", "row", "dead");
    lane.commit(&[]).unwrap();
    drop(lane);

    let (mut lane, results) = Lane::open(&world, &world.process());
    let of_0: Vec<_> =
        results.iter().filter(|(id, _)| id == "0").map(|(_, v)| v.as_str()).collect();
    assert_eq!(of_0, ["INTENT", "OUTCOME", "DUPLICATE"]);
    assert_eq!(results.len(), 5);
    assert!(lane.next(Duration::from_millis(300)).unwrap().is_none());
    let dead = world.messages(&format!("{}_DLQ", world.stream()));
    assert_eq!(header(&dead[0], "talon-key"), Some("no%2Ekey"));
    assert_eq!(header(&dead[0], "Nats-Msg-Id"), Some("dead"));
}

#[test]
fn a_command_that_is_put_back_under_its_key_comes_as_such() {
    let Some(server) = Server::shared("a_command_that_is_put_back") else { return };
    let world = World::new(server.url());
    let nats = world.process();
    let (mut lane, _) = Lane::open(&world, &nats);
    {
        let _inside = world.runtime.enter();
        let headers = vec![("talon-rekeyed", b"1".to_vec()), ("traceparent", b"00-1".to_vec())];
        let (key, value) = ("7/42".to_owned(), b"again".to_vec());
        let id = "moved".to_owned();
        let record = LaneRecord { topic: LaneTopic::Commands, key, value, headers, id };
        // The same record twice, as after a crash in between.
        lane.log.append(&record).unwrap();
        lane.log.append(&record).unwrap();
    }
    lane.commit(&[]).unwrap();
    let read = lane.read(1).unwrap();
    assert!(read[0].rekeyed);
    assert_eq!(read[0].key.as_deref(), Some("7/42"));
    assert_eq!(read[0].traceparent.as_deref(), Some("00-1"));
    assert!(lane.next(Duration::from_millis(300)).unwrap().is_none());
}

#[test]
fn the_next_owner_gets_what_is_not_settled_at_once_and_in_order() {
    let Some(server) = Server::shared("the_next_owner_gets") else { return };
    let world = World::new(server.url());
    let (first, second) = (world.process(), world.process());
    let grant = Grant::unlimited("test");
    let mut killed = Lane::try_open_under(&world, &first, &grant).unwrap();
    send(&world, &first, 0..20);
    let read = killed.read(20).unwrap();
    // Settled up to 5, and some behind a gap; the outcome of 7 is stored, but it is not acknowledged.
    killed.settle(&read[..5]).unwrap();
    killed.settle(&read[10..12]).unwrap();
    killed.append(LaneTopic::Results, "7", "OUTCOME", "7-outcome");
    killed.commit(&[]).unwrap();
    send(&world, &first, 20..25);

    let (mut next, results) = Lane::open(&world, &second);
    assert_eq!(results.len(), 8);
    let read = next.read(20).unwrap();
    assert_eq!(texts(&read), numbers(5..25), "also what is settled behind the gap");
    assert_eq!(read[0].position.offset, 6);
    next.settle(&read[..1]).unwrap();
    assert_eq!(next.reader.behind(), Some(0));

    // The one that was replaced reads nothing more, and settles nothing.
    grant.close();
    let fault = killed.fault();
    assert!(matches!(fault, BusFault::Fenced(_)), "{fault:?}");
    let fault = killed.settle(&[arrival(19)]).unwrap_err();
    assert!(matches!(fault, BusFault::Fenced(_) | BusFault::Aborted(_)), "{fault}");
    let (mut last, _) = Lane::open(&world, &world.process());
    assert_eq!(texts(&last.read(19).unwrap()), numbers(6..25));
}

#[test]
fn a_process_that_lost_the_shard_while_it_opened_does_not_stop_the_new_owner() {
    let Some(server) = Server::shared("a_process_that_lost_the_shard") else { return };
    let world = World::new(server.url());
    let (owner, late) = (world.process(), world.process());
    let (mut lane, _) = Lane::open(&world, &owner);
    // It has a connection, and knows the streams.
    drop(Lane::try_open(&world, &late).unwrap());
    let mut reopened = 0;
    let mut read_next = |number: usize, may_reopen: bool| {
        send(&world, &owner, number..number + 1);
        loop {
            match lane.next(Duration::from_secs(5)) {
                Ok(Some(arrival)) if text(&arrival) == number.to_string() => {
                    return lane.settle(&[arrival]).unwrap();
                }
                Ok(Some(_)) => {}
                Err(BusFault::Aborted(_)) if may_reopen => {
                    reopened += 1;
                    lane = Lane::open(&world, &owner).0;
                }
                other => panic!("{number}: {other:?}"),
            }
        }
    };
    read_next(0, true);
    let closed = Grant::unlimited("test");
    closed.close();
    let opened = Lane::try_open_under(&world, &late, &closed).map(drop);
    assert_eq!(opened, Err(BusFault::Revoked));
    read_next(1, false);
    let (mut revoked, mut opened) = (0, 0);
    for number in 2..32 {
        let grant = Grant::unlimited("test");
        let result = std::thread::scope(|scope| {
            let late = scope.spawn(|| Lane::try_open_under(&world, &late, &grant).map(drop));
            std::thread::sleep(Duration::from_millis(number as u64 / 2));
            grant.close();
            late.join().unwrap()
        });
        match result {
            Ok(()) => opened += 1,
            Err(BusFault::Revoked) => revoked += 1,
            Err(fault) => panic!("{fault}"),
        }
        read_next(number, true);
    }
    eprintln!("{revoked} revoked, {opened} opened in time, {reopened} opened anew");
    assert!(reopened <= opened + 1, "nobody else takes the lane from its owner");
    let stream = format!("{}_COMMANDS", world.stream());
    let jetstream = world.jetstream();
    let left = world.runtime.block_on(async {
        let mut stream = jetstream.get_stream(&stream).await.unwrap();
        stream.info().await.unwrap().state.consumer_count
    });
    assert!(left <= 2, "{left} consumers");
}

fn arrival(number: usize) -> Arrival {
    Arrival {
        position: Position { partition: 0, offset: number as i64 + 1 },
        key: None,
        value: number.to_string().into_bytes(),
        rekeyed: false,
        traceparent: None,
        at_ms: 0,
    }
}

#[test]
fn consumers_that_were_left_behind_are_cleaned_up() {
    let Some(server) = Server::shared("consumers_that_were_left") else { return };
    let world = World::new(server.url());
    let nats = world.process();
    let (mut lane, _) = Lane::open(&world, &nats);
    send(&world, &nats, 0..10);
    let read = lane.read(10).unwrap();
    lane.settle(&read[..4]).unwrap();
    drop(lane);
    // As one that was killed after it had made its own, and somebody else's.
    let jetstream = world.jetstream();
    let stream = format!("{}_COMMANDS", world.stream());
    world.runtime.block_on(async {
        use async_nats::jetstream::consumer::{DeliverPolicy, pull};
        let stream = jetstream.get_stream(&stream).await.unwrap();
        let mark = ("talon-prefix".to_owned(), world.prefix.clone());
        let left = pull::Config {
            durable_name: Some("talon_left".to_owned()),
            deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: 5 },
            metadata: [mark].into(),
            ..pull::Config::default()
        };
        stream.create_consumer(left).await.unwrap();
        let theirs =
            pull::Config { durable_name: Some("theirs".to_owned()), ..pull::Config::default() };
        stream.create_consumer(theirs).await.unwrap();
    });
    let (mut lane, _) = Lane::open(&world, &world.process());
    assert_eq!(texts(&lane.read(6).unwrap()), numbers(4..10));
    let names: Vec<String> = world.runtime.block_on(async {
        use futures_util::TryStreamExt;
        let stream = jetstream.get_stream(&stream).await.unwrap();
        stream.consumer_names().try_collect().await.unwrap()
    });
    assert_eq!(names.len(), 2, "{names:?}");
    assert!(names.contains(&"theirs".to_owned()), "{names:?}");
}

#[test]
fn a_result_over_that_of_another_process_is_a_conflict() {
    let Some(server) = Server::shared("a_result_over_that_of_another") else { return };
    let world = World::new(server.url());
    let (mut old, _) = Lane::open(&world, &world.process());
    let (mut new, _) = Lane::open(&world, &world.process());
    new.append(LaneTopic::Results, "x", "INTENT", "x-new");
    new.commit(&[]).unwrap();
    let refused = old.try_append(LaneTopic::Results, "x", "INTENT", "x-old");
    assert!(matches!(refused.and_then(|()| old.commit(&[])), Err(BusFault::Aborted(_))));
    // One for another command gets in, and is noticed.
    let (mut late, _) = Lane::open(&world, &world.process());
    new.append(LaneTopic::Results, "y", "OUTCOME", "y");
    new.commit(&[]).unwrap();
    let noticed = late.try_append(LaneTopic::Results, "z", "OUTCOME", "z");
    assert!(matches!(noticed.and_then(|()| late.commit(&[])), Err(BusFault::Aborted(_))));
    let (_, results) = Lane::open(&world, &world.process());
    let found: Vec<_> = results.iter().map(|(id, phase)| format!("{id} {phase}")).collect();
    assert_eq!(found, ["x INTENT", "y OUTCOME", "z OUTCOME"]);
}

#[test]
fn a_server_that_is_killed_under_load_loses_no_command_and_no_outcome() {
    let Some(mut server) = Server::start("a_server_that_is_killed_under_load") else { return };
    let world = World::new(server.url());
    let nats = world.process();
    let (mut lane, _) = Lane::open(&world, &nats);
    for turn in 1..=4 {
        send(&world, &nats, (turn - 1) * 50..turn * 50);
        let disturb = |server: &mut Server| {
            match turn {
                1 => server.restart(),
                2 => {
                    server.pause();
                    // Long enough for the connection to be given up.
                    std::thread::sleep(Duration::from_millis(1_500));
                    server.resume();
                }
                _ => {
                    server.kill();
                    server.restart();
                }
            }
        };
        // Some are settled, some are read and not settled, and others are on their way.
        let mut done = lane.read(10).and_then(|read| {
            lane.settle(&read[..5])?;
            disturb(&mut server);
            lane.settle(&read[5..])?;
            settle_all(&mut lane, turn * 50)
        });
        let since = Instant::now();
        while let Err(fault) = done {
            assert!(matches!(fault, BusFault::Unavailable(_) | BusFault::Aborted(_)), "{fault}");
            assert!(since.elapsed() < Duration::from_secs(60), "{fault}");
            done = Lane::try_open(&world, &nats).and_then(|mut opened| {
                opened.recover()?;
                lane = opened;
                settle_all(&mut lane, turn * 50)
            });
        }
    }
    let (_, results) = Lane::open(&world, &world.process());
    let mut ids: Vec<usize> = results.iter().map(|(id, _)| id.parse().unwrap()).collect();
    ids.sort_unstable();
    assert_eq!(ids, (0..200).collect::<Vec<_>>(), "each has one outcome");
}

/// Settles what comes, until so many commands have an outcome.
fn settle_all(lane: &mut Lane<'_>, count: usize) -> Result<(), BusFault> {
    let results = lane.world.messages(&format!("{}_RESULTS", lane.world.stream()));
    let id = |result: &async_nats::jetstream::Message| {
        talon_nats::key(result.subject.rsplit('.').next().unwrap()).unwrap()
    };
    // As the runtime's ledger knows it.
    let mut known: BTreeSet<String> = results.iter().map(id).collect();
    let since = Instant::now();
    while known.len() < count {
        assert!(since.elapsed() < Duration::from_secs(60), "{} of {count}", known.len());
        if let Some(arrival) = lane.next(Duration::from_millis(100))? {
            if known.insert(text(&arrival)) {
                lane.settle(&[arrival])?;
            } else {
                lane.commit(&[arrival.position])?;
            }
        }
    }
    Ok(())
}

#[test]
fn a_stream_that_is_deleted_while_it_runs_is_not_made_again() {
    let Some(server) = Server::shared("a_stream_that_is_deleted_while") else { return };
    for deleted in ["COMMANDS", "RESULTS"] {
        let world = World::new(server.url());
        let nats = world.process();
        let (mut lane, _) = Lane::open(&world, &nats);
        let jetstream = world.jetstream();
        let stream = format!("{}_{deleted}", world.stream());
        world.runtime.block_on(async { jetstream.delete_stream(&stream).await.unwrap() });
        if deleted == "COMMANDS" {
            let fault = lane.fault();
            assert!(matches!(fault, BusFault::Aborted(_)), "{fault:?}");
        } else {
            lane.append(LaneTopic::Results, "x", "INTENT", "x");
            lane.commit(&[]).unwrap_err();
        }
        // Neither by this process nor by the next.
        for process in [nats, world.process()] {
            match Lane::try_open(&world, &process).map(drop) {
                Err(BusFault::Misconfigured(why)) => assert!(why.contains("is gone"), "{why}"),
                other => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn streams_with_settings_that_break_a_guarantee_are_refused() {
    let Some(server) = Server::shared("streams_with_settings") else { return };
    for (stream, topic) in [("COMMANDS", "commands"), ("RESULTS", "results")] {
        let world = World::new(server.url());
        let jetstream = world.jetstream();
        world.runtime.block_on(async {
            let config = async_nats::jetstream::stream::Config {
                name: format!("{}_{stream}", world.stream()),
                subjects: vec![format!("{}.field.{topic}.>", world.prefix)],
                max_messages: 10,
                ..Default::default()
            };
            jetstream.create_stream(config).await.unwrap();
        });
        match Lane::try_open(&world, &world.process()).map(drop) {
            Err(BusFault::Misconfigured(why)) => assert!(why.contains("limit"), "{why}"),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn ten_thousand_commands_flow() {
    let Some(server) = Server::shared("ten_thousand_commands_flow") else { return };
    let world = World::new(server.url());
    let nats = world.process();
    let (mut lane, _) = Lane::open(&world, &nats);
    let jetstream = world.jetstream();
    world.runtime.block_on(async {
        for turn in 0..10 {
            let mut acks = Vec::new();
            for number in turn * 1_000..(turn + 1) * 1_000 {
                let subject = format!("{}.field.commands.{}", world.prefix, number % 100);
                acks.push(jetstream.publish(subject, number.to_string().into()).await.unwrap());
            }
            for ack in acks {
                ack.await.unwrap();
            }
        }
    });
    let started = Instant::now();
    for turn in 0..10 {
        let mut read = Vec::new();
        while read.len() < 1_000 {
            read.extend(lane.next(Duration::from_secs(1)).unwrap());
        }
        assert_eq!(texts(&read), numbers(turn * 1_000..(turn + 1) * 1_000));
        lane.settle(&read).unwrap();
    }
    eprintln!("10,000 commands read, their outcomes stored, settled: {:?}", started.elapsed());
    assert!(lane.next(Duration::from_millis(300)).unwrap().is_none());
    assert_eq!(Lane::open(&world, &nats).1.len(), 10_000);
}

#[test]
fn results_are_followed_from_a_time_on() {
    let Some(server) = Server::shared("results_are_followed") else { return };
    let world = World::new(server.url());
    let nats = world.process();
    let (mut lane, _) = Lane::open(&world, &nats);
    lane.append(LaneTopic::Results, "early", "OUTCOME", "early");
    lane.commit(&[]).unwrap();
    let stored = world.messages(&format!("{}_RESULTS", world.stream()));
    let early = stored[0].info().unwrap().published.unix_timestamp_nanos() / 1_000_000;
    // The server keeps nanoseconds.
    std::thread::sleep(Duration::from_millis(5));
    lane.append(LaneTopic::Results, "late", "OUTCOME", "late");
    lane.append(LaneTopic::DeadLetters, "dead", "row", "dead");
    lane.commit(&[]).unwrap();
    let topics = ["results", "dlq"].map(|what| format!("{}.field.{what}", world.prefix));
    let stop = Stop::default();
    let mut seen = Vec::new();
    let _inside = world.runtime.enter();
    nats.tail(&topics, Start::Time(early as i64 + 1), &stop, &mut |record| {
        seen.push((record.topic.to_owned(), record.key.to_owned()));
        if seen.len() == 2 {
            stop.set();
        }
    })
    .unwrap();
    seen.sort();
    let [results, dead_letters] = topics;
    assert_eq!(seen, [(dead_letters, "dead".to_owned()), (results, "late".to_owned())]);
}

#[test]
fn a_command_that_runs_for_long_does_not_come_again() {
    let Some(server) = Server::shared("a_command_that_runs_for_long") else { return };
    let mut world = World::new(server.url());
    world.extra.push(("commands.ack.wait.ms", "1000".to_owned()));
    let nats = world.process();
    let (mut lane, _) = Lane::open(&world, &nats);
    send(&world, &nats, 0..3);
    let read = lane.read(3).unwrap();
    let since = Instant::now();
    while since.elapsed() < Duration::from_millis(3_500) {
        assert!(lane.next(Duration::from_millis(100)).unwrap().is_none(), "it came again");
    }
    lane.settle(&read).unwrap();
    assert!(Lane::open(&world, &nats).0.next(Duration::from_millis(300)).unwrap().is_none());
}

#[test]
fn shards_and_lanes_that_open_at_once_create_their_streams_together() {
    let Some(server) = Server::shared("shards_and_lanes_that_open") else { return };
    for _ in 0..30 {
        let world = World::new(server.url());
        let processes = [world.process(), world.process()];
        std::thread::scope(|scope| {
            for nats in &processes {
                scope.spawn(|| drop(world.try_open(nats).unwrap()));
                scope.spawn(|| match Lane::try_open(&world, nats).map(drop) {
                    // Two lanes: one of them is the newer.
                    Ok(()) | Err(BusFault::Aborted(_)) => {}
                    Err(fault) => panic!("{fault}"),
                });
            }
        });
    }
}
