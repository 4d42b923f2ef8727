//! The log of a shard: records out, and read back.

use super::fault::BusFault;

/// A record to be appended.
#[derive(Debug)]
pub struct Append<'a> {
    /// Place of the topic in [`ShardSpec::topics`](super::spec::ShardSpec::topics).
    pub topic: usize,
    /// Message key.
    pub key: &'a str,
    /// Value; none is a tombstone.
    pub value: Option<&'a [u8]>,
    /// Headers.
    pub headers: &'a [(&'a str, &'a [u8])],
}

/// Where a record that was read back stood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Place of the topic in [`ShardSpec::topics`](super::spec::ShardSpec::topics).
    Topic(usize),
    /// The topic of the checkpoints.
    Checkpoints,
}

/// A record read back.
#[derive(Debug)]
pub struct Recovered<'a> {
    /// Message key.
    pub key: &'a str,
    /// Value; none is a tombstone.
    pub value: Option<&'a [u8]>,
    /// The header `talon-event-id`.
    pub event_id: Option<&'a [u8]>,
    /// When the bus took it, milliseconds since 1970 UTC; 0 where that is not known.
    pub at_ms: i64,
}

/// The log of a shard that this process owns. Used by one thread.
///
/// After any error but [`BusFault::TooLarge`] it is dropped, and the shard opened anew.
pub trait ShardLog: Send {
    /// Reads all topics of the shard but the dead letters, and the checkpoints of all shards, from
    /// their beginnings to their ends, oldest first for each key. An error of `each` ends it.
    fn recover(
        &mut self,
        each: &mut dyn FnMut(Place, Recovered<'_>) -> Result<(), BusFault>,
    ) -> Result<(), BusFault>;

    /// Appends a record. It becomes visible with the next commit, or before it.
    fn append(&mut self, record: &Append<'_>) -> Result<(), BusFault>;

    /// Commits what was appended, and with it, or after it, these checkpoints: key and value.
    fn commit(&mut self, checkpoints: &[(String, Vec<u8>)]) -> Result<(), BusFault>;

    /// Where the parts of a topic end, as far as this log knows: right after [`ShardLog::recover`] as it is,
    /// later as it was a while ago. What is published takes each of these numbers forward, and nothing but
    /// a loss takes one back. Empty on a bus that cannot say.
    fn ends(&self, topic: usize) -> Vec<u64> {
        let _ = topic;
        Vec::new()
    }

    /// Called instead of a commit where there was nothing to commit, so that a bus that is away is
    /// noticed all the same. Must not take longer than a look at what the client knows.
    fn idle(&mut self) -> Result<(), BusFault>;
}
