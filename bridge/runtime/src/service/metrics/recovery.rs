//! Recoveries that go on: how long they have not moved.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
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
    running: Arc<Mutex<BTreeMap<String, Arc<Moved>>>>,
}

/// When something moved.
struct Moved {
    began: Instant,
    /// The last time, milliseconds after it began.
    last_ms: AtomicU64,
}

/// A recovery that goes on until this is dropped.
pub(crate) struct Recovery {
    all: Recoveries,
    connector: String,
    moved: Arc<Moved>,
}

impl Recoveries {
    pub(super) fn register(registry: &Registry) -> prometheus::Result<Recoveries> {
        let opts = Opts::new(
            "talon_recovery_idle_seconds",
            "While a connector is opened: time since the last record was read back, or since it began; none where no connector is opened.",
        );
        let idle = GaugeVec::new(opts, &["connector"])?;
        let recoveries = Recoveries { idle, running: Arc::default() };
        registry.register(Box::new(recoveries.clone()))?;
        Ok(recoveries)
    }

    pub(super) fn begin(&self, connector: &str) -> Recovery {
        let moved = Arc::new(Moved { began: Instant::now(), last_ms: AtomicU64::new(0) });
        self.running().insert(connector.to_owned(), moved.clone());
        Recovery { all: self.clone(), connector: connector.to_owned(), moved }
    }

    fn running(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Moved>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Moved {
    fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

impl Recovery {
    /// A record was read.
    pub(crate) fn moves(&self) {
        self.moved.last_ms.store(self.moved.elapsed_ms(), Ordering::Relaxed);
    }
}

/// One that has begun in its place stays.
impl Drop for Recovery {
    fn drop(&mut self) {
        let mut running = self.all.running();
        if running.get(&self.connector).is_some_and(|moved| Arc::ptr_eq(moved, &self.moved)) {
            running.remove(&self.connector);
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
            let idle_ms = moved.elapsed_ms().saturating_sub(moved.last_ms.load(Ordering::Relaxed));
            self.idle.with_label_values(&[connector.as_str()]).set(idle_ms as f64 / 1000.0);
        }
        self.idle.collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_recovery_is_idle_from_its_last_record_on_and_shown_while_it_goes_on() {
        let registry = Registry::new();
        let recoveries = Recoveries::register(&registry).unwrap();
        let idle = || {
            let text = prometheus::TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
            let line =
                text.lines().find(|line| line.contains("{connector=\"c\"}")).map(str::to_owned);
            line.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap())
        };
        assert_eq!(idle(), None);
        let first = recoveries.begin("c");
        let Some(began) = Instant::now().checked_sub(Duration::from_secs(90)) else { return };
        let moved = Arc::new(Moved { began, last_ms: AtomicU64::new(0) });
        recoveries.running().insert("c".to_owned(), moved.clone());
        assert!(idle().unwrap() >= 90.0);
        moved.last_ms.store(60_000, Ordering::Relaxed);
        assert!((30.0..60.0).contains(&idle().unwrap()), "{:?}", idle());
        drop(first);
        assert!(idle().is_some(), "another one took its place");
        let last = recoveries.begin("c");
        last.moves();
        assert!(idle().unwrap() < 30.0);
        drop(last);
        assert_eq!(idle(), None);
    }
}
