//! What the runtime asks of a message bus.
//!
//! A bus is used from threads that may block. Everything on the way of an event is synchronous: an
//! append goes into the client's buffer, and only a commit waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use talon_sdk::Kind;

use tokio::task::JoinHandle;

use crate::lane::{LaneSpec, OpenLane};
use crate::ownership::Ownership;

/// Why a bus could not do something. Each kind maps to one action of the shard.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BusFault {
    /// It does not answer: retried with back-off.
    #[error("{0}")]
    Unavailable(String),
    /// What was appended since the last commit is void: the shard recovers and reads again.
    #[error("{0}")]
    Aborted(String),
    /// Another process owns the shard now: this one publishes nothing more.
    #[error("{0}")]
    Fenced(String),
    /// Configuration, credentials or rights are wrong: shown to the operator, retried slowly.
    #[error("{0}")]
    Misconfigured(String),
    /// The record is larger than the bus takes. Nothing else is affected.
    #[error("{0}")]
    TooLarge(String),
}

impl BusFault {
    /// The kind as a log field.
    pub fn kind(&self) -> &'static str {
        match self {
            BusFault::Unavailable(_) => "unavailable",
            BusFault::Aborted(_) => "aborted",
            BusFault::Fenced(_) => "fenced",
            BusFault::Misconfigured(_) => "misconfigured",
            BusFault::TooLarge(_) => "too_large",
        }
    }
}

/// What is promised of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// Events and checkpoint become visible together, and an earlier owner is fenced.
    ExactlyOnce,
    /// Events are acknowledged before the checkpoint is written; a crash may repeat some, and two
    /// owners are not kept apart.
    AtLeastOnce,
}

/// What a topic is for, from which follow its policies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Changes of a feed.
    Changes(Kind),
    /// Rows and commands that could not be processed.
    DeadLetters,
    /// Commands to a connector.
    Commands,
    /// What became of them.
    Results,
    /// Cursors of all connectors.
    Checkpoints,
    /// Nothing is written to it: its partitions are what a group of processes shares.
    Shards,
}

/// A topic that a shard needs. Created if missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicSpec {
    /// Full name.
    pub name: String,
    /// What it is for.
    pub purpose: Purpose,
    /// Number of partitions where it is created, on a bus that has them.
    pub partitions: u32,
    /// Number of replicas where it is created; 0 is the bus's default.
    pub replication: u16,
    /// How long every record is kept where it is created, milliseconds; after that a table keeps the
    /// newest record of each entity, and a log nothing.
    pub keep_ms: u64,
}

/// The unit of ownership: what one writer writes.
#[derive(Debug, Clone)]
pub struct ShardSpec {
    /// Name, unique within the prefix and group; for now that of the connector.
    pub name: String,
    /// What is promised.
    pub delivery: Delivery,
    /// Topics, addressed by their place in this list.
    pub topics: Vec<TopicSpec>,
    /// Topic of the checkpoints, which all connectors share.
    pub checkpoints: TopicSpec,
}

/// Set when waiting must end, however unfinished. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct GiveUp(Arc<AtomicBool>);

