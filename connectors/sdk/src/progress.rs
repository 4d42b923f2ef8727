//! How far the reading of the past is.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus::{IntGaugeVec, Opts, Registry};
use serde::Serialize;

use crate::Clock;

/// The backfills of all connectors of a process. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Backfills {
    /// `talon_backfill_days{connector}`: days to be read, each branch's by itself.
    days: IntGaugeVec,
    /// `talon_backfill_days_done{connector}`: those that are read.
    days_done: IntGaugeVec,
    shown: Arc<Mutex<BTreeMap<String, Shown>>>,
}

#[derive(Debug, Clone, Copy)]
struct Shown {
    total: u64,
    done: u64,
    /// When this process began, and how much was done then.
    began_ms: i64,
    began_at: u64,
    /// When `done` was told.
    told_ms: i64,
}

/// How far a backfill is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// Days to be read.
    pub total: u64,
    /// Days that are read.
    pub done: u64,
    /// How long the rest will take at the pace of this process so far; none before there is one.
    pub left_ms: Option<u64>,
}

impl Standing {
    /// From 0 to 100, and 100 only at the end.
    pub fn percent(&self) -> u64 {
        (self.done.min(self.total) * 100).checked_div(self.total).unwrap_or(100)
    }
}

impl Backfills {
    /// Registers the two gauges.
    ///
    /// # Errors
    /// Where one of the names is registered already.
    pub(crate) fn register(registry: &Registry) -> prometheus::Result<Backfills> {
        let gauge =
            |name: &str, help: &str| IntGaugeVec::new(Opts::new(name, help), &["connector"]);
        let backfills = Backfills {
            days: gauge(
                "talon_backfill_days",
                "Days of the past to be read, summed over branches.",
            )?,
            days_done: gauge("talon_backfill_days_done", "Days of the past that are read.")?,
            shown: Arc::default(),
        };
        registry.register(Box::new(backfills.days.clone()))?;
        registry.register(Box::new(backfills.days_done.clone()))?;
        Ok(backfills)
    }

    pub(crate) fn of(&self, connector: &str, clock: Clock) -> Progress {
        Progress { backfills: self.clone(), connector: connector.to_owned(), clock }
    }

    /// How far a connector's backfill is; none where it has none.
    pub fn standing(&self, connector: &str) -> Option<Standing> {
        let Shown { total, done, began_ms, began_at, told_ms } = *self.shown().get(connector)?;
        let (new, took) = (done.saturating_sub(began_at), told_ms.saturating_sub(began_ms));
        let left_ms = match (u64::try_from(took), total.saturating_sub(done)) {
            (_, 0) => Some(0),
            (Ok(took), left) if new > 0 && took > 0 => Some(left.saturating_mul(took) / new),
            _ => None,
        };
        Some(Standing { total, done, left_ms })
    }

    fn shown(&self) -> MutexGuard<'_, BTreeMap<String, Shown>> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where a connector shows how far its backfill is. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Progress {
    backfills: Backfills,
    connector: String,
    clock: Clock,
}

impl Progress {
    /// What is done of how much, as it stands at the start of a feed or when the plan has changed; the
    /// pace is measured from here.
    pub fn begin(&self, total: u64, done: u64) {
        let now = self.clock.now_ms();
        let shown = Shown { total, done, began_ms: now, began_at: done, told_ms: now };
        self.backfills.shown().insert(self.connector.clone(), shown);
        self.show(total, done);
    }

    /// Whether it was begun with this total, by whichever feed object: reopening a feed does not begin
    /// its pace anew.
    pub fn is_of(&self, total: u64) -> bool {
        self.backfills.shown().get(&self.connector).is_some_and(|known| known.total == total)
    }

    /// What is done now. Gives the standing where it is worth a line in the log: at each 5 %.
    pub fn advance(&self, done: u64) -> Option<Standing> {
        let mut shown = self.backfills.shown();
        let known = shown.get_mut(&self.connector)?;
        let steps = |done: u64| (done * 20).checked_div(known.total).unwrap_or(0);
        let is_news = steps(done) > steps(known.done);
        (known.done, known.told_ms) = (done, self.clock.now_ms());
        let total = known.total;
        drop(shown);
        self.show(total, done);
        self.backfills.standing(&self.connector).filter(|_| is_news)
    }

    fn show(&self, total: u64, done: u64) {
        let whole = |days: u64| i64::try_from(days).unwrap_or(i64::MAX);
        self.backfills.days.with_label_values(&[&self.connector]).set(whole(total));
        self.backfills.days_done.with_label_values(&[&self.connector]).set(whole(done));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;

    #[test]
    fn a_backfill_tells_its_pace_and_every_twentieth() {
        let now = Arc::new(AtomicI64::new(1_000));
        let backfills = Backfills::register(&Registry::new()).unwrap();
        let progress = backfills.of("c", Clock::Manual(now.clone()));
        assert_eq!(backfills.standing("c"), None);
        progress.begin(200, 100);
        assert_eq!(backfills.standing("c").unwrap().left_ms, None, "no pace yet");
        now.store(11_000, Ordering::Relaxed);
        assert_eq!(progress.advance(105), None);
        let standing = progress.advance(110).unwrap();
        assert_eq!(standing, Standing { total: 200, done: 110, left_ms: Some(90_000) });
        assert_eq!(standing.percent(), 55);
        assert_eq!(progress.advance(200).unwrap().left_ms, Some(0));
    }
}
