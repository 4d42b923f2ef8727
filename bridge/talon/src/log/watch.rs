//! What becomes of log lines, where everybody sees it: a component of the health report, and a metric.

use std::time::Duration;

use talon_runtime::health::{Health, Severity, State};
use talon_runtime::metrics::Metrics;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::queue::{Dropped, Look, Queue};

/// Name in the health report.
const COMPONENT: &str = "log";

const EVERY: Duration = Duration::from_secs(1);

/// While lines are dropped, one is tried so often: it says so, and shows whether it is over.
const TRIED_EVERY: Duration = Duration::from_secs(60);

/// Follows the lines for as long as the process runs.
pub(crate) async fn watch(queue: Queue, health: Health, metrics: Metrics) {
    let counters = ["full", "failed"].map(|why| metrics.log_dropped.with_label_values(&[why]));
    let (mut seen, mut lost) = (Dropped::default(), 0);
    let mut tried: Option<Instant> = None;
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let look = queue.look();
        let new = [look.dropped.full - seen.full, look.dropped.failed - seen.failed];
        counters.iter().zip(new).for_each(|(counter, new)| counter.inc_by(new));
        seen = look.dropped;
        lost += new[0] + new[1];
        match (trouble(&look, new[0]), tried) {
            (Some(why), last) => {
                health.set(COMPONENT, Severity::Feed, State::Unavailable, &why);
                if last.is_none_or(|at| at.elapsed() >= TRIED_EVERY) {
                    tracing::warn!(lines = lost, "log lines are dropped: {why}");
                    tried = Some(Instant::now());
                }
            }
            (None, Some(_)) => {
                health.remove(COMPONENT);
                tracing::warn!(lines = lost, "standard error takes lines again; so many were lost");
                (lost, tried) = (0, None);
            }
            (None, None) => {}
        }
    }
}

/// What is the matter, in a sentence.
fn trouble(look: &Look, new: u64) -> Option<String> {
    let rest = "log lines are dropped and counted, and all else goes on";
    match look.failure {
        Some(kind) => Some(format!("standard error takes no lines ({kind}): {rest}")),
        None if new > 0 || look.is_stuck => {
            Some(format!("standard error is not read by whoever should (pipe full): {rest}"))
        }
        None => None,
    }
}