impl GiveUp {
    /// From now on nothing waits any more.
    pub fn set(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether to stop waiting.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// Told of trouble with a bus, and of its end.
pub type Report = Arc<dyn Fn(Option<&BusFault>) + Send + Sync>;

/// How a process takes part in the group of those that share the work.
pub struct Membership {
    /// The shards that it could run.
    pub shards: Vec<String>,
    /// Replicas of what the bus keeps for the group, where it creates that; 0 is the bus's default.
    pub replication: u16,
    /// Where the shards that it may run are granted.
    pub ownership: Ownership,
    /// Told when the bus does not answer, and when it answers again.
    pub report: Report,
    /// Ends the membership.
    pub give_up: GiveUp,
}

impl Membership {
    /// A process that shares the work with nobody: all of it is granted at once.
    pub fn alone(self) -> JoinHandle<()> {
        self.ownership.grant(self.shards.into_iter().collect());
        tokio::spawn(async {})
    }
}

/// A message bus: Kafka, or NATS JetStream.
pub trait Bus: Send + Sync {
    /// For people: what it is and where, without credentials.
    fn describe(&self) -> String;

    /// Connects, and says what it saw. For `talon check --probe`.
    fn probe(&self) -> Result<String, BusFault>;

    /// Joins the group of processes that share the work, on a thread or task of its own, until it is
    /// given up; grants shards as the group decides. Returns at once; the task ends when the group is
    /// left. Must be called inside a Tokio runtime.
    ///
    /// A bus that only one process uses has no group.
    fn join(&self, membership: Membership) -> JoinHandle<()> {
        membership.alone()
    }

    /// Takes a shard over: makes sure of its topics and fences earlier owners.
    fn open(&self, shard: &ShardSpec, give_up: &GiveUp) -> Result<Box<dyn ShardLog>, BusFault>;

    /// Takes the commands of a connector over, whose shard this process owns: makes sure of the topics
    /// and fences earlier owners. A lane needs no [`Bus::open`] before it, and is always exactly-once.
    fn open_lane(&self, lane: &LaneSpec, give_up: &GiveUp) -> Result<OpenLane, BusFault> {
        let _ = (lane, give_up);
        Err(BusFault::Misconfigured(format!("{} carries no commands", self.describe())))
    }

    /// Puts a command on the topic of a connector, as any client would, and waits for the
    /// acknowledgement. For `talon send`.
    fn send(&self, lane: &LaneSpec, key: &str, value: &[u8]) -> Result<(), BusFault> {
        let _ = (lane, key, value);
        Err(BusFault::Misconfigured(format!("{} carries no commands", self.describe())))
    }

    /// Follows topics as any consumer would, until told to stop. Blocks. For the console of `talon dev`
    /// and `talon send --wait`.
    ///
    /// On a bus that keeps nothing there is nothing to follow.
    fn tail(
        &self,
        _topics: &[String],
        _from: Start,
        _stop: &GiveUp,
        _each: &mut dyn FnMut(Tailed<'_>),
    ) -> Result<(), BusFault> {
        Ok(())
    }
}

/// Where following a topic begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// With its oldest record.
    Beginning,
    /// With what the bus took at this time or later, milliseconds since 1970 UTC.
    Time(i64),
}

/// A record to be appended.
#[derive(Debug)]
pub struct Append<'a> {
    /// Place of the topic in [`ShardSpec::topics`].
    pub topic: usize,
    /// Message key.
    pub key: &'a str,
    /// Value; none is a tombstone.
    pub value: Option<&'a [u8]>,
    /// Headers.
    pub headers: &'a [(&'a str, &'a [u8])],
}

/// Where a record that was read back stood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Place of the topic in [`ShardSpec::topics`].
    Topic(usize),
    /// The topic of the checkpoints.
    Checkpoints,
}

/// A record as a consumer sees it.
#[derive(Debug)]
pub struct Tailed<'a> {
    /// Full name of its topic.
    pub topic: &'a str,
    /// Its key.
    pub key: &'a str,
    /// Its value; none is a tombstone.
    pub value: Option<&'a [u8]>,
}

/// A record read back.
#[derive(Debug)]
pub struct Recovered<'a> {
    /// Message key.
    pub key: &'a str,
    /// Value; none is a tombstone.
    pub value: Option<&'a [u8]>,
    /// The header `talon-event-id`.
    pub event_id: Option<&'a [u8]>,
}

/// The log of a shard that this process owns. Used by one thread.
///
/// After any error but [`BusFault::TooLarge`] it is dropped, and the shard opened anew.
pub trait ShardLog: Send {
    /// Reads all topics of the shard but the dead letters, and the checkpoints of all shards, from
    /// their beginnings to their ends, oldest first for each key. An error of `each` ends it.
    fn recover(
        &mut self,
        each: &mut dyn FnMut(Place, Recovered<'_>) -> Result<(), BusFault>,
    ) -> Result<(), BusFault>;

    /// Appends a record. It becomes visible with the next commit, or before it.
    fn append(&mut self, record: &Append<'_>) -> Result<(), BusFault>;

    /// Commits what was appended, and with it, or after it, these checkpoints: key and value.
    fn commit(&mut self, checkpoints: &[(String, Vec<u8>)]) -> Result<(), BusFault>;

    /// Called instead of a commit where there was nothing to commit, so that a bus that is away is
    /// noticed all the same. Must not take longer than a look at what the client knows.
    fn idle(&mut self) -> Result<(), BusFault>;
}
