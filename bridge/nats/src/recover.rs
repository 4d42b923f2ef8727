//! Reading back what was published.
//!
//! A consumer that delivers the last record of each subject. It acknowledges nothing and lives in the
//! memory of one server, so a record that was lost on the way would not come again: the numbers that
//! the consumer gives its records must follow one another, and the reading fails where they do not.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use async_nats::header::NATS_MARKER_REASON;
use async_nats::jetstream::Message;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, ReplayPolicy, pull};
use futures_util::StreamExt;
use talon_runtime::bus::{BusFault, Grant, Place, Recovered};
use tokio::time::timeout;

use crate::PATIENCE;
use crate::book::Book;
use crate::connection::Connection;
use crate::fault::fault_of;
use crate::layout::{Layout, Route};
use crate::names;
use crate::streams::info;

/// Records that one request asks for, and bytes if they are of average size: what waits in the client's
/// memory, and what a server has to keep for a client that is slow, before it cuts it off
/// (`max_pending`, 64 MB).
///
/// Not by `max_bytes` of a request: nats-server 2.15.1 with `LastPerSubject` loses the record that did
/// not fit, without a word (`a_server_that_cuts_slow_readers_off_is_read_back` fails with it).
const BATCH: u64 = 10_000;
const BATCH_BYTES: u64 = 16 << 20;

/// How long nothing may come before the server is asked whether there is more.
const SILENCE: Duration = Duration::from_millis(500);

/// What reading back needs.
pub(crate) struct Reading<'a> {
    pub(crate) connection: &'a Connection,
    pub(crate) layout: &'a Layout,
    pub(crate) grant: &'a Grant,
    /// Whether sequences are needed.
    pub(crate) sequences: bool,
}

