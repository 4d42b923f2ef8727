//! From changes to records: envelope, wire format, headers, tombstones, dead letters.

use std::borrow::Cow;
use std::sync::Arc;

use talon_schemas::wire::Wire;
use talon_schemas::{Contract, Envelope, Op, Source};
use talon_sdk::{Kind, RowFault};

use crate::bus::dead_letter::{CUT_VALUE, ENTITY, FEED, Origin, SCOPE, VALUE_BYTES, cut_key};
use crate::bus::{Append, BusFault, ShardLog};
use crate::service::metrics::{FeedMetrics, Stage, Tally};
use crate::service::options::Oversize;
use crate::shard::change::{Change, Changes, Past};
use crate::shard::facts::PublishedFacts;
use crate::shard::transaction::Transaction;

const DEFECT: &str = "a defect of Talon: the event does not fit the schema of its feed";

const TOO_LARGE: &str = "the event is larger than the bus takes (Kafka: `max.message.bytes` of the topic, NATS: `max_payload` of the server)";

/// What a record of a feed holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Content {
    /// The event.
    Whole,
    /// The event without the before image that it should have, and why, as in the header
    /// `talon-before-missing`.
    WithoutBefore(&'static str),
    /// Nothing.
    Tombstone,
}

/// What is the same in all records of a feed.
pub(crate) struct FeedFrame {
    /// Class of the connector.
    pub class: &'static str,
    /// Name of the connector.
    pub connector: String,
    /// Name of the feed.
    pub feed: Arc<str>,
    /// Table or log.
    pub kind: Kind,
    /// Full name of the feed's topic.
    pub topic: String,
    /// Its schema.
    pub contract: &'static Contract,
    /// How values are written.
    pub wire: Wire,
    /// Place of the feed's topic in the shard.
    pub changes: usize,
    /// Place of the dead-letter topic in the shard.
    pub dead_letters: usize,
    /// Largest entity that is published, encoded.
    pub entity_bytes: usize,
    /// Whether updates and deletes carry the value before.
    pub before_images: bool,
    /// What becomes of an event that is too large with its before image.
    pub oversize: Oversize,
    /// Counters.
    pub metrics: FeedMetrics,
}

/// Publishes the changes of one observation. `buffer` is reused from record to record.
pub(crate) struct Publisher<'a> {
    /// Where records go.
    pub log: &'a mut dyn ShardLog,
    /// What is the same in all of them.
    pub frame: &'a FeedFrame,
    /// Scope of the observation.
    pub scope: &'a str,
    /// Whether it belongs to the first read.
    pub snapshot: bool,
    /// When the upstream was asked, milliseconds.
    pub as_of_ms: i64,
    /// Now, milliseconds.
    pub now_ms: i64,
    /// Where a record is put together.
    pub buffer: &'a mut Vec<u8>,
    /// What is appended and not yet committed.
    pub transaction: &'a mut Transaction,
    /// Where events are counted.
    pub tally: &'a mut Tally,
    /// The log that the rows tell, if they do.
    pub told: Option<Told<'a>>,
}

/// A log that the rows of another feed tell.
pub(crate) struct Told<'a> {
    /// Which of its facts were published.
    pub facts: &'a mut PublishedFacts,
    /// What is the same in all its records.
    pub frame: &'a FeedFrame,
    /// Where its events are counted.
    pub tally: &'a mut Tally,
}

