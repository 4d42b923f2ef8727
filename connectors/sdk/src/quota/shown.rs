//! What is left of the calls that an upstream allows.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{IntGaugeVec, Opts, Registry};
use serde::Serialize;

/// A quota as it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Left {
    /// How many calls may be made now.
    pub left: u32,
    /// How many an hour the connector allows itself now.
    pub limit: u32,
    /// When the next one may be made: milliseconds since 1970 UTC.
    pub next_ms: i64,
    /// True while the upstream is left alone because it said that its quota is used up.
    pub is_refused: bool,
}

type Ask = Arc<dyn Fn() -> Left + Send + Sync>;
type Shown = BTreeMap<(String, &'static str), Ask>;

/// The quotas of all connectors of a process. Cheap to clone.
///
/// A quota fills up again while nothing happens, so it is asked when somebody looks.
#[derive(Clone)]
pub struct Quotas {
    /// `talon_upstream_quota_left{connector,operation}`: calls that may be made now.
    left: IntGaugeVec,
    /// `talon_upstream_quota_limit{connector,operation}`: calls an hour that the connector allows itself.
    limit: IntGaugeVec,
    /// `talon_upstream_quota_refused{connector,operation}`: 1 while the upstream says that nothing is left.
    refused: IntGaugeVec,
    shown: Arc<Mutex<Shown>>,
}

/// A quota that is shown until this is dropped.
pub struct ShownQuota {
    quotas: Quotas,
    key: (String, &'static str),
    ask: Ask,
}

impl Quotas {
    /// Registers the gauges.
    ///
    /// # Errors
    /// Where one of the names is registered already.
    pub(crate) fn register(registry: &Registry) -> prometheus::Result<Quotas> {
        let gauge = |name: &str, help: &str| {
            IntGaugeVec::new(Opts::new(name, help), &["connector", "operation"])
        };
        let quotas = Quotas {
            left: gauge(
                "talon_upstream_quota_left",
                "Calls of an operation that its upstream's quota has room for now.",
            )?,
            limit: gauge(
                "talon_upstream_quota_limit",
                "Calls of an operation an hour that the connector allows itself now.",
            )?,
            refused: gauge(
                "talon_upstream_quota_refused",
                "1 while the upstream is left alone, since it said that its quota of an operation is used up.",
            )?,
            shown: Arc::default(),
        };
        registry.register(Box::new(quotas.clone()))?;
        Ok(quotas)
    }

    /// Shows a quota, which `ask` tells whenever somebody looks; it must neither block nor wait.
    pub fn show(
        &self,
        connector: &str,
        operation: &'static str,
        ask: impl Fn() -> Left + Send + Sync + 'static,
    ) -> ShownQuota {
        let (key, ask): (_, Ask) = ((connector.to_owned(), operation), Arc::new(ask));
        self.shown().insert(key.clone(), ask.clone());
        ShownQuota { quotas: self.clone(), key, ask }
    }

    /// The quotas of a connector, by operation.
    pub fn of(&self, connector: &str) -> BTreeMap<&'static str, Left> {
        let shown = self.shown();
        let own = shown.iter().filter(|((name, _), _)| name == connector);
        own.map(|((_, operation), ask)| (*operation, ask())).collect()
    }

    fn shown(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The one that took its place stays.
impl Drop for ShownQuota {
    fn drop(&mut self) {
        let mut shown = self.quotas.shown();
        if shown.get(&self.key).is_some_and(|ask| Arc::ptr_eq(ask, &self.ask)) {
            shown.remove(&self.key);
        }
    }
}

impl Collector for Quotas {
    fn desc(&self) -> Vec<&Desc> {
        [self.left.desc(), self.limit.desc(), self.refused.desc()].concat()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let shown = self.shown();
        self.left.reset();
        self.limit.reset();
        self.refused.reset();
        for ((connector, operation), ask) in &*shown {
            let Left { left, limit, is_refused, .. } = ask();
            let labels = [connector.as_str(), operation];
            self.left.with_label_values(&labels).set(left.into());
            self.limit.with_label_values(&labels).set(limit.into());
            self.refused.with_label_values(&labels).set(is_refused.into());
        }
        [self.left.collect(), self.limit.collect(), self.refused.collect()].concat()
    }
}

impl std::fmt::Debug for Quotas {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Quotas").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[test]
    fn a_quota_is_asked_when_somebody_looks_and_gone_with_its_feed() {
        let registry = Registry::new();
        let quotas = Quotas::register(&registry).unwrap();
        let text = || prometheus::TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
        let left = Arc::new(AtomicU32::new(3));
        let show = || {
            let left = left.clone();
            let ask = move || {
                let left = left.load(Ordering::Relaxed);
                Left { left, limit: 8, next_ms: 0, is_refused: left == 0 }
            };
            quotas.show("desk", "Read", ask)
        };
        let first = show();
        assert!(
            text().contains("quota_left{connector=\"desk\",operation=\"Read\"} 3"),
            "{}",
            text()
        );
        left.store(7, Ordering::Relaxed);
        assert!(
            text().contains("quota_left{connector=\"desk\",operation=\"Read\"} 7"),
            "{}",
            text()
        );
        let refused = "quota_refused{connector=\"desk\",operation=\"Read\"}";
        assert!(text().contains(&format!("{refused} 0")), "{}", text());
        left.store(0, Ordering::Relaxed);
        assert!(text().contains(&format!("{refused} 1")), "{}", text());
        left.store(7, Ordering::Relaxed);
        // A feed that is opened anew is there before the one before it is dropped.
        let second = show();
        drop(first);
        assert_eq!(quotas.of("desk")["Read"].left, 7);
        assert_eq!(quotas.of("other"), BTreeMap::new());
        drop(second);
        assert_eq!(text(), "");
    }
}
