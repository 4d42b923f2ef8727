//! From what was seen to what changed.
//!
//! A row goes through two gates: the hash of its bytes is the one seen last; the fingerprint of its
//! normalised content is the one published last. What passes both is a change.

use std::collections::HashSet;
use std::sync::Arc;

use talon_schemas::{Contract, Op};
use talon_sdk::{Facts, Observation, Row, RowCodec, RowFault};
use xxhash_rust::xxh3::{Xxh3, xxh3_64, xxh3_128_with_seed};

use crate::shard::guard::{Absence, Guard, Withheld};
use crate::shard::index::{Entry, Index, Keys, Seen, SlotId};
use crate::shard::list::{List, Lists};

/// Version of the fingerprint. Raise it when normalisation changes in a way that should not make
/// events: recovery computes fingerprints from the recovered values, so nothing floods.
const FINGERPRINT_VERSION: u64 = 1;

/// Rows that were dead-lettered are remembered by hash, so that a list that is read every few seconds
/// does not repeat them. Past this many they are forgotten, and may be repeated once.
const REMEMBERED_DEAD: usize = 10_000;

/// Identifies an event; the same again if it is made again from the same past.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventId(pub u128);

impl EventId {
    /// What the next event about the same entity is derived from.
    pub fn chain(self) -> u64 {
        self.0 as u64
    }
}

/// A difference between what was seen and what was published.
#[derive(Debug)]
pub struct Change<'a> {
    /// The entity.
    pub key: &'a str,
    /// What was published last, where values are kept.
    pub before: Option<&'a [u8]>,
    /// What it is now.
    pub after: Option<&'a [u8]>,
    /// What happened.
    pub op: Op,
    /// Upstream time, where the row tells it.
    pub ts_ms: Option<i64>,
    /// Whether it is a delete that was inferred from absence.
    pub absent: bool,
    /// Its id.
    pub id: EventId,
}

/// Where changes go. An error ends the observation, and with it the whole transaction.
pub trait Changes {
    /// Why it cannot go on.
    type Error;

    /// Told of the facts of a row before the change that it makes of its entity.
    fn facts(&mut self, _row: &[u8], _facts: &Facts) -> Result<(), Self::Error> {
        Ok(())
    }

    /// Publishes a change.
    fn change(&mut self, change: &Change<'_>) -> Result<(), Self::Error>;

    /// Puts a row that cannot be processed aside.
    fn dead_letter(&mut self, key: &str, row: &[u8], fault: &RowFault) -> Result<(), Self::Error>;
}

/// What an observation came to.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// Changes published.
    pub changes: usize,
    /// Rows put aside.
    pub dead: usize,
    /// Entities whose absence was not believed, and why.
    pub withheld: Option<(usize, Withheld)>,
}

/// Compares the observations of one feed with what it published.
pub struct Differ {
    topic: String,
    index: Index,
    contract: &'static Contract,
    codec: Arc<dyn RowCodec>,
    guard: Guard,
    // Ids of deletes, folded: an entity that comes back after its delete gets a new id.
    deleted: u64,
    // Those that recovery has folded already: a delete can be read twice, as event and as tombstone.
    folded: HashSet<u64>,
    // How many deletes recovery has read, each once.
    recovered_deletes: u64,
    dead: HashSet<u64>,
    lists: Lists,
    row: Row,
    key: String,
}

impl Differ {
    /// With nothing published yet.
    pub fn new(
        topic: String,
        contract: &'static Contract,
        codec: Arc<dyn RowCodec>,
        guard: Guard,
        before_images: bool,
    ) -> Differ {
        let keys = if codec.tells_absence() { Keys::Whole } else { Keys::Hashed };
        Differ {
            topic,
            index: Index::new(before_images, keys),
            contract,
            codec,
            guard,
            deleted: 0,
            folded: HashSet::new(),
            recovered_deletes: 0,
            dead: HashSet::new(),
            lists: Lists::default(),
            row: Row::default(),
            key: String::new(),
        }
    }

