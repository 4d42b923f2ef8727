//! Connectors whose reads are written down, and such as read what was written down.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use talon_runtime::Setup;
use talon_sdk::{
    Answer, Applier, ApplyFault, Command, CommandSpec, Connector, Coverage, Cursor, Evidence,
    Fault, Feed, FeedPlan, Finding, Observation, Permit, Row, RowCodec, Rows,
};

use crate::fixture::Seen;

/// Which feed, of which connector.
type Of = (String, String);

/// What was read, and how often.
#[derive(Clone, Default)]
pub(crate) struct Notes(Arc<Mutex<(Seen, BTreeMap<Of, usize>)>>);

impl Notes {
    /// Observations without those that only repeat the one before them.
    pub(crate) fn seen(&self) -> Seen {
        self.lock().0.clone()
    }

    /// How often each of these feeds was read.
    pub(crate) fn reads(&self, of: &[Of]) -> Vec<usize> {
        let notes = self.lock();
        of.iter().map(|of| notes.1.get(of).copied().unwrap_or(0)).collect()
    }

    fn note(&self, of: &Of, observation: &Observation) {
        let mut notes = self.lock();
        *notes.1.entry(of.clone()).or_default() += 1;
        let seen = notes.0.entry(of.clone()).or_default();
        let last = seen.iter().rev().find(|seen| seen.scope == observation.scope);
        if last.is_none_or(|last| !is_same(last, observation)) {
            seen.push(observation.clone());
        }
    }

    fn count(&self, of: &Of) {
        *self.lock().1.entry(of.clone()).or_default() += 1;
    }

    fn lock(&self) -> MutexGuard<'_, (Seen, BTreeMap<Of, usize>)> {
        self.0.lock().unwrap()
    }
}

fn is_same(a: &Observation, b: &Observation) -> bool {
    let is_one_list = matches!(a.coverage, Coverage::Full | Coverage::Delta);
    is_one_list
        && a.coverage == b.coverage
        && a.cursor == b.cursor
        && a.rows.iter().eq(b.rows.iter())
}

/// The feeds that are read, not told by another's rows.
pub(crate) fn read_feeds(setups: &[Setup]) -> Vec<Of> {
    let of = |setup: &Setup| {
        let plans = setup.connector.feeds().into_iter();
        let read = plans.filter(|plan| plan.codec.facts().is_none());
        read.map(|plan| (setup.name.clone(), plan.spec.name.to_string())).collect::<Vec<_>>()
    };
    setups.iter().flat_map(of).collect()
}

/// Writes down what the connector reads.
pub(crate) fn recording(setup: Setup, notes: &Notes) -> Setup {
    let (name, notes) = (setup.name.clone(), notes.clone());
    let connector = Arc::new(Recording { name, notes, connector: setup.connector });
    Setup { connector, ..setup }
}

struct Recording {
    name: String,
    notes: Notes,
    connector: Arc<dyn Connector>,
}

#[async_trait]
impl Connector for Recording {
    fn feeds(&self) -> Vec<FeedPlan> {
        self.connector.feeds()
    }

    fn open(&self, feed: &str) -> Result<Box<dyn Feed>, Fault> {
        let of = (self.name.clone(), feed.to_owned());
        Ok(Box::new(RecordingFeed {
            of,
            notes: self.notes.clone(),
            feed: self.connector.open(feed)?,
        }))
    }

    async fn probe(&self) -> Result<String, Fault> {
        self.connector.probe().await
    }

    async fn close(&self) {
        self.connector.close().await;
    }
}

struct RecordingFeed {
    of: Of,
    notes: Notes,
    feed: Box<dyn Feed>,
}

#[async_trait]
impl Feed for RecordingFeed {
    async fn next(&mut self, from: Option<&Cursor>) -> Result<Observation, Fault> {
        let observation = self.feed.next(from).await?;
        self.notes.note(&self.of, &observation);
        Ok(observation)
    }

    fn due(&self) -> Option<Duration> {
        self.feed.due()
    }

    fn follows(&mut self) -> Option<Arc<[String]>> {
        self.feed.follows()
    }
}

/// Reads what was written down: `past` once, then again and again what the upstream had at the end.
pub(crate) fn replaying(setup: Setup, past: &Seen, end: &Seen, notes: &Notes) -> Setup {
    let (past, end) = (past.clone(), end.clone());
    let (name, notes) = (setup.name.clone(), notes.clone());
    Setup {
        connector: Arc::new(Replaying { name, notes, past, end, connector: setup.connector }),
        ..setup
    }
}

