//! Reading a stream to its end.
//!
//! The consumer acknowledges nothing and lives in the memory of one server, so a record that was lost on
//! the way would not come again: the numbers that the consumer gives its records must follow one
//! another, and the reading fails where they do not.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use async_nats::jetstream::Message;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, ReplayPolicy, pull};
use futures_util::StreamExt;
use talon_runtime::bus::{BusFault, Grant};
use tokio::time::timeout;

use crate::connection::{Connection, TIMEOUT};
use crate::fault::fault_of;
use crate::streams::info;

/// Records that one request asks for, and bytes if they are of average size: what waits in the client's
/// memory, and what a server has to keep for a client that is slow, before it cuts it off
/// (`max_pending`, 64 MB). Half as much again may be asked for before the first half is taken.
///
/// Not by `max_bytes` of a request: nats-server 2.15.1 with `LastPerSubject` loses the record that did
/// not fit, without a word (`a_server_that_cuts_slow_readers_off_is_read_back` fails with it).
const BATCH: u64 = 10_000;
const BATCH_BYTES: u64 = 8 << 20;

/// How long nothing may come before the server is asked whether there is more.
const SILENCE: Duration = Duration::from_millis(500);

/// Reads a stream to its end: these subjects, as the policy says. Gives each record with its sequence.
pub(crate) async fn read_to_end(
    connection: &Connection,
    grant: &Grant,
    (stream, subjects, deliver_policy): (&str, Vec<String>, DeliverPolicy),
    each: &mut impl FnMut(&Message, u64) -> Result<(), BusFault>,
) -> Result<(), BusFault> {
    let what = format!("reading back the stream `{stream}`");
    let unavailable = |error: &dyn std::fmt::Display| {
        let fault = BusFault::Unavailable(format!("NATS: {what}: {error}"));
        connection.status.explain(fault)
    };
    let state = info(connection, stream).await?.ok_or_else(|| gone(&what))?.state;
    let average = state.bytes / state.messages.max(1);
    let batch = (BATCH_BYTES / average.max(1)).clamp(1, BATCH) as usize;
    let config = pull::Config {
        deliver_policy,
        ack_policy: AckPolicy::None,
        replay_policy: ReplayPolicy::Instant,
        filter_subjects: subjects,
        inactive_threshold: TIMEOUT * 3,
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
                Err(_) if last.elapsed() > TIMEOUT => return Err(unavailable(&"it stalls")),
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

/// The time of so many milliseconds since 1970 UTC.
pub(crate) fn time_of(ms: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}

fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

pub(crate) fn gone(what: &str) -> BusFault {
    BusFault::Aborted(format!("NATS: {what} is gone"))
}
