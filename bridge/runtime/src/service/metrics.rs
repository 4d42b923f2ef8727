//! Metrics. Their names are a contract: a test pins them.

mod freshness;
mod tally;

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus::{
    GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGaugeVec, Opts,
    Registry, TextEncoder,
};
use talon_schemas::Op;
use talon_sdk::{Clock, Observation, UpstreamMetrics};

use crate::service::options::Oversize;
use freshness::Freshness;
pub(crate) use tally::{Stage, Tally};

/// All metrics of a process. Cheap to clone.
#[derive(Clone)]
pub struct Metrics {
    registry: Registry,
    /// Requests to upstreams.
    pub upstream: UpstreamMetrics,
    /// Log lines that were dropped, by reason.
    pub log_dropped: IntCounterVec,
    freshness: GaugeVec,
    lag: HistogramVec,
    observations: IntCounterVec,
    changes: IntCounterVec,
    gap_changes: IntCounterVec,
    entities: IntGaugeVec,
    pub(crate) dead_letters: IntCounterVec,
    oversize: IntCounterVec,
    withheld: IntGaugeVec,
    memory_lost: IntCounterVec,
    publish: HistogramVec,
    recovery: GaugeVec,
    owned: IntGaugeVec,
    up: IntGaugeVec,
    pub(crate) commands: IntCounterVec,
    pub(crate) command_lag: IntGaugeVec,
    pub(crate) command_duration: HistogramVec,
}

