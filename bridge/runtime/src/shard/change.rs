//! A change, its identity, and where changes go.

use talon_schemas::Op;
use talon_sdk::{Facts, RowFault};
use xxhash_rust::xxh3::{Xxh3, xxh3_128_with_seed};

/// Version of the fingerprint. Raise it when normalisation changes in a way that should not make
/// events: recovery computes fingerprints from the recovered values, so nothing floods.
const FINGERPRINT_VERSION: u64 = 1;

/// Identifies an event; the same again if it is made again from the same past.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventId(pub u128);

impl EventId {
    /// What the next event about the same entity is derived from.
    pub fn chain(self) -> u64 {
        self.0 as u64
    }
}

/// A difference between what was seen and what was published.
#[derive(Debug)]
pub struct Change<'a> {
    /// The entity.
    pub key: &'a str,
    /// What was published last, where values are kept.
    pub before: Option<&'a [u8]>,
    /// What it is now.
    pub after: Option<&'a [u8]>,
    /// What happened.
    pub op: Op,
    /// Upstream time, where the row tells it.
    pub ts_ms: Option<i64>,
    /// Whether it is a delete that was inferred from absence.
    pub absent: bool,
    /// Its id.
    pub id: EventId,
}

/// Where changes go. An error ends the observation, and with it the whole transaction.
pub trait Changes {
    /// Why it cannot go on.
    type Error;

    /// Told of the facts of a row before the change that it makes of its entity. `before` is the
    /// entity's value before, where there was one and values are kept.
    fn facts(
        &mut self,
        _row: &[u8],
        _facts: &Facts,
        _before: Option<&[u8]>,
    ) -> Result<(), Self::Error> {
        Ok(())
    }

    /// Publishes a change.
    fn change(&mut self, change: &Change<'_>) -> Result<(), Self::Error>;

    /// Puts a row that cannot be processed aside.
    fn dead_letter(&mut self, key: &str, row: &[u8], fault: &RowFault) -> Result<(), Self::Error>;
}

/// 128 bits of a content's encoded bytes.
pub fn fingerprint(content: &[u8]) -> [u64; 2] {
    let hash = xxh3_128_with_seed(content, FINGERPRINT_VERSION);
    [(hash >> 64) as u64, hash as u64]
}

pub(crate) fn event_id(
    topic: &str,
    key: &str,
    past: u64,
    op: Op,
    fingerprint: [u64; 2],
) -> EventId {
    let mut hash = Xxh3::new();
    for part in
        [topic.as_bytes(), b"/", key.as_bytes(), &past.to_le_bytes(), op.letter().as_bytes()]
    {
        hash.update(part);
    }
    hash.update(&fingerprint[0].to_le_bytes());
    hash.update(&fingerprint[1].to_le_bytes());
    EventId(hash.digest128())
}
