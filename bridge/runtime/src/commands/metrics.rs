//! What is counted of a lane.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;

use crate::commands::record::Outcome;
use crate::service::metrics::Metrics;

/// The metrics of one connector's commands. Cheap to clone.
#[derive(Clone)]
pub struct LaneMetrics(Arc<Lane>);

struct Lane {
    connector: String,
    behind: AtomicU64,
    held: AtomicU64,
    outcomes: Mutex<BTreeMap<&'static str, u64>>,
    all: Metrics,
}

/// A lane at a glance.
#[derive(Debug, Clone, Serialize)]
pub struct LaneStatus {
    /// Name of the connector.
    pub connector: String,
    /// Commands that are not settled.
    pub waiting: u64,
    /// Outcomes since start, by their words.
    pub outcomes: BTreeMap<&'static str, u64>,
}

impl LaneMetrics {
    pub(crate) fn new(connector: &str, all: &Metrics) -> LaneMetrics {
        LaneMetrics(Arc::new(Lane {
            connector: connector.to_owned(),
            behind: AtomicU64::new(0),
            held: AtomicU64::new(0),
            outcomes: Mutex::default(),
            all: all.clone(),
        }))
    }

    /// Commands on the topic that are not read yet.
    pub(crate) fn behind(&self, commands: u64) {
        self.0.behind.store(commands, Ordering::Relaxed);
    }

    /// Commands that are read and not settled.
    pub(crate) fn held(&self, commands: usize) {
        self.0.held.store(commands as u64, Ordering::Relaxed);
    }

    /// A command got its outcome after so long.
    pub(crate) fn settled(&self, kind: &str, outcome: Outcome, took: Duration) {
        let connector = self.0.connector.as_str();
        let duration = &self.0.all.command_duration;
        duration.with_label_values(&[connector, kind]).observe(took.as_secs_f64());
        self.outcome(kind, outcome);
    }

    /// A command got its outcome without having had a turn.
    pub(crate) fn outcome(&self, kind: &str, outcome: Outcome) {
        let connector = self.0.connector.as_str();
        self.0.all.commands.with_label_values(&[connector, kind, outcome.word()]).inc();
        let mut outcomes = self.0.outcomes.lock().unwrap_or_else(PoisonError::into_inner);
        *outcomes.entry(outcome.word()).or_default() += 1;
    }

    /// What is no command was put aside.
    pub(crate) fn dead_letter(&self) {
        let labels = [self.0.connector.as_str(), "commands", "command"];
        self.0.all.dead_letters.with_label_values(&labels).inc();
    }

    /// The lane is not run here any more.
    pub(crate) fn rest(&self) {
        self.behind(0);
        self.held(0);
        // What is not there yet need not be removed.
        self.0.all.command_lag.remove_label_values(&[&self.0.connector]).ok();
    }

    /// Brings the gauge up to date, to be called before a scrape; not where the lane does not run.
    pub(crate) fn refresh(&self) {
        let waiting = i64::try_from(self.waiting()).unwrap_or(i64::MAX);
        self.0.all.command_lag.with_label_values(&[&self.0.connector]).set(waiting);
    }

    fn waiting(&self) -> u64 {
        self.0.behind.load(Ordering::Relaxed) + self.0.held.load(Ordering::Relaxed)
    }

    /// For the status page.
    pub fn status(&self) -> LaneStatus {
        LaneStatus {
            connector: self.0.connector.clone(),
            waiting: self.waiting(),
            outcomes: self.0.outcomes.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }
}