impl Metrics {
    /// Registers them all in a registry of their own.
    ///
    /// # Errors
    /// None that depends on input: the names differ.
    pub fn new() -> prometheus::Result<Metrics> {
        let registry = Registry::new();
        let counters = |name: &str, help: &str, labels: &[&str]| {
            let vec = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(vec.clone()))?;
            prometheus::Result::Ok(vec)
        };
        let gauges = |name: &str, help: &str, labels: &[&str]| {
            let vec = GaugeVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(vec.clone()))?;
            prometheus::Result::Ok(vec)
        };
        let numbers = |name: &str, help: &str, labels: &[&str]| {
            let vec = IntGaugeVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(vec.clone()))?;
            prometheus::Result::Ok(vec)
        };
        let histograms = |name: &str, help: &str, labels: &[&str], buckets: Vec<f64>| {
            let vec = HistogramVec::new(HistogramOpts::new(name, help).buckets(buckets), labels)?;
            registry.register(Box::new(vec.clone()))?;
            prometheus::Result::Ok(vec)
        };
        let metrics = Metrics {
            upstream: UpstreamMetrics::register(&registry)?,
            log_dropped: counters(
                "talon_log_lines_dropped_total",
                "Log lines that standard error did not take, by reason: full (not read), failed.",
                &["reason"],
            )?,
            freshness: gauges(
                "talon_feed_freshness_seconds",
                "Time since the last complete observation that is committed, at scrape; since start where there was none. Of a feed that keeps several scopes up to date, that of the scope that was read longest ago.",
                &["connector", "feed"],
            )?,
            lag: histograms(
                "talon_feed_lag_seconds",
                "Upstream time of a change to its publication.",
                &["connector", "feed"],
                vec![0.01, 0.05, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0],
            )?,
            observations: counters(
                "talon_observations_total",
                "Observations by result: ok, withheld (deletes not believed), missed (a look from the beginning found changes that were not seen before), or the fault that prevented one.",
                &["connector", "feed", "result"],
            )?,
            changes: counters(
                "talon_changes_total",
                "Change events committed, by op.",
                &["connector", "feed", "op"],
            )?,
            gap_changes: counters(
                "talon_gap_changes_total",
                "Change events that a gap had hidden: those of the first observation after a fault.",
                &["connector", "feed"],
            )?,
            entities: numbers(
                "talon_feed_entities",
                "Entities in the index.",
                &["connector", "feed"],
            )?,
            withheld: numbers(
                "talon_feed_withheld_deletes",
                "Entities whose absence the mass-delete guard does not believe.",
                &["connector", "feed"],
            )?,
            memory_lost: counters(
                "talon_memory_lost_total",
                "Recoveries that found fewer entities than the feed's checkpoint says, upon which it is read from the beginning.",
                &["connector", "feed"],
            )?,
            dead_letters: counters(
                "talon_dead_letters_total",
                "Inputs put aside, by stage: decode, publish, command.",
                &["connector", "feed", "stage"],
            )?,
            oversize: counters(
                "talon_oversize_total",
                "Events that the bus did not take with their before image, by what became of them: dead-letter, drop-before.",
                &["connector", "feed", "handling"],
            )?,
            publish: histograms(
                "talon_publish_duration_seconds",
                "From the first append of a commit until the bus confirmed it.",
                &["connector"],
                vec![0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0],
            )?,
            recovery: gauges(
                "talon_recovery_seconds",
                "How long the last recovery of the index took.",
                &["connector"],
            )?,
            owned: numbers(
                "talon_shard_owned",
                "1 where this process owns the shard.",
                &["connector"],
            )?,
            up: numbers(
                "talon_component_up",
                "1 where the component works: bus, registry, a connector's upstream; none where it does not run here.",
                &["component"],
            )?,
            commands: counters(
                "talon_commands_total",
                "Commands that got an outcome, by type and outcome.",
                &["connector", "type", "outcome"],
            )?,
            command_lag: numbers(
                "talon_command_lag_records",
                "Commands on the topic that have no outcome yet.",
                &["connector"],
            )?,
            command_duration: histograms(
                "talon_command_duration_seconds",
                "From reading a command until its outcome is committed, its wait for others with the same key included.",
                &["connector", "type"],
                vec![
                    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
                    300.0,
                ],
            )?,
            registry,
        };
        let build = IntGaugeVec::new(Opts::new("talon_build_info", "Always 1."), &["version"])?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        metrics.registry.register(Box::new(build))?;
        Ok(metrics)
    }

    /// The text format of Prometheus.
    pub fn text(&self) -> String {
        TextEncoder::new().encode_to_string(&self.registry.gather()).unwrap_or_default()
    }

    /// Those of one feed.
    pub fn feed(&self, connector: &str, feed: &str, clock: &Clock) -> FeedMetrics {
        let with_op = |op: Op| self.changes.with_label_values(&[connector, feed, op.letter()]);
        FeedMetrics(Arc::new(Feed {
            labels: [connector.to_owned(), feed.to_owned()],
            changes: [Op::Read, Op::Create, Op::Update, Op::Delete].map(with_op),
            gap_changes: self.gap_changes.with_label_values(&[connector, feed]),
            memory_lost: self.memory_lost.with_label_values(&[connector, feed]),
            oversize: ["dead-letter", "drop-before"]
                .map(|handling| self.oversize.with_label_values(&[connector, feed, handling])),
            lag: self.lag.with_label_values(&[connector, feed]),
            fresh: Mutex::new(Some(Freshness::since(clock.now_ms()))),
            observed: AtomicI64::new(0),
            published: AtomicU64::new(0),
            entities: AtomicU64::new(0),
            withheld: AtomicU64::new(0),
            missed: AtomicU64::new(0),
            all: self.clone(),
        }))
    }

    /// How long a commit took.
    pub(crate) fn published(&self, connector: &str, took: Duration) {
        self.publish.with_label_values(&[connector]).observe(took.as_secs_f64());
    }

    /// How long a recovery took.
    pub(crate) fn recovered(&self, connector: &str, took: Duration) {
        self.recovery.with_label_values(&[connector]).set(took.as_secs_f64());
    }

    /// Whether this process owns the shard.
    pub(crate) fn owned(&self, connector: &str, owned: bool) {
        self.owned.with_label_values(&[connector]).set(owned.into());
    }

    /// Whether a component works.
    pub(crate) fn up(&self, component: &str, up: bool) {
        self.up.with_label_values(&[component]).set(up.into());
    }

    /// The component does not run here.
    pub(crate) fn forget_up(&self, component: &str) {
        // What is not there need not be removed.
        self.up.remove_label_values(&[component]).ok();
    }
}

