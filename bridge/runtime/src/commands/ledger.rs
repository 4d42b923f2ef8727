//! What is known of commands by their ids: the memory that keeps a command from being run twice.
//!
//! It is rebuilt from the results topic when the lane is taken over. It is bounded: beyond
//! `commands.ledger.max.entries` the oldest are forgotten, and so is what has been known for longer than
//! `commands.ledger.retention.ms`.
//!
//! So the ledger *reaches* back to a time. A command that the bus took after that time, and of which the
//! ledger knows nothing, was surely never sent. An older one may have been sent, whatever offsets say:
//! an operator may have reset them, or its intent may have outlived its retention while the connector was
//! switched off. It ends `UNKNOWN`, and is not sent.
//!
//! Times are those of the bus, not those that records carry: a result that a wrong clock has stamped a
//! week ahead must not make the rest look old.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use xxhash_rust::xxh3::xxh3_128;

use crate::bus::Position;
use crate::commands::record::{Outcome, ResultRecord};

/// Commands that a lane holds unsettled, at most; beyond that it reads no further.
pub(crate) const WAITING: usize = 10_000;

/// Positions of settled commands that are remembered, to know one that is read again. More than the
/// lane holds unsettled, since only what lies behind an unsettled one is read again.
const POSITIONS: usize = 4 * WAITING;

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
    order: VecDeque<Settled>,
    /// Whose commands stood there; none where the id could not be read.
    positions: HashMap<Position, Option<IdHash>>,
    recent: VecDeque<Position>,
    retention: Duration,
    max_entries: usize,
    /// Outcomes up to then were forgotten.
    forgotten_to_ms: i64,
    /// The newest time of the bus that was seen.
    newest_ms: i64,
}

#[derive(Debug)]
struct Settled {
    id: IdHash,
    /// When the bus took the outcome.
    at_ms: i64,
    /// Since when this process knows of it.
    since: Instant,
}

impl Ledger {
    pub(crate) fn new(retention_ms: u64, max_entries: usize) -> Ledger {
        Ledger {
            known: HashMap::new(),
            order: VecDeque::new(),
            positions: HashMap::new(),
            recent: VecDeque::new(),
            retention: Duration::from_millis(retention_ms),
            max_entries,
            forgotten_to_ms: i64::MIN,
            newest_ms: i64::MIN,
        }
    }

    /// Takes in a record of the results topic, as it is read back or has just been written; with the
    /// time when the bus took it.
    pub(crate) fn take(&mut self, record: ResultRecord, at_ms: i64) {
        self.saw(at_ms);
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
        let first = !matches!(self.known.get(&id), Some(Entry::Settled { .. }));
        if first {
            let position = position.unwrap_or_default();
            let settled_ms = record.settled_at.unwrap_or_default() / 1_000;
            self.known.insert(id, Entry::Settled { outcome, position, at_ms: settled_ms });
            self.order.push_back(Settled { id, at_ms, since: Instant::now() });
        }
        self.forget(Instant::now());
    }