struct Replaying {
    name: String,
    notes: Notes,
    past: Seen,
    end: Seen,
    connector: Arc<dyn Connector>,
}

#[async_trait]
impl Connector for Replaying {
    fn feeds(&self) -> Vec<FeedPlan> {
        let mut plans = self.connector.feeds();
        plans.iter_mut().for_each(|plan| plan.interval = Duration::from_millis(10));
        plans
    }

    fn open(&self, feed: &str) -> Result<Box<dyn Feed>, Fault> {
        let of = (self.name.clone(), feed.to_owned());
        let all = |seen: &Seen| seen.get(&of).cloned().unwrap_or_default();
        let (past, end, notes) = (all(&self.past), all(&self.end), self.notes.clone());
        Ok(Box::new(ReplayingFeed { of, past, end, notes, read: 0 }))
    }

    fn commands(&self) -> Vec<&'static CommandSpec> {
        self.connector.commands()
    }

    fn applier(&self) -> Result<Arc<dyn Applier>, Fault> {
        Ok(Arc::new(Willing))
    }

    async fn probe(&self) -> Result<String, Fault> {
        Ok(String::new())
    }
}

struct ReplayingFeed {
    of: Of,
    past: Vec<Observation>,
    end: Vec<Observation>,
    notes: Notes,
    read: usize,
}

#[async_trait]
impl Feed for ReplayingFeed {
    async fn next(&mut self, _: Option<&Cursor>) -> Result<Observation, Fault> {
        let at = self.read;
        self.read += 1;
        if let Some(past) = self.past.get(at) {
            return Ok(past.clone());
        }
        let at = at - self.past.len();
        // What was read before it is on its way when a round is over.
        if self.end.is_empty() || at > 0 && at.is_multiple_of(self.end.len()) {
            self.notes.count(&self.of);
        }
        if self.end.is_empty() {
            return std::future::pending().await;
        }
        Ok(self.end[at % self.end.len()].clone())
    }

    fn due(&self) -> Option<Duration> {
        Some(Duration::from_millis(10))
    }
}

/// Does every command.
struct Willing;

#[async_trait]
impl Applier for Willing {
    async fn look(&self, _: &Command) -> Result<Evidence, ApplyFault> {
        Ok(Evidence(String::new()))
    }

    async fn apply(&self, _: &Command, _: &Evidence, _: &Permit) -> Result<Answer, ApplyFault> {
        Ok(Answer::default())
    }

    async fn probe(&self, _: &Command, _: &Evidence, _: i64) -> Result<Finding, Fault> {
        Ok(Finding::Absent)
    }
}

/// What the upstream had at the end of what was read of it: the last list of each scope, and the last row
/// of each entity where changes are read.
pub(crate) fn at_the_end(seen: &Seen, setups: &[Setup]) -> Seen {
    let mut end = Seen::new();
    for ((connector, feed), all) in seen {
        let setup = setups.iter().find(|setup| setup.name == *connector).unwrap();
        let plans = setup.connector.feeds();
        let codec = &plans.iter().find(|plan| *plan.spec.name == *feed).unwrap().codec;
        let mut scopes: BTreeMap<&str, Vec<Observation>> = BTreeMap::new();
        for observation in all {
            let last = scopes.entry(&observation.scope).or_default();
            match observation.coverage {
                Coverage::Full | Coverage::Part(0) => last.clear(),
                _ => {}
            }
            last.push(observation.clone());
        }
        for of_scope in scopes.into_values() {
            let is_lists = matches!(of_scope[0].coverage, Coverage::Full | Coverage::Part(_));
            let last = if is_lists { of_scope } else { vec![newest(&of_scope, codec.as_ref())] };
            end.entry((connector.clone(), feed.clone())).or_default().extend(last);
        }
    }
    end
}

/// The last row of each entity, in one observation.
fn newest(changes: &[Observation], codec: &dyn RowCodec) -> Observation {
    let mut rows: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for observation in changes {
        for row in observation.rows.iter() {
            let mut out = Row::default();
            codec.decode(row, &observation.scope, &mut out).unwrap();
            rows.insert(out.key, row.to_vec());
        }
    }
    let rows: Vec<_> = rows.into_values().map(Into::into).collect();
    Observation { rows: Rows::of_bodies(&rows), ..changes.last().unwrap().clone() }
}
