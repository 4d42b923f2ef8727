//! From what was seen to what changed.
//!
//! A row goes through two gates: the hash of its bytes is the one seen last; the fingerprint of its
//! normalised content is the one published last. What passes both is a change.

mod redrive;
mod remembered;

use std::borrow::Cow;
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use talon_schemas::{Contract, Instants, Malformed, Op};
use talon_sdk::spelling::respelled;
use talon_sdk::split::is_one_row;
use talon_sdk::{Observation, Row, RowCodec, RowFault};
use xxhash_rust::xxh3::xxh3_64;

pub use crate::shard::change::{Change, Changes, EventId, Past, Redriven, fingerprint};
use crate::shard::change::{MISFIT, event_id};
use crate::shard::guard::{Absence, Guard, Withheld};
use crate::shard::index::{Entry, Index, Keys, SlotId, SlotSet};
use crate::shard::list::{List, Lists};
use crate::shard::scopes::{ScopeId, Scopes};
use remembered::Remembered;

/// Why a row is put aside whose codec panicked. What it panicked with may quote the row.
const PANICKED: &str = "a defect of Talon: reading the row panicked; where, says the process's log";

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
    // Whether fingerprints of contents in milliseconds may be in the index of one in microseconds.
    has_coarse: bool,
    // So that a list that is read every few seconds does not repeat them; forgotten, they may be repeated once.
    dead: Remembered,
    // Rows at which the codec panicked: it is not asked again.
    panicked: Remembered,
    lists: Lists,
    // A whole list of all there is was compared.
    has_listed: bool,
    scopes: Scopes,
    recent: Option<Recent>,
    row: Row,
    key: String,
}

