//! A task of a relay: reads its parts, and writes what it reads.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use talon_sdk::Clock;

use super::hops::Hops;
use super::mapping::Route;
use super::pause::Seen;
use super::record::{Part, Position, Record};
use super::sink::{Address, Resume, Sink};
use super::source::{Begin, From, Read, Source};
use super::status::{Status, Tally};
use super::value::{Converter, Unconverted, Values};
use crate::bus::{BusFault, Grant};

/// What is committed together at most: one transaction, or one round of batches.
const RECORDS: usize = 10_000;
const BYTES: usize = 8 * 1024 * 1024;

/// One wait for records.
const PATIENCE: Duration = Duration::from_millis(100);

/// How often it is looked how far it is behind, and whether the task is still this process's.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// What becomes of a record that cannot be carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnError {
    /// It goes to the dead letters, and what follows flows on.
    #[default]
    DeadLetter,
    /// The relay stands still until a person has mended it.
    Stop,
    /// It is left out and counted.
    Skip,
}

/// What becomes of a record that has passed the target already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Echoes {
    /// It is not sent.
    #[default]
    Drop,
    /// It is sent like any other, and records do not say which buses they have passed.
    Carry,
}

/// What a task does.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Name of the relay.
    pub relay: String,
    /// Which of its tasks.
    pub task: u32,
    /// How many tasks it has, in all processes.
    pub tasks: u32,
    /// Where parts begin that are there when the task is begun for the first time.
    pub begin: Begin,
    /// Where records go.
    pub route: Route,
    /// Into which form values are converted; none leaves them as they are.
    pub values: Option<Values>,
    /// What becomes of those that have been there.
    pub echoes: Echoes,
    /// What becomes of those that cannot be carried.
    pub errors: OnError,
    /// How often is looked for new topics and partitions.
    pub look_every: Duration,
}

/// Why a record was not sent.
enum Unsent {
    /// For a reason that lies in the record.
    Refused(String),
    /// Not now: the relay stands there until what it needs is back.
    Held(BusFault),
    /// The sink failed.
    Failed(BusFault),
}

/// A task at work. Used by one thread.
pub struct Task<'a> {
    plan: &'a Plan,
    source: Box<dyn Source>,
    sink: Box<dyn Sink>,
    converter: Option<Converter>,
    pause: Seen,
    grant: &'a Grant,
    status: &'a Status,
    clock: &'a Clock,
    resume: Resume,
    reading: BTreeSet<Part>,
    /// When is looked for parts, and for lag.
    parts_due: Instant,
    lag_due: Instant,
}

