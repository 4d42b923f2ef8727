//! A bus in memory that fails on request: what was committed survives, what was not does not.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use talon_runtime::bus::{
    Arrival, Bus, BusFault, Grant, LaneLog, LaneReader, LaneRecord, LaneSpec, LaneTopic,
    Membership, OpenLane, Ownership, Position, Recovered, ShardLog, ShardSpec,
};
use talon_runtime::commands::ResultRecord;
use talon_schemas::result::RESULT;
use talon_schemas::wire::{Payload, Wire};
use tokio::task::JoinHandle;

/// The largest command that it takes back.
const LARGEST: usize = 1_000;

/// The largest result.
const LARGEST_RESULT: usize = 10_000;

/// The largest dead letter, key and value.
const LARGEST_LETTER: usize = 70_000;

/// Partitions of the topic of commands.
pub(crate) const PARTITIONS: usize = 2;

#[derive(Default)]
struct State {
    commands: [Vec<LaneRecord>; PARTITIONS],
    settled: BTreeSet<Position>,
    /// Since when commands are on the topic, where it is not since now.
    taken: BTreeMap<Position, i64>,
    results: Vec<LaneRecord>,
    dead: Vec<LaneRecord>,
    /// Number of the owner: an older one is fenced.
    owner: u64,
    /// Where the process that joined last is granted its shards.
    ownership: Option<Ownership>,
    /// Commits until one fails, and how.
    failing: Option<(u32, Failing)>,
}

/// How a commit fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failing {
    /// Nothing of it is there.
    Before,
    /// All of it is there, and the owner is told that it failed.
    After,
}

/// The bus. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Memory(Arc<(Mutex<State>, Condvar)>);

impl Memory {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.0.lock().unwrap()
    }

    /// Puts a command on the topic, as a client would.
    pub(crate) fn put(&self, partition: usize, key: &str, value: &str) {
        self.put_bytes(partition, key, value.as_bytes());
    }

    /// Puts any record on the topic.
    pub(crate) fn put_bytes(&self, partition: usize, key: &str, value: &[u8]) {
        self.state().commands[partition].push(LaneRecord {
            topic: LaneTopic::Commands,
            key: key.to_owned(),
            value: value.to_vec(),
            headers: vec![],
            id: String::new(),
        });
        self.0.1.notify_all();
    }

    /// An intent that an earlier owner left.
    pub(crate) fn leave(&self, id: &str, position: &str) {
        let intent = ResultRecord {
            command_id: id.to_owned(),
            phase: "INTENT".to_owned(),
            attempts: 1,
            sent_at: Some(1_769_842_800_000_000),
            evidence: Some("{\"mark\":1}".to_owned()),
            position: position.to_owned(),
            ..ResultRecord::default()
        };
        self.leave_as(&intent, Wire::SingleObject);
    }

    /// A record that an earlier owner left.
    pub(crate) fn leave_as(&self, record: &ResultRecord, wire: Wire) {
        let mut value = Vec::new();
        wire.put_prefix(&*RESULT, &mut value);
        RESULT.encode(record, &mut value).unwrap();
        self.leave_bytes(&record.command_id, value);
    }

    /// A value that an earlier owner left about a command.
    pub(crate) fn leave_bytes(&self, id: &str, value: Vec<u8>) {
        self.state().results.push(LaneRecord {
            topic: LaneTopic::Results,
            key: id.to_owned(),
            value,
            headers: vec![],
            id: String::new(),
        });
    }

    /// The topic of commands is deleted and created anew.
    pub(crate) fn empty_commands(&self) {
        let mut state = self.state();
        state.commands = Default::default();
        state.settled.clear();
    }

    /// Forgets what is settled, as when an operator resets the offsets.
    pub(crate) fn forget_places(&self) {
        self.state().settled.clear();
    }

    /// The commands have been on the topic since these times.
    pub(crate) fn taken(&self, since_ms: &[(&str, i64)]) {
        let since_ms = since_ms.iter().map(|(position, at_ms)| (position.parse().unwrap(), *at_ms));
        self.state().taken = since_ms.collect();
    }

    /// Lets the commit after so many fail.
    pub(crate) fn fail(&self, after: u32, how: Failing) {
        self.state().failing = Some((after, how));
    }

    /// Those that this version wrote, or would have written.
    pub(crate) fn results(&self) -> Vec<ResultRecord> {
        self.state().results.iter().filter_map(read).collect()
    }

    /// Outcomes by command id, in order.
    pub(crate) fn outcomes(&self) -> BTreeMap<String, Vec<String>> {
        let mut outcomes: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for result in self.results() {
            if let Some(outcome) = result.outcome {
                outcomes.entry(result.command_id).or_default().push(outcome);
            }
        }
        outcomes
    }

    pub(crate) fn dead(&self) -> Vec<LaneRecord> {
        self.state().dead.clone()
    }

    /// Whether every command is settled.
    pub(crate) fn is_settled(&self) -> bool {
        let state = self.state();
        let commands: usize = state.commands.iter().map(Vec::len).sum();
        state.settled.len() == commands
    }

    /// Where the process that joined last is granted its shards.
    pub(crate) fn ownership(&self) -> Ownership {
        self.state().ownership.clone().unwrap()
    }

    /// How often the lane was taken over.
    pub(crate) fn owners(&self) -> u64 {
        self.state().owner
    }

    /// Another process takes the lane over, and lets it go at once.
    pub(crate) fn fence(&self) {
        self.state().owner += 1;
        self.0.1.notify_all();
    }
}