    /// What was published.
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// Takes in a record of the feed's topic, oldest first: the entity's datum, or none for a delete.
    /// Says whether it is a delete that was not read yet.
    pub fn recover(&mut self, key: &str, after: Option<&[u8]>, chain: u64) -> bool {
        let known = self.index.find(key);
        let Some(value) = after else {
            let is_new = chain != 0 && self.folded.insert(chain);
            if is_new {
                self.deleted ^= chain;
                self.recovered_deletes += 1;
            }
            if let Some(id) = known {
                self.index.remove(id);
            }
            self.codec.remember(key, None);
            return is_new;
        };
        let Ok(stable) = self.contract.stable_len(value) else {
            self.recover_key(key, chain);
            return false;
        };
        self.codec.remember(key, Some(value));
        let entry = Entry { fingerprint: fingerprint(&value[..stable]), raw: 0, chain };
        self.know(known, key, entry, value);
        false
    }

    /// Takes in a record of the feed's topic that cannot be read: the entity is there, and its next row
    /// is an update.
    pub fn recover_key(&mut self, key: &str, chain: u64) {
        self.know(self.index.find(key), key, Entry::without_content(chain), &[]);
    }

    /// What was published is gone, as of the checkpoint of this time: an entity that is published again
    /// gets a new id, as one does that comes back after its delete. A bus that remembers ids for longer
    /// than records, as NATS does after a purge, would take it for the same event and not store it.
    pub fn lose(&mut self, checkpointed_ms: i64) {
        self.deleted ^= xxh3_64(&checkpointed_ms.to_le_bytes());
    }

    /// How many deletes recovery has read.
    pub fn recovered_deletes(&self) -> u64 {
        self.recovered_deletes
    }

    fn know(&mut self, known: Option<SlotId>, key: &str, entry: Entry, value: &[u8]) {
        match known {
            Some(id) => self.index.replace(id, entry, value),
            None => {
                self.index.insert(key, entry, value);
            }
        }
    }

    /// Compares an observation with what was published, and publishes the difference.
    ///
    /// After an error the index no longer tells what was published, and must be recovered.
    pub fn observe<C: Changes>(
        &mut self,
        observation: &Observation,
        after_fault: bool,
        out: &mut C,
    ) -> Result<Summary, C::Error> {
        self.folded = HashSet::new();
        let mut summary = Summary::default();
        let list = self.lists.take(observation, after_fault, &self.index);
        let mut list = list.filter(|_| self.codec.tells_absence());

        for row in observation.rows.iter() {
            let raw = xxh3_64(row).max(1);
            self.key.clear();
            let peeked = self.codec.peek_key(row, &observation.scope, &mut self.key);
            let mut slot = if peeked { self.index.find(&self.key) } else { None };
            if let Some(id) = slot
                && self.index.entry(id).raw == raw
            {
                if let Some(list) = &mut list {
                    list.seen.mark(id);
                }
                continue;
            }

            self.row.clear();
            let mut decoded = self.codec.decode(row, &observation.scope, &mut self.row);
            if decoded.is_ok() && !peeked {
                slot = self.index.find(&self.row.key);
            }
            let again = match (&mut list, slot) {
                (Some(list), Some(id)) => list.seen.mark(id),
                _ => false,
            };
            if decoded.is_ok() && again {
                decoded = Err(RowFault("a second row with the same key in one list".to_owned()));
            }
            if let Err(fault) = decoded {
                if let Some(list) = &mut list {
                    list.unreadable |= slot.is_none() && !peeked;
                }
                if self.remember_dead(raw) {
                    summary.dead += 1;
                    out.dead_letter(&self.key, row, &fault)?;
                }
                continue;
            }

            if let Some(id) =
                self.publish(slot, row, raw, observation.snapshot, &mut summary, out)?
                && let Some(list) = &mut list
            {
                list.seen.mark(id);
                list.new += 1;
            }
        }

        let whole = list.and_then(|list| self.lists.put(observation, list));
        let Some(List { seen, rows, new, unreadable, after_fault, .. }) = whole else {
            return Ok(summary);
        };
        let (covered, absent) = self.absent(&observation.scope, &seen);
        // What the list itself made known is no evidence for it.
        let known = covered - new.min(covered);
        let absence = Absence { known, absent: absent.len(), rows, unreadable, after_fault };
        match self.guard.check(absence) {
            Ok(()) => {
                for id in absent {
                    self.delete(id, out)?;
                    summary.changes += 1;
                }
            }
            Err(withheld) => summary.withheld = Some((absent.len(), withheld)),
        }
        Ok(summary)
    }

