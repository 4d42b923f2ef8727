//! What a relay asks of the bus that it reads from.

use std::collections::BTreeMap;
use std::time::Duration;

use super::record::{Part, Position, Record};
use crate::bus::BusFault;

/// Where the reading of a part begins that was never carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begin {
    /// With its oldest record.
    Earliest,
    /// With what comes after now.
    Latest,
    /// With what the bus took at this time or later, milliseconds since 1970 UTC.
    Time(i64),
}

/// Where the reading of a part begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// It was carried so far.
    Position(Position),
    /// It was not.
    Begin(Begin),
}

/// How far a part is behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lag {
    /// Records that stand behind the last one that was read. An upper bound: Kafka's markers count too, and so
    /// do records behind a transaction that is still open.
    pub records: u64,
    /// How long the oldest of them may have waited, milliseconds; 0 where there is none.
    pub oldest_ms: u64,
}

/// What was read.
#[derive(Debug, Default)]
pub struct Read {
    /// In their order for each part.
    pub records: Vec<Record>,
    /// How far parts were read where that is behind their last record: over markers, records that were aborted,
    /// or were deleted. Committed with the records, so that nothing of it is waited for again.
    pub passed: Vec<(Part, Position)>,
}

/// Reads the parts of a relay that one task carries. Used by one thread, which may block.
///
/// After an error it is dropped and opened anew; nothing is lost by that, because positions are kept by the
/// [`Sink`](super::Sink).
pub trait Source: Send {
    /// Which bus it is, as in [`Hops`](super::Hops).
    fn bus(&self) -> &str;

    /// The parts that there are now and that the relay's names or patterns mean, of all tasks. Asked at the
    /// start and again some times a minute, so that new topics and partitions are noticed.
    ///
    /// # Errors
    /// A topic that was named, and not by a pattern, and is not there is no error: it may come. What may not be
    /// seen is [`BusFault::Misconfigured`].
    fn parts(&mut self) -> Result<Vec<Part>, BusFault>;

    /// Reads these parts too from now on, and gives where the reading of each begins, so that it can be
    /// committed before anything is carried. A part that is read already is begun anew.
    ///
    /// A position that counts for nothing, because the part was made anew (it ends before the position, or it is
    /// [of another one](Position::of)), begins with the oldest record.
    ///
    /// A position whose record is gone (deleted by age or size before it was carried) goes on with the oldest
    /// that is left, and that is told as a warning: what is gone is lost.
    fn assign(&mut self, from: &[(Part, From)]) -> Result<Vec<(Part, Position)>, BusFault>;

    /// Does not read these parts any more: their topic is gone.
    fn drop_parts(&mut self, parts: &[Part]) -> Result<(), BusFault>;

    /// Waits at most `patience` for something, and gives what is there then: at most so many records, and not
    /// many more bytes. Gives records that are decided only: never of an aborted transaction, nor of an open
    /// one, and nothing that stands behind an open one.
    fn read(&mut self, records: usize, bytes: usize, patience: Duration) -> Result<Read, BusFault>;

    /// How far each assigned part is behind, as known without reading. May ask the bus; called every few
    /// seconds. Counts what is behind open transactions.
    fn lag(&mut self) -> Result<BTreeMap<Part, Lag>, BusFault>;
}
