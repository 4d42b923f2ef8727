//! What is counted and shown of relays.

use prometheus::{GaugeVec, IntCounterVec, IntGaugeVec};

use super::register::Register;

/// The metrics of all relays of a process. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Relays {
    records: IntCounterVec,
    lag_records: IntGaugeVec,
    lag_seconds: GaugeVec,
    freshness: GaugeVec,
}

impl Relays {
    pub(super) fn register(register: &Register<'_>) -> prometheus::Result<Relays> {
        Ok(Relays {
            records: register.counters(
                "talon_relay_records_total",
                "Records of a relay, by result: carried, echo (not sent back), dead_letter, skipped.",
                &["relay", "result"],
            )?,
            lag_records: register.numbers(
                "talon_relay_lag_records",
                "Records of a part (topic/partition or stream/0) that the relay has not carried; those behind open transactions count.",
                &["relay", "part"],
            )?,
            lag_seconds: register.gauges(
                "talon_relay_lag_seconds",
                "How long ago the last record was written that the relay carried of a part that is behind; 0 where none is.",
                &["relay", "part"],
            )?,
            freshness: register.gauges(
                "talon_relay_freshness_seconds",
                "Since a task of the relay last carried something, or found nothing behind.",
                &["relay", "task"],
            )?,
        })
    }

    pub(crate) fn count(&self, relay: &str, result: &str, more: u64) {
        self.records.with_label_values(&[relay, result]).inc_by(more);
    }

    pub(crate) fn show_lag(&self, relay: &str, part: &str, records: u64, oldest_ms: u64) {
        let records = i64::try_from(records).unwrap_or(i64::MAX);
        self.lag_records.with_label_values(&[relay, part]).set(records);
        self.lag_seconds.with_label_values(&[relay, part]).set(oldest_ms as f64 / 1_000.0);
    }

    pub(crate) fn forget_lag(&self, relay: &str, part: &str) {
        // What is not there need not be removed.
        self.lag_records.remove_label_values(&[relay, part]).ok();
        self.lag_seconds.remove_label_values(&[relay, part]).ok();
    }

    /// None where the task does not run here: who runs it says it.
    pub(crate) fn show_freshness(&self, relay: &str, task: &str, seconds: Option<f64>) {
        match seconds {
            Some(seconds) => self.freshness.with_label_values(&[relay, task]).set(seconds),
            None => drop(self.freshness.remove_label_values(&[relay, task])),
        }
    }
}
