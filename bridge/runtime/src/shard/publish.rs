//! From changes to records: envelope, wire format, headers, tombstones, dead letters.

use talon_schemas::wire::Wire;
use talon_schemas::{Contract, Envelope, Op, Source};
use talon_sdk::{Kind, RowFault};

use crate::bus::{Append, BusFault, ShardLog};
use crate::service::metrics::{FeedMetrics, Stage, Tally};
use crate::shard::change::{Change, Changes};
use crate::shard::facts::PublishedFacts;
use crate::shard::transaction::Transaction;

/// What is the same in all records of a feed.
pub(crate) struct FeedFrame {
    /// Class of the connector.
    pub class: &'static str,
    /// Name of the connector.
    pub connector: String,
    /// Name of the feed.
    pub feed: &'static str,
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
                feed: frame.feed,
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
    fn append(&mut self, key: &str, tombstone: bool, id: &[u8]) -> Result<(), BusFault> {
        let append = Append {
            topic: self.frame.changes,
            key,
            value: (!tombstone).then_some(self.buffer.as_slice()),
            headers: &[
                ("talon-schema", self.frame.contract.full_name().as_bytes()),
                ("talon-event-id", id),
            ],
        };
        self.transaction.append(self.log, &append)
    }

    /// Appends the event of a change. If the bus does not take it: without its before image, else it is
    /// put aside, so that it blocks nothing behind it. Says whether it was appended.
    fn event(&mut self, change: &Change<'_>, id: &[u8]) -> Result<bool, BusFault> {
        let smaller = change.before.is_some().then_some(None);
        for before in [Some(change.before), smaller].into_iter().flatten() {
            if !self.encode(change, before) {
                let reason = "a defect of Talon: the event does not fit the schema of its feed";
                self.put_aside(Stage::Publish, change.key, None, reason)?;
                return Ok(false);
            }
            match self.append(change.key, false, id) {
                Err(BusFault::TooLarge(_)) => {}
                other => return other.map(|()| true),
            }
        }
        let reason =
            "the event is larger than the bus takes (Kafka: message.max.bytes, NATS: max_payload)";
        self.put_aside(Stage::Publish, change.key, None, reason)?;
        Ok(false)
    }

    fn put_aside(
        &mut self,
        stage: Stage,
        key: &str,
        value: Option<&[u8]>,
        reason: &str,
    ) -> Result<(), BusFault> {
        self.tally.dead_letter(stage);
        let frame = self.frame;
        let headers: &[(&str, &[u8])] = &[
            ("__connect.errors.topic", frame.topic.as_bytes()),
            ("__connect.errors.connector.name", frame.connector.as_bytes()),
            ("__connect.errors.task.id", b"0"),
            ("__connect.errors.stage", stage.word().as_bytes()),
            ("__connect.errors.class.name", frame.class.as_bytes()),
            ("__connect.errors.exception.class.name", b"talon.RowFault"),
            ("__connect.errors.exception.message", reason.as_bytes()),
            ("__talon.errors.feed", frame.feed.as_bytes()),
            ("__talon.errors.scope", self.scope.as_bytes()),
            ("talon-schema", frame.contract.full_name().as_bytes()),
        ];
        let topic = frame.dead_letters;
        let whole = Append { topic, key, value: Some(value.unwrap_or_default()), headers };
        match self.transaction.append(self.log, &whole) {
            // Even the row alone is too large: its context is kept, and says so.
            Err(BusFault::TooLarge(_)) => {
                let cut = value.map_or(&[][..], |value| &value[..value.len().min(64 * 1024)]);
                let size = value.map_or(0, <[u8]>::len).to_string();
                let mut headers = headers.to_vec();
                headers.push(("__talon.errors.value.bytes", size.as_bytes()));
                let cut = Append { topic, key, value: Some(cut), headers: &headers };
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
            self.append(change.key, true, &change.id.of_tombstone().text())?;
        }
        Ok(())
    }

    fn dead_letter(&mut self, key: &str, row: &[u8], fault: &RowFault) -> Result<(), BusFault> {
        self.put_aside(Stage::Decode, key, Some(row), &fault.0)
    }
}
