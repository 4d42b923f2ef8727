//! What a run showed, as plain data: the checker sees nothing else.

use std::collections::BTreeMap;

/// An entity's content, without what the schema calls volatile: a hash of the encoded bytes.
pub type Content = u128;

/// Everything that a run showed of one connector, or of its processes, which all connectors share.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// The feeds.
    pub feeds: Vec<FeedFacts>,
    /// How often the connector was taken over, by whom, and what was read back then.
    pub recoveries: Vec<Recovery>,
    /// The commands.
    pub commands: CommandFacts,
    /// Looks at the checkpoints while the run went on.
    pub sights: Vec<Sight>,
    /// What was planted and must not come out: secrets, personal data.
    pub canaries: Vec<String>,
    /// What came out where no canary may be, with its source: logs, metrics, pages, headers, results.
    pub told: Vec<(String, String)>,
    /// How processes ended that were not killed.
    pub ends: Vec<End>,
    /// What processes said of their connectors, each process in the order of time.
    pub said: Vec<Said>,
    /// When something was done to processes that may cost them their connectors.
    pub disturbances: Vec<Disturbance>,
    /// What was measured of a rolling restart.
    pub rolling: Option<Rolling>,
    /// Scopes that were stuck.
    pub stuck: Vec<Stuck>,
}

/// A scope of a feed that failed all the time while the others worked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stuck {
    /// Of which connector and feed.
    pub feed: String,
    /// How long, in ms; less where the process that has the connector took it over since.
    pub for_ms: i64,
    /// What the feed's freshness was in the end, in ms.
    pub freshness_ms: i64,
    /// Records that were published of the feed meanwhile.
    pub published: usize,
}

/// A connector was read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovery {
    /// By this process.
    pub process: usize,
    /// When that ended, in ms of Unix time.
    pub at_ms: i64,
    /// How long it took, in ms.
    pub took_ms: i64,
    /// Entities that were found on all topics of its feeds.
    pub entities: usize,
}

/// A line of a process's log that is about its connectors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The process, by its place.
    pub process: usize,
    /// How many processes ran in this place before it.
    pub life: usize,
    /// When, in ms of Unix time.
    pub at_ms: i64,
    /// What.
    pub what: What,
}

/// What a process says of its connectors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A connector was read back, and is served from now on.
    Recovered {
        /// Its name.
        connector: String,
        /// Entities that were found.
        entities: usize,
        /// How long it took, in ms.
        took_ms: i64,
    },
    /// The process opens the connector, or is about to join the group.
    Starting(String),
    /// Another process has the connector.
    StandingBy(String),
    /// Another process has taken something over while this one used it: the line.
    Fenced(String),
    /// The process believes that it was paused: the line.
    StoodStill(String),
    /// The process did not let go of a connector that it was asked for: the line.
    HeldTooLong(String),
}

/// Something was done to a process that may cost it its connectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disturbance {
    /// To which; none is to all.
    pub process: Option<usize>,
    /// Since when, in ms of Unix time.
    pub from_ms: i64,
    /// Until when.
    pub until_ms: i64,
}

/// A rolling restart, measured.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rolling {
    /// From the first SIGTERM until every connector is up in exactly one process; none is never.
    pub settled_ms: Option<u64>,
    /// How often each connector was taken over since.
    pub moves: BTreeMap<String, usize>,
    /// How long the recoveries took, in ms, in order of length.
    pub recoveries_ms: Vec<i64>,
    /// How long it took from the beginning of opening a connector until it was read back, in ms, in order
    /// of length.
    pub openings_ms: Vec<i64>,
    /// How often a process said that it stood still.
    pub stood_still: usize,
    /// How often a process said that it was fenced.
    pub fenced: usize,
}

/// How a process ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// Its number.
    pub process: usize,
    /// How.
    pub how: How,
}

/// In which way a process ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum How {
    /// Nobody had asked it to: its status.
    ByItself(String),
    /// It was asked to, and did not.
    Never,
    /// Asked to when nothing was broken any more: its code, none where a signal ended it.
    InPeace(Option<i32>),
    /// A thread of it panicked: the line of its log.
    Panicked(String),
}

/// What was published of a feed, and what was true.
#[derive(Debug, Clone, Default)]
pub struct FeedFacts {
    /// Its name.
    pub feed: String,
    /// The records of each key, in order.
    pub published: BTreeMap<String, Vec<Published>>,
    /// The states that each entity was in upstream, in order; none where it was absent. The last one
    /// is that of now.
    pub truth: BTreeMap<String, Vec<Option<Content>>>,
    /// How many keys were live on the topic since when, in ms of Unix time, in order.
    pub live: Vec<(i64, usize)>,
}

/// A record of a feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Published {
    /// A change event.
    Change {
        /// Its id, stable across redelivery.
        id: String,
        /// The content before.
        before: Option<Content>,
        /// The content after; none for a delete.
        after: Option<Content>,
    },
    /// The end of a key.
    Tombstone,
    /// From here on the key is in another partition.
    Moved,
    /// What cannot be read with the schema of the feed.
    Unreadable,
}

/// A checkpoint that was read, and the topic of its feed as it was read *after* it.
#[derive(Debug, Clone)]
pub struct Sight {
    /// The feed.
    pub feed: String,
    /// The cursor.
    pub cursor: String,
    /// How many of the states of each key ([`FeedFacts::truth`]) the cursor says to have been seen.
    pub claimed: BTreeMap<String, usize>,
    /// The content that was published last under each key.
    pub published: BTreeMap<String, Option<Content>>,
}

/// What was asked for, what was said of it, and what was done.
#[derive(Debug, Clone, Default)]
pub struct CommandFacts {
    /// The commands in the order in which they were acknowledged by the bus.
    pub issued: Vec<Issued>,
    /// The words of all outcome records of each id, in order.
    pub outcomes: BTreeMap<String, Vec<String>>,
    /// The ids whose effects stand in the upstream's journal, in order, each time.
    pub effects: Vec<String>,
    /// True if commands were read again: each may then be told to be a duplicate any number of times.
    pub read_again: bool,
}

/// A command.
#[derive(Debug, Clone)]
pub struct Issued {
    /// Its id.
    pub id: String,
    /// Its ordering key.
    pub key: String,
    /// How often it was put on the topic, with the same id.
    pub times: usize,
    /// The partition of its topic: commands of one key in two partitions have no order.
    pub partition: i32,
}
