//! What a shard and its commands need of a bus: topics, and what is promised of them.

use talon_sdk::Kind;

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
    /// Records that a relay carries.
    Relayed,
    /// Nothing is written to it: its partitions are what a group of processes shares.
    Shards,
    /// What is configured at run time: a [`Store`](super::Store).
    Configs,
    /// States of connectors and tasks: a [`Store`](super::Store).
    Status,
}

/// A topic that a shard needs. Created if missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicSpec {
    /// Full name.
    pub name: String,
    /// What it is for.
    pub purpose: Purpose,
    /// Number of partitions where it is created, on a bus that has them; 0 is the bus's default.
    pub partitions: u32,
    /// Number of replicas where it is created; 0 is the bus's default.
    pub replication: u16,
    /// How long every record is kept where it is created, milliseconds; after that a table keeps the
    /// newest record of each entity, and a log nothing.
    pub keep_ms: u64,
    /// Largest record that is meant to fit, with key and headers; none is the bus's default. A topic that
    /// is there and takes less is accepted, and it is said what that means.
    pub record_bytes: Option<usize>,
}

impl TopicSpec {
    /// The store of what is configured at run time.
    pub fn configs(prefix: &str, replication: u16) -> TopicSpec {
        TopicSpec::store(format!("{prefix}.configs"), Purpose::Configs, replication)
    }

    /// The store of the states of connectors and tasks.
    pub fn status(prefix: &str, replication: u16) -> TopicSpec {
        TopicSpec::store(format!("{prefix}.status"), Purpose::Status, replication)
    }

    fn store(name: String, purpose: Purpose, replication: u16) -> TopicSpec {
        TopicSpec { name, purpose, partitions: 1, replication, keep_ms: 0, record_bytes: None }
    }
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

/// The topics of a connector's commands.
#[derive(Debug, Clone)]
pub struct LaneSpec {
    /// Name of the connector.
    pub name: String,
    /// Where commands come from. Its records have keys only if the sender gave them one.
    pub commands: TopicSpec,
    /// Where intents and outcomes go, keyed by command id.
    pub results: TopicSpec,
    /// Where what is no command goes: the same topic as that of the feeds.
    pub dead_letters: TopicSpec,
}

/// The topics of a connector.
#[derive(Debug, Clone)]
pub struct ConnectorTopics {
    /// Those of its feeds.
    pub shard: ShardSpec,
    /// Those of its commands, if it carries any.
    pub lane: Option<LaneSpec>,
}
