//! A task of a relay between two buses in memory that fail at any call, also after they did what was asked.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use talon_runtime::bus::{BusFault, Grant};
use talon_runtime::relay::mapping::{Partitioning, Route, Template};
use talon_runtime::relay::{
    Address, Begin, Echoes, From, Hops, Key, Lag, OnError, Origin, Part, Plan, Position, Read,
    Record, Resume, Sink, Source, Status, Task,
};
use talon_sdk::Clock;

/// Both buses, and what may go wrong.
struct World {
    random: StdRng,
    /// One call in so many fails; 0 is none.
    fails: u32,
    /// Records of each part; none is a marker or an aborted record.
    logs: BTreeMap<Part, Vec<Option<Record>>>,
    /// How many of the parts are there.
    parts: usize,
    /// What is readable on the target.
    carried: Vec<Record>,
    dead: Vec<(Record, String)>,
    resume: Resume,
    owner: u64,
}

type Shared = Arc<Mutex<World>>;

fn lock(world: &Shared) -> MutexGuard<'_, World> {
    world.lock().unwrap()
}

impl World {
    fn may_fail(&mut self) -> Result<(), BusFault> {
        if self.fails > 0 && self.random.random_ratio(1, self.fails) {
            return Err(BusFault::Unavailable("as it happens".to_owned()));
        }
        Ok(())
    }
}

struct MemorySource {
    world: Shared,
    reading: BTreeMap<Part, u64>,
    grant: Grant,
}

impl Source for MemorySource {
    fn bus(&self) -> &str {
        "memory:source"
    }

    fn parts(&mut self) -> Result<Vec<Part>, BusFault> {
        let mut world = lock(&self.world);
        world.may_fail()?;
        // Another one each time.
        world.parts = (world.parts + 1).min(world.logs.len());
        Ok(world.logs.keys().take(world.parts).cloned().collect())
    }

    fn assign(&mut self, from: &[(Part, From)]) -> Result<Vec<(Part, Position)>, BusFault> {
        let mut world = lock(&self.world);
        world.may_fail()?;
        let start = |(part, from): &(Part, From)| {
            let next = match from {
                From::Position(position) => position.next,
                From::Begin(Begin::Latest) => world.logs[part].len() as u64,
                From::Begin(_) => 0,
            };
            (part.clone(), Position { next, of: 0 })
        };
        let starts: Vec<(Part, Position)> = from.iter().map(start).collect();
        self.reading.extend(starts.iter().map(|(part, position)| (part.clone(), position.next)));
        Ok(starts)
    }

    fn drop_parts(&mut self, parts: &[Part]) -> Result<(), BusFault> {
        self.reading.retain(|part, _| !parts.contains(part));
        Ok(())
    }

    fn read(&mut self, _: usize, _: usize, _: Duration) -> Result<Read, BusFault> {
        let mut world = lock(&self.world);
        world.may_fail()?;
        let mut read = Read::default();
        for (part, next) in &mut self.reading {
            let most = world.random.random_range(0..5);
            for _ in 0..most {
                let Some(found) = world.logs[part].get(*next as usize) else { break };
                *next += 1;
                match found {
                    Some(record) => read.records.push(record.clone()),
                    None => read.passed.push((part.clone(), Position { next: *next, of: 0 })),
                }
            }
        }
        let is_whole = world.parts == world.logs.len()
            && self.reading.len() == world.parts
            && self.reading.iter().all(|(part, next)| *next == world.logs[part].len() as u64);
        if is_whole {
            self.grant.close();
        }
        // A later position of a part counts; the last one of each is the last.
        read.passed.reverse();
        let mut seen = Vec::new();
        read.passed.retain(|(part, position)| {
            let behind =
                |record: &Record| record.part == *part && record.position.next > position.next;
            let is_last = !seen.contains(part) && !read.records.iter().any(behind);
            seen.push(part.clone());
            is_last
        });
        Ok(read)
    }

