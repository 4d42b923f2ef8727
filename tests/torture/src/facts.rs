//! What a run showed, as plain data: the checker sees nothing else.

use std::collections::BTreeMap;

/// An entity's content, without what the schema calls volatile: a hash of the encoded bytes.
pub type Content = u128;

/// Everything that a run showed.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// The feeds.
    pub feeds: Vec<FeedFacts>,
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
}
