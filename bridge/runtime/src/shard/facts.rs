//! The facts of a log that another feed's rows tell.
//!
//! A fact is immutable, so all that must be known of it is whether it was published: a hash of its key,
//! nine bytes where an entity of a table takes a hundred. At start the set comes from two places: the
//! log itself, as far back as it is kept, and the values of the table that told the facts, which list
//! their keys for ever. Either would do where a commit is atomic; where it is not, facts are appended
//! before the change of their entity, so after a crash between the two the log knows better.

use std::sync::Arc;

use hashbrown::HashTable;
use talon_schemas::Op;
use talon_sdk::{Row, RowCodec};
use xxhash_rust::xxh3::xxh3_64;

use crate::shard::diff::{Change, Changes, event_id, fingerprint};

/// Which facts were published.
pub struct Facts {
    topic: String,
    codec: Arc<dyn RowCodec>,
    // 64 bits: among ten million facts the odds that any two share a hash are three in a million.
    known: HashTable<u64>,
}

impl Facts {
    /// With nothing published yet. `codec` gives a [`FactCodec`](talon_sdk::FactCodec).
    pub fn new(topic: String, codec: Arc<dyn RowCodec>) -> Facts {
        Facts { topic, codec, known: HashTable::new() }
    }

    /// The feed whose rows tell the facts.
    pub fn told_by(&self) -> &'static str {
        self.codec.facts().map_or("", |facts| facts.told_by())
    }

    /// Number of facts known.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// Takes in a record of the log.
    pub fn recover(&mut self, key: &str) {
        note(&mut self.known, key);
    }

    /// Takes in a value of the table that tells the facts.
    pub fn recover_told(&mut self, value: &[u8]) {
        let Facts { codec, known, .. } = self;
        if let Some(facts) = codec.facts() {
            facts.told(value, &mut |key| {
                note(known, key);
            });
        }
    }

    /// Publishes the facts of a row that are not known yet.
    ///
    /// # Errors
    /// Those of `out`, after which the set must be recovered.
    pub fn tell<C: Changes>(
        &mut self,
        row: &[u8],
        facts: &talon_sdk::Facts,
        snapshot: bool,
        out: &mut C,
    ) -> Result<(), C::Error> {
        for fact in facts.iter() {
            if note(&mut self.known, &fact.key) {
                out.change(&change(&self.topic, fact, snapshot))?;
            }
        }
        for fault in facts.faults() {
            out.dead_letter("", row, fault)?;
        }
        Ok(())
    }
}

fn change<'a>(topic: &str, fact: &'a Row, snapshot: bool) -> Change<'a> {
    let op = if snapshot { Op::Read } else { Op::Create };
    Change {
        key: &fact.key,
        before: None,
        after: Some(&fact.value),
        op,
        ts_ms: fact.ts_ms,
        absent: false,
        // The same whenever it is made again, for it is always the first of its key.
        id: event_id(topic, &fact.key, 0, Op::Create, fingerprint(&fact.value)),
    }
}

/// Whether the key is new.
fn note(known: &mut HashTable<u64>, key: &str) -> bool {
    let hash = xxh3_64(key.as_bytes());
    if known.find(hash, |other| *other == hash).is_some() {
        return false;
    }
    known.insert_unique(hash, hash, |other| *other);
    true
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use talon_sdk::{FactCodec, RowFault};

    use super::*;

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

    fn told(facts: &mut Facts, row: &str, snapshot: bool) -> Vec<String> {
        let (mut log, mut told) = (Log::default(), talon_sdk::Facts::default());
        for word in row.split(' ') {
            told.put(|fact| {
                fact.key.push_str(word);
                if word == "?" { Err(RowFault("odd".to_owned())) } else { Ok(()) }
            });
        }
        let Ok(()) = facts.tell(row.as_bytes(), &told, snapshot, &mut log);
        log.0
    }

    #[test]
    fn invariant_1_a_fact_is_told_once_wherever_it_is_known_from() {
        let mut facts = Facts::new("t".to_owned(), Arc::new(Words));
        facts.recover("log");
        facts.recover_told(b"value other");
        assert_eq!(told(&mut facts, "log a value", true), ["r a"]);
        assert_eq!(told(&mut facts, "a ? b other", false), ["c b", "dead"]);
        assert_eq!(told(&mut facts, "b a", false), [""; 0]);
        assert_eq!(facts.len(), 5);
    }
}
