//! What the stream keeps longer than it should: the past of entities that were deleted, and old facts
//! where the server cannot end records by itself.
//!
//! A marker alone only hides the records in front of it, and they would be there again when it ends. So
//! when a delete is as old as `topic.creation.table.min.compaction.lag.ms`, the subject is purged up to
//! its marker; the marker lives twice as long, so that a Talon that was away finds it. Facts on a server
//! without message ttl are purged by feed, once an hour, when they are older than
//! `topic.creation.log.retention.ms`.
//!
//! Nothing depends on it but room. A purge names the sequence up to which it goes, so it never takes
//! what came later. If the account may not purge, the stream grows.

use std::time::{Duration, Instant, SystemTime};

use async_nats::jetstream::Context;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use async_nats::jetstream::stream::LastRawMessageErrorKind as RawMessageErrorKind;
use futures_util::StreamExt;
use talon_sdk::Kind;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::layout::{Layout, Route};
use crate::writer::{Ending, Sequences};

/// Deletes in one round.
const ROUND: usize = 1_000;

/// Pause between rounds.
const PAUSE: Duration = Duration::from_secs(1);

/// Pause after a round that failed, and between looks for old facts.
const LONG_PAUSE: Duration = Duration::from_secs(3_600);

type Round = JoinHandle<(Vec<Ending>, Option<async_nats::Error>)>;

/// Purges in the background.
#[derive(Default)]
pub(crate) struct Purge {
    round: Option<Round>,
    next: Option<Instant>,
    facts: Option<Instant>,
}

impl Purge {
    /// Takes in what a round has done, and begins the next one. Does not wait.
    pub(crate) fn turn(
        &mut self,
        runtime: &Handle,
        jetstream: &Context,
        layout: &Layout,
        ttl: bool,
        sequences: &mut Sequences,
    ) {
        let now = Instant::now();
        match self.round.take() {
            Some(round) if round.is_finished() => {
                self.round = Some(round);
                return self.finish(runtime, sequences);
            }
            Some(round) => {
                self.round = Some(round);
                return;
            }
            None => {}
        }
        if self.next.is_some_and(|next| now < next) {
            return;
        }
        let endings = sequences.due(ROUND);
        let facts = !ttl && self.facts.is_none_or(|last| now - last >= LONG_PAUSE);
        if endings.is_empty() && !facts {
            return;
        }
        let feeds = if facts { logs(layout) } else { Vec::new() };
        if facts {
            self.facts = Some(now);
        }
        let (jetstream, stream) = (jetstream.clone(), layout.feeds.name.clone());
        self.round = Some(runtime.spawn(async move {
            let mut done = Vec::new();
            for ending in endings {
                match purge_ended(&jetstream, &stream, &ending).await {
                    Ok(()) => done.push(ending),
                    Err(error) => return (done, Some(error)),
                }
            }
            for (subject, keep) in feeds {
                if let Err(error) = purge_facts(&jetstream, &stream, &subject, keep).await {
                    return (done, Some(error));
                }
            }
            (done, None)
        }));
    }
}

impl Purge {
    /// Waits for the round that runs, and takes in what it has done.
    pub(crate) fn finish(&mut self, runtime: &Handle, sequences: &mut Sequences) {
        let Some(round) = self.round.take() else { return };
        let (endings, failed) = runtime.block_on(round).unwrap_or_default();
        sequences.purged(&endings);
        let pause = if failed.is_some() { LONG_PAUSE } else { PAUSE };
        self.next = Some(Instant::now() + pause);
        if let Some(error) = failed {
            tracing::warn!("the past of deleted entities stays in the stream: {error}");
        }
    }
}

impl Drop for Purge {
    fn drop(&mut self) {
        if let Some(round) = self.round.take() {
            round.abort();
        }
    }
}

fn logs(layout: &Layout) -> Vec<(String, Duration)> {
    let logs = layout.routes.iter().filter_map(|route| match route {
        Route::Feed { subject, kind: Kind::Log, keep } => Some((format!("{subject}>"), *keep)),
        _ => None,
    });
    logs.collect()
}

/// Purges a subject up to its marker, which tells what it is called.
async fn purge_ended(
    jetstream: &Context,
    stream: &str,
    ending: &Ending,
) -> Result<(), async_nats::Error> {
    let stream = jetstream.get_stream_no_info(stream).await?;
    let marker = match stream.get_raw_message(ending.sequence).await {
        Ok(marker) => marker,
        // Somebody else has purged it.
        Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    stream.purge().filter(marker.subject.as_str()).sequence(ending.sequence + 1).await?;
    Ok(())
}

/// Purges what is older than `keep` of a feed.
async fn purge_facts(
    jetstream: &Context,
    stream: &str,
    subject: &str,
    keep: Duration,
) -> Result<(), async_nats::Error> {
    let Some(since) = SystemTime::now().checked_sub(keep) else { return Ok(()) };
    let stream = jetstream.get_stream(stream).await?;
    let mut first_kept = stream.cached_info().state.last_sequence + 1;
    let config = pull::Config {
        deliver_policy: DeliverPolicy::ByStartTime { start_time: since.into() },
        ack_policy: AckPolicy::None,
        filter_subject: subject.to_owned(),
        headers_only: true,
        memory_storage: true,
        num_replicas: 1,
        inactive_threshold: PAUSE * 10,
        ..pull::Config::default()
    };
    let consumer = stream.create_consumer(config).await?;
    if consumer.cached_info().num_pending > 0 {
        let mut messages = consumer.fetch().max_messages(1).messages().await?;
        let Some(first) = messages.next().await else { return Ok(()) };
        first_kept = first_kept.min(first?.info()?.stream_sequence);
    }
    stream.delete_consumer(&consumer.cached_info().name).await?;
    stream.purge().filter(subject).sequence(first_kept).await?;
    Ok(())
}
