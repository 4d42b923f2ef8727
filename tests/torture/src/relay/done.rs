//! What went wrong in a run, counted.

use std::sync::atomic::AtomicU32;

/// What was done.
#[derive(Debug, Default)]
pub struct Done {
    /// Kills of a process.
    pub kills: AtomicU32,
    /// Processes that stood still.
    pub pauses: AtomicU32,
    /// Processes that ended in order.
    pub rolls: AtomicU32,
    /// Kills of a broker, and times that one stood still.
    pub brokers: AtomicU32,
    /// Partitions that were added, and topics that came and vanished.
    pub topics: AtomicU32,
}
