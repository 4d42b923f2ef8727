//! What is counted of one feed.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus::{Histogram, IntCounter, IntCounterVec};
use talon_schemas::Op;
use talon_sdk::Observation;

use super::feeds::Feeds;
use super::freshness::Freshness;
use super::tally::{Stage, Tally};
use crate::service::options::Oversize;

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
    // None where it is pushed.
    interval: Option<Duration>,
    all: Feeds,
}

/// The metrics of one feed. Cheap to clone.
#[derive(Clone)]
pub struct FeedMetrics(Arc<Feed>);

impl FeedMetrics {
    pub(super) fn new(
        all: &Feeds,
        connector: &str,
        feed: &str,
        interval: Duration,
        now_ms: i64,
    ) -> FeedMetrics {
        let counter = |vec: &IntCounterVec| vec.with_label_values(&[connector, feed]);
        let with_op = |op: Op| all.changes.with_label_values(&[connector, feed, op.letter()]);
        for stage in [Stage::Decode, Stage::Publish] {
            // There from the start, so that the first is an increase.
            all.dead_letters.with_label_values(&[connector, feed, stage.word()]);
        }
        FeedMetrics(Arc::new(Feed {
            labels: [connector.to_owned(), feed.to_owned()],
            changes: [Op::Read, Op::Create, Op::Update, Op::Delete].map(with_op),
            gap_changes: counter(&all.gap_changes),
            memory_lost: counter(&all.memory_lost),
            oversize: ["dead-letter", "drop-before"]
                .map(|handling| all.oversize.with_label_values(&[connector, feed, handling])),
            lag: all.lag.with_label_values(&[connector, feed]),
            fresh: Mutex::new(Some(Freshness::since(now_ms))),
            observed: AtomicI64::new(0),
            published: AtomicU64::new(0),
            entities: AtomicU64::new(0),
            withheld: AtomicU64::new(0),
            missed: AtomicU64::new(0),
            interval: (!interval.is_zero()).then_some(interval),
            all: all.clone(),
        }))
    }

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
        all.interval.remove_label_values(&labels).ok();
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
        let Some(freshness) = fresh.as_ref() else { return };
        let (fresh_ms, _) = freshness.oldest();
        let (all, labels) = (&self.0.all, self.labels());
        let since = (now_ms - fresh_ms).max(0);
        all.freshness.with_label_values(&labels).set(since as f64 / 1000.0);
        match self.0.interval.filter(|_| !freshness.follows_scopes()) {
            Some(interval) => {
                all.interval.with_label_values(&labels).set(interval.as_secs_f64());
            }
            None => {
                all.interval.remove_label_values(&labels).ok();
            }
        }
        let number = |number: &AtomicU64| number.load(Ordering::Relaxed) as i64;
        all.entities.with_label_values(&labels).set(number(&self.0.entities));
        all.withheld.with_label_values(&labels).set(number(&self.0.withheld));
    }

    /// For the console.
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
