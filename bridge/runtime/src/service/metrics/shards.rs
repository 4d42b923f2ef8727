//! What is counted of the shards that run here.

use std::time::Duration;

use prometheus::{GaugeVec, HistogramVec, IntCounterVec, IntGaugeVec};

use super::register::Register;

/// The metrics of all shards of a process. Cheap to clone.
#[derive(Clone)]
pub(super) struct Shards {
    publish: HistogramVec,
    recovery: GaugeVec,
    owned: IntGaugeVec,
    fenced: IntCounterVec,
}

impl Shards {
    pub(super) fn register(register: &Register<'_>) -> prometheus::Result<Shards> {
        Ok(Shards {
            publish: register.histograms(
                "talon_publish_duration_seconds",
                "From the first append of a commit until the bus confirmed it.",
                &["connector"],
                &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0],
            )?,
            recovery: register.gauges(
                "talon_recovery_seconds",
                "How long the last recovery of the index took.",
                &["connector"],
            )?,
            owned: register.numbers(
                "talon_shard_owned",
                "1 where this process owns the shard.",
                &["connector"],
            )?,
            fenced: register.counters(
                "talon_shard_fenced_total",
                "How often another process took the shard from this one without its group having said so.",
                &["connector"],
            )?,
        })
    }

    pub(super) fn published(&self, connector: &str, took: Duration) {
        self.publish.with_label_values(&[connector]).observe(took.as_secs_f64());
    }

    pub(super) fn recovered(&self, connector: &str, took: Duration) {
        self.recovery.with_label_values(&[connector]).set(took.as_secs_f64());
    }

    /// Also counts none, so that the first is an increase.
    pub(super) fn fenced(&self, connector: &str, times: u64) {
        self.fenced.with_label_values(&[connector]).inc_by(times);
    }

    pub(super) fn owned(&self, connector: &str, owned: bool) {
        self.owned.with_label_values(&[connector]).set(owned.into());
    }
}
