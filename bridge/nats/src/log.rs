//! The log of a shard: what it has published, and what it knows of the subjects.
//!
//! Every record of a feed carries the sequence that the last record of its subject must have
//! (`Nats-Expected-Last-Subject-Sequence`), and the event's id (`Nats-Msg-Id`). Records are published
//! without waiting, in windows (see [`window`](mod@crate::window)).
//!
//! How it can fail, and what holds then:
//!
//! * Killed before the records of a window are on the wire, or half-way: those that arrived are in the
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
//! * The stream was purged, or lost what it had acknowledged: conflict, and what is recovered is the
//!   truth.
//!
//! With `delivery: at-least-once` no sequence is expected, of events and checkpoints: two processes are
//! not kept apart, and nobody looks for records of others.

use std::time::{Duration, Instant};

use async_nats::jetstream::stream::Config;
use bytes::Bytes;
use talon_runtime::bus::{
    Append, BusFault, Delivery, Grant, Place, Recovered, ShardLog, ShardSpec,
};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::book::Target;
use crate::connection::Connection;
use crate::layout::{Layout, Route};
use crate::names;
use crate::pipeline::Pipeline;
use crate::record::{Form, Limits};
use crate::recover::Reading;
use crate::streams::{bucket_subject, info};
use crate::sweep::Sweep;
use crate::window::Window;

/// How long a lost connection may be away before it counts, when there is nothing to publish.
const LOOK: Duration = Duration::from_secs(2);

/// How often the stream is looked at when there is nothing to publish.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// What is known of the stream from outside the shard's own records.
type Look = JoinHandle<Result<Option<u64>, BusFault>>;

pub(crate) struct NatsLog {
    runtime: Handle,
    connection: Connection,
    layout: Layout,
    delivery: Delivery,
    limits: Limits,
    grant: Grant,
    window: Window,
    look: Option<Look>,
    looked: Instant,
    sweep: Sweep,
}

impl NatsLog {
    pub(crate) async fn open(
        connection: Connection,
        layout: Layout,
        feeds: &Config,
        shard: &ShardSpec,
        max_in_flight: usize,
        grant: Grant,
    ) -> Result<NatsLog, BusFault> {
        let limits = Limits::of(connection.client.max_payload(), feeds);
        let streams = (layout.feeds.name.clone(), layout.checkpoints.below.name.clone());
        let pipeline =
            Pipeline::open(connection.clone(), streams, max_in_flight, grant.clone()).await?;
        Ok(NatsLog {
            runtime: Handle::current(),
            connection,
            layout,
            delivery: shard.delivery,
            limits,
            grant,
            window: Window::new(pipeline),
            look: None,
            looked: Instant::now(),
            sweep: Sweep::default(),
        })
    }

    fn exactly_once(&self) -> bool {
        self.delivery == Delivery::ExactlyOnce
    }

    /// What need not wait for anybody.
    fn sweep(&mut self) {
        if self.exactly_once() {
            let jetstream = &self.connection.jetstream;
            let ttl = self.limits.ttl;
            self.sweep.turn(&self.runtime, jetstream, &self.layout, ttl, &mut self.window.book);
        }
    }
}

impl ShardLog for NatsLog {
    fn recover(
        &mut self,
        each: &mut dyn FnMut(Place, Recovered<'_>) -> Result<(), BusFault>,
    ) -> Result<(), BusFault> {
        let reading = Reading {
            connection: &self.connection,
            layout: &self.layout,
            grant: &self.grant,
            sequences: self.delivery == Delivery::ExactlyOnce,
        };
        self.runtime.clone().block_on(reading.run(&mut self.window.book, each))
    }

    fn append(&mut self, append: &Append<'_>) -> Result<(), BusFault> {
        let route = &self.layout.routes[append.topic];
        let form = Form { append, limits: &self.limits };
        let record = match route {
            Route::Feed { subject, kind, keep } => {
                if append.value.is_none() && !self.limits.ttl {
                    // Without an end a marker would only hide the delete in front of it.
                    return Ok(());
                }
                let hash = |subject: &str| self.window.book.subject(subject);
                form.feed(subject, *kind, *keep, self.exactly_once(), hash)?
            }
            Route::DeadLetters { subject } => form.dead_letter(subject)?,
        };
        if let Target::Feed { subject, .. } = record.target
            && self.window.book.is_sweeping(subject)
        {
            self.sweep.finish(&self.runtime, &mut self.window.book);
        }
        self.window.publish(record)
    }

    fn commit(&mut self, checkpoints: &[(String, Vec<u8>)]) -> Result<(), BusFault> {
        // Events first: a checkpoint must never be ahead of them.
        self.window.settle()?;
        if self.exactly_once() {
            self.window.book.close_window()?;
        }
        for (key, value) in checkpoints {
            let domain = self.connection.domain.as_deref();
            let subject =
                bucket_subject(domain, &self.layout.checkpoints.name, &names::bucket_key(key));
            let revision = self.exactly_once().then(|| self.window.book.revision(key));
            let record = Form::checkpoint(key, subject, Bytes::copy_from_slice(value), revision);
            self.window.publish(record)?;
        }
        self.window.settle()?;
        self.connection.watch.well();
        // A look that began before this commit compares with what is over.
        if let Some(look) = self.look.take() {
            look.abort();
        }
        self.sweep();
        Ok(())
    }

    fn idle(&mut self) -> Result<(), BusFault> {
        if !self.connection.is_up() {
            self.runtime.block_on(self.connection.up(LOOK, &self.grant))?;
        }
        self.sweep();
        match self.look.take() {
            Some(look) if look.is_finished() => match self.runtime.block_on(look) {
                Ok(Ok(Some(last))) if self.exactly_once() => self.window.book.compare(last),
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
                    let connection = self.connection.clone();
                    let stream = self.layout.feeds.name.clone();
                    self.look = Some(self.runtime.spawn(async move {
                        let info = info(&connection, &stream).await?;
                        Ok(info.map(|info| info.state.last_sequence))
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
