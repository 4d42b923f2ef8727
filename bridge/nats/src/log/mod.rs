//! The log of a shard: what it has published, and what it knows of the subjects.
//!
//! Every record of a feed carries the sequence that the last record of its subject must have
//! (`Nats-Expected-Last-Subject-Sequence`), and the event's id (`Nats-Msg-Id`). Records are published
//! without waiting, those between two commits side by side (see [`writer`](mod@crate::writer)).
//!
//! How it can fail, and what holds then:
//!
//! * Killed before the records of a commit are on the wire, or half-way: those that arrived are in the
//!   stream, and the checkpoint is not, since it is published when all are acknowledged. The next owner
//!   recovers the former, reads again from the older checkpoint, and publishes what is missing. In the
//!   order of one entity nothing is missing in the middle: its next record is only published when the
//!   one before is acknowledged.
//! * Killed between the acknowledgements and the checkpoint: as before, with nothing missing.
//! * Killed between a delete and its marker: the delete is the last record, which says as much.
//! * The connection is lost: what is not acknowledged is published again on the new one. What the
//!   server already has is refused by its expected sequence; where the record in the way has the same
//!   message id, it is this one, and the conflict counts as its acknowledgement.
//! * A record that was given up comes late, from a buffer: it is refused if its subject has moved on.
//!   Otherwise it is like a record of another process:
//! * A paused process wakes up and publishes, or two processes run the same connector: for an entity
//!   that the other has published, it is refused (a conflict). For one that it has not, it gets in. The
//!   other one notices it by the gap between the sequences of its own records, or, when it has nothing
//!   to publish, by the last sequence of the stream. Either way: [`BusFault::Aborted`], so the index is
//!   thrown away and recovered with the stranger's record in it, and where that is stale, the next
//!   observation publishes the correction. Not [`BusFault::Fenced`], because nothing says which of the
//!   two is the right one: that is for the owner's lease to decide.
//! * Records of different entities are stored in another order than they were published: nothing
//!   depends on it.
//! * The checkpoint of another process is newer: its revision is not the expected one, a conflict. The
//!   events before it stand.
//! * The stream was purged, or lost what it had acknowledged: a conflict for an entity that is known, or
//!   a stream without records when there is nothing to publish; and what is recovered is the truth. A
//!   stream that was made anew is known by its sequences, which begin again.
//! * What was purged is published again with the same id while the server still remembers it: the
//!   server answers as if it were there. A duplicate counts only if the stream has it (see
//!   [`doubt`](mod@crate::writer)); else the record is published under another id.
//!
//! With `delivery: at-least-once` no sequence is expected, of events and checkpoints: two processes are
//! not kept apart, and nobody looks for records of others.

mod purge;
mod recovery;

use std::time::{Duration, Instant};

use talon_runtime::bus::{
    Append, BusFault, Delivery, Grant, Place, Recovered, ShardLog, ShardSpec,
};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::connection::Connection;
use crate::layout::{Layout, Route};
use crate::names;
use crate::streams::{Ensured, bucket_subject, info};
use crate::writer::{Draft, Limits, Pipeline, Record, Streams, Target, Writer};

use purge::Purge;
use recovery::Recovery;

/// How long a lost connection may be away before it counts, when there is nothing to publish.
const RECONNECT: Duration = Duration::from_secs(2);

/// How often the stream is looked at when there is nothing to publish.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// A look at the stream: its last sequence, and how many records it has; none where it is gone.
type Look = JoinHandle<Result<Option<(u64, u64)>, BusFault>>;

/// The log of a shard on NATS.
pub(crate) struct NatsLog {
    runtime: Handle,
    connection: Connection,
    /// The one on which nothing waits behind records, of other connectors neither.
    aside: Connection,
    layout: Layout,
    delivery: Delivery,
    limits: LimitsOf,
    grant: Grant,
    writer: Writer,
    look: Option<Look>,
    looked: Instant,
    purge: Purge,
}

/// What each of the streams takes.
struct LimitsOf {
    feeds: Limits,
    dead_letters: Limits,
    checkpoints: Limits,
}

impl NatsLog {
    pub(crate) async fn open(
        (connection, aside): (Connection, Connection),
        layout: Layout,
        found: &Ensured,
        shard: &ShardSpec,
        max_in_flight: usize,
        grant: Grant,
    ) -> Result<NatsLog, BusFault> {
        let max_payload = connection.client.max_payload();
        let limits = LimitsOf {
            feeds: Limits::of(max_payload, &found.streams[0]),
            dead_letters: Limits::of(max_payload, &found.streams[1]),
            checkpoints: Limits::of(max_payload, &found.checkpoints),
        };
        let streams = Streams {
            owned: layout.feeds.name.clone(),
            checkpoints: layout.checkpoints.below.name.clone(),
        };
        let pipeline =
            Pipeline::open(connection.clone(), streams, max_in_flight, grant.clone()).await?;
        Ok(NatsLog {
            runtime: Handle::current(),
            connection,
            aside,
            layout,
            delivery: shard.delivery,
            limits,
            grant,
            writer: Writer::new(pipeline),
            look: None,
            looked: Instant::now(),
            purge: Purge::default(),
        })
    }

