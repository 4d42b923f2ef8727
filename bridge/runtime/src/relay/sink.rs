//! What a relay asks of the bus that it writes to.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::record::{Part, Position, Record};
use crate::bus::BusFault;

/// Where a record goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Topic or subject.
    pub name: String,
    /// Key, on a bus that has keys.
    pub key: Option<Bytes>,
    /// Partition; none is by key, as all clients choose it (murmur2).
    pub partition: Option<i32>,
}

/// What the target knows of a relay.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Resume {
    /// Whether this task was ever begun: then a part without a position is new, and is read from its beginning
    /// whatever `start` says.
    pub begun: bool,
    /// How far the parts of the relay were carried, of all tasks: a part can have been carried by another task
    /// before, when there were more or fewer.
    pub positions: BTreeMap<Part, Position>,
}

/// Writes what one task of a relay carries, exactly once. Used by one thread, which may block.
///
/// # What it guarantees
///
/// It keeps the position of each part on the target itself, and gives what the target has of it. A record that
/// is readable on the target and a position that does not cover it, or the other way round, never come out of
/// [`Sink::resume`]. It opens fenced: once [`Sink::resume`] has returned, nothing that an earlier owner of the
/// task sent can become readable any more.
///
/// # How it can fail, and what then holds
///
/// - The process dies at any instruction: what was committed stays, what was not is void (Kafka: the transaction
///   is aborted by the next owner; NATS: a batch without its commit is nothing). The next owner goes on from
///   [`Sink::resume`].
/// - A commit gets no answer: it counts as failed, the sink is dropped and opened anew, and whether it took place
///   is read back.
/// - Another process took the task over: [`BusFault::Fenced`] at the next write or commit, whenever that is.
/// - The target was emptied or made anew: positions are gone with the records, and all that the source still has
///   is carried again. Positions are never kept elsewhere, so they cannot say more than the target has.
/// - A record is refused, for its size or because the target would not take it for another reason that lies in
///   the record: [`BusFault::TooLarge`] from [`Sink::write`], nothing else is affected. Refused only
///   when it is committed: the commit fails as a whole with [`BusFault::Aborted`], and the sink remembers, so that
///   the next attempt is refused at [`Sink::write`].
///
/// After any error but [`BusFault::TooLarge`] it is dropped and opened anew.
pub trait Sink: Send {
    /// Which bus it is, as in [`Hops`](super::Hops).
    fn bus(&self) -> &str;

    /// What the target knows. Called once, right after opening; earlier owners are fenced before it is read.
    fn resume(&mut self) -> Result<Resume, BusFault>;

    /// Appends a record. It becomes readable with the next commit, together with its
    /// [position](Record::position), or not at all. Order is that of the calls for each part.
    fn write(&mut self, to: &Address, record: &Record) -> Result<(), BusFault>;

    /// Appends a record to the dead letters of the relay, with why and where it stood. Its position counts as
    /// carried. One that is too large even so is cut.
    fn write_dead_letter(&mut self, record: &Record, why: &str) -> Result<(), BusFault>;

    /// Commits what was appended, with the positions of these records, and these positions besides: those that
    /// were [passed](super::Read::passed), or where a part begins. Called with nothing, it only looks whether the
    /// task is still this process's, where the bus can tell.
    ///
    /// Everything that was appended since the last commit is readable when it returns. It may become readable in
    /// several steps; each step is atomic with its positions and in order.
    fn commit(&mut self, positions: &[(Part, Position)]) -> Result<(), BusFault>;
}
