//! The consumer of the commands: one for each time that the lane is opened.
//!
//! A consumer that is taken over redelivers what was not acknowledged message by message, while new ones
//! flow past: a later command of a key could come before an earlier one. So whoever opens the lane makes
//! a consumer of its own, which begins behind the highest floor of those that were left (everything up
//! to there is settled), and then deletes those. Who is killed in between leaves two; the next one deletes
//! both. Of two that open at the same time, the one whose consumer was created later stays; but a
//! process that lost the shard while it opened makes no consumer, or removes the one that it has made,
//! so the rightful owner waits a moment for a later one to vanish.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use async_nats::jetstream::consumer::{
    AckPolicy, Consumer, DeliverPolicy, Info, ReplayPolicy, pull,
};
use async_nats::jetstream::stream::{ConsumersError, Stream};
use futures_util::TryStreamExt;
use talon_runtime::bus::{BusFault, Grant};

use crate::connection::Connection;
use crate::layout::PREFIX;
use crate::streams::{ask, info};

/// Commands that are delivered and not settled, at most.
pub(crate) const MAX_UNSETTLED: usize = 10_000;

/// How long a consumer that was created later may take to vanish, and how often is looked.
const LATER: Duration = Duration::from_secs(1);
const POLL: Duration = Duration::from_millis(50);

/// Makes a consumer that begins with the oldest command that is not settled, and deletes those of
/// earlier owners.
pub(crate) async fn take_over(
    connection: &Connection,
    prefix: &str,
    stream: &str,
    ack_wait: Duration,
    grant: &Grant,
) -> Result<Consumer<pull::Config>, BusFault> {
    let unavailable = |error: &dyn std::fmt::Display| {
        let fault = BusFault::Unavailable(format!("NATS: the consumers of `{stream}`: {error}"));
        connection.status.explain(fault)
    };
    let jetstream = &connection.jetstream;
    let stream = jetstream.get_stream_no_info(stream).await.map_err(|error| unavailable(&error))?;
    let left = ours(&stream, prefix).await.map_err(|error| unavailable(&error))?;
    let floor = left.iter().map(|info| info.ack_floor.stream_sequence).max();
    let name = format!("talon_{:016x}", rand::random::<u64>());
    let config = pull::Config {
        durable_name: Some(name.clone()),
        description: Some("Talon: who runs the commands".to_owned()),
        deliver_policy: match floor {
            None => DeliverPolicy::All,
            Some(floor) => DeliverPolicy::ByStartSequence { start_sequence: floor + 1 },
        },
        ack_policy: AckPolicy::Explicit,
        ack_wait,
        max_deliver: -1,
        max_ack_pending: i64::try_from(MAX_UNSETTLED).unwrap_or(i64::MAX),
        replay_policy: ReplayPolicy::Instant,
        metadata: HashMap::from([(PREFIX.to_owned(), prefix.to_owned())]),
        ..pull::Config::default()
    };
    // Whoever has lost the shard must not come between its new owner and the commands.
    grant.may_begin()?;
    let own = stream.create_consumer(config).await.map_err(|error| unavailable(&error))?;
    match supersede(connection, prefix, &stream, own.cached_info(), grant).await {
        Ok(()) => Ok(own),
        Err(fault) => {
            // Nobody reads from it.
            stream.delete_consumer(&name).await.ok();
            Err(fault)
        }
    }
}

/// Deletes the consumers of earlier owners. Fails where there is a later one, or the shard is lost.
async fn supersede(
    connection: &Connection,
    prefix: &str,
    stream: &Stream<()>,
    own: &Info,
    grant: &Grant,
) -> Result<(), BusFault> {
    let unavailable = |error: &dyn std::fmt::Display| {
        let fault = BusFault::Unavailable(format!("NATS: the consumers of the commands: {error}"));
        connection.status.explain(fault)
    };
    let began = Instant::now();
    loop {
        let mut all = ours(stream, prefix).await.map_err(|error| unavailable(&error))?;
        all.retain(|other| other.name != own.name);
        grant.may_begin()?;
        if !all.iter().any(|other| (other.created, &other.name) > (own.created, &own.name)) {
            for other in all {
                grant.may_begin()?;
                // Gone already is as good.
                if let Err(error) = stream.delete_consumer(&other.name).await
                    && connection.is_up()
                {
                    tracing::debug!("consumer {}: {error}", other.name);
                }
            }
            return Ok(());
        }
        if began.elapsed() > LATER {
            return Err(superseded(grant));
        }
        tokio::time::sleep(POLL).await;
    }
}

/// Whether the consumer is still there, and how much of it was delivered; fails where it is gone.
pub(crate) async fn look(
    connection: &Connection,
    (stream, name): (&str, &str),
    grant: &Grant,
) -> Result<Info, BusFault> {
    let what = format!("consumer `{name}`");
    // The server does not take `null` here, as it does elsewhere.
    let nothing = serde_json::Map::new();
    match ask(connection, format!("CONSUMER.INFO.{stream}.{name}"), &nothing, &what).await? {
        Some(found) => Ok(found),
        None => match info(connection, stream).await? {
            Some(_) => Err(superseded(grant)),
            None => Err(BusFault::Aborted(format!("NATS: the stream `{stream}` is gone"))),
        },
    }
}

/// Somebody has deleted the consumer. Whoever holds the shard makes another one at once: a process that
/// had lost the shard did it, or a person. Else the new owner did.
fn superseded(grant: &Grant) -> BusFault {
    if grant.is_open() {
        let why = "NATS: the consumer of the commands was deleted; another one is made";
        return BusFault::Aborted(why.to_owned());
    }
    BusFault::Fenced("NATS: another process took the commands of this connector over".to_owned())
}

/// The consumers that Talon made.
async fn ours(stream: &Stream<()>, prefix: &str) -> Result<Vec<Info>, ConsumersError> {
    let ours = |info: &Info| info.config.metadata.get(PREFIX).is_some_and(|of| of == prefix);
    let consumers = stream.consumers().try_filter(|info| std::future::ready(ours(info)));
    consumers.try_collect().await
}