fn read(record: &LaneRecord) -> Option<ResultRecord> {
    match Wire::SingleObject.open(&*RESULT, &record.value) {
        Payload::Own(datum) | Payload::Registered(_, datum) => RESULT.decode(datum).ok(),
        _ => None,
    }
}

impl Bus for Memory {
    fn describe(&self) -> String {
        "memory".to_owned()
    }

    fn probe(&self) -> Result<String, BusFault> {
        Ok(String::new())
    }

    fn join(&self, membership: Membership) -> JoinHandle<()> {
        self.state().ownership = Some(membership.ownership.clone());
        membership.alone()
    }

    fn open(&self, _: &ShardSpec, _: &Grant) -> Result<Box<dyn ShardLog>, BusFault> {
        Err(BusFault::Unavailable("it has only lanes".to_owned()))
    }

    fn open_lane(&self, _: &LaneSpec, _: &Grant) -> Result<OpenLane, BusFault> {
        let mut state = self.state();
        state.owner += 1;
        let owner = state.owner;
        let reader = Reader { memory: self.clone(), owner, next: [0; PARTITIONS] };
        let log = Log { memory: self.clone(), owner, pending: Vec::new() };
        Ok((Box::new(reader), Box::new(log)))
    }
}

struct Reader {
    memory: Memory,
    owner: u64,
    next: [usize; PARTITIONS],
}

impl LaneReader for Reader {
    fn next(&mut self, patience: Duration) -> Result<Option<Arrival>, BusFault> {
        let mut state = self.memory.state();
        loop {
            if state.owner != self.owner {
                return Err(BusFault::Aborted("another owner".to_owned()));
            }
            for partition in 0..PARTITIONS {
                while let Some(record) = state.commands[partition].get(self.next[partition]) {
                    let offset = self.next[partition] as i64;
                    self.next[partition] += 1;
                    let position = Position { partition: partition as i32, offset };
                    if !state.settled.contains(&position) {
                        let rekeyed =
                            record.headers.iter().any(|(name, _)| *name == "talon-rekeyed");
                        return Ok(Some(Arrival {
                            position,
                            key: Some(record.key.clone()),
                            value: record.value.clone(),
                            rekeyed,
                            traceparent: None,
                            at_ms: state.taken.get(&position).copied().unwrap_or_else(now_ms),
                        }));
                    }
                }
            }
            let (back, waited) = self.memory.0.1.wait_timeout(state, patience).unwrap();
            if waited.timed_out() {
                return Ok(None);
            }
            state = back;
        }
    }

    fn is_ordered(&self) -> bool {
        false
    }

    fn behind(&self) -> Option<u64> {
        let state = self.memory.state();
        let behind = state.commands.iter().zip(self.next).map(|(all, next)| all.len() - next);
        Some(behind.sum::<usize>() as u64)
    }
}

fn now_ms() -> i64 {
    talon_sdk::Clock::System.now_ms()
}

struct Log {
    memory: Memory,
    owner: u64,
    pending: Vec<LaneRecord>,
}

impl LaneLog for Log {
    fn recover(
        &mut self,
        each: &mut dyn FnMut(Recovered<'_>) -> Result<(), BusFault>,
    ) -> Result<(), BusFault> {
        for record in &self.memory.state().results {
            let value = Some(record.value.as_slice());
            each(Recovered { key: &record.key, value, event_id: None, at_ms: now_ms() })?;
        }
        Ok(())
    }

    fn append(&mut self, record: &LaneRecord) -> Result<(), BusFault> {
        if record.topic == LaneTopic::Commands && record.value.len() > LARGEST {
            return Err(BusFault::TooLarge("a command".to_owned()));
        }
        if record.topic == LaneTopic::Results && record.value.len() > LARGEST_RESULT {
            return Err(BusFault::TooLarge("a result".to_owned()));
        }
        let letter = record.key.len() + record.value.len();
        if record.topic == LaneTopic::DeadLetters && letter > LARGEST_LETTER {
            return Err(BusFault::TooLarge("a dead letter".to_owned()));
        }
        self.pending.push(record.clone());
        Ok(())
    }

    fn commit(&mut self, settled: &[Position]) -> Result<(), BusFault> {
        let mut state = self.memory.state();
        if state.owner != self.owner {
            return Err(BusFault::Aborted("another owner".to_owned()));
        }
        let failing = match state.failing.take() {
            Some((0, how)) => Some(how),
            Some((left, how)) => {
                state.failing = Some((left - 1, how));
                None
            }
            None => None,
        };
        if failing != Some(Failing::Before) {
            state.settled.extend(settled);
            for record in self.pending.drain(..) {
                match record.topic {
                    LaneTopic::Results => state.results.push(record),
                    LaneTopic::DeadLetters => state.dead.push(record),
                    // As a client would choose: by the key.
                    LaneTopic::Commands => {
                        let partition = record.key.len() % PARTITIONS;
                        state.commands[partition].push(record);
                    }
                }
            }
        }
        self.memory.0.1.notify_all();
        match failing {
            None => Ok(()),
            Some(_) => Err(BusFault::Aborted("told to fail".to_owned())),
        }
    }
}
