//! What is counted of a lane.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;

use crate::commands::record::Outcome;
use crate::service::metrics::Metrics;

/// Instead of a number: nobody has looked.
const UNKNOWN: u64 = u64::MAX;

/// The metrics of one connector's commands. Cheap to clone.
#[derive(Clone)]
pub struct LaneMetrics(Arc<Lane>);

struct Lane {
    connector: String,
    /// Commands on the topic that are not read yet; [`UNKNOWN`] where nobody has looked.
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
            behind: AtomicU64::new(UNKNOWN),
            held: AtomicU64::new(0),
            outcomes: Mutex::default(),
            all: all.clone(),
        }))
    }

    /// Commands on the topic that are not read yet, where that is known.
    pub(crate) fn behind(&self, commands: Option<u64>) {
        if let Some(commands) = commands {
            self.0.behind.store(commands, Ordering::Relaxed);
        }
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

    /// What is no command was put aside, and is committed.
    pub(crate) fn dead_letters(&self, letters: usize) {
        if letters > 0 {
            let labels = [self.0.connector.as_str(), "commands", "command"];
            self.0.all.dead_letters.with_label_values(&labels).inc_by(letters as u64);
        }
    }

    /// The lane is not run here any more.
    pub(crate) fn rest(&self) {
        self.behind(Some(UNKNOWN));
        self.held(0);
        // What is not there yet need not be removed.
        self.0.all.command_lag.remove_label_values(&[&self.0.connector]).ok();
    }

    /// Brings the gauge up to date, to be called before a scrape. There is none where the lane does not
    /// run, or has not been opened yet; while it is down, the last that was known stays.
    pub(crate) fn refresh(&self) {
        let Some(waiting) = self.waiting() else { return };
        let waiting = i64::try_from(waiting).unwrap_or(i64::MAX);
        self.0.all.command_lag.with_label_values(&[&self.0.connector]).set(waiting);
    }

    fn waiting(&self) -> Option<u64> {
        let behind = self.0.behind.load(Ordering::Relaxed);
        (behind != UNKNOWN).then(|| behind.saturating_add(self.0.held.load(Ordering::Relaxed)))
    }

    /// For the status page.
    pub fn status(&self) -> LaneStatus {
        LaneStatus {
            connector: self.0.connector.clone(),
            waiting: self.waiting().unwrap_or(0),
            outcomes: self.0.outcomes.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lag_is_shown_where_it_is_known_and_stays_while_the_lane_is_down() {
        let all = Metrics::new().unwrap();
        let lane = LaneMetrics::new("c", &all);
        let shown = || {
            lane.refresh();
            let text = all.text();
            let line = text.lines().find(|line| line.starts_with("talon_command_lag_records{"));
            line.map(|line| line.rsplit(' ').next().unwrap_or_default().to_owned())
        };
        assert_eq!(shown(), None, "nobody has looked yet");
        lane.behind(Some(40));
        lane.held(2);
        assert_eq!(shown().as_deref(), Some("42"));
        lane.behind(None);
        assert_eq!(shown().as_deref(), Some("42"), "it is down, and they still wait");
        lane.rest();
        assert_eq!(shown(), None, "another process runs it");
    }
}
