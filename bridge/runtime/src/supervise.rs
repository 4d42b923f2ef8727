//! The feeds of one connector at work: take the shard over, recover, serve.

use std::sync::Arc;

use talon_sdk::{Clock, Commands, Connector, FeedPlan, Kind};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinSet, spawn_blocking};

use crate::backoff::Backoff;
use crate::board::{Board, State, Weight};
use crate::bus::{Bus, BusFault, GiveUp, Purpose, ShardSpec, TopicSpec};
use crate::diff::Differ;
use crate::facts::Facts;
use crate::metrics::{FeedMetrics, Metrics};
use crate::options::{Format, Options};
use crate::ownership::Ownership;
use crate::poll::Poll;
use crate::publish::FeedFrame;
use crate::registry::{Registry, Schemas};
use crate::shard::{Shard, Sighting};
use crate::state::{FeedState, Known};
use crate::tenure::{End, Service};
use talon_schemas::wire::Wire;

/// Observations that wait for the shard; each holds a reply of the upstream.
const INBOX: usize = 4;

/// A configured connector.
#[derive(Clone)]
pub struct Setup {
    /// Name of the instance.
    pub name: String,
    /// Its class.
    pub class: &'static str,
    /// The settings that are the runtime's.
    pub options: Options,
    /// The connector.
    pub connector: Arc<dyn Connector>,
    /// The commands of its class.
    pub commands: Option<Commands>,
}

/// What all connectors of a process share.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) prefix: String,
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) registry: Option<Registry>,
    pub(crate) clock: Clock,
    pub(crate) metrics: Metrics,
    pub(crate) board: Board,
    pub(crate) ownership: Ownership,
    pub(crate) stop: watch::Receiver<bool>,
    pub(crate) give_up: GiveUp,
    /// Replicas of what all connectors share.
    pub(crate) replication: u16,
}

/// Name of a feed's topic.
pub fn topic(prefix: &str, connector: &str, feed: &str) -> String {
    format!("{prefix}.{connector}.{feed}")
}

/// What a connector writes, on a bus.
pub fn shard_spec(prefix: &str, setup: &Setup) -> ShardSpec {
    let options = setup.options;
    let spec = |name: String, purpose, partitions, keep_ms| TopicSpec {
        name,
        purpose,
        partitions,
        replication: options.replication,
        keep_ms,
    };
    let mut topics: Vec<TopicSpec> = setup
        .connector
        .feeds()
        .iter()
        .map(|plan| {
            let name = topic(prefix, &setup.name, plan.spec.name);
            let keep_ms = match plan.spec.kind {
                Kind::Table => options.table_keep_ms,
                Kind::Log => options.log_keep_ms,
            };
            spec(name, Purpose::Changes(plan.spec.kind), options.partitions, keep_ms)
        })
        .collect();
    let dead_letters = topic(prefix, &setup.name, "dlq");
    topics.push(spec(dead_letters, Purpose::DeadLetters, 1, options.dead_letter_keep_ms));
    let checkpoints = spec(format!("{prefix}.checkpoints"), Purpose::Checkpoints, 1, 0);
    let delivery = options.delivery;
    ShardSpec { name: setup.name.clone(), delivery, topics, checkpoints }
}

/// The feeds of a connector, as a service.
pub(crate) struct Feeds {
    pub(crate) shared: Shared,
    pub(crate) setup: Setup,
    pub(crate) plans: Vec<(FeedPlan, FeedMetrics)>,
}

impl Service for Feeds {
    fn shard(&self) -> &str {
        &self.setup.name
    }

    fn component(&self) -> &str {
        &self.setup.name
    }

    fn standby(&self) {
        let Feeds { shared, setup, plans } = self;
        shared.metrics.owned(&setup.name, false);
        let message = "another process of the group runs it";
        shared.board.set(&setup.name, Weight::Vital, State::Standby, message);
        for (plan, metrics) in plans {
            shared.board.remove(&format!("{}/{}", setup.name, plan.spec.name));
            metrics.rest();
        }
    }

    fn wake(&self) {
        let now = self.shared.clock.now_ms();
        self.plans.iter().for_each(|(_, metrics)| metrics.wake(now));
    }

    async fn run(&self, backoff: &mut Backoff) -> End {
        run_once(&self.shared, &self.setup, &self.plans, backoff).await
    }

    fn ended(&self) {
        self.shared.metrics.owned(&self.setup.name, false);
    }

    fn connector(&self) -> &dyn Connector {
        self.setup.connector.as_ref()
    }
}

async fn run_once(
    shared: &Shared,
    setup: &Setup,
    feeds: &[(FeedPlan, FeedMetrics)],
    backoff: &mut Backoff,
) -> End {
    let mut stop = shared.stop.clone();
    let shard = tokio::select! {
        shard = open(shared, setup, feeds) => match shard {
            Ok(shard) => shard,
            Err(fault) => return End::Failed(fault),
        },
        // Nothing has been read, so there is nothing to wait for.
        _ = stop.wait_for(|stopped| *stopped) => return End::Halted,
    };
    shared.board.set(&setup.name, Weight::Vital, State::Up, "");
    shared.metrics.owned(&setup.name, true);
    backoff.reset();
    serve(shared, setup, feeds, shard).await
}

