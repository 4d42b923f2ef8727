//! Writing what becomes of commands.

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::AckKind;
use async_nats::jetstream::consumer::DeliverPolicy;
use async_nats::jetstream::stream::Config;
use bytes::Bytes;
use talon_runtime::bus::{
    Append, BusFault, Grant, LaneLog, LaneRecord, LaneTopic, Position, Recovered,
};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::acks::Acks;
use super::layout::LaneLayout;
use super::unsettled::Unsettled;
use crate::connection::Connection;
use crate::names;
use crate::read::{gone, read_to_end, rest_of, taken_ms};
use crate::streams::info;
use crate::writer::{Draft, Life, Limits, Pipeline, Streams, Target, Writer};

/// Commands that are forgotten with one commit, at most.
const FORGET: usize = 1_000;

/// The log of a lane. Results expect the sequence of the last one of their command, as the records of
/// feeds do; a command is acknowledged when its results are stored.
pub(crate) struct NatsLaneLog {
    runtime: Handle,
    connection: Connection,
    layout: LaneLayout,
    limits: LimitsOf,
    grant: Grant,
    writer: Writer,
    unsettled: Arc<Unsettled>,
    acks: Acks,
    progress: JoinHandle<()>,
}

/// What each of the streams takes.
struct LimitsOf {
    commands: Limits,
    results: Limits,
    dead_letters: Limits,
}

impl NatsLaneLog {
    pub(crate) async fn open(
        connection: Connection,
        layout: LaneLayout,
        found: &[Config],
        (unsettled, consumer): (Arc<Unsettled>, String),
        max_in_flight: usize,
        grant: Grant,
    ) -> Result<NatsLaneLog, BusFault> {
        let streams = Streams {
            owned: layout.results.name.clone(),
            checkpoints: layout.checkpoints.below.name.clone(),
        };
        let pipeline =
            Pipeline::open(connection.clone(), streams, max_in_flight, grant.clone()).await?;
        let max_payload = connection.client.max_payload();
        let limits = LimitsOf {
            commands: Limits::of(max_payload, &found[0]),
            results: Limits::of(max_payload, &found[1]),
            dead_letters: Limits::of(max_payload, &found[2]),
        };
        let commands = layout.commands.name.clone();
        let acks = Acks::open(connection.clone(), (commands, consumer), grant.clone()).await?;
        Ok(NatsLaneLog {
            runtime: Handle::current(),
            limits,
            writer: Writer::new(pipeline),
            progress: tokio::spawn(show_progress(
                connection.clone(),
                unsettled.clone(),
                layout.ack_wait / 3,
            )),
            connection,
            layout,
            grant,
            unsettled,
            acks,
        })
    }

    fn subject(&self, beginning: &str, key: &str) -> Result<String, BusFault> {
        let token = names::token(key);
        if token.len() > names::MAX_TOKEN {
            return Err(BusFault::TooLarge(format!(
                "NATS: the key is longer than {} bytes as a subject",
                names::MAX_TOKEN
            )));
        }
        Ok(format!("{beginning}{token}"))
    }
}

impl LaneLog for NatsLaneLog {
    fn recover(
        &mut self,
        each: &mut dyn FnMut(Recovered<'_>) -> Result<(), BusFault>,
    ) -> Result<(), BusFault> {
        let NatsLaneLog { connection, layout, writer, grant, .. } = self;
        self.runtime.block_on(async {
            let stream = &layout.results.name;
            let what = format!("stream `{stream}`");
            let reached = info(connection, stream).await?.ok_or_else(|| gone(&what))?;
            // All of them: behind an outcome there may be a note on a duplicate.
            let all = (stream.as_str(), layout.results.subjects.clone(), DeliverPolicy::All);
            read_to_end(connection, grant, all, &mut |message, sequence| {
                let life = match layout.keep.is_zero() {
                    true => Life::Lasting,
                    false => Life::For(rest_of(message, layout.keep)),
                };
                writer.sequences.recover(&message.subject, sequence, life);
                let token = message.subject.strip_prefix(layout.result_subject.as_str());
                // A subject that is no command's id is none of ours.
                let Some(key) = token.and_then(names::key) else { return Ok(()) };
                let value = Some(&message.payload[..]).filter(|value| !value.is_empty());
                each(Recovered { key: &key, value, event_id: None, at_ms: taken_ms(message) })
            })
            .await?;
            writer.sequences.recovered_to(reached.state.last_sequence);
            Ok(())
        })
    }

    fn append(&mut self, record: &LaneRecord) -> Result<(), BusFault> {
        let mut headers: Vec<(&str, &[u8])> =
            record.headers.iter().map(|(name, value)| (*name, value.as_slice())).collect();
        let token = names::token(&record.key);
        let (subject, target, limits) = match record.topic {
            LaneTopic::Results => {
                let subject = self.subject(&self.layout.result_subject, &record.key)?;
                let keep = self.layout.keep;
                let life = if keep.is_zero() { Life::Lasting } else { Life::For(keep) };
                let hash = self.writer.sequences.subject(&subject);
                let target = Target::Owned { subject: hash, expected: 0, life };
                (subject, target, &self.limits.results)
            }
            LaneTopic::Commands => {
                let subject = self.subject(&self.layout.command_subject, &record.key)?;
                (subject, Target::Free, &self.limits.commands)
            }
            LaneTopic::DeadLetters => {
                headers.push(("talon-key", token.as_bytes()));
                let subject = self.layout.dead_letter_subject.clone();
                (subject, Target::Free, &self.limits.dead_letters)
            }
        };
        let value = Some(record.value.as_slice());
        let append = Append { topic: 0, key: &record.key, value, headers: &headers };
        let draft = Draft { append: &append, limits };
        self.writer.publish(draft.named(subject, &record.id, target)?)
    }

    fn commit(&mut self, settled: &[Position]) -> Result<(), BusFault> {
        // Results first: a command without one must come again.
        self.writer.settle()?;
        let sequences = &mut self.writer.sequences;
        sequences.check_gaps()?;
        // The server forgets them too.
        let old = sequences.due(FORGET);
        sequences.purged(&old);
        let sequence = |position: &Position| u64::try_from(position.offset).ok();
        let acks = settled.iter().filter_map(sequence).filter_map(|s| self.unsettled.take(s));
        self.acks.send(acks.collect())?;
        self.connection.status.over();
        Ok(())
    }
}

impl Drop for NatsLaneLog {
    fn drop(&mut self) {
        self.progress.abort();
    }
}

/// Tells the server in time that the commands are being worked on.
async fn show_progress(connection: Connection, unsettled: Arc<Unsettled>, every: Duration) {
    let mut tick = tokio::time::interval(every);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        for ack in unsettled.all() {
            // Where it does not arrive the command comes again, and is known by its position.
            if connection.client.publish(ack, Bytes::from(AckKind::Progress)).await.is_err() {
                break;
            }
        }
    }
}
