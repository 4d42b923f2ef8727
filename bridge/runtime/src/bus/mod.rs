//! What the runtime asks of a message bus.
//!
//! A bus is used from threads that may block. Everything on the way of an event is synchronous: an
//! append goes into the client's buffer, and only a commit waits.

pub(crate) mod dead_letter;
pub mod escape;
mod fault;
mod grant;
mod lane;
mod log;
mod look;
mod membership;
mod ownership;
mod shards;
mod spec;
mod stall;
mod store;
mod tail;
mod trouble;

use std::sync::Arc;

use tokio::task::JoinHandle;

pub use dead_letter::{DeadLetter, DeadLetterEnds, dead_letters_of, settled_key};
pub use fault::BusFault;
pub(crate) use grant::Hold;
pub use grant::{Grant, Release};
pub use lane::{Arrival, LaneLog, LaneReader, LaneRecord, LaneTopic, OpenLane, Position};
pub use log::{Append, Place, Recovered, ShardLog};
pub use look::{Found, Look, Looked, Which};
pub use membership::{Membership, Report, Stop};
pub(crate) use ownership::Standing;
pub use ownership::{Owner, Ownership};
pub use shards::Shards;
pub use spec::{ConnectorTopics, Delivery, LaneSpec, Purpose, ShardSpec, TopicSpec};
pub use stall::Stall;
pub use store::{
    Entry, Expected, MemoryStore, Outbox, Put, Record, Store, Telling, Told, WriteFault, write_id,
};
pub use tail::{Start, Tailed};
pub use trouble::Trouble;

/// A message bus: Kafka, or NATS JetStream.
pub trait Bus: Send + Sync {
    /// For people: what it is and where, without credentials.
    fn describe(&self) -> String;

    /// Connects, and says what it saw. For `talon check --probe`.
    fn probe(&self) -> Result<String, BusFault>;

    /// Begins a transaction's preparations as a writer would, under a name that no connector has. For
    /// `talon check --probe`, where something is exactly-once.
    ///
    /// A bus without transactions has nothing to try.
    fn probe_transactions(&self) -> Result<(), BusFault> {
        Ok(())
    }

    /// Joins the group of processes that share the work, on a thread or task of its own, until it is
    /// given up; grants shards as the group decides. Returns at once; the task ends when the group is
    /// left. Must be called inside a Tokio runtime.
    ///
    /// A bus that only one process uses has no group.
    fn join(&self, membership: Membership) -> JoinHandle<()> {
        membership.alone()
    }

    /// Which process of the group runs a shard, for people; none where nobody does. For tools that are no
    /// member. Blocks, for as long as it takes to tell a process that is gone from one that is quiet.
    ///
    /// On a bus that only one process uses nobody else does.
    fn owner(&self, shard: &str) -> Result<Option<String>, BusFault> {
        let _ = shard;
        Ok(None)
    }

    /// The store of small records that all processes of the group share, which this topic is
    /// ([`TopicSpec::configs`], [`TopicSpec::status`]). Called once a process for each; does no I/O. Must be called
    /// inside a Tokio runtime.
    ///
    /// On a bus that only one process uses it is in memory.
    fn store(&self, topic: &TopicSpec) -> Arc<dyn Store> {
        let _ = topic;
        Arc::new(MemoryStore::default())
    }

    /// Takes a shard over: makes sure of its topics and fences earlier owners. Asks the grant right
    /// before it fences: whoever has lost the shard must not fence its new owner.
    fn open(&self, shard: &ShardSpec, grant: &Grant) -> Result<Box<dyn ShardLog>, BusFault>;

    /// Reads back what [`Bus::open`] and [`ShardLog::recover`] would, and takes nothing over: what is not there is
    /// empty, and is not made. Blocks.
    ///
    /// On a bus that keeps nothing there is nothing to read.
    fn read_back(
        &self,
        _shard: &ShardSpec,
        _each: &mut dyn FnMut(Place, Recovered<'_>) -> Result<(), BusFault>,
    ) -> Result<(), BusFault> {
        Ok(())
    }

    /// Takes the commands of a connector over, whose shard this process owns: makes sure of the topics
    /// and fences earlier owners. A lane needs no [`Bus::open`] before it, and is always exactly-once.
    fn open_lane(&self, lane: &LaneSpec, grant: &Grant) -> Result<OpenLane, BusFault> {
        let _ = (lane, grant);
        Err(BusFault::Misconfigured(format!("{} carries no commands", self.describe())))
    }

    /// Looks at the settings of the topics of connectors: what there loses what Talon keeps on them. Gives
    /// for each connector, in the order asked, sentences with the topic's name, or why it could not be
    /// looked. What is not there, or may not be seen, loses nothing. Blocks for seconds; called by one task of
    /// a process, for all its connectors together some times a minute, and for those that were just granted.
    fn inspect(&self, connectors: &[ConnectorTopics]) -> Vec<Result<Vec<String>, BusFault>> {
        connectors.iter().map(|_| Ok(Vec::new())).collect()
    }

    /// Puts a command on the topic of a connector, as any client would, and waits for the
    /// acknowledgement. For `talon send`.
    fn send(&self, lane: &LaneSpec, key: &str, value: &[u8]) -> Result<(), BusFault> {
        let _ = (lane, key, value);
        Err(BusFault::Misconfigured(format!("{} carries no commands", self.describe())))
    }

    /// Reads the dead letters of a connector, oldest first, to where they end now, and what is recorded of those that
    /// are settled. Only the names in the specification count ([`dead_letters_of`]). Takes nothing over; blocks for
    /// as long as reading takes.
    ///
    /// A bus that keeps nothing has none.
    ///
    /// # Errors
    /// [`BusFault::Aborted`] where there is no such topic; else what the bus says.
    fn dead_letters(
        &self,
        _shard: &ShardSpec,
        _each: &mut dyn FnMut(DeadLetter),
    ) -> Result<DeadLetterEnds, BusFault> {
        Ok(DeadLetterEnds::default())
    }

    /// Follows topics as any consumer would, until told to stop. Blocks. For the console of `talon dev`
    /// and `talon send --wait`.
    ///
    /// On a bus that keeps nothing there is nothing to follow.
    fn tail(
        &self,
        _topics: &[String],
        _from: Start,
        _stop: &Stop,
        _each: &mut dyn FnMut(Tailed<'_>),
    ) -> Result<(), BusFault> {
        Ok(())
    }

    /// Looks at a topic within bounds, beside all that works on it. Blocks for as long as these allow. For the
    /// console.
    ///
    /// On a bus that keeps nothing there is nothing to see.
    fn look(&self, look: &Look) -> Result<Looked, BusFault> {
        let _ = look;
        Ok(Looked::default())
    }
}
