//! Small records under text keys that every process of the group reads as a whole: what is configured at run
//! time, and the states of connectors and tasks. They are kept on the home bus.
//!
//! On Kafka a store is a compacted topic of one partition, on NATS a bucket; a bus that only one process uses
//! keeps it in memory ([`MemoryStore`]).
//!
//! How it can fail, and what holds then:
//!
//! * **Two write at once.** [`Store::write`] compares and sets: of two that expect the same revision one gets
//!   its revision and the other [`WriteFault::Conflict`], in whatever processes they are.
//! * **A writer is killed.** An entry is one record, so it is there or not, never half. What the writer left
//!   open is ended by the next writer, or by the bus after some seconds, for which readers wait.
//! * **An acknowledgement is lost.** The write is looked for by an id that only it has, and its revision is
//!   given. It never conflicts with itself. Where it cannot be found out, that is said: [`WriteFault::Unclear`].
//! * **A process stands still and is revived in the middle of a write.** What it sends then is refused by the
//!   bus, and it looks again. A [`Store::put`] is not refused: it can put an old state over a newer one. Whoever
//!   an entry is about follows the store, and puts its own state again when another one comes by.
//! * **A follower misses changes,** because the bus was away, it stood still, or a bus forgot them meanwhile
//!   (compaction takes tombstones). It reads everything anew after each trouble and every five minutes, and tells
//!   what differs from what it told, also what vanished without a word.
//! * **The topic or bucket is gone.** That is trouble, never an empty store: nothing is told as removed. It is
//!   made where it is missing when a process first uses it, and not again by a process that has seen it. When it
//!   is there again and holds less, what it lacks is told as removed.
//! * **A value is too large.** It is refused as [`BusFault::TooLarge`], and nothing else is affected.
//! * **Somebody has given the topic more partitions, or a policy that deletes by age.** The store is refused with
//!   the remedy.

mod memory;
mod outbox;
mod picture;

use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;

use super::fault::BusFault;

pub use memory::MemoryStore;
pub use outbox::{Outbox, Put, write_id};
pub use picture::{Picture, Record};

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
