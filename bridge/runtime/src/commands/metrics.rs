//! What is counted of a lane.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;

use crate::commands::record::Outcome;
use crate::service::metrics::Metrics;

/// Instead of a number: nobody has looked.
const UNKNOWN: u64 = u64::MAX;

/// Instead of a time.
const NONE: i64 = i64::MAX;

/// The metrics of one connector's commands. Cheap to clone.
#[derive(Clone)]
pub struct LaneMetrics(Arc<Lane>);

struct Lane {
    connector: String,
    /// Commands on the topic that are not read yet; [`UNKNOWN`] where nobody has looked.
    behind: AtomicU64,
    held: AtomicU64,
    /// When the bus took the oldest of them, milliseconds; [`NONE`] where there is none, or that is not known.
    oldest: AtomicI64,
    outcomes: Mutex<BTreeMap<&'static str, u64>>,
    /// When the lane was seen to move last.
    moved: Mutex<Moved>,
    all: Metrics,
}

/// The last look at which a lane had nothing to do, or had got outcomes since the look before it.
#[derive(Default)]
struct Moved {
    outcomes: u64,
    at_ms: Option<i64>,
}

impl Moved {
    /// How long it has not moved.
    fn idle_ms(&mut self, waiting: u64, outcomes: u64, now_ms: i64) -> i64 {
        if waiting == 0 || outcomes != self.outcomes {
            *self = Moved { outcomes, at_ms: Some(now_ms) };
        }
        (now_ms - *self.at_ms.get_or_insert(now_ms)).max(0)
    }
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
            oldest: AtomicI64::new(NONE),
            outcomes: Mutex::default(),
            moved: Mutex::default(),
            all: all.clone(),
        }))
    }

    /// The outcomes that alerts wait for are there from the start, so that the first is an increase.
    pub(crate) fn expect<'a>(&self, kinds: impl IntoIterator<Item = &'a str>) {
        let (all, connector) = (&self.0.all, self.0.connector.as_str());
        for kind in kinds {
            for outcome in [Outcome::Unknown, Outcome::Failed, Outcome::Expired] {
                all.commands.outcomes.with_label_values(&[connector, kind, outcome.word()]);
            }
        }
        all.feeds.dead_letters.with_label_values(&[connector, "commands", "command"]);
    }

    /// Commands on the topic that are not read yet, where that is known.
    pub(crate) fn behind(&self, commands: Option<u64>) {
        if let Some(commands) = commands {
            self.0.behind.store(commands, Ordering::Relaxed);
        }
    }

    /// Commands that are read and not settled, and when the bus took the oldest of them.
    pub(crate) fn held(&self, commands: usize, oldest_ms: Option<i64>) {
        self.0.held.store(commands as u64, Ordering::Relaxed);
        self.0.oldest.store(oldest_ms.unwrap_or(NONE), Ordering::Relaxed);
    }

    /// A command got its outcome after so long.
    pub(crate) fn settled(&self, kind: &str, outcome: Outcome, took: Duration) {
        let connector = self.0.connector.as_str();
        let duration = &self.0.all.commands.duration;
        duration.with_label_values(&[connector, kind]).observe(took.as_secs_f64());
        self.outcome(kind, outcome);
    }

    /// A command got its outcome without having had a turn.
    pub(crate) fn outcome(&self, kind: &str, outcome: Outcome) {
        let connector = self.0.connector.as_str();
        let counted = &self.0.all.commands.outcomes;
        counted.with_label_values(&[connector, kind, outcome.word()]).inc();
        let mut outcomes = self.0.outcomes.lock().unwrap_or_else(PoisonError::into_inner);
        *outcomes.entry(outcome.word()).or_default() += 1;
    }

    /// What is no command was put aside, and is committed.
    pub(crate) fn dead_letters(&self, letters: usize) {
        if letters > 0 {
            let labels = [self.0.connector.as_str(), "commands", "command"];
            self.0.all.feeds.dead_letters.with_label_values(&labels).inc_by(letters as u64);
        }
    }

    /// The lane is not run here any more.
    pub(crate) fn rest(&self) {
        self.behind(Some(UNKNOWN));
        self.held(0, None);
        // What is not there yet need not be removed.
        self.0.all.commands.lag.remove_label_values(&[&self.0.connector]).ok();
        self.0.all.commands.oldest.remove_label_values(&[&self.0.connector]).ok();
        self.0.all.commands.idle.remove_label_values(&[&self.0.connector]).ok();
        *self.0.moved.lock().unwrap_or_else(PoisonError::into_inner) = Moved::default();
    }

    /// Brings the gauges up to date, to be called before a scrape. There are none where the lane does not
    /// run, or has not been opened yet; while it is down, what was known last stays, and grows older.
    pub(crate) fn refresh(&self, now_ms: i64) {
        let Some(waiting) = self.waiting() else { return };
        let (commands, labels) = (&self.0.all.commands, [self.0.connector.as_str()]);
        let age_ms = match (waiting, self.0.oldest.load(Ordering::Relaxed)) {
            (0, _) => Some(0),
            (_, NONE) => None,
            (_, oldest_ms) => Some((now_ms - oldest_ms).max(0)),
        };
        match age_ms {
            Some(age_ms) => {
                commands.oldest.with_label_values(&labels).set(age_ms as f64 / 1000.0);
            }
            // None that waits is read yet.
            None => {
                commands.oldest.remove_label_values(&labels).ok();
            }
        }
        let outcomes = self.status().outcomes.values().sum();
        let mut moved = self.0.moved.lock().unwrap_or_else(PoisonError::into_inner);
        let idle_ms = moved.idle_ms(waiting, outcomes, now_ms);
        commands.idle.with_label_values(&labels).set(idle_ms as f64 / 1000.0);
        let waiting = i64::try_from(waiting).unwrap_or(i64::MAX);
        commands.lag.with_label_values(&labels).set(waiting);
    }

    fn waiting(&self) -> Option<u64> {
        let behind = self.0.behind.load(Ordering::Relaxed);
        (behind != UNKNOWN).then(|| behind.saturating_add(self.0.held.load(Ordering::Relaxed)))
    }

    /// For the console.
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
            lane.refresh(0);
            let text = all.text();
            let line = text.lines().find(|line| line.starts_with("talon_command_lag_records{"));
            line.map(|line| line.rsplit(' ').next().unwrap_or_default().to_owned())
        };
        assert_eq!(shown(), None, "nobody has looked yet");
        lane.behind(Some(40));
        lane.held(2, Some(5_000));
        assert_eq!(shown().as_deref(), Some("42"));
        lane.behind(None);
        assert_eq!(shown().as_deref(), Some("42"), "it is down, and they still wait");
        lane.rest();
        assert_eq!(shown(), None, "another process runs it");
    }

    #[test]
    fn a_lane_is_idle_while_commands_wait_and_none_gets_an_outcome() {
        let all = Metrics::new().unwrap();
        let lane = LaneMetrics::new("c", &all);
        let idle = |now_ms: i64| {
            lane.refresh(now_ms);
            let text = all.text();
            let mut lines = text.lines();
            let line = lines.find(|line| line.starts_with("talon_command_idle_seconds{"));
            line.map(|line| line.rsplit(' ').next().unwrap_or_default().to_owned())
        };
        assert_eq!(idle(1_000), None, "nobody has looked yet");
        lane.behind(Some(3));
        assert_eq!(idle(2_000).as_deref(), Some("0"), "since the first look");
        assert_eq!(idle(9_000).as_deref(), Some("7"));
        lane.outcome("SetCallStatus", Outcome::Applied);
        assert_eq!(idle(10_000).as_deref(), Some("0"), "others wait, and it moves");
        assert_eq!(idle(15_000).as_deref(), Some("5"));
        lane.behind(Some(0));
        assert_eq!(idle(30_000).as_deref(), Some("0"), "none waits");
        lane.behind(Some(1));
        assert_eq!(idle(31_500).as_deref(), Some("1.5"), "it came after the last look");
        lane.rest();
        assert_eq!(idle(40_000), None, "another process runs it");
    }

    #[test]
    fn the_oldest_command_grows_older_until_it_is_settled_also_while_the_lane_is_down() {
        let all = Metrics::new().unwrap();
        let lane = LaneMetrics::new("c", &all);
        let age = |now_ms: i64| {
            lane.refresh(now_ms);
            let text = all.text();
            let mut lines = text.lines();
            let line = lines.find(|line| line.starts_with("talon_command_oldest_seconds{"));
            line.map(|line| line.rsplit(' ').next().unwrap_or_default().to_owned())
        };
        lane.behind(Some(0));
        assert_eq!(age(9_000).as_deref(), Some("0"), "none waits");
        lane.behind(Some(3));
        assert_eq!(age(9_000), None, "none of them has been read");
        lane.held(2, Some(5_000));
        assert_eq!(age(9_500).as_deref(), Some("4.5"));
        lane.behind(None);
        assert_eq!(age(11_000).as_deref(), Some("6"), "it is down, and they still wait");
        assert_eq!(age(4_000).as_deref(), Some("0"), "the clock of the bus is ahead");
        lane.rest();
        assert_eq!(age(12_000), None, "another process runs it");
    }
}