struct Feed {
    labels: [String; 2],
    changes: [IntCounter; 4],
    gap_changes: IntCounter,
    /// In the order of [`Oversize`].
    oversize: [IntCounter; 2],
    memory_lost: IntCounter,
    lag: Histogram,
    // None while the feed is read by another process.
    fresh: Mutex<Option<Freshness>>,
    // When the upstream was asked for the last committed observation; 0 before there is one.
    observed: AtomicI64,
    published: AtomicU64,
    entities: AtomicU64,
    withheld: AtomicU64,
    missed: AtomicU64,
    all: Metrics,
}

/// The metrics of one feed. Cheap to clone.
#[derive(Clone)]
pub struct FeedMetrics(Arc<Feed>);

impl FeedMetrics {
    fn labels(&self) -> [&str; 2] {
        [&self.0.labels[0], &self.0.labels[1]]
    }

    /// Where the events of a transaction are counted until it is committed.
    pub(crate) fn tally(&self) -> Tally {
        Tally {
            ops: [0; 4],
            dead: [0; 2],
            oversize: [0; 2],
            lag: self.0.lag.local(),
            unpublished: 0,
        }
    }

    /// Counts what was committed.
    pub(crate) fn count(&self, tally: &mut Tally) {
        for (counter, count) in self.0.changes.iter().zip(&mut tally.ops) {
            counter.inc_by(*count);
            self.0.published.fetch_add(*count, Ordering::Relaxed);
            *count = 0;
        }
        let [connector, feed] = self.labels();
        for (stage, count) in [Stage::Decode, Stage::Publish].into_iter().zip(&mut tally.dead) {
            if *count > 0 {
                let labels = [connector, feed, stage.word()];
                self.0.all.dead_letters.with_label_values(&labels).inc_by(*count);
                *count = 0;
            }
        }
        for (handling, count) in
            [Oversize::DeadLetter, Oversize::DropBefore].into_iter().zip(&mut tally.oversize)
        {
            self.oversize(handling, std::mem::take(count));
        }
        tally.lag.flush();
    }

    /// Counts events that were too large with their before image; says so at the first, and each time that
    /// they have doubled.
    fn oversize(&self, handling: Oversize, count: u64) {
        let counter = &self.0.oversize[handling as usize];
        let before = counter.get();
        counter.inc_by(count);
        let all = before + count;
        if count > 0 && all.checked_ilog2() != before.checked_ilog2() {
            let [connector, feed] = self.labels();
            let limits = "the limit is `max.message.bytes` of a Kafka topic, `max_payload` of a NATS server; `oversize` says what becomes of them";
            match handling {
                Oversize::DeadLetter => tracing::warn!(
                    connector,
                    feed,
                    events = all,
                    "events that are too large with the value before were put to the dead letters: {limits}"
                ),
                Oversize::DropBefore => tracing::warn!(
                    connector,
                    feed,
                    events = all,
                    "events that are too large with the value before were published without it: {limits}"
                ),
            }
        }
    }

    /// Counts what an observation brought to light after a gap.
    pub(crate) fn gap_changes(&self, changes: usize) {
        self.0.gap_changes.inc_by(changes as u64);
    }

    /// Counts a recovery that found fewer entities than were known.
    pub(crate) fn memory_lost(&self) {
        self.0.memory_lost.inc();
    }

    pub(crate) fn observation(&self, result: &str) {
        let [connector, feed] = self.labels();
        self.0.all.observations.with_label_values(&[connector, feed, result]).inc();
    }

    /// From now on the feed keeps these scopes up to date.
    pub(crate) fn follow(&self, scopes: &[String], now_ms: i64) {
        if let Some(fresh) = self.fresh().as_mut() {
            fresh.follow(scopes, now_ms);
        }
    }

