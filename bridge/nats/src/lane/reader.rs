//! Reading commands.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::jetstream::Message;
use async_nats::jetstream::consumer::{Consumer, Info, pull};
use futures_util::StreamExt;
use talon_runtime::bus::{Arrival, BusFault, Grant, LaneReader, Position};
use tokio::runtime::Handle;
use tokio::time::timeout;

use super::consumer::{look, take_over};
use super::layout::LaneLayout;
use super::unsettled::Unsettled;
use crate::connection::{Connection, TIMEOUT};
use crate::layout::PREFIX;
use crate::names;
use crate::read::taken_ms;

/// Commands that one request asks for.
const BATCH: usize = 200;

/// How long a request waits for commands, and how often the server says that it is there.
const EXPIRES: Duration = Duration::from_secs(10);
const HEARTBEAT: Duration = Duration::from_secs(2);

/// After a loss of the connection, what was delivered must have come after so long.
const LATE: Duration = Duration::from_secs(1);

/// How often the server is asked how many commands are left, when none comes.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Pause after a failure to read.
const PAUSE: Duration = Duration::from_millis(100);

/// Reads the commands of a lane, in the order of the stream.
///
/// The numbers that the consumer gives its deliveries must follow one another: a delivery that was lost
/// with a connection would come again later, behind newer commands of its key. Where one is missing, the
/// lane is opened anew, which begins with it.
pub(crate) struct NatsLaneReader {
    runtime: Handle,
    connection: Connection,
    grant: Grant,
    stream: String,
    /// What stands before the token of the key.
    subject: String,
    consumer: Consumer<pull::Config>,
    messages: pull::Stream,
    unsettled: Arc<Unsettled>,
    /// Number of the last delivery.
    delivered: u64,
    behind: u64,
    /// When the server was asked for that last.
    looked: Instant,
    /// Losses of the connection that were looked after.
    losses: u64,
    /// Deliveries up to this number must come, or are lost.
    awaited: Option<(u64, Instant)>,
    /// Since when reading fails, and when it failed last.
    failing: Option<(Instant, Instant)>,
}

impl NatsLaneReader {
    pub(crate) async fn open(
        connection: Connection,
        layout: &LaneLayout,
        grant: Grant,
    ) -> Result<(NatsLaneReader, Arc<Unsettled>), BusFault> {
        let stream = &layout.commands.name;
        let prefix = layout.commands.metadata.get(PREFIX).map_or("", String::as_str);
        let losses = connection.status.losses();
        let consumer = take_over(&connection, prefix, stream, layout.ack_wait, &grant).await?;
        let messages = messages(&connection, &consumer).await?;
        let unsettled = Arc::new(Unsettled::default());
        let reader = NatsLaneReader {
            runtime: Handle::current(),
            connection,
            grant,
            stream: stream.clone(),
            subject: layout.command_subject.clone(),
            behind: consumer.cached_info().num_pending,
            consumer,
            messages,
            unsettled: unsettled.clone(),
            delivered: 0,
            looked: Instant::now(),
            losses,
            awaited: None,
            failing: None,
        };
        Ok((reader, unsettled))
    }

    /// Name of the consumer.
    pub(crate) fn consumer(&self) -> &str {
        &self.consumer.cached_info().name
    }

    async fn look(&self) -> Result<Info, BusFault> {
        look(&self.connection, (&self.stream, self.consumer()), &self.grant).await
    }

    async fn read(&mut self, patience: Duration) -> Result<Option<Arrival>, BusFault> {
        self.look_after_losses().await?;
        match timeout(patience, self.messages.next()).await {
            Ok(Some(Ok(message))) => self.take(&message).map(Some),
            Ok(Some(Err(error))) => self.look_into(&error).await.map(|()| None),
            Ok(None) => self.look_into(&"the server has ended it").await.map(|()| None),
            Err(_) => {
                self.look_behind().await?;
                Ok(None)
            }
        }
    }

    /// Nothing comes although there should be more: commands may have gone by their age. Silence alone
    /// says nothing, since the first answer takes a while.
    async fn look_behind(&mut self) -> Result<(), BusFault> {
        if self.behind > 0 && self.looked.elapsed() >= LOOK_EVERY && self.connection.is_up() {
            self.looked = Instant::now();
            let found = self.look().await?;
            if found.delivered.consumer_sequence == self.delivered {
                self.behind = found.num_pending;
            }
        }
        Ok(())
    }