async fn open(
    shared: &Shared,
    setup: &Setup,
    feeds: &[(FeedPlan, FeedMetrics)],
) -> Result<Shard, BusFault> {
    let (shared, setup, feeds) = (shared.clone(), setup.clone(), feeds.to_vec());
    let schemas = Schemas { registry: shared.registry.clone(), runtime: Handle::current() };
    blocking(move || {
        let mut spec = shard_spec(&shared.prefix, &setup);
        spec.checkpoints.replication = shared.replication;
        let wires = wires(&shared.board, &schemas, &spec, &setup, &feeds)?;
        let log = shared.bus.open(&spec, &shared.give_up);
        report(&shared.board, "bus", log.as_ref().err());
        let states = feeds
            .into_iter()
            .zip(wires)
            .enumerate()
            .map(|(place, ((plan, metrics), wire))| {
                let contract = (plan.spec.contract)();
                let topic = spec.topics[place].name.clone();
                let known = known(&topic, &plan, &setup.options);
                let frame = FeedFrame {
                    class: setup.class,
                    connector: setup.name.clone(),
                    feed: plan.spec.name,
                    kind: plan.spec.kind,
                    topic,
                    contract,
                    wire,
                    changes: place,
                    dead_letters: spec.topics.len() - 1,
                    metrics,
                };
                FeedState::new(frame, known)
            })
            .collect();
        let (clock, metrics) = (shared.clock.clone(), shared.metrics.clone());
        Shard::recover(&setup.name, log?, states, &schemas, clock, metrics)
    })
    .await
}

/// What is known of a feed before anything is read back.
fn known(topic: &str, plan: &FeedPlan, options: &Options) -> Known {
    let (topic, codec) = (topic.to_owned(), plan.codec.clone());
    codec.forget();
    if codec.facts().is_some() {
        return Known::Facts(Facts::new(topic, codec));
    }
    let contract = (plan.spec.contract)();
    let Options { guard, before_images, .. } = *options;
    Known::Entities(Box::new(Differ::new(topic, contract, codec, guard, before_images)))
}

/// How the values of each feed are written: its schema is registered first.
fn wires(
    board: &Board,
    schemas: &Schemas,
    spec: &ShardSpec,
    setup: &Setup,
    feeds: &[(FeedPlan, FeedMetrics)],
) -> Result<Vec<Wire>, BusFault> {
    if setup.options.format == Format::Json {
        return Ok(vec![Wire::Json; feeds.len()]);
    }
    let wires: Result<Vec<Wire>, BusFault> = feeds
        .iter()
        .zip(&spec.topics)
        .map(|((plan, _), topic)| schemas.wire(&topic.name, (plan.spec.contract)()))
        .collect();
    if schemas.registry.is_some() {
        report(board, "registry", wires.as_ref().err());
    }
    wires
}

pub(crate) fn report(board: &Board, component: &str, fault: Option<&BusFault>) {
    let (state, message) = match fault {
        None => (State::Up, String::new()),
        Some(fault @ BusFault::Misconfigured(_)) => (State::Misconfigured, fault.to_string()),
        Some(fault @ BusFault::Fenced(_)) => (State::Fenced, fault.to_string()),
        Some(fault) => (State::Unavailable, fault.to_string()),
    };
    board.set(component, Weight::Vital, state, &message);
}

async fn serve(
    shared: &Shared,
    setup: &Setup,
    feeds: &[(FeedPlan, FeedMetrics)],
    shard: Shard,
) -> End {
    let (sender, inbox) = mpsc::channel::<Sighting>(INBOX);
    let (halt, halted) = watch::channel(false);
    let mut polls = JoinSet::new();
    for (place, ((plan, metrics), start)) in feeds.iter().zip(shard.starts()).enumerate() {
        if plan.codec.facts().is_some() {
            // Told by another feed's rows.
            continue;
        }
        let poll = Poll {
            connector: setup.connector.clone(),
            name: plan.spec.name,
            component: format!("{}/{}", setup.name, plan.spec.name),
            place,
            interval: plan.interval,
            start,
            shard: sender.clone(),
            board: shared.board.clone(),
            metrics: metrics.clone(),
            stop: halted.clone(),
        };
        polls.spawn(poll.run());
    }
    // The shard ends when the last feed has let go of its sender.
    drop(sender);
    let mut serving = tokio::spawn(blocking(move || shard.serve(inbox)));
    let mut lost = None;
    let mut stop = shared.stop.clone();
    let served = loop {
        tokio::select! {
            _ = stop.wait_for(|stopped| *stopped), if !*halted.borrow() => {
                halt.send_replace(true);
            }
            () = shared.ownership.wait_revoked(&setup.name), if !*halted.borrow() => {
                halt.send_replace(true);
            }
            served = &mut serving => break served,
            Some(Err(panic)) = polls.join_next() => {
                // Without this feed the shard would go on as if nothing were missing.
                polls.abort_all();
                lost = Some(BusFault::Aborted(format!("a defect of Talon ended a feed: {panic}")));
            }
        }
    };
    polls.shutdown().await;
    let served = served.unwrap_or_else(|panic| {
        Err(BusFault::Aborted(format!("a defect of Talon ended the shard: {panic}")))
    });
    match (served, lost) {
        (Ok(()), None) => End::Halted,
        (Ok(()), Some(fault)) => End::Failed(fault),
        (Err(fault), _) => {
            if matches!(fault, BusFault::Unavailable(_)) {
                report(&shared.board, "bus", Some(&fault));
            }
            End::Failed(fault)
        }
    }
}

/// Runs what blocks on a thread that may.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, BusFault> + Send + 'static,
) -> Result<T, BusFault> {
    match spawn_blocking(work).await {
        Ok(result) => result,
        // A panic: the shard is gone, and is opened anew.
        Err(error) => Err(BusFault::Aborted(format!("a defect of Talon ended the shard: {error}"))),
    }
}
