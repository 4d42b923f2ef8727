//! Rows that are known by their hash.

use std::collections::HashSet;

/// Past this many they are forgotten.
const MOST: usize = 10_000;

/// Rows by their hash. When there are too many, all are forgotten.
#[derive(Debug, Default)]
pub(super) struct Remembered(HashSet<u64>);

impl Remembered {
    /// Whether the row is not among them yet.
    pub(super) fn insert(&mut self, row: u64) -> bool {
        if self.0.len() >= MOST && !self.0.contains(&row) {
            self.0.clear();
        }
        self.0.insert(row)
    }

    pub(super) fn contains(&self, row: u64) -> bool {
        self.0.contains(&row)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
