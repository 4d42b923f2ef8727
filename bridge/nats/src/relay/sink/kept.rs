//! The positions of a task, as they are kept in the target stream.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use talon_runtime::relay::{Part, Position};

/// What the position message of a task says.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Kept {
    /// Whether the task ever committed anything.
    #[serde(default)]
    pub(super) begun: bool,
    /// Whether its owner writes batches with their positions: then no record stands behind its position.
    #[serde(default)]
    pub(super) atomic: bool,
    /// Up to which sequence of the stream the records are covered. None is up to this message; an owner that has
    /// just taken the task over writes what the one before it wrote, and has not read what stands behind that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) covers: Option<u64>,
    /// By the names of the parts.
    pub(super) parts: BTreeMap<String, KeptPosition>,
}

/// The position of a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct KeptPosition {
    #[serde(flatten)]
    pub(super) position: Position,
    /// Sequence of the position message that was the last one when this was set: tells which of two tasks has
    /// carried the part last, when their number has changed.
    pub(super) at: u64,
}

impl Kept {
    /// Takes positions in.
    pub(super) fn set(&mut self, part: &Part, position: Position, at: u64) {
        self.parts.insert(part.to_string(), KeptPosition { position, at });
    }

    /// Takes a position in, unless a newer one is known.
    pub(super) fn merge(&mut self, part: &str, new: KeptPosition) {
        match self.parts.get(part) {
            Some(known) if known.at > new.at => {}
            _ => {
                self.parts.insert(part.to_owned(), new);
            }
        }
    }

    /// Where the records begin that it may not cover, given its own sequence; none where there are none.
    pub(super) fn tail(&self, sequence: u64) -> Option<u64> {
        match self.covers {
            Some(covers) => Some(covers + 1),
            None if self.atomic => None,
            None => Some(sequence + 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_begins_where_the_last_owner_may_have_written() {
        let kept = |atomic, covers| Kept { atomic, covers, ..Kept::default() };
        assert_eq!(kept(true, None).tail(9), None);
        assert_eq!(kept(false, None).tail(9), Some(10));
        assert_eq!(kept(true, Some(4)).tail(9), Some(5));
    }

    #[test]
    fn of_two_tasks_the_one_that_carried_a_part_last_counts() {
        let at = |next, at| KeptPosition { position: Position { next, of: 0 }, at };
        let mut kept = Kept::default();
        kept.merge("t/0", at(100, 5));
        kept.merge("t/0", at(7, 9));
        kept.merge("t/0", at(200, 6));
        assert_eq!(kept.parts["t/0"], at(7, 9));
    }

    #[test]
    fn it_comes_back_from_its_text() {
        let mut kept = Kept { begun: true, covers: Some(3), ..Kept::default() };
        kept.set(&Part::new("a/b", 1), Position { next: 4, of: u64::MAX }, 2);
        let text = serde_json::to_vec(&kept).unwrap();
        assert_eq!(serde_json::from_slice::<Kept>(&text).unwrap(), kept);
    }
}
