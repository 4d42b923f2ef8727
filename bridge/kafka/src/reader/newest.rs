//! Keys with records in more than one partition.
//!
//! A key has one home: the partition that it hashes to. When partitions are added to a topic, the home
//! of many keys becomes another one, and their old records stay where they are, for ever on a compacted
//! topic. What holds here:
//!
//! - **The newest record by time counts, whatever its partition.** Not the one at home: right after the
//!   change a key is known only where it was, and to forget it would publish it again and never tell
//!   its deletion; and after a second change a key can come home to a partition that holds a record from
//!   before the first. The time is the broker's or the producer's; two owners write the same key only
//!   after a hand-over, which takes longer than their clocks differ. At the same time, home wins.
//!   Within a partition the order of offsets counts.
//! - **A shard keeps the number of partitions that it read back with** (`log.rs`), whatever the client
//!   hears meanwhile, so one life of a shard writes a key to one partition only. It looks for added
//!   partitions every few minutes, and is opened anew if there are some.
//! - **A deletion is told in every partition that holds a record of the key** ([`Strays`]). Otherwise an
//!   old record would rise again when the tombstone at home is compacted away. An update is not: its
//!   tombstone could overtake it at a consumer, since partitions have no common order.
//!
//! So nothing is published because partitions were added, and restarts find the same state. What
//! remains is Kafka's own: a consumer that reads such a topic from its beginning sees old records of
//! living keys in no certain order.

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

/// The partitions outside a key's home that hold a record of it which is no tombstone. By hash: of two
/// keys with the same one, both get the other's tombstones, which is harmless.
#[derive(Debug, Default)]
pub(crate) struct Strays(HashMap<u64, Vec<i32>>);

impl Strays {
    /// The partitions of a key, forgotten with this call: it is about to be deleted there.
    pub(crate) fn take(&mut self, topic: usize, key: &[u8]) -> Vec<i32> {
        if self.0.is_empty() {
            return Vec::new();
        }
        self.0.remove(&hash(topic, key)).unwrap_or_default()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    fn note(&mut self, key: u64, partition: i32, living: bool) {
        if living {
            let partitions = self.0.entry(key).or_default();
            if !partitions.contains(&partition) {
                partitions.push(partition);
            }
        } else if let Some(partitions) = self.0.get_mut(&key) {
            partitions.retain(|known| *known != partition);
            if partitions.is_empty() {
                self.0.remove(&key);
            }
        }
    }
}

/// Where a record stands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spot {
    /// Place of its topic.
    pub(crate) topic: usize,
    pub(crate) partition: i32,
    /// The partition that its key belongs to.
    pub(crate) home: i32,
    /// When it was written, as far as is known.
    pub(crate) ms: i64,
}

/// Tells the newest record of each key while partitions are read side by side.
#[derive(Debug, Default)]
pub(crate) struct Newest {
    /// Partition and time of the newest record so far.
    seen: HashMap<u64, (i32, i64)>,
    strays: Strays,
}

impl Newest {
    /// Takes note of a record; `true` if it is the newest of its key so far.
    pub(crate) fn take(&mut self, key: &[u8], living: bool, spot: Spot) -> bool {
        let key = hash(spot.topic, key);
        if spot.partition != spot.home {
            self.strays.note(key, spot.partition, living);
        }
        let newer = |(partition, ms): (i32, i64)| {
            partition == spot.partition
                || (spot.ms, spot.partition == spot.home) > (ms, partition == spot.home)
        };
        match self.seen.get_mut(&key) {
            None => {
                self.seen.insert(key, (spot.partition, spot.ms));
                true
            }
            Some(known) if newer(*known) => {
                // A clock that was set back does not make a later record older.
                let ms = if known.0 == spot.partition { known.1.max(spot.ms) } else { spot.ms };
                *known = (spot.partition, ms);
                true
            }
            Some(_) => false,
        }
    }

    pub(crate) fn into_strays(self) -> Strays {
        self.strays
    }
}

fn hash(topic: usize, key: &[u8]) -> u64 {
    BuildHasherDefault::<DefaultHasher>::default().hash_one((topic, key))
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(partition: i32, ms: i64) -> Spot {
        Spot { topic: 0, partition, home: 0, ms }
    }

    #[test]
    fn the_newest_wins_in_whatever_order_partitions_are_read() {
        let spots = [at(0, 5), at(1, 3), at(2, 7)];
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            let mut newest = Newest::default();
            let mut last = None;
            for i in order {
                if newest.take(b"k", true, spots[i]) {
                    last = Some(i);
                }
            }
            assert_eq!(last, Some(2), "{order:?}");
        }
    }

    #[test]
    fn home_wins_at_the_same_time_and_offsets_win_in_a_partition() {
        let mut newest = Newest::default();
        assert!(newest.take(b"k", true, at(1, 5)));
        assert!(newest.take(b"k", true, at(0, 5)));
        assert!(!newest.take(b"k", true, at(1, 5)));
        assert!(newest.take(b"k", true, at(0, 2)), "a clock was set back");
        assert!(!newest.take(b"k", true, at(1, 4)));
    }

    #[test]
    fn a_key_strays_until_its_tombstone() {
        let mut newest = Newest::default();
        newest.take(b"k", true, at(1, 1));
        newest.take(b"k", true, at(2, 1));
        newest.take(b"k", true, at(2, 1));
        newest.take(b"gone", true, at(1, 1));
        newest.take(b"gone", false, at(1, 2));
        newest.take(b"home", true, at(0, 1));
        let mut strays = newest.into_strays();
        assert_eq!(strays.len(), 1);
        assert_eq!(strays.take(0, b"k"), [1, 2]);
        assert!(strays.take(0, b"k").is_empty());
    }
}
