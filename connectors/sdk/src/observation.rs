use crate::Rows;

/// How much of its scope an observation saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coverage {
    /// All of it: what is not there is absent.
    Full,
    /// What changed: absence means nothing.
    Delta,
    /// A look from the beginning at what other reads have seen already: a change in it was missed by them,
    /// which is told. Absence means nothing, and its scope does not count as read.
    Audit,
    /// A part of a full list that comes in several observations of one scope, counted from 0.
    /// Absence is told after the last one.
    Part(u32),
    /// The last part, with its number: what is in none of the parts is absent. Where a part before it
    /// is missing, absence means nothing.
    Last(u32),
    /// A read that is not over, or that was cut short: its rows are published, absence means nothing,
    /// and its scope does not count as read. It does not say that the upstream works, either: a feed that
    /// gives nothing else is not shown as up.
    Incomplete,
}

impl Coverage {
    /// Whether the read of its scope is over.
    pub fn is_complete(self) -> bool {
        !matches!(self, Coverage::Audit | Coverage::Part(_) | Coverage::Incomplete)
    }
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
    /// The part of the feed it covers; empty is all of it.
    ///
    /// An entity lies in the scope of the observation that held it last: a full list of that scope tells
    /// of its absence, and one of any other scope does not. Scopes of a feed do not overlap; an entity
    /// that two lists hold in turn may be deleted by one and created again by the other. The name is
    /// written into each event, from which the scope is known after a restart, so a later version does
    /// not change how scopes are named. An entity that moves to another scope with the same content is
    /// known there only until a restart: a feed whose entities move has the scope in its content.
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