    fn take(&mut self, message: &Message) -> Result<Arrival, BusFault> {
        self.failing = None;
        let info = message.info().map_err(|error| self.unavailable(&error))?;
        if info.consumer_sequence != self.delivered + 1 {
            return Err(lost());
        }
        self.delivered += 1;
        self.behind = info.pending;
        if let Some(ack) = &message.reply {
            self.unsettled.add(info.stream_sequence, ack.clone());
        }
        let header = |name: &str| message.headers.as_ref().and_then(|headers| headers.get(name));
        let offset = i64::try_from(info.stream_sequence).unwrap_or(i64::MAX);
        Ok(Arrival {
            position: Position { partition: 0, offset },
            key: message.subject.strip_prefix(self.subject.as_str()).and_then(names::key),
            value: message.payload.to_vec(),
            rekeyed: header("talon-rekeyed").is_some(),
            traceparent: header("traceparent").map(|value| value.as_str().to_owned()),
            at_ms: taken_ms(message),
        })
    }

    /// What was on its way when a connection was lost is gone, and the server believes it delivered.
    async fn look_after_losses(&mut self) -> Result<(), BusFault> {
        if let Some((number, since)) = self.awaited {
            if self.delivered >= number {
                self.awaited = None;
            } else if since.elapsed() > LATE {
                return Err(lost());
            }
        }
        let losses = self.connection.status.losses();
        if losses != self.losses && self.connection.is_up() {
            let found = self.look().await?;
            self.losses = losses;
            self.awaited = Some((found.delivered.consumer_sequence, Instant::now()));
        }
        Ok(())
    }

    /// After a failure to read: fails if that is for ever, or for too long; else reads on.
    async fn look_into(&mut self, error: &dyn std::fmt::Display) -> Result<(), BusFault> {
        let now = Instant::now();
        // One that is long past has nothing to do with this one: a lane without commands reads nothing.
        let since = match self.failing {
            Some((since, last)) if now - last <= TIMEOUT => since,
            _ => now,
        };
        self.failing = Some((since, now));
        let looked = timeout(HEARTBEAT, self.look()).await;
        match looked {
            // The consumer is there, and yet nothing can be asked of it.
            Ok(Ok(_))
                if since.elapsed() > TIMEOUT
                    && let Some(fault @ BusFault::Misconfigured(_)) =
                        self.connection.status.last() =>
            {
                return Err(fault);
            }
            Ok(Ok(found)) => {
                self.awaited = Some((found.delivered.consumer_sequence, Instant::now()));
                // A request that was refused is not made again by itself.
                self.messages = messages(&self.connection, &self.consumer).await?;
            }
            Ok(Err(fault @ (BusFault::Fenced(_) | BusFault::Aborted(_)))) => return Err(fault),
            _ if self.grant.is_over() || since.elapsed() > TIMEOUT => {
                return Err(self.unavailable(error));
            }
            _ => {}
        }
        tokio::time::sleep(PAUSE).await;
        Ok(())
    }

    fn unavailable(&self, error: &dyn std::fmt::Display) -> BusFault {
        unavailable(&self.connection, error)
    }
}

impl LaneReader for NatsLaneReader {
    fn next(&mut self, patience: Duration) -> Result<Option<Arrival>, BusFault> {
        self.runtime.clone().block_on(self.read(patience))
    }

    /// A stream has one order.
    fn is_ordered(&self) -> bool {
        true
    }

    fn look_ahead(&mut self) -> Result<(), BusFault> {
        if self.looked.elapsed() >= LOOK_EVERY && self.connection.is_up() {
            self.looked = Instant::now();
            let found = self.runtime.clone().block_on(self.look())?;
            // What was delivered and not read waits in the client.
            let waiting = found.delivered.consumer_sequence.saturating_sub(self.delivered);
            self.behind = found.num_pending + waiting;
        }
        Ok(())
    }

    fn behind(&self) -> Option<u64> {
        Some(self.behind)
    }
}

async fn messages(
    connection: &Connection,
    consumer: &Consumer<pull::Config>,
) -> Result<pull::Stream, BusFault> {
    let stream = consumer.stream().expires(EXPIRES).heartbeat(HEARTBEAT);
    let stream = stream.max_messages_per_batch(BATCH);
    stream.messages().await.map_err(|error| unavailable(connection, &error))
}

fn lost() -> BusFault {
    BusFault::Aborted("NATS: commands were lost on their way; they are read again".to_owned())
}

fn unavailable(connection: &Connection, error: &dyn std::fmt::Display) -> BusFault {
    let fault = BusFault::Unavailable(format!("NATS: the commands cannot be read: {error}"));
    connection.status.explain(fault)
}
