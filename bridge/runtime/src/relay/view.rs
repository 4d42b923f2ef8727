//! What is shown of a task of a relay.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;

use super::status::{Status, Tally};
use crate::service::metrics::Relays;

/// A task of a relay in the console.
#[derive(Debug, Clone, Serialize)]
pub struct RelayRow {
    /// Name of the relay.
    pub relay: String,
    /// Which of its tasks.
    pub task: u32,
    /// Where it reads and writes, for people.
    pub way: String,
    /// Parts that it reads.
    pub parts: usize,
    /// Records that it has not carried.
    pub behind: u64,
    /// Carried since the process began.
    pub carried: u64,
    /// Put to the dead letters since then.
    pub dead_letters: u64,
    /// When it last carried something or found nothing behind, milliseconds since 1970 UTC.
    pub fresh_ms: Option<i64>,
}

/// Shows a task of a relay. Clones are one.
#[derive(Clone)]
pub(crate) struct RelayView {
    relay: String,
    task: u32,
    way: String,
    status: Status,
    metrics: Relays,
    shown: Arc<Mutex<Shown>>,
}

/// What the metrics say now.
#[derive(Default)]
struct Shown {
    tally: Tally,
    parts: BTreeSet<String>,
}

impl RelayView {
    pub(crate) fn new(
        relay: &str,
        task: u32,
        way: &str,
        status: &Status,
        metrics: &Relays,
    ) -> RelayView {
        RelayView {
            relay: relay.to_owned(),
            task,
            way: way.to_owned(),
            status: status.clone(),
            metrics: metrics.clone(),
            shown: Arc::default(),
        }
    }

    /// As it is now; none where it does not run here.
    pub(crate) fn row(&self) -> Option<RelayRow> {
        let (tally, lag) = (self.status.tally(), self.status.lag());
        self.status.runs().then(|| RelayRow {
            relay: self.relay.clone(),
            task: self.task,
            way: self.way.clone(),
            parts: lag.len(),
            behind: lag.values().map(|lag| lag.records).sum(),
            carried: tally.carried,
            dead_letters: tally.dead_letters,
            fresh_ms: self.status.fresh_ms(),
        })
    }

    /// Brings the metrics up to date.
    pub(crate) fn refresh(&self, now_ms: i64) {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let (tally, before) = (self.status.tally(), shown.tally);
        for (result, now, then) in [
            ("carried", tally.carried, before.carried),
            ("echo", tally.echoes, before.echoes),
            ("dead_letter", tally.dead_letters, before.dead_letters),
            ("skipped", tally.skipped, before.skipped),
        ] {
            self.metrics.count(&self.relay, result, now.saturating_sub(then));
        }
        let lag = self.status.lag();
        let parts: BTreeSet<String> = lag.keys().map(ToString::to_string).collect();
        for part in shown.parts.difference(&parts) {
            self.metrics.forget_lag(&self.relay, part);
        }
        for (part, lag) in lag {
            self.metrics.show_lag(&self.relay, &part.to_string(), lag.records, lag.oldest_ms);
        }
        let fresh_ms = self.status.fresh_ms().filter(|_| self.status.runs());
        let seconds = fresh_ms.map(|at| now_ms.saturating_sub(at).max(0) as f64 / 1_000.0);
        self.metrics.show_freshness(&self.relay, &self.task.to_string(), seconds);
        *shown = Shown { tally, parts };
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::record::Part;
    use super::super::source::Lag;
    use super::*;
    use crate::service::metrics::Metrics;

    #[test]
    fn the_freshness_of_a_stuck_relay_grows_and_one_that_runs_elsewhere_shows_nothing() {
        let metrics = Metrics::new().unwrap();
        let status = Status::default();
        let view = RelayView::new("r", 0, "a to b", &status, &metrics.relays);
        let at = |now_ms: i64| {
            view.refresh(now_ms);
            metrics.text()
        };
        status.begins(1_000);
        status.committed(Tally { carried: 3, ..Tally::default() }, 5_000);
        let lag = |records| BTreeMap::from([(Part::new("t", 1), Lag { records, oldest_ms: 500 })]);
        status.looked(lag(2), 6_000);
        let text = at(65_000);
        for line in [
            r#"talon_relay_freshness_seconds{relay="r",task="0"} 60"#,
            r#"talon_relay_lag_records{part="t/1",relay="r"} 2"#,
            r#"talon_relay_lag_seconds{part="t/1",relay="r"} 0.5"#,
            r#"talon_relay_records_total{relay="r",result="carried"} 3"#,
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
        status.looked(lag(0), 66_000);
        assert!(at(66_000).contains(r#"talon_relay_freshness_seconds{relay="r",task="0"} 0"#));
        assert_eq!(view.row().unwrap().carried, 3);
        status.ended();
        let text = at(70_000);
        assert!(!text.contains("talon_relay_lag") && !text.contains("talon_relay_fresh"), "{text}");
        assert!(text.contains("talon_relay_records_total") && view.row().is_none());
    }
}