    /// How many entities a scope has, and which of them were not seen.
    fn absent(&self, scope: &str, seen: &Seen) -> (usize, Vec<SlotId>) {
        let covers = |id: &SlotId| {
            scope.is_empty() || self.codec.covers(scope, self.index.key(*id), self.index.value(*id))
        };
        let covered = self.index.ids().filter(covers);
        let mut known = 0;
        let absent = covered.inspect(|_| known += 1).filter(|id| !seen.contains(*id)).collect();
        (known, absent)
    }

    /// Publishes the decoded row if its content is new; gives the slot of an entity that is.
    fn publish<C: Changes>(
        &mut self,
        slot: Option<SlotId>,
        row: &[u8],
        raw: u64,
        snapshot: bool,
        summary: &mut Summary,
        out: &mut C,
    ) -> Result<Option<SlotId>, C::Error> {
        let value = self.row.value.as_slice();
        // A codec encodes with its contract, so its bytes fit the contract's plan; content that did
        // not would only be compared whole.
        let stable = self.contract.stable_len(value).unwrap_or(value.len());
        let fingerprint = fingerprint(&value[..stable]);
        let entry = slot.map(|id| self.index.entry(id));
        if let (Some(id), Some(entry)) = (slot, entry)
            && entry.fingerprint == fingerprint
        {
            self.index.set_raw(id, raw);
            return Ok(None);
        }
        let op = match slot {
            Some(_) => Op::Update,
            None if snapshot => Op::Read,
            None => Op::Create,
        };
        out.facts(row, &self.row.facts)?;
        let past = entry.map_or(self.deleted, |entry| entry.chain);
        let id = event_id(&self.topic, &self.row.key, past, op, fingerprint);
        out.change(&Change {
            key: &self.row.key,
            before: slot.and_then(|id| self.index.value(id)),
            after: Some(value),
            op,
            ts_ms: self.row.ts_ms,
            absent: false,
            id,
        })?;
        summary.changes += 1;
        self.codec.remember(&self.row.key, Some(value));
        let entry = Entry { fingerprint, raw, chain: id.chain() };
        Ok(match slot {
            Some(id) => {
                self.index.replace(id, entry, value);
                None
            }
            None => Some(self.index.insert(&self.row.key, entry, value)),
        })
    }

    fn delete<C: Changes>(&mut self, slot: SlotId, out: &mut C) -> Result<(), C::Error> {
        let key = self.index.key(slot);
        let id = event_id(&self.topic, key, self.index.entry(slot).chain, Op::Delete, [0, 0]);
        out.change(&Change {
            key,
            before: self.index.value(slot),
            after: None,
            op: Op::Delete,
            ts_ms: None,
            absent: true,
            id,
        })?;
        self.codec.remember(key, None);
        self.deleted ^= id.chain();
        self.index.remove(slot);
        Ok(())
    }

    /// Whether the row is not among those remembered.
    fn remember_dead(&mut self, raw: u64) -> bool {
        if self.dead.len() >= REMEMBERED_DEAD && !self.dead.contains(&raw) {
            self.dead.clear();
        }
        self.dead.insert(raw)
    }
}

/// 128 bits of a content's encoded bytes.
pub fn fingerprint(content: &[u8]) -> [u64; 2] {
    let hash = xxh3_128_with_seed(content, FINGERPRINT_VERSION);
    [(hash >> 64) as u64, hash as u64]
}

pub(crate) fn event_id(
    topic: &str,
    key: &str,
    past: u64,
    op: Op,
    fingerprint: [u64; 2],
) -> EventId {
    let mut hash = Xxh3::new();
    for part in
        [topic.as_bytes(), b"/", key.as_bytes(), &past.to_le_bytes(), op.letter().as_bytes()]
    {
        hash.update(part);
    }
    hash.update(&fingerprint[0].to_le_bytes());
    hash.update(&fingerprint[1].to_le_bytes());
    EventId(hash.digest128())
}
