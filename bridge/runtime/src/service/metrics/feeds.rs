//! What is counted of feeds.

use prometheus::{GaugeVec, HistogramVec, IntCounterVec, IntGaugeVec};

use super::register::Register;

/// The metrics of all feeds of a process. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Feeds {
    pub(super) freshness: GaugeVec,
    pub(super) interval: GaugeVec,
    pub(super) lag: HistogramVec,
    pub(super) observations: IntCounterVec,
    pub(super) changes: IntCounterVec,
    pub(super) gap_changes: IntCounterVec,
    pub(super) entities: IntGaugeVec,
    pub(super) withheld: IntGaugeVec,
    pub(super) memory_lost: IntCounterVec,
    pub(crate) dead_letters: IntCounterVec,
    pub(super) oversize: IntCounterVec,
}

impl Feeds {
    pub(super) fn register(register: &Register<'_>) -> prometheus::Result<Feeds> {
        Ok(Feeds {
            freshness: register.gauges(
                "talon_feed_freshness_seconds",
                "Time since the last complete observation that is committed, at scrape; since start where there was none. Of a feed that keeps several scopes up to date, that of the scope that was read longest ago.",
                &["connector", "feed"],
            )?,
            interval: register.gauges(
                "talon_feed_interval_seconds",
                "How often the feed is to be read: its poll interval; none where it is pushed, or keeps several scopes up to date one after another.",
                &["connector", "feed"],
            )?,
            lag: register.histograms(
                "talon_feed_lag_seconds",
                "Upstream time of a change to its publication.",
                &["connector", "feed"],
                &[0.01, 0.05, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0],
            )?,
            observations: register.counters(
                "talon_observations_total",
                "Observations by result: ok, withheld (deletes not believed), missed (a look from the beginning found changes that were not seen before), or the fault that prevented one.",
                &["connector", "feed", "result"],
            )?,
            changes: register.counters(
                "talon_changes_total",
                "Change events committed, by op.",
                &["connector", "feed", "op"],
            )?,
            gap_changes: register.counters(
                "talon_gap_changes_total",
                "Change events that a gap had hidden: those of the first observation after a fault.",
                &["connector", "feed"],
            )?,
            entities: register.numbers(
                "talon_feed_entities",
                "Entities in the index.",
                &["connector", "feed"],
            )?,
            withheld: register.numbers(
                "talon_feed_withheld_deletes",
                "Entities whose absence the mass-delete guard does not believe.",
                &["connector", "feed"],
            )?,
            memory_lost: register.counters(
                "talon_memory_lost_total",
                "Recoveries that found fewer entities than the feed's checkpoint says, upon which it is read from the beginning.",
                &["connector", "feed"],
            )?,
            dead_letters: register.counters(
                "talon_dead_letters_total",
                "Inputs put aside, by stage: decode, publish, command.",
                &["connector", "feed", "stage"],
            )?,
            oversize: register.counters(
                "talon_oversize_total",
                "Events that the bus did not take with their before image, by what became of them: dead-letter, drop-before.",
                &["connector", "feed", "handling"],
            )?,
        })
    }
}
