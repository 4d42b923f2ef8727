//! The facts of a log that another feed's rows tell.
//!
//! A fact is immutable, so all that must be known of it is whether it was published. That is known from
//! two places. The value of the entity that told it lists its key for ever; and the log itself has it, as
//! far back as it is kept. Either would do where a commit is atomic; where it is not, facts are appended
//! before the change of their entity, so after a crash between the two the log knows better.
//!
//! Where values are kept, the value before says what an entity told, and only what the log has is
//! remembered here besides: a hash of nine bytes for one to two retentions of the log, then neither the
//! log nor a restart would know it. Where values are not kept, hashes stand for their lists: those are
//! kept as long as the process runs, as many as the entities of the table list.

use std::borrow::Cow;
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use hashbrown::HashTable;
use talon_schemas::{Contract, Instants, Op};
use talon_sdk::{Facts, Row, RowCodec, RowFault};
use xxhash_rust::xxh3::xxh3_64;

use crate::shard::change::{Change, Changes, MISFIT, event_id, fingerprint};

/// Which facts were published.
pub struct PublishedFacts {
    topic: String,
    contract: &'static Contract,
    codec: Arc<dyn RowCodec>,
    kept: Kept,
    // 64 bits: among ten million facts the odds that any two share a hash are three in a million.
    known: HashTable<u64>,
    /// What was known before `known` was begun anew.
    earlier: HashTable<u64>,
    /// When that was; the start before that.
    since_ms: Option<i64>,
    /// What the value before lists.
    listed: HashSet<u64>,
}

/// What else is kept of the entities that tell the facts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// Their values, which list what they told. The log keeps facts for so many milliseconds.
    Values {
        /// Retention of the log.
        retention_ms: u64,
    },
    /// Nothing.
    Nothing,
}

impl PublishedFacts {
    /// With nothing published yet. `codec` gives a [`FactCodec`](talon_sdk::FactCodec).
    pub fn new(
        topic: String,
        contract: &'static Contract,
        codec: Arc<dyn RowCodec>,
        kept: Kept,
    ) -> PublishedFacts {
        PublishedFacts {
            topic,
            contract,
            codec,
            kept,
            known: HashTable::new(),
            earlier: HashTable::new(),
            since_ms: None,
            listed: HashSet::new(),
        }
    }

    /// The feed whose rows tell the facts.
    pub fn told_by(&self) -> &'static str {
        self.codec.facts().map_or("", |facts| facts.told_by())
    }

    /// Number of facts remembered.
    pub fn len(&self) -> usize {
        self.known.len() + self.earlier.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes in a record of the log.
    pub fn recover(&mut self, key: &str) {
        self.note(hash(key));
    }

    /// Takes in a value of the table that tells the facts.
    pub fn recover_told(&mut self, value: &[u8]) {
        if self.kept == Kept::Nothing {
            let codec = self.codec.clone();
            told(codec.as_ref(), value, &mut |key| {
                self.note(hash(key));
            });
        }
    }

    /// Publishes the facts of a row that are not known yet. `before` is the value before of the entity
    /// that tells them, where values are kept.
    ///
    /// # Errors
    /// Those of `out`, after which the set must be recovered.
    pub fn tell<C: Changes>(
        &mut self,
        row: &[u8],
        facts: &Facts,
        before: Option<&[u8]>,
        snapshot: bool,
        out: &mut C,
    ) -> Result<(), C::Error> {
        let PublishedFacts { codec, listed, .. } = self;
        listed.clear();
        if let Some(before) = before {
            told(codec.as_ref(), before, &mut |key| {
                listed.insert(hash(key));
            });
        }
        for fact in facts.iter() {
            let hash = hash(&fact.key);
            if self.listed.contains(&hash) || !self.note(hash) {
                continue;
            }
            let mut value = Cow::Borrowed(&fact.value);
            if self.contract.instants() != Instants::Micros {
                match self.contract.converted(&fact.value) {
                    Ok(converted) => value = Cow::Owned(converted),
                    Err(_) => {
                        out.dead_letter(&fact.key, row, &RowFault(MISFIT.to_owned()))?;
                        continue;
                    }
                }
            }
            out.change(&change(&self.topic, fact, &value, snapshot))?;
        }
        for fault in facts.faults() {
            out.dead_letter("", row, fault)?;
        }
        Ok(())
    }

    /// Forgets the facts that the log has let go of. To be called now and then.
    pub fn forget_old(&mut self, now_ms: i64) {
        let Kept::Values { retention_ms } = self.kept else { return };
        let since = *self.since_ms.get_or_insert(now_ms);
        if u64::try_from(now_ms.saturating_sub(since)).is_ok_and(|age| age >= retention_ms) {
            self.since_ms = Some(now_ms);
            self.earlier = std::mem::take(&mut self.known);
        }
    }

    /// Whether the fact is new.
    fn note(&mut self, hash: u64) -> bool {
        let is_it = |other: &u64| *other == hash;
        if self.known.find(hash, is_it).is_some() || self.earlier.find(hash, is_it).is_some() {
            return false;
        }
        self.known.insert_unique(hash, hash, |other| *other);
        true
    }
}

