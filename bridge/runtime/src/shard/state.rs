//! What a shard knows of each of its feeds, and how it is read back.
//!
//! A record that cannot be read is not absent. Who wrote it knew a schema that this version and the
//! registry do not ([`Schemas::read_back`]), but its key says that the entity is there: it is known
//! without content. So its absence is told, and its next row is an update, whose `before` is null, since
//! nothing can be said of it. Of an event the end can be read whatever the schema, and tells a delete
//! apart, which is the last word about an entity where a bus keeps no tombstones.
//!
//! A log that another feed's rows tell needs keys only. What only the values of that other feed list,
//! because the log has let go of it, is told again with the next row of an entity without content: to be
//! told twice, under the same event id, is better than not at all.
//!
//! The codec is not told of such an entity ([`talon_sdk::RowCodec::remember`]): with no value it would
//! take it for a delete. It cannot plan its reads by what it was not shown, so a feed with a cursor reads
//! from the beginning once ([`crate::shard::checkpoint`]).

use talon_schemas::wire::Payload;
use talon_schemas::{Instants, Op, Parts, Source};
use talon_sdk::{Cursor, Kind};

use crate::bus::{BusFault, Recovered};
use crate::service::metrics::Tally;
use crate::service::registry::Schemas;
use crate::shard::change::chain_of;
use crate::shard::checkpoint::Checkpoint;
use crate::shard::diff::Differ;
use crate::shard::facts::PublishedFacts;
use crate::shard::publish::FeedFrame;

/// What is known of a feed's records.
pub(crate) enum Known {
    /// Entities, and the way from rows to their changes.
    Entities(Box<Differ>),
    /// Facts that another feed's rows tell.
    Facts(PublishedFacts),
}

impl Known {
    pub(crate) fn len(&self) -> usize {
        match self {
            Known::Entities(differ) => differ.index().len(),
            Known::Facts(facts) => facts.len(),
        }
    }
}

/// One feed of the shard.
pub(crate) struct FeedState {
    pub(crate) frame: FeedFrame,
    pub(crate) known: Known,
    /// Place of the log that its rows tell.
    pub(crate) told: Option<usize>,
    pub(crate) tally: Tally,
    pub(crate) cursor: Option<Cursor>,
    /// When the checkpoint was written last; none if there is none yet.
    pub(crate) checkpointed_ms: Option<i64>,
    pub(crate) cursor_moved: bool,
    /// Somebody waits until the cursor is committed.
    pub(crate) is_awaited: bool,
    /// Recovered records that are no events of this feed.
    pub(crate) strange: u64,
    /// Recovered events that cannot be read.
    pub(crate) unreadable: u64,
    /// When the recovered delete events were made.
    deleted_ms: Vec<i64>,
    /// Of what the last checkpoint was written; see [`crate::shard::checkpoint`].
    pub(crate) checkpointed_entities: Option<u64>,
    /// Where the topic ended by the last checkpoint.
    pub(crate) checkpointed_ends: Vec<u64>,
}

/// Why what a cursor stands on is not there any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loss {
    /// So many entities are missing.
    Entities(u64),
    /// The topic ends before where it ended.
    End,
}

impl FeedState {
    pub(crate) fn new(frame: FeedFrame, known: Known) -> FeedState {
        let tally = frame.metrics.tally();
        FeedState {
            frame,
            known,
            told: None,
            tally,
            cursor: None,
            checkpointed_ms: None,
            cursor_moved: false,
            is_awaited: false,
            strange: 0,
            unreadable: 0,
            deleted_ms: Vec::new(),
            checkpointed_entities: None,
            checkpointed_ends: Vec::new(),
        }
    }

