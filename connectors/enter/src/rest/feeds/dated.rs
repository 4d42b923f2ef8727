//! Feeds of rows that lie in days or hours: what is missing from one that is still to come is absent, and
//! what is past is not.
//!
//! The scope of a row is its day or hour, so each tells of its own absence. A scope that holds published
//! entities and of which a reply says nothing is told as empty, if the reply covers it and it is not over.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use talon_sdk::{Coverage, Cursor, Fault, Feed, Observation, Rows};

use super::day::BranchClock;
use super::known::Known;

/// No zone is ahead of another by more.
const MOST_AHEAD_MS: i64 = 27 * 3_600_000;

/// What a read gave.
#[derive(Debug, Default)]
pub(crate) struct Slices {
    /// Rows by scope.
    pub(crate) rows: BTreeMap<String, Vec<Bytes>>,
    /// Beginnings of the scopes that were asked for.
    pub(crate) covered: Vec<String>,
    /// What could not be read.
    pub(crate) failed: Vec<Fault>,
    /// The newest moment that the rows tell of as over, ms since 1970 UTC by the configured zone.
    pub(crate) latest_ms: Option<i64>,
}

/// Rows in days or hours.
#[async_trait]
pub(crate) trait Dated: Send {
    /// Reads all of them.
    async fn read(&mut self, clock: &BranchClock) -> Result<Slices, Fault>;

    /// Whether a scope is past, or may be: then its absence tells nothing.
    fn is_over(scope: &str, clock: &BranchClock) -> bool;
}

pub(crate) struct DatedFeed<D> {
    of: D,
    clock: BranchClock,
    known: Arc<Known>,
    interval: Duration,
    began: Option<Instant>,
    round: VecDeque<Observation>,
    doubt: Option<String>,
    /// By how much the upstream's clock was seen to be ahead of ours, ms.
    ahead_ms: i64,
}

impl<D: Dated> DatedFeed<D> {
    /// The interval is that of the feed's plan.
    pub(crate) fn new(
        clock: BranchClock,
        known: Arc<Known>,
        interval: Duration,
        of: D,
    ) -> DatedFeed<D> {
        let (began, round, doubt) = (None, VecDeque::new(), None);
        DatedFeed { of, clock, known, interval, began, round, doubt, ahead_ms: 0 }
    }

    /// The clock by which it is told what is over. What was made later than now tells that the upstream's
    /// clock is ahead, such as where `time.zone` is not the branch's: then its day turns earlier.
    fn clock(&mut self, latest_ms: Option<i64>) -> BranchClock {
        let ahead_ms = latest_ms.map_or(0, |latest_ms| latest_ms - self.clock.now_ms());
        // Nothing is ahead by more.
        if ahead_ms <= MOST_AHEAD_MS {
            self.ahead_ms = self.ahead_ms.max(ahead_ms);
        }
        let ahead = Duration::from_millis(u64::try_from(self.ahead_ms).unwrap_or(0));
        BranchClock { margin: self.clock.margin + ahead, ..self.clock.clone() }
    }

    async fn begin(&mut self, is_first: bool) -> Result<(), Fault> {
        let (began, as_of_ms) = (Instant::now(), self.clock.now_ms());
        let Slices { mut rows, covered, failed, latest_ms } = self.of.read(&self.clock).await?;
        let clock = self.clock(latest_ms);
        if let (true, Some(fault)) = (covered.is_empty(), failed.first()) {
            return Err(fault.clone());
        }
        self.doubt = failed
            .first()
            .map(|fault| format!("{} parts cannot be read, the others are: {fault}", failed.len()));
        if clock.margin > self.clock.margin * 2 {
            let minutes = self.ahead_ms / 60_000;
            let what = format!(
                "what was made upstream is up to {minutes} minutes ahead of the clock here: see `time.zone`"
            );
            self.doubt.get_or_insert(what);
        }
        for scope in self.known.open(|scope| D::is_over(scope, &clock)) {
            if covered.iter().any(|start| scope.starts_with(start)) {
                rows.entry(scope).or_default();
            }
        }
        let observed = rows.into_iter().map(|(scope, rows)| Observation {
            coverage: match D::is_over(&scope, &clock) {
                true => Coverage::Delta,
                false => Coverage::Full,
            },
            scope,
            rows: Rows::of_bodies(&rows),
            cursor: None,
            snapshot: is_first,
            as_of_ms,
        });
        self.round = observed.collect();
        if self.round.is_empty() {
            self.round.push_back(Observation {
                scope: String::new(),
                coverage: Coverage::Delta,
                rows: Rows::default(),
                cursor: None,
                snapshot: is_first,
                as_of_ms,
            });
        }
        if let Some(last) = self.round.back_mut() {
            last.cursor = Some(Cursor("read".to_owned()));
        }
        self.began = Some(began);
        Ok(())
    }
}

#[async_trait]
impl<D: Dated> Feed for DatedFeed<D> {
    async fn next(&mut self, from: Option<&Cursor>) -> Result<Observation, Fault> {
        if self.round.is_empty() {
            self.begin(from.is_none()).await?;
        }
        self.round
            .pop_front()
            .ok_or_else(|| Fault::Internal { reason: "a read without an observation".to_owned() })
    }

    fn due(&self) -> Option<Duration> {
        match self.began {
            Some(began) if self.round.is_empty() => {
                Some(self.interval.saturating_sub(began.elapsed()))
            }
            _ => Some(Duration::ZERO),
        }
    }

    fn doubt(&self) -> Option<String> {
        self.doubt.clone()
    }
}
