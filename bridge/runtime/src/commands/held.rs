//! Which records of the topic of commands are held, and which of them came first.

use std::collections::{BTreeSet, HashMap};

use crate::bus::Position;

/// Records that were taken from the bus and are not settled.
#[derive(Default)]
pub(crate) struct Held {
    /// When the bus took each, milliseconds; 0 where that is not known.
    at_ms: HashMap<Position, i64>,
    by_age: BTreeSet<(i64, Position)>,
}

impl Held {
    pub(crate) fn take(&mut self, position: Position, at_ms: i64) {
        if let Some(before) = self.at_ms.insert(position, at_ms) {
            self.by_age.remove(&(before, position));
        }
        self.by_age.insert((at_ms, position));
    }

    pub(crate) fn let_go(&mut self, position: Position) {
        if let Some(at_ms) = self.at_ms.remove(&position) {
            self.by_age.remove(&(at_ms, position));
        }
    }

    pub(crate) fn has(&self, position: Position) -> bool {
        self.at_ms.contains_key(&position)
    }

    pub(crate) fn len(&self) -> usize {
        self.at_ms.len()
    }

    /// When the bus took the oldest of those of which that is known.
    pub(crate) fn oldest_ms(&self) -> Option<i64> {
        self.by_age.range((1, Position::default())..).next().map(|(at_ms, _)| *at_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_the_one_that_the_bus_took_first_whatever_the_order() {
        let at = |offset| Position { partition: 0, offset };
        let mut held = Held::default();
        assert_eq!(held.oldest_ms(), None);
        held.take(at(1), 7_000);
        held.take(at(2), 5_000);
        held.take(at(3), 0);
        assert_eq!((held.len(), held.oldest_ms()), (3, Some(5_000)));
        held.let_go(at(2));
        held.let_go(at(2));
        assert_eq!(held.oldest_ms(), Some(7_000));
        held.let_go(at(1));
        assert!(held.has(at(3)) && !held.has(at(1)));
        assert_eq!(held.oldest_ms(), None, "when the bus took the rest is not known");
        held.let_go(at(3));
        assert_eq!(held.len(), 0);
    }
}