fn hash(key: &str) -> u64 {
    xxh3_64(key.as_bytes())
}

/// The facts that a value lists. If that panics, it lists none: the log knows them while it keeps them.
fn told(codec: &dyn RowCodec, value: &[u8], each: &mut dyn FnMut(&str)) {
    if let Some(facts) = codec.facts() {
        catch_unwind(AssertUnwindSafe(|| facts.told(value, each))).ok();
    }
}

fn change<'a>(topic: &str, fact: &'a Row, value: &'a [u8], snapshot: bool) -> Change<'a> {
    let op = if snapshot { Op::Read } else { Op::Create };
    Change {
        key: &fact.key,
        before: None,
        after: Some(value),
        op,
        ts_ms: fact.ts_ms,
        absent: false,
        // The same whenever it is made again, for it is always the first of its key; in whatever unit its
        // instants are published.
        id: event_id(topic, &fact.key, 0, Op::Create, fingerprint(&fact.value)),
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use talon_sdk::FactCodec;

    use super::*;

    mod enter {
        talon_schemas::contracts! {
            "enter-export":
            TICKET_OPERATION = "ticket_operation",
        }
    }

    /// Values are keys with blanks between.
    struct Words;

    impl RowCodec for Words {
        fn peek_key(&self, _: &[u8], _: &str, _: &mut String) -> bool {
            false
        }

        fn decode(&self, _: &[u8], _: &str, _: &mut Row) -> Result<(), RowFault> {
            Err(RowFault("told by another feed".to_owned()))
        }

        fn facts(&self) -> Option<&dyn FactCodec> {
            Some(self)
        }
    }

    impl FactCodec for Words {
        fn told_by(&self) -> &'static str {
            "words"
        }

        fn told(&self, value: &[u8], each: &mut dyn FnMut(&str)) {
            std::str::from_utf8(value).unwrap().split(' ').for_each(each);
        }
    }

    #[derive(Default)]
    struct Log(Vec<String>);

    impl Changes for Log {
        type Error = Infallible;

        fn change(&mut self, change: &Change<'_>) -> Result<(), Infallible> {
            self.0.push(format!("{} {}", change.op.letter(), change.key));
            Ok(())
        }

        fn dead_letter(&mut self, _: &str, _: &[u8], _: &RowFault) -> Result<(), Infallible> {
            self.0.push("dead".to_owned());
            Ok(())
        }
    }

    fn told(facts: &mut PublishedFacts, row: &str, before: &str, snapshot: bool) -> Vec<String> {
        let (mut log, mut told) = (Log::default(), Facts::default());
        for word in row.split(' ') {
            told.put(|fact| {
                fact.key.push_str(word);
                if word == "?" { Err(RowFault("odd".to_owned())) } else { Ok(()) }
            });
        }
        let before = (!before.is_empty()).then_some(before.as_bytes());
        let Ok(()) = facts.tell(row.as_bytes(), &told, before, snapshot, &mut log);
        log.0
    }

    fn facts(kept: Kept) -> PublishedFacts {
        PublishedFacts::new("t".to_owned(), &enter::TICKET_OPERATION, Arc::new(Words), kept)
    }

    #[test]
    fn invariant_1_a_fact_is_told_once_wherever_it_is_known_from() {
        let mut facts = facts(Kept::Nothing);
        facts.recover("log");
        facts.recover_told(b"value other");
        assert_eq!(told(&mut facts, "log a value", "", true), ["r a"]);
        assert_eq!(told(&mut facts, "a ? b other", "", false), ["c b", "dead"]);
        assert_eq!(told(&mut facts, "b a", "", false), [""; 0]);
        facts.forget_old(0);
        facts.forget_old(i64::MAX);
        assert_eq!(
            told(&mut facts, "b a log value", "", false),
            [""; 0],
            "nothing else knows them"
        );
        assert_eq!(facts.len(), 5);
    }

    #[test]
    fn invariant_1_the_value_before_knows_what_its_entity_told() {
        let mut facts = facts(Kept::Values { retention_ms: 10 });
        facts.recover("log");
        facts.recover_told(b"value other");
        assert_eq!(facts.len(), 1, "the value is kept elsewhere");
        assert_eq!(told(&mut facts, "log value a other", "value other", true), ["r a"]);
        assert_eq!(told(&mut facts, "log value a other b", "log value a other", false), ["c b"]);
    }

    #[test]
    fn invariant_9_facts_are_remembered_for_one_to_two_retentions_of_the_log() {
        let mut facts = facts(Kept::Values { retention_ms: 1_000 });
        facts.recover("old");
        for now in (0..100_000).step_by(10) {
            facts.forget_old(now);
            assert_eq!(told(&mut facts, &now.to_string(), "", false).len(), 1);
            let since = (now - 990).max(0);
            assert_eq!(told(&mut facts, &since.to_string(), "", false), [""; 0]);
            assert!(facts.len() <= 202, "{} known at {now}", facts.len());
        }
        assert_eq!(told(&mut facts, "old", "", false), ["c old"]);
    }
}