impl<'a> Task<'a> {
    /// Takes the task over: what the target knows, it goes on from.
    pub fn open(
        plan: &'a Plan,
        (source, mut sink): (Box<dyn Source>, Box<dyn Sink>),
        grant: &'a Grant,
        status: &'a Status,
        clock: &'a Clock,
    ) -> Result<Task<'a>, BusFault> {
        let resume = sink.resume()?;
        let (reading, now) = (BTreeSet::new(), Instant::now());
        Ok(Task {
            plan,
            source,
            sink,
            converter: None,
            pause: Seen::default(),
            grant,
            status,
            clock,
            resume,
            reading,
            parts_due: now,
            lag_due: now,
        })
    }

    /// The same, which converts values.
    pub fn converting(self, converter: Option<Converter>) -> Task<'a> {
        Task { converter, ..self }
    }

    /// The same, which rests where it is to, until that changes.
    pub fn pausing(self, pause: Seen) -> Task<'a> {
        Task { pause, ..self }
    }

    /// Carries records until the grant closes, or it is to rest; everything that was read is committed then. Calls
    /// `committed` after each commit of records. One that is paused only looks how far it is behind, until it is
    /// not: what it reads with may not outlive a long pause, so it is to be opened anew after any.
    ///
    /// # Errors
    /// Source and sink are to be opened anew.
    pub fn run(&mut self, committed: &mut dyn FnMut()) -> Result<(), BusFault> {
        while self.grant.is_open() && !self.pause.is_over() {
            if Instant::now() >= self.parts_due {
                self.look_for_parts()?;
                self.parts_due = Instant::now() + self.plan.look_every;
            }
            if self.pause.rests() {
                self.look()?;
                std::thread::sleep(PATIENCE);
                continue;
            }
            let read = self.source.read(RECORDS, BYTES, PATIENCE)?;
            if read.records.is_empty() && read.passed.is_empty() {
                self.look()?;
                continue;
            }
            let is_full = !read.records.is_empty();
            self.carry(read)?;
            if is_full {
                committed();
            }
            self.look()?;
        }
        Ok(())
    }

    /// Takes in parts that are new, and lets go of those that are gone.
    fn look_for_parts(&mut self) -> Result<(), BusFault> {
        let (plan, task) = (self.plan, self.plan.task);
        let parts: BTreeSet<Part> = self.source.parts()?.into_iter().collect();
        let own = |part: &Part| part.task(plan.tasks) == task;
        let parts: BTreeSet<Part> = parts.into_iter().filter(own).collect();
        // Positions of what is gone stay: it may be back, and may only not have been seen for a moment.
        let gone: Vec<Part> = self.reading.difference(&parts).cloned().collect();
        self.source.drop_parts(&gone)?;
        let from: Vec<(Part, From)> =
            parts.difference(&self.reading).map(|part| (part.clone(), self.from(part))).collect();
        if !from.is_empty() || !self.resume.begun {
            let starts = self.source.assign(&from)?;
            // Before anything is carried, so that a part of which nothing was is begun once: else one that
            // begins with the latest record would begin with a later one after each failure.
            self.sink.commit(&starts)?;
            self.resume.begun = true;
            self.resume.positions.extend(starts);
        }
        self.reading = parts;
        Ok(())
    }

    fn from(&self, part: &Part) -> From {
        match self.resume.positions.get(part) {
            Some(position) => From::Position(*position),
            // It came after the task was begun: all of it is new.
            None if self.resume.begun => From::Begin(Begin::Earliest),
            None => From::Begin(self.plan.begin),
        }
    }

    fn carry(&mut self, read: Read) -> Result<(), BusFault> {
        let mut tally = Tally::default();
        // How far the parts are carried: behind echoes and what is left out, too.
        let mut positions: BTreeMap<Part, Position> = BTreeMap::new();
        let mut stands = None;
        for record in read.records {
            let (part, position) = (record.part.clone(), record.position);
            stands = self.carry_one(record, &mut tally)?;
            if stands.is_some() {
                break;
            }
            positions.insert(part, position);
        }
        if stands.is_none() {
            positions.extend(read.passed);
        }
        let committed: Vec<(Part, Position)> = positions.into_iter().collect();
        self.sink.commit(&committed)?;
        self.resume.positions.extend(committed);
        self.status.committed(tally, self.clock.now_ms());
        stands.map_or(Ok(()), Err)
    }

    /// Says why the relay stands at this record, where it does: then what came before is carried.
    fn carry_one(
        &mut self,
        mut record: Record,
        tally: &mut Tally,
    ) -> Result<Option<BusFault>, BusFault> {
        match self.plan.echoes {
            Echoes::Drop if record.hops.contains(self.sink.bus()) => {
                tally.echoes += 1;
                return Ok(None);
            }
            Echoes::Drop => record.hops.pass(self.source.bus()),
            Echoes::Carry => record.hops = Hops::default(),
        }
        let why = match self.plan.route.address(&record) {
            Ok(address) => match self.send(&address, &record) {
                Ok(()) => {
                    tally.carried += 1;
                    return Ok(None);
                }
                Err(Unsent::Refused(why)) => why,
                Err(Unsent::Held(fault)) => return Ok(Some(fault)),
                Err(Unsent::Failed(fault)) => return Err(fault),
            },
            Err(why) => why.to_string(),
        };
        self.refused(&record, &why, tally)
    }

    fn send(&mut self, to: &Address, record: &Record) -> Result<(), Unsent> {
        let converted = match &mut self.converter {
            None => None,
            Some(converter) => match converter.convert(record, &to.name) {
                Ok(converted) => Some(converted),
                Err(Unconverted::Refused(why)) => return Err(Unsent::Refused(why)),
                Err(Unconverted::Held(fault)) => return Err(Unsent::Held(fault)),
            },
        };
        let written = self.sink.write(to, converted.as_ref().unwrap_or(record));
        written.map_err(|fault| match fault {
            BusFault::TooLarge(why) => Unsent::Refused(why),
            fault => Unsent::Failed(fault),
        })
    }

    /// A record cannot be carried.
    fn refused(
        &mut self,
        record: &Record,
        why: &str,
        tally: &mut Tally,
    ) -> Result<Option<BusFault>, BusFault> {
        match self.plan.errors {
            OnError::DeadLetter => {
                self.sink.write_dead_letter(record, why)?;
                tally.dead_letters += 1;
                Ok(None)
            }
            OnError::Skip => {
                tally.skipped += 1;
                Ok(None)
            }
            OnError::Stop => {
                let at = record.position.next.saturating_sub(1);
                Ok(Some(BusFault::Misconfigured(format!(
                    "record {at} of `{}` cannot be carried: {why}; the relay stands there, because `errors` is `stop`",
                    record.part
                ))))
            }
        }
    }

    /// Now and then, how far it is behind.
    fn look(&mut self) -> Result<(), BusFault> {
        if Instant::now() < self.lag_due {
            return Ok(());
        }
        // Whether the task is still this process's.
        self.sink.commit(&[])?;
        match self.source.lag() {
            // Whoever waits for a relay that is paused waits, also for what comes next.
            Ok(lag) if self.pause.rests() => self.status.waits(lag),
            Ok(lag) => self.status.looked(lag, self.clock.now_ms()),
            // Noticed where something is read or written.
            Err(BusFault::Unavailable(_) | BusFault::Aborted(_)) => {}
            Err(fault) => return Err(fault),
        }
        self.lag_due = Instant::now() + LOOK_EVERY;
        Ok(())
    }
}