    fn lag(&mut self) -> Result<BTreeMap<Part, Lag>, BusFault> {
        Ok(BTreeMap::new())
    }
}

struct MemorySink {
    world: Shared,
    me: u64,
    written: Vec<Record>,
    dead: Vec<(Record, String)>,
}

impl MemorySink {
    fn is_owner(&self, world: &World) -> Result<(), BusFault> {
        if world.owner == self.me { Ok(()) } else { Err(BusFault::Fenced("by another".to_owned())) }
    }
}

impl Sink for MemorySink {
    fn bus(&self) -> &str {
        "memory:target"
    }

    fn resume(&mut self) -> Result<Resume, BusFault> {
        let mut world = lock(&self.world);
        world.may_fail()?;
        self.is_owner(&world)?;
        Ok(world.resume.clone())
    }

    fn write(&mut self, to: &Address, record: &Record) -> Result<(), BusFault> {
        let mut world = lock(&self.world);
        world.may_fail()?;
        self.is_owner(&world)?;
        if to.name.ends_with("large") {
            return Err(BusFault::TooLarge("it is too large".to_owned()));
        }
        self.written.push(record.clone());
        Ok(())
    }

    fn write_dead_letter(&mut self, record: &Record, why: &str) -> Result<(), BusFault> {
        self.dead.push((record.clone(), why.to_owned()));
        Ok(())
    }

    fn commit(&mut self, positions: &[(Part, Position)]) -> Result<(), BusFault> {
        let mut world = lock(&self.world);
        world.may_fail()?;
        self.is_owner(&world)?;
        world.resume.begun = true;
        for record in self.written.iter().chain(self.dead.iter().map(|(record, _)| record)) {
            world.resume.positions.insert(record.part.clone(), record.position);
        }
        world.resume.positions.extend(positions.iter().cloned());
        world.carried.append(&mut self.written);
        world.dead.append(&mut self.dead);
        // It took place, and the answer is lost.
        world.may_fail()
    }
}

fn record(part: &Part, offset: u64, topic: &str) -> Record {
    Record {
        part: part.clone(),
        position: Position { next: offset + 1, of: 0 },
        origin: Some(Origin { topic: topic.into(), partition: part.number, offset: offset as i64 }),
        subject: None,
        key: Key::Null,
        headers: Vec::new(),
        value: None,
        timestamp_ms: None,
        hops: Hops::default(),
        converted: None,
    }
}

fn plan(begin: Begin, errors: OnError) -> Plan {
    let topic = Template::parse("{topic}").unwrap();
    Plan {
        relay: "r".to_owned(),
        task: 0,
        tasks: 1,
        begin,
        route: Route::Topic { topic, key: None, partition: Partitioning::Key },
        values: None,
        echoes: Echoes::Drop,
        errors,
        look_every: Duration::ZERO,
    }
}

fn world(seed: u64, parts: i32, fails: u32) -> Shared {
    let mut random = StdRng::seed_from_u64(seed);
    let mut logs = BTreeMap::new();
    for number in 0..parts {
        let part = Part::new("t", number);
        let log = (0..random.random_range(0..60))
            .map(|offset| (!random.random_ratio(1, 5)).then(|| record(&part, offset, "t")));
        let log = log.collect();
        logs.insert(part, log);
    }
    let (resume, owner) = (Resume::default(), 0);
    let (carried, dead) = (Vec::new(), Vec::new());
    Arc::new(Mutex::new(World { random, fails, logs, parts: 0, carried, dead, resume, owner }))
}

/// Opens the task once, and runs it until all is carried or something fails.
fn run(world: &Shared, plan: &Plan) -> (Result<(), BusFault>, Status) {
    let me = {
        let mut world = lock(world);
        world.owner += 1;
        world.owner
    };
    let (grant, status, clock) = (Grant::unlimited("r"), Status::default(), Clock::System);
    let source =
        MemorySource { world: world.clone(), reading: BTreeMap::new(), grant: grant.clone() };
    let sink = MemorySink { world: world.clone(), me, written: Vec::new(), dead: Vec::new() };
    let ran = Task::open(plan, (Box::new(source), Box::new(sink)), &grant, &status, &clock)
        .and_then(|mut task| task.run(&mut || {}));
    (ran, status)
}