    /// Notes a time of the bus.
    pub(crate) fn saw(&mut self, at_ms: i64) {
        self.newest_ms = self.newest_ms.max(at_ms);
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

    /// Whether it would be known if a command that the bus took then had been sent. `now_ms` is the time
    /// of day; where it is behind what the bus has shown, that counts.
    pub(crate) fn reaches(&self, at_ms: i64, now_ms: i64) -> bool {
        let now_ms = now_ms.max(self.newest_ms);
        let retention = i64::try_from(self.retention.as_millis()).unwrap_or(i64::MAX);
        at_ms > self.forgotten_to_ms && now_ms.saturating_sub(at_ms) <= retention
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

    fn forget(&mut self, now: Instant) {
        while let Some(Settled { id, at_ms, since }) = self.order.front() {
            let old = now.saturating_duration_since(*since) > self.retention;
            if self.order.len() <= self.max_entries && !old {
                break;
            }
            self.known.remove(id);
            self.forgotten_to_ms = self.forgotten_to_ms.max(*at_ms);
            self.order.pop_front();
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
        ledger.take(record("a", None, 1, 0), 0);
        assert!(matches!(ledger.get(IdHash::of("a")), Some(Entry::Intent(_))));
        assert_eq!(ledger.intents().len(), 1);
        ledger.take(record("a", Some(Outcome::Applied), 1, 5), 5);
        ledger.take(record("a", Some(Outcome::Duplicate), 2, 6), 6);
        ledger.take(record("a", None, 3, 0), 7);
        ledger.take(record("a", Some(Outcome::Failed), 3, 7), 7);
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
        ledger.take(record("a", Some(Outcome::Applied), 1, 5), 5);
        ledger.take_unreadable("a");
        assert_eq!(outcome(&ledger, "a"), Some(Outcome::Applied));
        ledger.take(record("b", None, 2, 0), 0);
        ledger.take_unreadable("b");
        ledger.take_unreadable("c");
        ledger.take(record("c", None, 3, 0), 0);
        for id in ["b", "c"] {
            assert_eq!(ledger.get(IdHash::of(id)), Some(&Entry::Unreadable));
        }
        assert!(ledger.intents().is_empty());
        ledger.take(record("c", Some(Outcome::Unknown), 3, 6), 6);
        assert_eq!(outcome(&ledger, "c"), Some(Outcome::Unknown));
    }

    #[test]
    fn a_command_that_is_read_again_is_no_duplicate_of_itself_however_many_were_settled_since() {
        let mut ledger = Ledger::new(1_000, 10);
        ledger.take(record("a", Some(Outcome::Applied), 1, 5), 5);
        for offset in 2..2 + POSITIONS as i64 {
            ledger.remember(Position { partition: 0, offset }, None);
        }
        let at = |offset| Position { partition: 0, offset };
        assert!(ledger.is_settled(at(1), Some(IdHash::of("a"))));
        assert!(!ledger.is_settled(at(1), None) && ledger.is_settled(at(2), None));
    }

    #[test]
    fn invariant_5_the_ledger_reaches_no_further_than_what_it_has_forgotten() {
        let mut ledger = Ledger::new(1_000_000, 3);
        for (i, id) in ["a", "b", "c", "d"].into_iter().enumerate() {
            let at_ms = 1_000 + i as i64;
            ledger.take(record(id, Some(Outcome::Applied), i as i64, at_ms), at_ms);
        }
        assert_eq!((outcome(&ledger, "a"), ledger.len()), (None, 3));
        assert!(!ledger.reaches(1_000, 2_000), "`a` may have been put there then");
        assert!(ledger.reaches(1_001, 2_000));
        assert!(!ledger.reaches(1_001, 1_002_000), "longer ago than results are kept");
    }

    #[test]
    fn what_has_been_known_for_longer_than_the_retention_is_forgotten() {
        let mut ledger = Ledger::new(1_000, 10);
        ledger.take(record("a", Some(Outcome::Applied), 1, 5), 5);
        ledger.forget(Instant::now() + Duration::from_millis(500));
        assert_eq!(ledger.len(), 1);
        ledger.forget(Instant::now() + Duration::from_millis(1_500));
        assert_eq!(ledger.len(), 0);
        assert!(!ledger.reaches(5, 6));
    }

    #[test]
    fn invariant_5_a_result_that_is_stamped_a_week_ahead_makes_nothing_old() {
        let week = 7 * 24 * 3_600_000;
        let mut ledger = Ledger::new(1_000, 10);
        ledger.take(record("a", Some(Outcome::Applied), 1, 5), 5);
        ledger.take(record("b", Some(Outcome::Applied), 2, week), 6);
        ledger.take(record("c", Some(Outcome::Applied), 3, 7), 7);
        assert_eq!(ledger.len(), 3);
        assert!(ledger.reaches(5, 8));
    }

    #[test]
    fn a_clock_that_is_behind_the_bus_does_not_make_old_commands_new() {
        let mut ledger = Ledger::new(1_000, 10);
        ledger.saw(10_000);
        assert!(!ledger.reaches(5_000, 5_500));
        assert!(ledger.reaches(9_500, 5_500));
    }
}