    /// Reads back what is there, for who takes nothing over.
    pub(crate) async fn read_back(
        connection: &Connection,
        layout: &Layout,
        grant: &Grant,
        each: &mut dyn FnMut(Place, Recovered<'_>) -> Result<(), BusFault>,
    ) -> Result<(), BusFault> {
        Recovery { connection, layout, grant, exactly_once: false }.run_where_there(each).await
    }

    fn exactly_once(&self) -> bool {
        self.delivery == Delivery::ExactlyOnce
    }

    fn checkpoint(&self, key: &str, value: &[u8]) -> Result<Record, BusFault> {
        let domain = self.connection.domain.as_deref();
        let bucket = &self.layout.checkpoints.name;
        let subject = bucket_subject(domain, bucket, &names::bucket_key(key));
        let revision = self.exactly_once().then(|| self.writer.sequences.revision(key));
        let append = Append { topic: 0, key, value: Some(value), headers: &[] };
        let draft = Draft { append: &append, limits: &self.limits.checkpoints };
        draft.checkpoint(subject, revision).map_err(|fault| match fault {
            BusFault::TooLarge(why) => BusFault::TooLarge(format!("{why}; checkpoint `{key}`")),
            other => other,
        })
    }

    /// What need not wait for anybody.
    fn purge(&mut self) {
        if self.exactly_once() {
            let jetstream = &self.connection.jetstream;
            let ttl = self.limits.feeds.ttl;
            self.purge.turn(
                &self.runtime,
                jetstream,
                &self.layout,
                ttl,
                &mut self.writer.sequences,
            );
        }
    }
}

impl ShardLog for NatsLog {
    fn recover(
        &mut self,
        each: &mut dyn FnMut(Place, Recovered<'_>) -> Result<(), BusFault>,
    ) -> Result<(), BusFault> {
        let recovery = Recovery {
            connection: &self.connection,
            layout: &self.layout,
            grant: &self.grant,
            exactly_once: self.exactly_once(),
        };
        self.runtime.clone().block_on(recovery.run(&mut self.writer.sequences, each))
    }

    fn append(&mut self, append: &Append<'_>) -> Result<(), BusFault> {
        let route = &self.layout.routes[append.topic];
        let record = match route {
            Route::Feed { subject, kind, keep } => {
                let limits = &self.limits.feeds;
                if append.value.is_none() && !limits.ttl {
                    // Without an end a marker would only hide the delete in front of it.
                    return Ok(());
                }
                let sequences = self.exactly_once().then_some(&self.writer.sequences);
                Draft { append, limits }.feed(subject, *kind, *keep, sequences)?
            }
            Route::DeadLetters { subject } => {
                Draft { append, limits: &self.limits.dead_letters }.dead_letter(subject)?
            }
        };
        if let Target::Owned { subject, .. } = record.target
            && self.writer.sequences.is_purging(subject)
        {
            self.purge.finish(&self.runtime, &mut self.writer.sequences);
        }
        self.writer.publish(record)
    }

    fn commit(&mut self, checkpoints: &[(String, Vec<u8>)]) -> Result<(), BusFault> {
        // Events first: a checkpoint must never be ahead of them.
        self.writer.settle()?;
        if self.exactly_once() {
            self.writer.sequences.check_gaps()?;
        }
        let mut too_large = None;
        for (key, value) in checkpoints {
            match self.checkpoint(key, value) {
                Ok(record) => self.writer.publish(record)?,
                // The others are not held up by it.
                Err(fault) => too_large = Some(fault),
            }
        }
        self.writer.settle()?;
        self.connection.status.over();
        // A look that began before this commit compares with what is over.
        if let Some(look) = self.look.take() {
            look.abort();
        }
        self.purge();
        too_large.map_or(Ok(()), Err)
    }

    /// The last sequence of the stream, which all feeds share; only where sequences are followed.
    fn ends(&self, topic: usize) -> Vec<u64> {
        match self.layout.routes.get(topic) {
            Some(Route::Feed { .. }) if self.exactly_once() => vec![self.writer.sequences.known()],
            _ => Vec::new(),
        }
    }

    fn idle(&mut self) -> Result<(), BusFault> {
        if !self.connection.is_up() {
            self.runtime.block_on(self.connection.up(RECONNECT, &self.grant))?;
        }
        self.purge();
        match self.look.take() {
            Some(look) if look.is_finished() => match self.runtime.block_on(look) {
                Ok(Ok(Some((last, records)))) if self.exactly_once() => {
                    self.writer.sequences.compare(last, records)
                }
                Ok(Ok(Some(_))) => Ok(()),
                Ok(Ok(None)) => Err(BusFault::Aborted("NATS: the stream is gone".to_owned())),
                Ok(Err(fault)) => Err(fault),
                Err(_) => Ok(()),
            },
            Some(look) => {
                self.look = Some(look);
                Ok(())
            }
            None => {
                if self.looked.elapsed() >= LOOK_EVERY {
                    self.looked = Instant::now();
                    let connection = self.aside.clone();
                    let stream = self.layout.feeds.name.clone();
                    self.look = Some(self.runtime.spawn(async move {
                        let info = info(&connection, &stream).await?;
                        Ok(info.map(|info| (info.state.last_sequence, info.state.messages)))
                    }));
                }
                Ok(())
            }
        }
    }
}

impl Drop for NatsLog {
    fn drop(&mut self) {
        if let Some(look) = self.look.take() {
            look.abort();
        }
    }
}
