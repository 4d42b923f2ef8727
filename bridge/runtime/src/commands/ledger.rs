//! What is known of commands by their ids: the memory that keeps a command from being run twice.
//!
//! It is rebuilt from the results topic when the lane is taken over. Bounded: what is older than
//! `commands.ledger.retention.ms` is forgotten, and beyond `commands.ledger.max.entries` the oldest.

use std::collections::{HashMap, VecDeque};

use xxhash_rust::xxh3::xxh3_128;

use crate::bus::Position;
use crate::commands::record::{Outcome, ResultRecord};

/// Positions of settled commands that are remembered, to know one that is read again. More than the
/// lane holds unsettled, since only what lies behind an unsettled one is read again.
const POSITIONS: usize = 4 * crate::commands::scheduler::WAITING;

/// Hash of a command's id: ids are the senders' and may be long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct IdHash(u128);

impl IdHash {
    pub(crate) fn of(id: &str) -> IdHash {
        IdHash(xxh3_128(id.as_bytes()))
    }
}

/// What the ledger knows of an id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Entry {
    /// It was about to be sent, and may have been: read back first.
    Intent(Box<ResultRecord>),
    /// It has its outcome.
    Settled {
        /// Which.
        outcome: Outcome,
        /// Of the command that has it, not of a duplicate.
        position: Position,
        /// Milliseconds since 1970 UTC.
        at_ms: i64,
    },
    /// There is a record of it that cannot be read: an intent, or an outcome.
    Unreadable,
}

/// What is known of commands by their ids.
#[derive(Debug)]
pub(crate) struct Ledger {
    known: HashMap<IdHash, Entry>,
    /// Settled ids, oldest first.
    order: VecDeque<(IdHash, i64)>,
    /// Whose commands stood there; none where the id could not be read.
    positions: HashMap<Position, Option<IdHash>>,
    recent: VecDeque<Position>,
    retention_ms: i64,
    max_entries: usize,
}

impl Ledger {
    pub(crate) fn new(retention_ms: u64, max_entries: usize) -> Ledger {
        Ledger {
            known: HashMap::new(),
            order: VecDeque::new(),
            positions: HashMap::new(),
            recent: VecDeque::new(),
            retention_ms: i64::try_from(retention_ms).unwrap_or(i64::MAX),
            max_entries,
        }
    }

    /// Takes in a record of the results topic, as it is read back or has just been written.
    pub(crate) fn take(&mut self, record: ResultRecord) {
        let id = IdHash::of(&record.command_id);
        let Some(outcome) = record.outcome() else {
            // What was not readable before it may have been its outcome.
            if !matches!(self.known.get(&id), Some(Entry::Settled { .. } | Entry::Unreadable)) {
                self.known.insert(id, Entry::Intent(Box::new(record)));
            }
            return;
        };
        let position = record.position();
        if let Some(position) = position {
            self.remember(position, Some(id));
        }
        // A duplicate's record says nothing new of the id.
        if outcome == Outcome::Duplicate {
            return;
        }
        let at_ms = record.settled_at.unwrap_or_default() / 1_000;
        let first = !matches!(self.known.get(&id), Some(Entry::Settled { .. }));
        if first {
            let position = position.unwrap_or_default();
            self.known.insert(id, Entry::Settled { outcome, position, at_ms });
            self.order.push_back((id, at_ms));
        }
        self.forget(at_ms);
    }

    /// Takes in a record of the results topic that cannot be read, under its key. An outcome that could be
    /// read stands: there is but one.
    pub(crate) fn take_unreadable(&mut self, id: &str) {
        let known = self.known.entry(IdHash::of(id)).or_insert(Entry::Unreadable);
        if matches!(known, Entry::Intent(_)) {
            *known = Entry::Unreadable;
        }
    }

    /// Notes that the command of this id at this position needs nothing more.
    pub(crate) fn remember(&mut self, position: Position, id: Option<IdHash>) {
        if self.positions.insert(position, id).is_none() {
            self.recent.push_back(position);
        }
        if self.recent.len() > POSITIONS
            && let Some(oldest) = self.recent.pop_front()
        {
            self.positions.remove(&oldest);
        }
    }

    /// Whether the command of this id at this position is known to be settled.
    ///
    /// The position alone does not tell: a topic that was deleted and created anew begins to count anew.
    pub(crate) fn is_settled(&self, position: Position, id: Option<IdHash>) -> bool {
        self.positions.get(&position) == Some(&id)
            || matches!(id.and_then(|id| self.known.get(&id)),
                Some(Entry::Settled { position: settled, .. }) if *settled == position)
    }

    /// Whether what was settled since then is still known.
    pub(crate) fn reaches(&self, at_ms: i64, now_ms: i64) -> bool {
        now_ms.saturating_sub(at_ms) <= self.retention_ms
    }

    /// What is known of an id.
    pub(crate) fn get(&self, id: IdHash) -> Option<&Entry> {
        self.known.get(&id)
    }

