//! Metrics of connectors that were deleted.
//!
//! Counters must never go back, so what a deleted connector counted is kept and only not shown: one that is
//! made again under its name goes on counting. What is kept is a few numbers for each name.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus::proto::MetricFamily;

/// The label with the name of a connector.
const LABEL: &str = "connector";

/// The connectors of which nothing is shown. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Forgotten(Arc<Mutex<BTreeSet<String>>>);

impl Forgotten {
    pub(super) fn add(&self, connector: &str) {
        self.names().insert(connector.to_owned());
    }

    pub(super) fn remove(&self, connector: &str) {
        self.names().remove(connector);
    }

    /// The families without what is forgotten.
    pub(super) fn leave_out(&self, mut families: Vec<MetricFamily>) -> Vec<MetricFamily> {
        let names = self.names();
        if names.is_empty() {
            return families;
        }
        for family in &mut families {
            family.mut_metric().retain(|metric| {
                let mut labels = metric.get_label().iter();
                !labels.any(|label| label.name() == LABEL && names.contains(label.value()))
            });
        }
        families.retain(|family| !family.get_metric().is_empty());
        families
    }

    fn names(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::service::metrics::Metrics;

    #[test]
    fn a_deleted_connector_is_in_no_metric_and_goes_on_counting_when_it_is_made_again() {
        let metrics = Metrics::new().unwrap();
        for connector in ["gone", "stays"] {
            metrics.published(connector, Duration::from_secs(1));
            metrics.owned(connector, true);
            metrics.fenced(connector, 2);
        }
        metrics.forget_connector("gone");
        let text = metrics.text();
        assert!(!text.contains("gone") && text.contains("stays"), "{text}");
        metrics.expect_connector("gone");
        metrics.fenced("gone", 1);
        assert!(metrics.text().contains("{connector=\"gone\"} 3"));
    }
}