/// Which entities of a log are recent.
///
/// A log's topic lets go of a fact after its retention, so what this process knows of it is forgotten
/// then too: after a restart it would not be known either. Once in a retention everything is forgotten
/// that was neither published nor seen in a row since the time before, so that a fact is known for one to
/// two retentions after it was seen last. What was read back and is not seen again goes with the first
/// time.
#[derive(Debug)]
struct Recent {
    retention_ms: i64,
    /// When was forgotten last; the start before that.
    since_ms: Option<i64>,
    seen: SlotSet,
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
            has_coarse: false,
            dead: Remembered::default(),
            panicked: Remembered::default(),
            lists: Lists::default(),
            has_listed: false,
            scopes: Scopes::default(),
            recent: None,
            row: Row::default(),
            key: String::new(),
        }
    }

    /// The feed is a log whose topic keeps facts for so long: see [`Differ::forget_old`].
    pub fn with_retention(mut self, retention_ms: u64) -> Differ {
        let retention_ms = i64::try_from(retention_ms).unwrap_or(i64::MAX);
        self.recent = Some(Recent { retention_ms, since_ms: None, seen: SlotSet::default() });
        self
    }

    /// What was published.
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// Takes in a record of the feed's topic that is of no scope, in the unit of the contract; see
    /// [`Differ::recover_in`].
    pub fn recover(&mut self, key: &str, after: Option<&[u8]>, chain: u64) -> bool {
        let unit = self.contract.instants();
        self.recover_in("", key, after.map(|value| (value, unit)), chain)
    }

    /// Takes in a record of the feed's topic, oldest first: the entity's datum and the unit of its
    /// instants, or none for a delete, and the scope of the observation that brought it, empty where it is
    /// not known. Says whether it is a delete that was not read yet.
    pub fn recover_in(
        &mut self,
        scope: &str,
        key: &str,
        after: Option<(&[u8], Instants)>,
        chain: u64,
    ) -> bool {
        let known = self.index.find(key);
        let Some((written, unit)) = after else {
            let is_new = chain != 0 && self.folded.insert(chain);
            if is_new {
                self.deleted ^= chain;
                self.recovered_deletes += 1;
            }
            if let Some(id) = known {
                self.scopes.leave(id);
                self.index.remove(id);
            }
            self.remember(key, None);
            return is_new;
        };
        let Ok((value, fingerprint)) = self.readable(written, unit) else {
            self.recover_key(scope, key, chain);
            return false;
        };
        self.remember(key, Some(&value));
        let entry = Entry { fingerprint, raw: 0, chain };
        self.know(known, scope, key, entry, &value);
        false
    }

    /// A value in the unit of the contract, and its fingerprint: what was written in milliseconds has that
    /// of its milliseconds, for no more is known of it.
    fn readable<'a>(
        &mut self,
        written: &'a [u8],
        unit: Instants,
    ) -> Result<(Cow<'a, [u8]>, [u64; 2]), Malformed> {
        let contract = self.contract;
        let content = contract.content(written)?;
        let written = fingerprint(content.stable());
        if unit == contract.instants() {
            return Ok((content.into_datum(), written));
        }
        let value = contract.converted(content.datum())?;
        let fingerprint = match unit {
            Instants::Micros => fingerprint(&value[..contract.stable_len(&value)?]),
            Instants::Millis => {
                self.has_coarse = true;
                written
            }
        };
        Ok((Cow::Owned(value), fingerprint))
    }

    /// Whether a value is what was published in milliseconds under this fingerprint.
    fn is_coarse(&self, published: [u64; 2], value: &[u8]) -> bool {
        self.has_coarse && {
            let millis = self.contract.with_instants(Instants::Millis);
            let content = |value: Vec<u8>| Ok(fingerprint(&value[..millis.stable_len(&value)?]));
            millis.converted(value).and_then(content).is_ok_and(|of| of == published)
        }
    }

    /// Takes in a record of the feed's topic that cannot be read: the entity is there, and its next row
    /// is an update.
    pub fn recover_key(&mut self, scope: &str, key: &str, chain: u64) {
        self.know(self.index.find(key), scope, key, Entry::without_content(chain), &[]);
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

    fn know(&mut self, known: Option<SlotId>, scope: &str, key: &str, entry: Entry, value: &[u8]) {
        let id = match known {
            Some(id) => {
                self.index.replace(id, entry, value);
                id
            }
            None => self.index.insert(key, entry, value),
        };
        if self.codec.tells_absence() {
            self.scopes.recover(id, scope);
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
        let tells_absence = self.codec.tells_absence();
        let scope = self.scopes.open(if tells_absence { &observation.scope } else { "" });
        let list = if tells_absence { self.lists.take(observation, after_fault) } else { None };
        let mut comparison = Comparison { scope, list };

        for row in observation.rows.iter() {
            let raw = xxh3_64(row).max(1);
            let peeked = self.peek_key(row, &observation.scope);
            let mut slot = if peeked { self.index.find(&self.key) } else { None };
            if let Some(id) = slot
                && self.index.entry(id).raw == raw
            {
                self.see(&mut comparison, id);
                continue;
            }

            let mut decoded = self.decode(row, &observation.scope);
            if decoded.is_ok() && !peeked {
                slot = self.index.find(&self.row.key);
            }
            let again = slot.is_some_and(|id| self.see(&mut comparison, id));
            if decoded.is_ok() && again {
                decoded = Err(RowFault("a second row with the same key in one list".to_owned()));
            }
            if let Err(fault) = decoded {
                if let Some(list) = &mut comparison.list {
                    list.unreadable |= slot.is_none() && !peeked || !is_one_row(row);
                }
                if self.dead.insert(spelled(row)) {
                    summary.dead += 1;
                    let past = self.past(slot, peeked);
                    out.dead_row(&self.key, row, &fault, past)?;
                }
                continue;
            }

            if let Some(id) =
                self.publish(slot, row, raw, observation.snapshot, &mut summary, out)?
            {
                self.see(&mut comparison, id);
                if let (Some(list), None) = (&mut comparison.list, scope) {
                    list.new += 1;
                }
            }
        }

        let whole = comparison.list.and_then(|list| self.lists.put(observation, list));
        if let Some(list) = whole {
            self.has_listed |= scope.is_none();
            self.tell_absent(scope, list, &mut summary, out)?;
        }
        self.scopes.close();
        Ok(summary)
    }

    /// What is known of the entity of a row that is put aside.
    fn past(&self, slot: Option<SlotId>, peeked: bool) -> Past {
        match slot {
            Some(id) => Past::Event(self.index.entry(id).chain),
            None if peeked => Past::Absent,
            None => Past::Unknown,
        }
    }

    /// An entity is seen. Says whether it was seen before in the same list.
    fn see(&mut self, comparison: &mut Comparison, id: SlotId) -> bool {
        if let Some(recent) = &mut self.recent {
            recent.seen.insert(id);
        }
        let enters = comparison.scope.is_some_and(|scope| self.scopes.enter(id, scope));
        let Some(list) = &mut comparison.list else { return false };
        list.new += usize::from(enters);
        list.seen.insert(id)
    }

    /// Deletes what a whole list did not contain, if that is plausible.
    fn tell_absent<C: Changes>(
        &mut self,
        scope: Option<ScopeId>,
        list: List,
        summary: &mut Summary,
        out: &mut C,
    ) -> Result<(), C::Error> {
        let List { seen, rows, new, unreadable, after_fault, .. } = list;
        let mut covered = 0;
        let mut absent = Vec::new();
        let mut look = |id: SlotId| {
            covered += 1;
            if !seen.contains(id) {
                absent.push(id);
            }
        };
        match scope {
            Some(scope) => self.scopes.members(scope).for_each(&mut look),
            None => self.index.ids().for_each(&mut look),
        }
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
        Ok(())
    }

    /// Forgets the facts of a log that its topic has let go of. To be called now and then, between
    /// observations; it looks at all of them once in a retention, and does nothing for a table.
    pub fn forget_old(&mut self, now_ms: i64) {
        let Some(Recent { retention_ms, since_ms, seen }) = &mut self.recent else { return };
        let since = *since_ms.get_or_insert(now_ms);
        if now_ms.saturating_sub(since) < *retention_ms {
            return;
        }
        *since_ms = Some(now_ms);
        let seen = std::mem::take(seen);
        let old: Vec<SlotId> = self.index.ids().filter(|id| !seen.contains(*id)).collect();
        for id in old {
            self.scopes.leave(id);
            self.index.remove(id);
        }
    }

    /// The key of a row, if it can be told without decoding it.
    fn peek_key(&mut self, row: &[u8], scope: &str) -> bool {
        let Differ { codec, key, .. } = self;
        key.clear();
        let peeked = catch_unwind(AssertUnwindSafe(|| codec.peek_key(row, scope, key)));
        peeked.unwrap_or_else(|_| {
            key.clear();
            false
        })
    }

    fn decode(&mut self, row: &[u8], scope: &str) -> Result<(), RowFault> {
        if !self.panicked.is_empty() && self.panicked.contains(spelled(row)) {
            return Err(RowFault(PANICKED.to_owned()));
        }
        let Differ { codec, row: out, .. } = self;
        out.clear();
        let decoded = catch_unwind(AssertUnwindSafe(|| codec.decode(row, scope, out)));
        let decoded = decoded.unwrap_or_else(|_| {
            // It may be half written.
            self.row = Row::default();
            self.panicked.insert(spelled(row));
            Err(RowFault(PANICKED.to_owned()))
        });
        decoded.and_then(|()| {
            let adopted = self.contract.adopt(&mut self.row.value);
            adopted.map_err(|_| RowFault(MISFIT.to_owned()))
        })
    }

    /// Shows the codec a value. If it panics, it knows less than it could: what was published is right
    /// all the same, and to read it back again would end in the same panic.
    fn remember(&self, key: &str, value: Option<&[u8]>) {
        catch_unwind(AssertUnwindSafe(|| self.codec.remember(key, value))).ok();
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
        // A codec encodes with its contract, so its bytes fit the contract's plan, and their JSON texts
        // are canonical; content that did not fit would only be compared whole.
        let stable = self.contract.stable_len(value).unwrap_or(value.len());
        let fingerprint = fingerprint(&value[..stable]);
        let entry = slot.map(|id| self.index.entry(id));
        if let (Some(id), Some(entry)) = (slot, entry)
            && (entry.fingerprint == fingerprint || self.is_coarse(entry.fingerprint, value))
        {
            self.index.set_raw(id, raw);
            return Ok(None);
        }
        let op = match slot {
            Some(_) => Op::Update,
            None if snapshot => Op::Read,
            None => Op::Create,
        };
        let before = slot.and_then(|id| self.index.value(id));
        out.facts(row, &self.row.facts, before)?;
        let past = entry.map_or(self.deleted, |entry| entry.chain);
        let id = event_id(&self.topic, &self.row.key, past, op, fingerprint);
        out.change(&Change {
            key: &self.row.key,
            before,
            after: Some(value),
            op,
            ts_ms: self.row.ts_ms,
            absent: false,
            id,
        })?;
        summary.changes += 1;
        self.remember(&self.row.key, Some(value));
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
        let key = &*self.index.key(slot);
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
        self.remember(key, None);
        self.deleted ^= id.chain();
        self.scopes.leave(slot);
        self.index.remove(slot);
        Ok(())
    }
}

/// What an observation is compared with.
struct Comparison {
    scope: Option<ScopeId>,
    list: Option<List>,
}

/// The hash of a row, the same however it is spelled.
fn spelled(row: &[u8]) -> u64 {
    xxh3_64(&respelled(row))
}
