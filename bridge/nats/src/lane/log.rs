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
use super::{LaneLayout, Unsettled};
use crate::book::Target;
use crate::connection::Connection;
use crate::names;
use crate::pipeline::Pipeline;
use crate::record::{Form, Limits};
use crate::recover::{gone, read, rest_of, taken_ms};
use crate::streams::info;
use crate::window::Window;

/// Commands that are forgotten with one commit, at most.
const FORGET: usize = 1_000;

/// The log of a lane. Results expect the sequence of the last one of their command, as the records of
/// feeds do; a command is acknowledged when its results are stored.
pub(crate) struct NatsLaneLog {
    runtime: Handle,
    connection: Connection,
    layout: LaneLayout,
    limits: Limits,
    grant: Grant,
    window: Window,
    unsettled: Arc<Unsettled>,
    acks: Acks,
    progress: JoinHandle<()>,
}

impl NatsLaneLog {
    pub(crate) async fn open(
        connection: Connection,
        layout: LaneLayout,
        results: &Config,
        (unsettled, consumer): (Arc<Unsettled>, String),
        max_in_flight: usize,
        grant: Grant,
    ) -> Result<NatsLaneLog, BusFault> {
        let streams = (results.name.clone(), layout.checkpoints.below.name.clone());
        let pipeline =
            Pipeline::open(connection.clone(), streams, max_in_flight, grant.clone()).await?;
        let commands = layout.commands.name.clone();
        let acks = Acks::open(connection.clone(), (commands, consumer), grant.clone()).await?;
        Ok(NatsLaneLog {
            runtime: Handle::current(),
            limits: Limits::of(connection.client.max_payload(), results),
            window: Window::new(pipeline),
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
        let NatsLaneLog { connection, layout, window, grant, .. } = self;
        self.runtime.block_on(async {
            let stream = &layout.results.name;
            let what = format!("stream `{stream}`");
            let reached = info(connection, stream).await?.ok_or_else(|| gone(&what))?;
            // All of them: behind an outcome there may be a note on a duplicate.
            let all = (stream.as_str(), layout.results.subjects.clone(), DeliverPolicy::All);
            read(connection, grant, all, &mut |message, sequence| {
                let book = &mut window.book;
                book.recover(&message.subject, sequence);
                if !layout.keep.is_zero() {
                    book.recover_end(&message.subject, sequence, rest_of(message, layout.keep));
                }
                let token = message.subject.strip_prefix(layout.result_subject.as_str());
                // A subject that is no command's id is none of ours.
                let Some(key) = token.and_then(names::key) else { return Ok(()) };
                let value = Some(&message.payload[..]).filter(|value| !value.is_empty());
                each(Recovered { key: &key, value, event_id: None, at_ms: taken_ms(message) })
            })
            .await?;
            window.book.recovered_to(reached.state.last_sequence);
            Ok(())
        })
    }

    fn append(&mut self, record: &LaneRecord) -> Result<(), BusFault> {
        let mut headers: Vec<(&str, &[u8])> =
            record.headers.iter().map(|(name, value)| (*name, value.as_slice())).collect();
        let token = names::token(&record.key);
        let (subject, target) = match record.topic {
            LaneTopic::Results => {
                let subject = self.subject(&self.layout.result_subject, &record.key)?;
                let ends_after = Some(self.layout.keep).filter(|keep| !keep.is_zero());
                let hash = self.window.book.subject(&subject);
                (subject, Target::Feed { subject: hash, expected: Some(0), ends_after })
            }
            LaneTopic::Commands => {
                (self.subject(&self.layout.command_subject, &record.key)?, Target::Free)
            }
            LaneTopic::DeadLetters => {
                headers.push(("talon-key", token.as_bytes()));
                (self.layout.dead_letter_subject.clone(), Target::Free)
            }
        };
        let value = Some(record.value.as_slice());
        let append = Append { topic: 0, key: &record.key, value, headers: &headers };
        let form = Form { append: &append, limits: &self.limits };
        self.window.publish(form.named(subject, &record.id, target)?)
    }

    fn commit(&mut self, settled: &[Position]) -> Result<(), BusFault> {
        // Results first: a command without one must come again.
        self.window.settle()?;
        self.window.book.close_window()?;
        // The server forgets them too.
        let old = self.window.book.due(FORGET);
        self.window.book.swept(&old);
        let sequence = |position: &Position| u64::try_from(position.offset).ok();
        let acks = settled.iter().filter_map(sequence).filter_map(|s| self.unsettled.take(s));
        self.acks.send(acks.collect())?;
        self.connection.watch.well();
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
