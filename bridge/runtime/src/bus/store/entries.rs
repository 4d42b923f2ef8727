//! Entries of a store, and what is asked of one.

use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;

use super::super::fault::BusFault;

/// Small records under text keys. Shared by all threads and tasks of a process.
pub trait Store: Send + Sync {
    /// Tells all entries that there are, then [`Told::Current`], then each change in the order of the bus.
    /// Returns at once, and does its work on a thread or task of its own, until the receiver is dropped. Must be
    /// called inside a Tokio runtime.
    ///
    /// Trouble is told and tried again for ever. An entry that is written again at once may be told with its
    /// last value alone.
    fn follow(&self) -> mpsc::Receiver<Told>;

    /// Writes an entry, or removes it where there is no value, if what stands under the key is as expected. Gives
    /// its revision, also that of a removal. Blocks for up to a minute; must be called on a thread that may
    /// block, inside a Tokio runtime.
    ///
    /// # Errors
    /// See [`WriteFault`].
    fn write(&self, key: &str, value: Option<&[u8]>, expected: Expected)
    -> Result<u64, WriteFault>;

    /// Writes an entry, or removes it, soon, and whatever stands there. Returns at once. The newest of a key
    /// counts, and is tried until the bus takes it.
    ///
    /// Not for keys that are also given to [`Store::write`]: that does not see one that is on its way.
    fn put(&self, key: &str, value: Option<&[u8]>);

    /// Waits until everything that was put is on the bus, at most so long; whether it is. Blocks.
    fn flush(&self, at_most: Duration) -> bool;
}

/// An entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its key.
    pub key: String,
    /// Its value.
    pub value: Bytes,
    /// Grows with each write to the store, for as long as its topic or bucket lives.
    pub revision: u64,
}

/// What a follower is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// An entry is so now.
    Entry(Entry),
    /// The entry under this key is gone.
    Removed(String),
    /// What was told so far is all there is: after the first reading, and each time trouble is over.
    Current,
    /// The store cannot be read now. What was told stands, and may be old.
    Trouble(BusFault),
}

/// What must stand under a key, so that it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// Whatever stands there, or nothing.
    Anything,
    /// No entry.
    Absent,
    /// The entry of this revision.
    Revision(u64),
}

impl Expected {
    /// Whether that is so, if the entry has this revision.
    pub fn is_met(self, revision: Option<u64>) -> bool {
        match self {
            Expected::Anything => true,
            Expected::Absent => revision.is_none(),
            Expected::Revision(expected) => revision == Some(expected),
        }
    }
}

/// Why something was not written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WriteFault {
    /// Something else stands there. Nothing was written.
    #[error("somebody else has written it meanwhile")]
    Conflict,
    /// It may have been written, or may yet be: read before it is tried again.
    #[error("it is not known whether it was written: {0}")]
    Unclear(BusFault),
    /// Nothing was written.
    #[error("{0}")]
    Bus(#[from] BusFault),
}