impl Publisher<'_> {
    /// Puts the event together. `false` if it is none that the feed's format can write.
    fn encode(&mut self, change: &Change<'_>, before: Option<&[u8]>) -> bool {
        let frame = self.frame;
        self.buffer.clear();
        frame.wire.put_prefix(frame.contract, self.buffer);
        Envelope {
            before,
            after: change.after,
            source: Source {
                version: env!("CARGO_PKG_VERSION"),
                connector: frame.class,
                name: &frame.connector,
                feed: &frame.feed,
                scope: self.scope,
                ts_ms: change.ts_ms.unwrap_or(self.as_of_ms),
                snapshot: self.snapshot && change.op == Op::Read,
                absent: change.absent,
                instants: frame.contract.instants(),
            },
            op: change.op,
            ts_ms: self.now_ms,
        }
        .encode(self.buffer);
        frame.wire.finish(frame.contract, self.buffer).is_ok()
    }

    /// Appends the event that was put together, or a tombstone.
    fn append(&mut self, key: &str, content: Content, id: &[u8]) -> Result<(), BusFault> {
        let (missing, count) = match content {
            Content::WithoutBefore(reason) => (reason, 3),
            Content::Whole | Content::Tombstone => ("", 2),
        };
        let headers: [(&str, &[u8]); 3] = [
            ("talon-schema", self.frame.contract.full_name().as_bytes()),
            ("talon-event-id", id),
            ("talon-before-missing", missing.as_bytes()),
        ];
        let append = Append {
            topic: self.frame.changes,
            key,
            value: (content != Content::Tombstone).then_some(self.buffer.as_slice()),
            headers: &headers[..count],
        };
        self.transaction.append(self.log, &append)
    }

    /// Appends the event of a change, or puts it aside where it is too large, so that it blocks nothing
    /// behind it. Says whether it was appended.
    fn event(&mut self, change: &Change<'_>, id: &[u8]) -> Result<bool, BusFault> {
        let limit = self.frame.entity_bytes;
        if let Some(size) = change.after.map(<[u8]>::len).filter(|size| *size > limit) {
            let reason =
                format!("the entity takes {size} bytes, more than `entity.max.bytes` ({limit})");
            return self.put_event_aside(change, None, &reason);
        }
        if !self.encode(change, change.before) {
            return self.put_event_aside(change, None, DEFECT);
        }
        let whole = self.buffer.len();
        let has_before = change.before.is_some() || matches!(change.op, Op::Read | Op::Create);
        let content = match self.frame.before_images && !has_before {
            true => Content::WithoutBefore("unreadable"),
            false => Content::Whole,
        };
        match self.append(change.key, content, id) {
            Err(BusFault::TooLarge(_)) => {}
            other => return other.map(|()| true),
        }
        if change.before.is_none() {
            return self.put_event_aside(change, Some(whole), TOO_LARGE);
        }
        self.tally.oversize(self.frame.oversize);
        if self.frame.oversize == Oversize::DropBefore {
            if !self.encode(change, None) {
                return self.put_event_aside(change, None, DEFECT);
            }
            match self.append(change.key, Content::WithoutBefore("too-large"), id) {
                Err(BusFault::TooLarge(_)) => {}
                other => return other.map(|()| true),
            }
        }
        self.put_event_aside(change, Some(whole), TOO_LARGE)
    }

    /// Puts an event aside without its before image, which stands on the topic. `whole` is the size of its
    /// value, where that was too much for the bus.
    fn put_event_aside(
        &mut self,
        change: &Change<'_>,
        whole: Option<usize>,
        reason: &str,
    ) -> Result<bool, BusFault> {
        let reason = match whole {
            Some(bytes) => Cow::Owned(format!("{reason}; its value has {bytes} bytes")),
            None => Cow::Borrowed(reason),
        };
        let value = self.encode(change, None).then(|| std::mem::take(self.buffer));
        let put =
            self.put_aside(Stage::Publish, change.key, value.as_deref(), &reason, Past::Unknown);
        *self.buffer = value.unwrap_or_default();
        put.map(|()| false)
    }

    fn put_aside(
        &mut self,
        stage: Stage,
        key: &str,
        value: Option<&[u8]>,
        reason: &str,
        past: Past,
    ) -> Result<(), BusFault> {
        self.tally.dead_letter(stage);
        let frame = self.frame;
        let origin = Origin {
            topic: &frame.topic,
            connector: &frame.connector,
            stage: stage.word(),
            fault: "talon.RowFault",
            message: reason,
        };
        let own: [(&str, &[u8]); 4] = [
            ("__connect.errors.class.name", frame.class.as_bytes()),
            (FEED, frame.feed.as_bytes()),
            (SCOPE, self.scope.as_bytes()),
            ("talon-schema", frame.contract.full_name().as_bytes()),
        ];
        let mut headers: Vec<(&str, &[u8])> = origin.headers().into_iter().chain(own).collect();
        let past = past.text();
        if !past.is_empty() {
            headers.push((ENTITY, past.as_bytes()));
        }
        let (topic, value) = (frame.dead_letters, value.unwrap_or_default());
        let whole = Append { topic, key, value: Some(value), headers: &headers };
        match self.transaction.append(self.log, &whole) {
            // Even the row alone is too large: its context is kept, and says so.
            Err(BusFault::TooLarge(_)) => {
                let size = value.len().to_string();
                headers.push((VALUE_BYTES, size.as_bytes()));
                let value = &value[..value.len().min(CUT_VALUE)];
                let cut =
                    Append { topic, key: cut_key(key), value: Some(value), headers: &headers };
                self.transaction.append(self.log, &cut)
            }
            other => other,
        }
    }
}

impl Changes for Publisher<'_> {
    type Error = BusFault;

    /// Facts first: a bus that publishes one after another must not have the entity without them.
    fn facts(
        &mut self,
        row: &[u8],
        told: &talon_sdk::Facts,
        before: Option<&[u8]>,
    ) -> Result<(), BusFault> {
        let Some(Told { facts, frame, tally }) = &mut self.told else { return Ok(()) };
        let mut publisher = Publisher {
            log: &mut *self.log,
            frame,
            scope: self.scope,
            snapshot: self.snapshot,
            as_of_ms: self.as_of_ms,
            now_ms: self.now_ms,
            buffer: &mut *self.buffer,
            transaction: &mut *self.transaction,
            tally,
            told: None,
        };
        facts.tell(row, told, before, self.snapshot, &mut publisher)
    }

    fn change(&mut self, change: &Change<'_>) -> Result<(), BusFault> {
        if self.event(change, &change.id.text())? {
            let upstream_ms = change.ts_ms.unwrap_or(self.as_of_ms);
            self.tally.change(change.op, self.now_ms - upstream_ms);
        } else if matches!(change.op, Op::Read | Op::Create) {
            self.tally.unpublished += 1;
        }
        // Also where the event was put aside: what is gone does not stand on a table's topic.
        if change.op == Op::Delete && self.frame.kind == Kind::Table {
            self.append(change.key, Content::Tombstone, &change.id.of_tombstone().text())?;
        }
        Ok(())
    }

    fn dead_row(
        &mut self,
        key: &str,
        row: &[u8],
        fault: &RowFault,
        past: Past,
    ) -> Result<(), BusFault> {
        self.put_aside(Stage::Decode, key, Some(row), &fault.0, past)
    }

    fn dead_letter(&mut self, key: &str, row: &[u8], fault: &RowFault) -> Result<(), BusFault> {
        self.dead_row(key, row, fault, Past::Unknown)
    }
}

#[cfg(test)]
mod too_large;
