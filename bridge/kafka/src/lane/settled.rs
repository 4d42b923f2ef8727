//! Which commands of a partition are settled.
//!
//! What is committed is the offset of the oldest command that is not settled, and, as the metadata of
//! the committed offset, which of those behind it are settled all the same, so that whoever takes over
//! reads each unsettled one and no other.

use std::collections::BTreeSet;

/// Longest metadata: a broker takes 4096 bytes by default (`offset.metadata.max.bytes`). What does not
/// fit is read again, and known by its id.
const METADATA_MAX: usize = 4_000;

/// What is known of one partition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct SettledOffsets {
    /// Behind the last command that was read.
    next: i64,
    /// Read and not settled.
    open: BTreeSet<i64>,
    /// Settled, behind one that is not.
    done: BTreeSet<i64>,
    /// What was committed last.
    committed: i64,
    /// Nothing was committed: what lies before here may have been settled by an earlier owner all the
    /// same, and nothing is committed before all of it is settled.
    unplaced: i64,
}

impl SettledOffsets {
    /// From a committed offset and its metadata.
    pub(crate) fn of(committed: i64, metadata: &str) -> SettledOffsets {
        let done = ranges(committed, metadata).unwrap_or_default();
        SettledOffsets { next: committed, open: BTreeSet::new(), done, committed, unplaced: 0 }
    }

    /// Of a partition that ends here, and of which nothing was committed.
    pub(crate) fn unplaced(end: i64) -> SettledOffsets {
        SettledOffsets { unplaced: end, ..SettledOffsets::default() }
    }

    /// Everything there is has been read. The end of a partition is not always behind a command: there are
    /// the marks of transactions, too.
    pub(crate) fn at_end(&mut self) {
        self.unplaced = self.unplaced.min(self.next);
    }

    /// A command was read; `false` if it is settled already.
    pub(crate) fn read(&mut self, offset: i64) -> bool {
        self.next = self.next.max(offset + 1);
        !self.done.contains(&offset) && self.open.insert(offset)
    }

    /// A command is settled.
    pub(crate) fn settle(&mut self, offset: i64) {
        if self.open.remove(&offset) {
            self.done.insert(offset);
        }
    }

    /// What to commit now, if anything: the offset and its metadata.
    pub(crate) fn commit(&mut self) -> Option<(i64, String)> {
        // Before anything is read again, what was committed stands.
        let low = self.open.first().copied().unwrap_or(self.next).max(self.committed);
        if low < self.unplaced {
            return None;
        }
        self.done = self.done.split_off(&low);
        self.committed = low;
        let mut text = String::new();
        let mut offsets = self.done.iter().copied().peekable();
        while let Some(first) = offsets.next() {
            let mut last = first;
            while offsets.next_if_eq(&(last + 1)).is_some() {
                last += 1;
            }
            let separator = if text.is_empty() { "" } else { "," };
            let range = match last - first {
                0 => format!("{separator}{}", first - low),
                _ => format!("{separator}{}-{}", first - low, last - low),
            };
            if text.len() + range.len() > METADATA_MAX {
                break;
            }
            text += &range;
        }
        Some((low, text))
    }
}

/// `None` where the metadata is somebody else's.
fn ranges(base: i64, text: &str) -> Option<BTreeSet<i64>> {
    let mut offsets = BTreeSet::new();
    for range in text.split(',').filter(|range| !range.is_empty()) {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last): (i64, i64) = (first.parse().ok()?, last.parse().ok()?);
        if first < 0 || last < first || last - first > 1_000_000 {
            return None;
        }
        offsets.extend(base + first..=base + last);
    }
    Some(offsets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_settled_behind_an_unsettled_one_is_not_read_again() {
        let mut settled = SettledOffsets::of(10, "");
        for offset in [10, 11, 12, 14, 15] {
            assert!(settled.read(offset));
        }
        assert_eq!(settled.commit(), Some((10, String::new())));
        for offset in [11, 12, 15] {
            settled.settle(offset);
        }
        let (low, metadata) = settled.commit().unwrap();
        assert_eq!((low, metadata.as_str()), (10, "1-2,5"));

        let mut next = SettledOffsets::of(low, &metadata);
        let again: Vec<i64> =
            [10, 11, 12, 14, 15, 16].into_iter().filter(|o| next.read(*o)).collect();
        assert_eq!(again, [10, 14, 16]);
        next.settle(10);
        assert_eq!(next.commit(), Some((14, "1".to_owned())));
        next.settle(14);
        next.settle(16);
        assert_eq!(next.commit(), Some((17, String::new())));
    }

    #[test]
    fn what_may_have_been_settled_before_is_settled_before_anything_is_committed() {
        let mut settled = SettledOffsets::unplaced(3);
        for offset in [0, 1, 2, 3] {
            assert!(settled.read(offset));
        }
        for offset in [0, 1, 3] {
            settled.settle(offset);
            assert_eq!(settled.commit(), None);
        }
        settled.settle(2);
        assert_eq!(settled.commit(), Some((4, String::new())));
        assert_eq!(SettledOffsets::unplaced(0).commit(), Some((0, String::new())));

        let mut settled = SettledOffsets::unplaced(3);
        settled.read(0);
        settled.at_end();
        assert_eq!(settled.commit(), None);
        settled.settle(0);
        assert_eq!(settled.commit(), Some((1, String::new())));
    }

    #[test]
    fn too_many_gaps_are_cut_and_strange_metadata_is_none() {
        let mut settled = SettledOffsets::of(0, "");
        for offset in 0..10_000 {
            settled.read(offset);
            if offset % 2 == 1 {
                settled.settle(offset);
            }
        }
        let (low, metadata) = settled.commit().unwrap();
        assert!(low == 0 && metadata.len() <= METADATA_MAX && !metadata.is_empty());
        assert!(!SettledOffsets::of(0, &metadata).read(1));
        for strange in ["x", "5-1", "-3", "0-99999999999"] {
            assert!(SettledOffsets::of(0, strange).read(0), "{strange}");
        }
        assert!(SettledOffsets::of(0, "0").read(7));
    }
}