    /// Takes in a record of the feed's topic; `told` is the log that the feed's rows tell.
    pub(crate) fn take_in(
        &mut self,
        mut told: Option<&mut FeedState>,
        record: &Recovered<'_>,
        schemas: &Schemas,
    ) -> Result<(), BusFault> {
        let FeedState { frame, known, strange, unreadable, deleted_ms, .. } = self;
        let differ = match known {
            Known::Entities(differ) => differ,
            Known::Facts(facts) => {
                facts.recover(record.key);
                return Ok(());
            }
        };
        let (contract, chain) = (frame.contract, chain_of(record.event_id));
        let Some(message) = record.value else {
            // Its id tells that of the delete event before it, which may not be there any more.
            differ.recover(record.key, None, chain);
            return Ok(());
        };
        let mut deleted = |differ: &mut Differ, ts_ms| {
            if differ.recover(record.key, None, chain) {
                deleted_ms.push(ts_ms);
            }
        };
        let mut take = |differ: &mut Differ, unit: Instants, parts: Parts<'_>| match parts.after {
            None => deleted(differ, parts.ts_ms),
            Some(value) => {
                if let Some(told) = &mut told
                    && let Known::Facts(facts) = &mut told.known
                {
                    facts.recover_told(value);
                }
                differ.recover_in(parts.scope, record.key, Some((value, unit)), chain);
            }
        };
        let payload = frame.wire.open(contract, message);
        if let Payload::Own(datum) = payload
            && let Ok(parts) = contract.cut(datum)
        {
            take(differ, contract.instants(), parts);
            return Ok(());
        }
        // In the configured unit of instants, or in the other one.
        for unit in [contract.instants(), contract.instants().other()] {
            let contract = contract.with_instants(unit);
            let payload = frame.wire.open(contract, message);
            if matches!(payload, Payload::Json(json) if Instants::in_json(json) != Some(unit)) {
                continue;
            }
            let is_ours = |datum: &[u8]| {
                let parts = contract.cut(datum);
                parts.is_ok_and(|parts| parts.name == frame.connector && *parts.feed == *frame.feed)
            };
            let read = schemas.read_back(contract.as_ref(), payload, is_ours)?;
            if let Some(parts) = read.as_deref().and_then(|datum| contract.cut(datum).ok()) {
                take(differ, unit, parts);
                return Ok(());
            }
        }
        // Talon writes an id with each event. Where there is none, the framing says that it may be one.
        let (is_event, end) = match payload {
            Payload::Json(json) => (record.event_id.is_some(), Op::in_json(json)),
            Payload::Foreign => (record.event_id.is_some(), None),
            Payload::Own(datum)
            | Payload::Registered(_, datum)
            | Payload::Fingerprinted(_, datum) => (true, Op::at_end_of(datum)),
        };
        match end {
            _ if !is_event => *strange += 1,
            Some((Op::Delete, ts_ms)) => deleted(differ, ts_ms),
            _ => {
                *unreadable += 1;
                let source = [frame.class, &frame.connector, &frame.feed];
                let scope = match payload {
                    Payload::Json(json) => Source::scope_in_json(json),
                    Payload::Foreign => None,
                    Payload::Own(datum)
                    | Payload::Registered(_, datum)
                    | Payload::Fingerprinted(_, datum) => Source::scope_in(datum, source),
                };
                differ.recover_key(scope.unwrap_or_default(), record.key, chain);
            }
        }
        Ok(())
    }

    /// How many entities stand on the topic, as far as is known, and can be read; none of a log that
    /// another feed's rows tell.
    pub(crate) fn published(&self) -> u64 {
        match &self.known {
            Known::Entities(differ) => {
                (differ.index().readable() as u64).saturating_sub(self.tally.unpublished)
            }
            Known::Facts(_) => 0,
        }
    }

    /// Takes in the feed's checkpoint.
    pub(crate) fn take_checkpoint(&mut self, checkpoint: Option<Checkpoint>) {
        self.checkpointed_ms = checkpoint.as_ref().map(|checkpoint| checkpoint.ts_ms);
        self.checkpointed_entities = checkpoint.as_ref().and_then(|checkpoint| checkpoint.entities);
        let (cursor, ends) = checkpoint.map(|c| (c.cursor, c.ends)).unwrap_or_default();
        (self.cursor, self.checkpointed_ends) = (cursor.map(Cursor), ends);
    }

    /// Whether the checkpoint says of the topic's ends less than what is known, where that matters.
    pub(crate) fn ends_have_moved(&self, ends: &[u64]) -> bool {
        self.frame.kind == Kind::Table && self.cursor.is_some() && self.checkpointed_ends != ends
    }

    /// When all is read back, and the topic ends so: drops the cursor if what it stands on is not there any
    /// more. Gives why; the rules are written in [`crate::shard::checkpoint`].
    pub(crate) fn check_memory(&mut self, ends: &[u64]) -> Option<Loss> {
        let deleted_ms = std::mem::take(&mut self.deleted_ms);
        let since = self.checkpointed_ms.unwrap_or_default();
        let before = deleted_ms.iter().filter(|ts_ms| **ts_ms < since).count() as u64;
        let recovered = self.published();
        let Known::Entities(differ) = &mut self.known else { return None };
        // A version that did not count may have written the checkpoint: then all must be readable.
        let expected = self.checkpointed_entities.unwrap_or(differ.index().len() as u64);
        let missing = expected.saturating_sub(recovered);
        let excused = differ.recovered_deletes() - before;
        let loss = match missing > excused {
            true => Loss::Entities(missing),
            false if has_gone_back(&self.checkpointed_ends, ends) => Loss::End,
            false => return None,
        };
        if self.frame.kind == Kind::Log || self.cursor.is_none() {
            return None;
        }
        differ.lose(since);
        self.cursor = None;
        Some(loss)
    }
}

/// Whether a part ends before where it did. Nothing is known of the ends where the bus says none.
fn has_gone_back(then: &[u64], now: &[u64]) -> bool {
    let at = |part| now.get(part).copied().unwrap_or_default();
    !now.is_empty() && then.iter().enumerate().any(|(part, end)| at(part) < *end)
}

/// A feed, and the log that its rows tell.
pub(crate) fn with_told(
    feeds: &mut [FeedState],
    place: usize,
) -> Option<(&mut FeedState, Option<&mut FeedState>)> {
    match feeds.get(place)?.told {
        None => Some((&mut feeds[place], None)),
        Some(told) => {
            let [feed, told] = feeds.get_disjoint_mut([place, told]).ok()?;
            Some((feed, Some(told)))
        }
    }
}

/// Notes with each feed the log that its rows tell.
pub(crate) fn pair(feeds: &mut [FeedState]) {
    for log in 0..feeds.len() {
        let Known::Facts(facts) = &feeds[log].known else { continue };
        let teller = facts.told_by();
        if let Some(table) = feeds.iter_mut().find(|feed| *feed.frame.feed == *teller) {
            table.told = Some(log);
        }
    }
}
