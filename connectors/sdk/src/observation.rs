use crate::Rows;

/// How much of its scope an observation saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coverage {
    /// All of it: what is not there is absent.
    Full,
    /// What changed: absence means nothing.
    Delta,
    /// A part of a full list that comes in several observations of one scope, counted from 0.
    /// Absence is told after the last one.
    Part(u32),
    /// The last part, with its number: what is in none of the parts is absent. Where a part before it
    /// is missing, absence means nothing.
    Last(u32),
}

/// Where the upstream was read to: text that only the feed understands, at most a few kilobytes.
///
/// The runtime keeps it in the checkpoint, committed with the events of the observation that
/// carried it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Cursor(pub String);

/// What one read or push saw.
#[derive(Debug, Clone)]
pub struct Observation {
    /// The part of the feed it covers; empty where the feed has only one.
    pub scope: String,
    /// Whether absence means anything.
    pub coverage: Coverage,
    /// The rows, as received; rows under the same key in the order in which they happened.
    pub rows: Rows,
    /// Where to go on reading from; `None` keeps the last one.
    pub cursor: Option<Cursor>,
    /// Whether it belongs to the first read: its new entities are `op=r`.
    pub snapshot: bool,
    /// When the upstream was asked, milliseconds since 1970 UTC.
    pub as_of_ms: i64,
}
