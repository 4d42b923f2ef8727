//! A task of a relay, as a service.

use std::sync::Arc;

use talon_sdk::Clock;

use super::mapping::Route;
use super::pause::Pause;
use super::sink::Sink;
use super::source::Source;
use super::spec::{RelayBus, Selection, SinkSpec, SourceSpec};
use super::status::Status;
use super::task::{Plan, Task};
use super::value::Converter;
use crate::bus::{BusFault, Hold};
use crate::service::health::{Severity, State};
use crate::service::progress::Progress;
use crate::service::setup::Shared;
use crate::service::{Service, thread};

/// A configured relay.
#[derive(Clone)]
pub struct Relay {
    /// Name.
    pub name: String,
    /// What each of its tasks does; `task` is the first.
    pub plan: Plan,
    /// Where it reads.
    pub from: Arc<dyn RelayBus>,
    /// What it reads.
    pub source: SourceSpec,
    /// Where it writes.
    pub to: Arc<dyn RelayBus>,
    /// What it writes to.
    pub sink: SinkSpec,
}

impl Relay {
    /// What the shards of its tasks are called. No connector has a `/` in its name.
    pub(crate) fn shards(&self) -> impl Iterator<Item = String> {
        (0..self.plan.tasks).map(|task| shard(&self.name, task))
    }

    /// Where it reads and writes, for people.
    pub(crate) fn way(&self) -> String {
        let way = format!("{} to {}", self.from.describe(), self.to.describe());
        match self.source.selection {
            Selection::Subjects(_) => format!("{way}; at most once: no stream keeps what it reads"),
            Selection::Topics(_) | Selection::Stream { .. } => way,
        }
    }

    /// What its target would not keep of what it writes, as far as that is there and its name is known. For
    /// `talon check --probe`. Must be called on a thread of a Tokio runtime that may block.
    ///
    /// # Errors
    /// The target does not answer, or cannot be written to.
    pub fn losses(&self) -> Result<Vec<String>, BusFault> {
        let topics: Vec<String> = match (&self.plan.route, &self.source.selection) {
            (Route::Subject(_), _) => Vec::new(),
            (Route::Topic { topic, .. }, Selection::Topics(patterns)) => {
                patterns.iter().filter_map(|pattern| topic.of_topic(pattern.name()?)).collect()
            }
            (Route::Topic { topic, .. }, _) => topic.of_topic("").into_iter().collect(),
        };
        self.to.losses(&self.sink, &topics)
    }

    /// The same relay, of which this is one task.
    fn task(&self, task: u32) -> Relay {
        let mut relay = self.clone();
        (relay.plan.task, relay.source.task, relay.sink.task) = (task, task, task);
        relay
    }
}

fn shard(relay: &str, task: u32) -> String {
    format!("relay/{relay}/{task}")
}

/// A task of a relay, as a service.
pub(crate) struct RelayTask {
    shared: Shared,
    relay: Relay,
    shard: String,
    status: Status,
    pause: Pause,
}

/// The two ends of a task that was taken over.
pub(crate) struct Ends {
    source: Box<dyn Source>,
    sink: Box<dyn Sink>,
    converter: Option<Converter>,
}

impl RelayTask {
    pub(crate) fn new(
        shared: &Shared,
        (relay, task): (&Relay, u32),
        status: &Status,
        pause: &Pause,
    ) -> RelayTask {
        let (shared, shard) = (shared.clone(), shard(&relay.name, task));
        let (status, pause) = (status.clone(), pause.clone());
        RelayTask { shared, relay: relay.task(task), shard, status, pause }
    }
}

impl Service for RelayTask {
    type Open = Ends;

    fn shard(&self) -> &str {
        &self.shard
    }

    fn component(&self) -> &str {
        &self.shard
    }

    fn standby(&self) {
        self.shared.health.withdraw(&self.shard);
        self.status.ended();
    }

    fn wake(&self) {
        self.status.begins(self.shared.clock.now_ms());
    }

    async fn open(&self, hold: &Hold) -> Result<Ends, BusFault> {
        let (relay, hold) = (self.relay.clone(), hold.clone());
        let registry = self.shared.registry.clone();
        thread::run(&format!("{} opens", self.shard), move || {
            let grant = hold.grant();
            let values = relay.plan.values.as_ref();
            let converter =
                values.map(|values| Converter::open(values, registry.as_ref())).transpose()?;
            // The sink first: nothing of an earlier owner is read past.
            let sink = relay.to.sink(&relay.sink, grant)?;
            let source = relay.from.source(&relay.source, grant)?;
            Ok(Ends { source, sink, converter })
        })
        .await
    }

    async fn serve(&self, open: Ends, hold: &Hold, progress: &Progress) -> Result<(), BusFault> {
        let pause = self.pause.seen();
        let message = if pause.rests() { "paused" } else { "" };
        self.shared.health.set(&self.shard, Severity::Vital, State::Up, message);
        let Ends { source, sink, converter } = open;
        let (plan, status) = (self.relay.plan.clone(), self.status.clone());
        let (hold, progress) = (hold.clone(), progress.clone());
        let clock: Clock = self.shared.clock.clone();
        let served = thread::run(&self.shard, move || {
            let task = Task::open(&plan, (source, sink), hold.grant(), &status, &clock)?;
            let mut task = task.converting(converter).pausing(pause);
            task.run(&mut || progress.committed())
        });
        served.await
    }

    /// What is known of it is shown on while it is tried again: it is behind, and its freshness grows.
    fn ended(&self) {}

    async fn leave(&self) {}
}
