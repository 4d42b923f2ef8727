//! The last sequence of each subject, in 16 bytes for each.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// New subjects are kept apart until they are so many, and then until they are so large a part.
const FEW: usize = 1_024;
const PART: usize = 8;

/// For keys that are hashes already.
pub(crate) type Hashes = BuildHasherDefault<AsItIs>;

/// Hashes a hash to itself.
#[derive(Default)]
pub(crate) struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("only hashes of 64 bits are keys");
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

/// A map from the hash of a subject to a sequence. Most are in a sorted list, since a hash table takes
/// up to twice the room; those that came since are in a table.
#[derive(Default)]
pub(crate) struct SequenceMap {
    sorted: Vec<(u64, u64)>,
    fresh: HashMap<u64, u64, Hashes>,
}

impl SequenceMap {
    /// The sequence of a subject; 0 for none.
    pub(crate) fn get(&self, subject: u64) -> u64 {
        match self.sorted.binary_search_by_key(&subject, |entry| entry.0) {
            Ok(place) => self.sorted[place].1,
            Err(_) => self.fresh.get(&subject).copied().unwrap_or(0),
        }
    }

    /// Sets the sequence of a subject; 0 for none.
    pub(crate) fn set(&mut self, subject: u64, sequence: u64) {
        match self.sorted.binary_search_by_key(&subject, |entry| entry.0) {
            Ok(place) => self.sorted[place].1 = sequence,
            Err(_) if sequence == 0 => {
                self.fresh.remove(&subject);
            }
            Err(_) => {
                self.fresh.insert(subject, sequence);
                if self.fresh.len() > FEW.max(self.sorted.len() / PART) {
                    self.merge();
                }
            }
        }
    }

    /// Takes subjects in at once, of which a later one counts.
    pub(crate) fn fill(&mut self, subjects: Vec<(u64, u64)>) {
        self.merge();
        let mut all = subjects;
        all.append(&mut self.sorted);
        // By hash, and the newest first.
        all.sort_unstable_by(|a, b| (a.0, b.1).cmp(&(b.0, a.1)));
        all.dedup_by_key(|entry| entry.0);
        all.shrink_to_fit();
        self.sorted = all;
    }

    fn merge(&mut self) {
        self.sorted.retain(|entry| entry.1 != 0);
        self.sorted.reserve_exact(self.fresh.len());
        self.sorted.extend(self.fresh.drain());
        self.sorted.sort_unstable();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_map(
            filled in prop::collection::vec((0..5_000_u64, 1..9_u64), 0..3_000),
            sets in prop::collection::vec((0..5_000_u64, 0..9_u64), 0..6_000),
        ) {
            let mut expected = HashMap::new();
            for (subject, sequence) in &filled {
                let newest = expected.entry(*subject).or_insert(0);
                *newest = (*newest).max(*sequence);
            }
            let mut map = SequenceMap::default();
            map.fill(filled);
            for (subject, sequence) in sets {
                map.set(subject, sequence);
                expected.insert(subject, sequence);
                prop_assert_eq!(map.get(subject), sequence);
            }
            for subject in 0..5_000 {
                prop_assert_eq!(map.get(subject), expected.get(&subject).copied().unwrap_or(0));
            }
        }
    }
}