impl Reading<'_> {
    /// Reads the feeds and the checkpoints to their ends.
    pub(crate) async fn run(
        &self,
        book: &mut Book,
        each: &mut dyn FnMut(Place, Recovered<'_>) -> Result<(), BusFault>,
    ) -> Result<(), BusFault> {
        let stream = &self.layout.feeds.name;
        let what = format!("stream `{stream}`");
        // What comes after this, and is not read, is a record of another process.
        let reached = info(self.connection, stream).await?.ok_or_else(|| gone(&what))?;
        let subjects = self.layout.feeds.subjects.clone();
        let last = DeliverPolicy::LastPerSubject;
        read(self.connection, self.grant, (stream, subjects, last), &mut |message, sequence| {
            self.take_feed(message, sequence, book, each)
        })
        .await?;
        book.recovered_to(reached.state.last_sequence);

        let stream = &self.layout.checkpoints.below.name;
        let prefix = format!("$KV.{}.", self.layout.checkpoints.name);
        let subjects = vec![format!("{prefix}>")];
        let last = DeliverPolicy::LastPerSubject;
        read(self.connection, self.grant, (stream, subjects, last), &mut |message, sequence| {
            let key = message.subject.strip_prefix(prefix.as_str()).and_then(names::checkpoint_key);
            // The keys that say that a stream was created are no checkpoints.
            let Some(key) = key else { return Ok(()) };
            book.recover_checkpoint(&key, sequence);
            let value = Some(&message.payload[..]).filter(|value| !value.is_empty());
            each(
                Place::Checkpoints,
                Recovered { key: &key, value, event_id: None, at_ms: taken_ms(message) },
            )
        })
        .await
    }

    fn take_feed(
        &self,
        message: &Message,
        sequence: u64,
        book: &mut Book,
        each: &mut dyn FnMut(Place, Recovered<'_>) -> Result<(), BusFault>,
    ) -> Result<(), BusFault> {
        if self.sequences {
            book.recover(&message.subject, sequence);
        }
        let found = self.layout.routes.iter().enumerate().find_map(|(place, route)| match route {
            Route::Feed { subject, keep, .. } => {
                let token = message.subject.strip_prefix(subject.as_str())?;
                Some((place, token, *keep))
            }
            Route::DeadLetters { .. } => None,
        });
        // A subject that is no key's is no entity of ours.
        let Some((place, token, keep)) = found else { return Ok(()) };
        let Some(key) = names::key(token) else { return Ok(()) };
        let header = |name: &str| message.headers.as_ref().and_then(|headers| headers.get(name));
        // The server's own marker tells nothing that its empty value does not.
        let marker = message.payload.is_empty() || header(NATS_MARKER_REASON.as_ref()).is_some();
        let value = (!marker).then_some(&message.payload[..]);
        let event_id = header("talon-event-id").map(|id| id.as_str().as_bytes());
        if marker && self.sequences {
            book.recover_end(&message.subject, sequence, rest_of(message, keep));
        }
        each(
            Place::Topic(place),
            Recovered { key: &key, value, event_id, at_ms: taken_ms(message) },
        )
    }
}

/// Reads a stream to its end: these subjects, as the policy says. Gives each record with its sequence.
pub(crate) async fn read(
    connection: &Connection,
    grant: &Grant,
    (stream, subjects, deliver_policy): (&str, Vec<String>, DeliverPolicy),
    each: &mut dyn FnMut(&Message, u64) -> Result<(), BusFault>,
) -> Result<(), BusFault> {
    let what = format!("reading back the stream `{stream}`");
    let unavailable = |error: &dyn std::fmt::Display| {
        let fault = BusFault::Unavailable(format!("NATS: {what}: {error}"));
        connection.watch.explain(fault)
    };
    let state = info(connection, stream).await?.ok_or_else(|| gone(&what))?.state;
    let average = state.bytes / state.messages.max(1);
    let batch = (BATCH_BYTES / average.max(1)).clamp(1, BATCH) as usize;
    let config = pull::Config {
        deliver_policy,
        ack_policy: AckPolicy::None,
        replay_policy: ReplayPolicy::Instant,
        filter_subjects: subjects,
        inactive_threshold: PATIENCE * 3,
        memory_storage: true,
        num_replicas: 1,
        ..pull::Config::default()
    };
    let created = connection.jetstream.create_consumer_on_stream(config, stream).await;
    let mut consumer = created.map_err(|error| match error.kind() {
        async_nats::jetstream::stream::ConsumerErrorKind::JetStream(error) => {
            fault_of(&error, &what)
        }
        kind => unavailable(&kind),
    })?;
    let mut pending = consumer.cached_info().num_pending;
    let mut delivered = 0;
    let mut last = Instant::now();
    if pending > 0 {
        let messages = consumer.stream().max_messages_per_batch(batch);
        let mut messages = messages.messages().await.map_err(|error| unavailable(&error))?;
        while pending > 0 {
            grant.may_begin()?;
            match timeout(SILENCE, messages.next()).await {
                Ok(Some(Ok(message))) => {
                    last = Instant::now();
                    let info = message.info().map_err(|error| unavailable(&error))?;
                    delivered += 1;
                    if info.consumer_sequence != delivered {
                        return Err(unavailable(&"records were lost on the way"));
                    }
                    pending = info.pending;
                    each(&message, info.stream_sequence)?;
                }
                Ok(Some(Err(error))) => return Err(unavailable(&error)),
                Ok(None) => return Err(unavailable(&"the connection is closed")),
                Err(_) if last.elapsed() > PATIENCE => return Err(unavailable(&"it stalls")),
                Err(_) => {
                    // Records that were counted can be gone since: ended, or pushed out by newer
                    // ones.
                    let info = consumer.info().await.map_err(|error| unavailable(&error))?;
                    if info.delivered.consumer_sequence == delivered {
                        pending = info.num_pending;
                    }
                }
            }
        }
    }
    let name = consumer.cached_info().name.clone();
    let (jetstream, stream) = (connection.jetstream.clone(), stream.to_owned());
    // It would vanish by itself.
    tokio::spawn(async move {
        let deleted = jetstream.delete_consumer_from_stream(&name, &stream).await;
        deleted.map_err(|error| tracing::debug!("consumer {name}: {error}"))
    });
    Ok(())
}

/// When the server took a record, milliseconds since 1970 UTC.
pub(crate) fn taken_ms(message: &Message) -> i64 {
    let nanos = message.info().map(|info| info.published.unix_timestamp_nanos()).unwrap_or(0);
    i64::try_from(nanos / 1_000_000).unwrap_or(0)
}

/// What is left of the time that a record is kept.
pub(crate) fn rest_of(message: &Message, keep: Duration) -> Duration {
    let published = message.info().map(|info| info.published.unix_timestamp()).unwrap_or(0);
    let age = now_s().saturating_sub(u64::try_from(published).unwrap_or(0));
    keep.saturating_sub(Duration::from_secs(age))
}

fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

pub(crate) fn gone(what: &str) -> BusFault {
    BusFault::Aborted(format!("NATS: {what} is gone"))
}
