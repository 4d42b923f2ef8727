//! A record on its way from one bus to another, in no bus's own form.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::converted::Converted;
use super::hops::Hops;

/// A unit of order at a source, and of work: a partition of a topic, or a stream (number 0).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Part {
    /// The topic or the stream.
    pub of: Arc<str>,
    /// The number of the partition.
    pub number: i32,
}

impl Part {
    /// A partition of a topic.
    pub fn new(of: &str, number: i32) -> Part {
        Part { of: of.into(), number }
    }

    /// Which of so many tasks of a relay carries it: the same however many other parts there are, so that one
    /// which is added moves no other. The partitions of a topic are spread evenly.
    pub fn task(&self, tasks: u32) -> u32 {
        // FNV-1a, because it is short and will not change: processes of different versions share the work.
        let first = self.of.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let number = u64::from(self.number.unsigned_abs());
        ((first % u64::from(tasks.max(1)) + number) % u64::from(tasks.max(1))) as u32
    }

    /// The part that is called so.
    pub fn parse(text: &str) -> Option<Part> {
        let (of, number) = text.rsplit_once('/')?;
        Some(Part::new(of, number.parse().ok()?))
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.of, self.number)
    }
}

/// How far a part was carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Position {
    /// The first that was not: an offset, or the sequence of a stream.
    pub next: u64,
    /// Tells a stream that was deleted and made again from the one before (when it was created, nanoseconds);
    /// 0 where the bus does not say. A position of another one counts for nothing.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub of: u64,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// The key of a record.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Key {
    /// The bus that it comes from has none.
    #[default]
    Absent,
    /// It comes from a bus with keys, without one.
    Null,
    /// These bytes; may be none, and may be no text.
    Bytes(Bytes),
}

/// A header. A name may come several times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// As on Kafka: where the buses' conventions differ, this is Kafka's (`ce_id`).
    pub name: String,
    /// Any bytes; none is null, which is not the same as empty.
    pub value: Option<Bytes>,
}

/// Where a record stood on the Kafka from which it came, maybe by way of other buses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Topic.
    pub topic: Arc<str>,
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
}

/// A record on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The part of the source that it was read from.
    pub part: Part,
    /// How far its part is carried when it is.
    pub position: Position,
    /// Where it stood on a Kafka; none for one that was first published to NATS.
    pub origin: Option<Origin>,
    /// The subject that it was read from, at a source that has subjects.
    pub subject: Option<Arc<str>>,
    /// Key.
    pub key: Key,
    /// In their order, but for those that the relay itself uses.
    pub headers: Vec<Header>,
    /// None is a tombstone, which is not the same as empty.
    pub value: Option<Bytes>,
    /// Milliseconds since 1970 UTC; none for a record without.
    pub timestamp_ms: Option<i64>,
    /// The buses that it has passed.
    pub hops: Hops,
    /// What a relay has made of its value; none where that is as it was written.
    pub converted: Option<Converted>,
}

impl Record {
    /// The value of a header, the first of that name; none where it is not there or null.
    pub fn header(&self, name: &str) -> Option<&Bytes> {
        self.headers.iter().find(|header| header.name == name)?.value.as_ref()
    }

    /// Bytes of what it carries, for bounds of memory and batches.
    pub fn size(&self) -> usize {
        let key = if let Key::Bytes(key) = &self.key { key.len() } else { 0 };
        let header = |h: &Header| h.name.len() + h.value.as_ref().map_or(0, Bytes::len) + 16;
        let headers: usize = self.headers.iter().map(header).sum();
        key + headers + self.value.as_ref().map_or(0, Bytes::len) + 64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_partitions_are_spread_evenly_and_none_moves_when_others_are_added() {
        let tasks = |count: i32| (0..count).map(|n| Part::new("calls", n).task(12)).collect();
        let (before, after): (Vec<u32>, Vec<u32>) = (tasks(100), tasks(140));
        assert_eq!(before, after[..100]);
        for task in 0..12 {
            let share = before.iter().filter(|of| **of == task).count();
            assert!((8..=9).contains(&share), "{task}: {share}");
        }
    }

    #[test]
    fn a_part_comes_back_from_its_name() {
        for part in [Part::new("a.b-c_d", 17), Part::new("ORDERS/x", 0)] {
            assert_eq!(Part::parse(&part.to_string()), Some(part));
        }
        assert_eq!((Part::parse("a"), Part::parse("a/x")), (None, None));
    }
}
