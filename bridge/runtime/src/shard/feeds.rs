//! The feeds of one connector as a service: take the shard over, recover, serve.

use futures_util::FutureExt;
use talon_schemas::wire::Wire;
use talon_schemas::{Contract, Message};
use talon_sdk::{FeedPlan, Kind};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::bus::{BusFault, Hold, Purpose, ShardSpec, TopicSpec};
use crate::service::health::{Severity, State};
use crate::service::metrics::FeedMetrics;
use crate::service::options::{Format, Options};
use crate::service::progress::Progress;
use crate::service::registry::Schemas;
use crate::service::setup::{Setup, Shared, topic};
use crate::service::{Service, farewell, thread};
use crate::shard::diff::Differ;
use crate::shard::facts::{Kept, PublishedFacts};
use crate::shard::inbox::{Inbound, Inlet};
use crate::shard::pace::Pace;
use crate::shard::poll::Poll;
use crate::shard::publish::FeedFrame;
use crate::shard::serve::Shard;
use crate::shard::set_aside::SetAside;
use crate::shard::state::{FeedState, Known};

/// Observations that wait for the shard; each holds a reply of the upstream.
const INBOX: usize = 4;

/// What a connector writes, on a bus.
pub fn shard_spec(prefix: &str, setup: &Setup) -> ShardSpec {
    let options = setup.options;
    let spec = |name: String, purpose, partitions, keep_ms| TopicSpec {
        name,
        purpose,
        partitions,
        replication: options.replication,
        keep_ms,
        record_bytes: (purpose != Purpose::Checkpoints).then(|| options.record_bytes()),
    };
    let mut topics: Vec<TopicSpec> = setup
        .connector
        .feeds()
        .iter()
        .map(|plan| {
            let name = topic(prefix, &setup.name, &plan.spec.name);
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
    pub(crate) aside: SetAside,
    pub(crate) pace: Pace,
    pub(crate) inlet: Inlet,
}

impl Service for Feeds {
    type Open = Shard;

    fn shard(&self) -> &str {
        &self.setup.name
    }

    fn component(&self) -> &str {
        &self.setup.name
    }

    fn standby(&self) {
        let Feeds { shared, setup, plans, .. } = self;
        shared.metrics.owned(&setup.name, false);
        shared.metrics.recovery_over(&setup.name);
        shared.health.withdraw(&setup.name);
        for (plan, metrics) in plans {
            shared.health.remove(&format!("{}/{}", setup.name, plan.spec.name));
            metrics.rest();
        }
    }

    fn wake(&self) {
        let now = self.shared.clock.now_ms();
        self.plans.iter().for_each(|(_, metrics)| metrics.wake(now));
    }

    async fn open(&self, hold: &Hold) -> Result<Shard, BusFault> {
        let (shared, setup, plans) = (self.shared.clone(), self.setup.clone(), self.plans.clone());
        let (hold, schemas) = (hold.clone(), Schemas::new(shared.registry.clone()));
        let name = format!("{} opens", setup.name);
        thread::run(&name, move || open(&shared, &setup, plans, &schemas, &hold)).await
    }

    async fn serve(&self, shard: Shard, hold: &Hold, progress: &Progress) -> Result<(), BusFault> {
        self.shared.health.set(&self.setup.name, Severity::Vital, State::Up, "");
        self.shared.metrics.owned(&self.setup.name, true);
        self.shared.metrics.recovery_over(&self.setup.name);
        serve(self, shard, hold, progress).await
    }

    fn ended(&self) {
        self.shared.metrics.owned(&self.setup.name, false);
    }

    async fn leave(&self) {
        farewell(self.setup.connector.as_ref()).await;
    }
}

/// Takes the shard over and reads back what was published. Blocks.
fn open(
    shared: &Shared,
    setup: &Setup,
    feeds: Vec<(FeedPlan, FeedMetrics)>,
    schemas: &Schemas,
    hold: &Hold,
) -> Result<Shard, BusFault> {
    let recovery = shared.metrics.recovering(&setup.name);
    let mut spec = shard_spec(&shared.prefix, setup);
    spec.checkpoints.replication = shared.replication;
    let wires = wires(shared, schemas, &spec, setup, &feeds, hold)?;
    hold.grant().may_begin()?;
    let log = shared.bus.open(&spec, hold.grant());
    report(shared, hold, "bus", log.as_ref().err());
    let states = states(setup, &spec, feeds, wires);
    let (clock, metrics) = (shared.clock.clone(), shared.metrics.clone());
    Shard::recover(hold, log?, states, schemas, clock, (metrics, &recovery))
}

/// What is known of the feeds before anything is read back.
pub(super) fn states(
    setup: &Setup,
    spec: &ShardSpec,
    feeds: Vec<(FeedPlan, FeedMetrics)>,
    wires: Vec<Wire>,
) -> Vec<FeedState> {
    let feeds = feeds.into_iter().zip(wires).enumerate();
    feeds
        .map(|(place, ((plan, metrics), wire))| {
            let contract = setup.contract(&plan);
            let topic = spec.topics[place].name.clone();
            let known = known(&topic, &plan, contract, &setup.options);
            let frame = FeedFrame {
                class: setup.class,
                connector: setup.name.clone(),
                feed: plan.spec.name.clone(),
                kind: plan.spec.kind,
                topic,
                contract,
                wire,
                changes: place,
                dead_letters: spec.topics.len() - 1,
                entity_bytes: setup.options.entity_bytes,
                before_images: setup.options.before_images,
                oversize: setup.options.oversize,
                metrics,
            };
            FeedState::new(frame, known)
        })
        .collect()
}

/// Notes what opening found of what all connectors use.
fn report(shared: &Shared, hold: &Hold, component: &str, fault: Option<&BusFault>) {
    let connector = hold.grant().shard();
    shared.report(component, connector, fault);
    // Nobody waits for the end of opening when the shard is taken back, so it may have been given up
    // already: then this would stay.
    if hold.grant().closing().now_or_never().is_some() {
        shared.health.withdraw(connector);
    }
}

/// What is known of a feed before anything is read back.
fn known(topic: &str, plan: &FeedPlan, contract: &'static Contract, options: &Options) -> Known {
    let (topic, codec) = (topic.to_owned(), plan.codec.clone());
    codec.forget();
    let Options { guard, before_images, log_keep_ms, .. } = *options;
    if codec.facts().is_some() {
        let kept = match before_images {
            true => Kept::Values { retention_ms: log_keep_ms },
            false => Kept::Nothing,
        };
        return Known::Facts(PublishedFacts::new(topic, contract, codec, kept));
    }
    let differ = Differ::new(topic, contract, codec, guard, before_images);
    Known::Entities(Box::new(match plan.spec.kind {
        Kind::Table => differ,
        Kind::Log => differ.with_retention(log_keep_ms),
    }))
}

/// How the values of each feed are written: its schema is registered first.
fn wires(
    shared: &Shared,
    schemas: &Schemas,
    spec: &ShardSpec,
    setup: &Setup,
    feeds: &[(FeedPlan, FeedMetrics)],
    hold: &Hold,
) -> Result<Vec<Wire>, BusFault> {
    if setup.options.format == Format::Json {
        return Ok(vec![Wire::Json; feeds.len()]);
    }
    let wanted: Vec<(&str, &Message)> = feeds
        .iter()
        .zip(&spec.topics)
        .map(|((plan, _), topic)| (topic.name.as_str(), setup.contract(plan).as_ref()))
        .collect();
    let wires = schemas.wires(&wanted);
    if schemas.registry.is_some() {
        report(shared, hold, "registry", wires.as_ref().err());
    }
    wires
}

async fn serve(
    feeds: &Feeds,
    shard: Shard,
    hold: &Hold,
    progress: &Progress,
) -> Result<(), BusFault> {
    let Feeds { shared, setup, plans, aside, pace, inlet } = feeds;
    let (sender, inbox) = mpsc::channel::<Inbound>(INBOX);
    inlet.open(&sender);
    let mut polls = JoinSet::new();
    for (place, ((plan, metrics), start)) in plans.iter().zip(shard.starts()).enumerate() {
        if plan.codec.facts().is_some() {
            // Told by another feed's rows.
            continue;
        }
        let poll = Poll {
            connector: setup.connector.clone(),
            name: plan.spec.name.clone(),
            component: format!("{}/{}", setup.name, plan.spec.name),
            place,
            interval: plan.interval,
            start,
            shard: sender.clone(),
            health: shared.health.clone(),
            metrics: metrics.clone(),
            grant: hold.grant().clone(),
            aside_until: aside.until(&plan.spec.name),
        };
        polls.spawn(poll.run());
    }
    // The shard ends when the last feed has let go of its sender.
    drop(sender);
    let (of_thread, aside, pace) = (hold.clone(), aside.clone(), pace.clone());
    let progress = progress.clone();
    let serving = thread::run(&setup.name, move || {
        let served = shard.serve(inbox, &aside, &pace, &progress);
        drop(of_thread);
        served
    });
    tokio::pin!(serving);
    let mut lost = None;
    let served = loop {
        tokio::select! {
            served = &mut serving => break served,
            Some(Err(panic)) = polls.join_next() => {
                // Without this feed the shard would go on as if nothing were missing.
                polls.abort_all();
                lost = Some(BusFault::Aborted(format!("a defect of Talon ended a feed: {panic}")));
            }
        }
    };
    polls.shutdown().await;
    if let Err(fault @ (BusFault::Unavailable(_) | BusFault::Misconfigured(_))) = &served {
        shared.report("bus", &setup.name, Some(fault));
    }
    served.and(lost.map_or(Ok(()), Err))
}