    /// Intents without an outcome.
    pub(crate) fn intents(&self) -> Vec<ResultRecord> {
        let intents = self.known.values().filter_map(|known| match known {
            Entry::Intent(record) => Some(record.as_ref().clone()),
            Entry::Settled { .. } | Entry::Unreadable => None,
        });
        intents.collect()
    }

    /// How many ids are known.
    pub(crate) fn len(&self) -> usize {
        self.known.len()
    }

    fn forget(&mut self, now_ms: i64) {
        while let Some((id, at_ms)) = self.order.front().copied() {
            if self.order.len() <= self.max_entries && now_ms - at_ms <= self.retention_ms {
                break;
            }
            self.order.pop_front();
            self.known.remove(&id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(id: &str, outcome: Option<Outcome>, offset: i64, at_ms: i64) -> ResultRecord {
        ResultRecord {
            command_id: id.to_owned(),
            phase: if outcome.is_some() { "OUTCOME" } else { "INTENT" }.to_owned(),
            outcome: outcome.map(|outcome| outcome.word().to_owned()),
            settled_at: outcome.map(|_| at_ms * 1_000),
            position: Position { partition: 0, offset }.to_string(),
            ..ResultRecord::default()
        }
    }

    fn outcome(ledger: &Ledger, id: &str) -> Option<Outcome> {
        match ledger.get(IdHash::of(id)) {
            Some(Entry::Settled { outcome, .. }) => Some(*outcome),
            _ => None,
        }
    }

    #[test]
    fn an_intent_waits_for_its_outcome_and_an_outcome_stands() {
        let mut ledger = Ledger::new(1_000, 10);
        ledger.take(record("a", None, 1, 0));
        assert!(matches!(ledger.get(IdHash::of("a")), Some(Entry::Intent(_))));
        assert_eq!(ledger.intents().len(), 1);
        ledger.take(record("a", Some(Outcome::Applied), 1, 5));
        ledger.take(record("a", Some(Outcome::Duplicate), 2, 6));
        ledger.take(record("a", None, 3, 0));
        ledger.take(record("a", Some(Outcome::Failed), 3, 7));
        assert_eq!(outcome(&ledger, "a"), Some(Outcome::Applied), "the first outcome stands");
        assert!(ledger.intents().is_empty());
        let settled = |id: &str, offset| {
            ledger.is_settled(Position { partition: 0, offset }, Some(IdHash::of(id)))
        };
        assert!(settled("a", 1) && settled("a", 2) && !settled("a", 9));
        assert!(!settled("b", 1), "another command at the same place of a new topic");
    }

    #[test]
    fn what_cannot_be_read_of_a_command_may_be_its_outcome() {
        let mut ledger = Ledger::new(1_000, 10);
        ledger.take(record("a", Some(Outcome::Applied), 1, 5));
        ledger.take_unreadable("a");
        assert_eq!(outcome(&ledger, "a"), Some(Outcome::Applied));
        ledger.take(record("b", None, 2, 0));
        ledger.take_unreadable("b");
        ledger.take_unreadable("c");
        ledger.take(record("c", None, 3, 0));
        for id in ["b", "c"] {
            assert_eq!(ledger.get(IdHash::of(id)), Some(&Entry::Unreadable));
        }
        assert!(ledger.intents().is_empty());
        ledger.take(record("c", Some(Outcome::Unknown), 3, 6));
        assert_eq!(outcome(&ledger, "c"), Some(Outcome::Unknown));
    }

    #[test]
    fn a_command_that_is_read_again_is_no_duplicate_of_itself_however_many_were_settled_since() {
        let mut ledger = Ledger::new(1_000, 10);
        ledger.take(record("a", Some(Outcome::Applied), 1, 5));
        for offset in 2..2 + POSITIONS as i64 {
            ledger.remember(Position { partition: 0, offset }, None);
        }
        let at = |offset| Position { partition: 0, offset };
        assert!(ledger.is_settled(at(1), Some(IdHash::of("a"))));
        assert!(!ledger.is_settled(at(1), None) && ledger.is_settled(at(2), None));
    }

    #[test]
    fn what_is_old_or_too_many_is_forgotten_oldest_first() {
        let mut ledger = Ledger::new(1_000, 3);
        for (i, id) in ["a", "b", "c", "d"].into_iter().enumerate() {
            ledger.take(record(id, Some(Outcome::Applied), i as i64, i as i64));
        }
        assert_eq!((outcome(&ledger, "a"), ledger.len()), (None, 3));
        ledger.take(record("e", Some(Outcome::Applied), 9, 1_002));
        assert_eq!(outcome(&ledger, "b"), None);
        assert_eq!(outcome(&ledger, "c"), Some(Outcome::Applied));
        ledger.take(record("f", Some(Outcome::Applied), 10, 5_000));
        assert_eq!(ledger.len(), 1);
    }
}
