//! A change, its identity, and where changes go.

use talon_schemas::Op;
use talon_sdk::{Facts, RowFault};
use xxhash_rust::xxh3::{Xxh3, xxh3_128_with_seed};

/// Version of the fingerprint. Raise it when normalisation changes in a way that should not make
/// events: recovery computes fingerprints from the recovered values, so nothing floods.
const FINGERPRINT_VERSION: u64 = 1;

/// Why a row is put aside whose codec has made of it what does not fit the schema of the feed.
pub(crate) const MISFIT: &str = "a defect of Talon: the row does not fit the schema of its feed";

/// Identifies an event; the same again if it is made again from the same past.
///
/// Shown as a UUID of version 8 (RFC 9562: what its bits are is ours). With its dashes it is a text to
/// every reader: Kafka Connect's default header converter takes bare hexadecimal digits for a number
/// wherever they look like one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventId(u128);

/// The version and the variant, and where they stand in a UUID.
const UUID_BITS: u128 = 0x8 << 76 | 0x2 << 62;
const UUID_MASK: u128 = 0xf << 76 | 0x3 << 62;

/// By what the id of a tombstone differs from that of its delete: anything in the upper half but the
/// version.
const TOMBSTONE: u128 = 0x9e37_79b9_7f4a_0c15 << 64;

impl EventId {
    /// Of a hash of what is identified.
    pub fn of(hash: u128) -> EventId {
        EventId(hash & !UUID_MASK | UUID_BITS)
    }

    /// What the next event about the same entity is derived from.
    pub fn chain(self) -> u64 {
        self.0 as u64
    }

    /// Of the tombstone behind a delete with this id: another one, for who drops ids that it knows would
    /// drop the tombstone and keep the row. It has the same chain, since the delete may be compacted and
    /// the tombstone alone be read back.
    #[must_use]
    pub fn of_tombstone(self) -> EventId {
        EventId(self.0 ^ TOMBSTONE)
    }

    /// As in the header `talon-event-id`.
    pub fn text(self) -> [u8; 36] {
        let mut text = [b'-'; 36];
        let mut digits =
            (0..32).map(|i| b"0123456789abcdef"[(self.0 >> (124 - 4 * i)) as usize & 15]);
        for part in [0..8, 9..13, 14..18, 19..23, 24..36] {
            for place in &mut text[part] {
                *place = digits.next().unwrap_or(b'0');
            }
        }
        text
    }

    /// Reads an id, also as the first versions wrote it: 32 digits without dashes.
    pub fn parse(text: &[u8]) -> Option<EventId> {
        let mut id = 0;
        let digits = text.iter().filter(|byte| **byte != b'-');
        if digits.clone().count() != 32 {
            return None;
        }
        for digit in digits {
            id = id << 4 | u128::from(char::from(*digit).to_digit(16)?);
        }
        Some(EventId(id))
    }
}

/// The chain of a recovered record's event id; 0 where it has none.
pub(crate) fn chain_of(event_id: Option<&[u8]>) -> u64 {
    event_id.and_then(EventId::parse).map_or(0, EventId::chain)
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

/// What is known of the entity of a row that is put aside: so it can be told later whether it has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Past {
    /// Its key could not be told.
    Unknown,
    /// Nothing is published of it, or it was deleted.
    Absent,
    /// The chain of the event that was published last.
    Event(u64),
}

impl Past {
    /// As in the header of a dead letter.
    pub fn text(self) -> String {
        match self {
            Past::Unknown => String::new(),
            Past::Absent => "absent".to_owned(),
            Past::Event(chain) => format!("{chain:016x}"),
        }
    }

    /// As read.
    pub fn of(text: &str) -> Past {
        match text {
            "absent" => Past::Absent,
            _ => u64::from_str_radix(text, 16).map_or(Past::Unknown, Past::Event),
        }
    }
}

/// What a row that was put aside comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Redriven {
    /// It can still not be read.
    Unreadable(RowFault),
    /// It says what is published.
    Known,
    /// It is not to be published, and why.
    Changed(&'static str),
    /// It is to be published.
    New,
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

    /// Puts a row that cannot be processed aside, with what is known of its entity.
    fn dead_row(
        &mut self,
        key: &str,
        row: &[u8],
        fault: &RowFault,
        past: Past,
    ) -> Result<(), Self::Error> {
        let _ = past;
        self.dead_letter(key, row, fault)
    }

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
    EventId::of(hash.digest128())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_id_is_a_uuid_with_dashes_and_is_read_back() {
        let id = EventId::of(0x0123_4567_89ab_cdef_fedc_ba98_7654_3210);
        assert_eq!(&id.text(), b"01234567-89ab-8def-bedc-ba9876543210");
        assert_eq!(EventId::parse(&id.text()), Some(id));
        assert_eq!(chain_of(Some(&id.text())), id.chain());
        assert_eq!(&EventId::of(u128::MAX).text(), b"ffffffff-ffff-8fff-bfff-ffffffffffff");
        assert_eq!(&EventId::of(0).text(), b"00000000-0000-8000-8000-000000000000");
        for none in [&b"x"[..], b"", b"0123", b"g1234567-89ab-8def-bedc-ba9876543210"] {
            assert_eq!(chain_of(Some(none)), 0);
        }
        assert_eq!(chain_of(None), 0);
    }

    #[test]
    fn an_id_of_the_first_versions_is_read_as_it_was() {
        let chain = chain_of(Some(b"0123456789abcdeffedcba9876543210"));
        assert_eq!(chain, 0xfedc_ba98_7654_3210);
    }

    #[test]
    fn a_tombstone_has_an_id_of_its_own_and_the_chain_of_its_delete() {
        let delete = event_id("t", "k", 1, Op::Delete, [0, 0]);
        let tombstone = delete.of_tombstone();
        assert_ne!(tombstone, delete);
        assert_eq!(tombstone.chain(), delete.chain());
        assert_eq!(tombstone.text()[14], b'8', "a UUID of the same version");
        assert_eq!(event_id("t", "k", 1, Op::Delete, [0, 0]).of_tombstone(), tombstone);
    }
}