    /// An observation is committed.
    pub(crate) fn settled(&self, observation: &Observation, entities: usize, withheld: usize) {
        if let (Some(fresh), true) = (self.fresh().as_mut(), observation.coverage.is_complete()) {
            fresh.read(&observation.scope, observation.as_of_ms);
        }
        self.0.observed.store(observation.as_of_ms, Ordering::Relaxed);
        self.entities(entities);
        self.0.withheld.store(withheld as u64, Ordering::Relaxed);
    }

    pub(crate) fn withheld(&self) -> u64 {
        self.0.withheld.load(Ordering::Relaxed)
    }

    pub(crate) fn missed(&self) -> &AtomicU64 {
        &self.0.missed
    }

    fn fresh(&self) -> MutexGuard<'_, Option<Freshness>> {
        self.0.fresh.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn entities(&self, entities: usize) {
        self.0.entities.store(entities as u64, Ordering::Relaxed);
    }

    /// The feed is not read here any more: its freshness is another process's to tell.
    pub(crate) fn rest(&self) {
        *self.fresh() = None;
        self.0.observed.store(0, Ordering::Relaxed);
        self.entities(0);
        self.0.withheld.store(0, Ordering::Relaxed);
        let (all, labels) = (&self.0.all, self.labels());
        // What is not there yet need not be removed.
        all.freshness.remove_label_values(&labels).ok();
        all.entities.remove_label_values(&labels).ok();
        all.withheld.remove_label_values(&labels).ok();
    }

    /// The feed is about to be read here. What was read here before is as old as it is.
    pub(crate) fn wake(&self, now_ms: i64) {
        self.fresh().get_or_insert_with(|| Freshness::since(now_ms));
    }

    /// Brings the gauges up to date, to be called before a scrape.
    pub(crate) fn refresh(&self, now_ms: i64) {
        // Held to the end: where the feed comes to rest meanwhile, its series go after this.
        let fresh = self.fresh();
        let Some((fresh_ms, _)) = fresh.as_ref().map(Freshness::oldest) else { return };
        let (all, labels) = (&self.0.all, self.labels());
        let since = (now_ms - fresh_ms).max(0);
        all.freshness.with_label_values(&labels).set(since as f64 / 1000.0);
        let number = |number: &AtomicU64| number.load(Ordering::Relaxed) as i64;
        all.entities.with_label_values(&labels).set(number(&self.0.entities));
        all.withheld.with_label_values(&labels).set(number(&self.0.withheld));
    }

    /// For the status page.
    pub fn status(&self) -> FeedStatus {
        let observed = self.0.observed.load(Ordering::Relaxed);
        let fresh = self.fresh();
        let oldest = fresh.as_ref().and_then(|fresh| match fresh.oldest() {
            (at_ms, Some(scope)) => Some(OldestScope { scope: scope.to_owned(), at_ms }),
            _ => None,
        });
        FeedStatus {
            observed_ms: (observed != 0).then_some(observed),
            oldest,
            entities: self.0.entities.load(Ordering::Relaxed),
            withheld: self.0.withheld.load(Ordering::Relaxed),
            published: self.0.published.load(Ordering::Relaxed),
        }
    }
}

/// The scope of a feed that was read longest ago, of those that it keeps up to date.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct OldestScope {
    /// Its name.
    pub scope: String,
    /// When the upstream was asked for it, milliseconds; where it has not been read, since when it is
    /// to be.
    pub at_ms: i64,
}

/// A feed at a glance.
#[derive(Debug, Clone, serde::Serialize)]
pub struct FeedStatus {
    /// When the upstream was asked for the last committed observation, milliseconds.
    pub observed_ms: Option<i64>,
    /// The scope that was read longest ago, where the feed keeps several up to date.
    pub oldest: Option<OldestScope>,
    /// Entities in the index.
    pub entities: u64,
    /// Entities whose absence is not believed.
    pub withheld: u64,
    /// Events since start.
    pub published: u64,
}

#[cfg(test)]
mod tests;