#[test]
fn invariant_11_whatever_fails_and_wherever_each_record_is_carried_once_and_in_order() {
    for seed in 0..200 {
        let world = world(seed, 4, 12);
        let plan = plan(Begin::Earliest, OnError::DeadLetter);
        let mut attempts = 0;
        while run(&world, &plan).0.is_err() {
            attempts += 1;
            assert!(attempts < 10_000, "seed {seed} gets nowhere");
        }
        let world = lock(&world);
        for (part, log) in &world.logs {
            let offsets = |record: &Record| record.origin.as_ref().map(|origin| origin.offset);
            let sent: Vec<_> = log.iter().flatten().map(offsets).collect();
            let carried = world.carried.iter().filter(|record| record.part == *part);
            assert_eq!(carried.map(offsets).collect::<Vec<_>>(), sent, "seed {seed}, part {part}");
            assert_eq!(world.resume.positions[part].next, log.len() as u64, "seed {seed}");
        }
    }
}

#[test]
fn the_latest_record_is_that_of_the_first_start_and_what_comes_later_is_carried_whole() {
    let world = world(7, 3, 0);
    let plan = plan(Begin::Latest, OnError::DeadLetter);
    run(&world, &plan).0.unwrap();
    // The first part was there at the first start; the other two came while it ran.
    let later = |part: &&Record| part.part.number > 0;
    let mut world = lock(&world);
    let expected: usize = world.logs.values().skip(1).map(|log| log.iter().flatten().count()).sum();
    assert_eq!(world.carried.iter().filter(later).count(), expected);
    assert_eq!(world.carried.len(), expected);
    world.carried.clear();
}

#[test]
fn what_cannot_be_carried_is_put_aside_left_out_or_stood_before_as_configured() {
    for errors in [OnError::DeadLetter, OnError::Skip, OnError::Stop] {
        let world = world(7, 1, 0);
        let part = Part::new("t", 0);
        let log = ["a", "large", "b"].iter().enumerate();
        let log = log.map(|(offset, topic)| Some(record(&part, offset as u64, topic))).collect();
        lock(&world).logs.insert(part.clone(), log);
        let (ran, status) = run(&world, &plan(Begin::Earliest, errors));
        let (world, tally) = (lock(&world), status.tally());
        let carried = world.carried.len();
        match errors {
            OnError::DeadLetter => {
                assert_eq!((ran, carried, tally.dead_letters), (Ok(()), 2, 1));
                assert!(world.dead[0].1.contains("too large"));
            }
            OnError::Skip => assert_eq!((ran, carried, tally.skipped), (Ok(()), 2, 1)),
            OnError::Stop => {
                let fault = ran.unwrap_err();
                assert_eq!(fault.kind(), "misconfigured");
                assert!(fault.to_string().contains("record 1 of `t/0`"), "{fault}");
                let position = world.resume.positions[&part].next;
                assert_eq!((carried, position), (1, 1), "what came before it is carried");
            }
        }
    }
}

#[test]
fn a_record_that_has_been_there_is_not_sent_and_is_not_looked_at_again() {
    let world = world(7, 1, 0);
    let part = Part::new("t", 0);
    let mut echo = record(&part, 0, "t");
    echo.hops.pass("memory:target");
    lock(&world).logs.insert(part.clone(), vec![Some(echo), Some(record(&part, 1, "t"))]);
    let (ran, status) = run(&world, &plan(Begin::Earliest, OnError::DeadLetter));
    ran.unwrap();
    assert_eq!((status.tally().echoes, status.tally().carried), (1, 1));
    let world = lock(&world);
    assert_eq!(world.resume.positions[&part].next, 2);
    assert_eq!(world.carried[0].hops.text(), "memory:source");
}
