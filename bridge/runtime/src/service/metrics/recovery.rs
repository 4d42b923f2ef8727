//! Recoveries that go on: how long they have not moved.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{GaugeVec, Opts, Registry};

/// The recoveries of all shards of a process. Cheap to clone.
///
/// How long nothing happened grows while nothing happens, so it is looked at when somebody asks.
#[derive(Clone)]
pub(super) struct Recoveries {
    idle: GaugeVec,
    running: Arc<Mutex<BTreeMap<String, Moved>>>,
}

/// How far one has come, over all its attempts.
struct Moved {
    last: Instant,
    /// The most records that an attempt has read. To read the same again is no progress.
    records: u64,
}

/// An attempt to recover a shard.
pub(crate) struct Recovery {
    all: Recoveries,
    connector: String,
}

impl Recoveries {
    pub(super) fn register(registry: &Registry) -> prometheus::Result<Recoveries> {
        let opts = Opts::new(
            "talon_recovery_idle_seconds",
            "While a connector is opened: time since it came further than before in reading back, or since it began; none where it runs.",
        );
        let idle = GaugeVec::new(opts, &["connector"])?;
        let recoveries = Recoveries { idle, running: Arc::default() };
        registry.register(Box::new(recoveries.clone()))?;
        Ok(recoveries)
    }

    /// Another attempt, or the first one.
    pub(super) fn attempt(&self, connector: &str) -> Recovery {
        let begun = || Moved { last: Instant::now(), records: 0 };
        self.running().entry(connector.to_owned()).or_insert_with(begun);
        Recovery { all: self.clone(), connector: connector.to_owned() }
    }

    /// The connector runs, or is another process's to run.
    pub(super) fn over(&self, connector: &str) {
        self.running().remove(connector);
    }

    fn running(&self) -> MutexGuard<'_, BTreeMap<String, Moved>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Recovery {
    /// So many records were read in this attempt.
    pub(crate) fn read(&self, records: u64) {
        if let Some(moved) = self.all.running().get_mut(&self.connector)
            && records > moved.records
        {
            *moved = Moved { last: Instant::now(), records };
        }
    }
}

impl Collector for Recoveries {
    fn desc(&self) -> Vec<&Desc> {
        self.idle.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let running = self.running();
        self.idle.reset();
        for (connector, moved) in &*running {
            let idle = moved.last.elapsed().as_secs_f64();
            self.idle.with_label_values(&[connector.as_str()]).set(idle);
        }
        self.idle.collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_recovery_is_idle_from_its_farthest_record_on_over_all_attempts() {
        let registry = Registry::new();
        let recoveries = Recoveries::register(&registry).unwrap();
        let idle = || {
            let text = prometheus::TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
            let line = text.lines().find(|line| line.contains("{connector=\"c\"}"))?;
            line.rsplit(' ').next().unwrap().parse::<f64>().ok()
        };
        let age = || {
            let mut running = recoveries.running();
            let moved = running.get_mut("c").unwrap();
            moved.last = moved.last.checked_sub(Duration::from_secs(90)).unwrap();
        };
        assert_eq!(idle(), None);
        let first = recoveries.attempt("c");
        first.read(3);
        assert!(idle().unwrap() < 60.0);
        age();
        assert!(idle().unwrap() >= 90.0);
        let second = recoveries.attempt("c");
        for records in 1..=3 {
            second.read(records);
        }
        assert!(idle().unwrap() >= 90.0, "what was read before is read again");
        second.read(4);
        assert!(idle().unwrap() < 60.0);
        recoveries.over("c");
        assert_eq!(idle(), None);
    }
}
