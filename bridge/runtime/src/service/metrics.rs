//! Metrics. Their names are a contract: a test pins them.
//!
//! One file for each kind of thing that is measured; [`Metrics`] has them all.

mod commands;
mod components;
mod feed;
mod feeds;
mod forgotten;
mod freshness;
mod process;
mod recovery;
mod register;
mod relays;
mod shards;
mod tally;

use std::time::Duration;

use prometheus::{IntCounterVec, Registry, TextEncoder};
use talon_sdk::{Clock, UpstreamMetrics};

use commands::Commands;
use components::Components;
pub use feed::{FeedMetrics, FeedStatus, OldestScope};
use feeds::Feeds;
use forgotten::Forgotten;
use process::Process;
use recovery::Recoveries;
pub(crate) use recovery::Recovery;
use register::Register;
pub(crate) use relays::Relays;
use shards::Shards;
pub(crate) use tally::{Stage, Tally};

/// All metrics of a process. Cheap to clone.
#[derive(Clone)]
pub struct Metrics {
    registry: Registry,
    /// Requests to upstreams.
    pub upstream: UpstreamMetrics,
    /// Log lines that were dropped, by reason.
    pub log_dropped: IntCounterVec,
    pub(crate) feeds: Feeds,
    shards: Shards,
    recoveries: Recoveries,
    components: Components,
    pub(crate) commands: Commands,
    pub(crate) relays: Relays,
    process: Process,
    forgotten: Forgotten,
}

impl Metrics {
    /// Registers them all in a registry of their own.
    ///
    /// # Errors
    /// None that depends on input: the names differ.
    pub fn new() -> prometheus::Result<Metrics> {
        let registry = Registry::new();
        let register = Register(&registry);
        Ok(Metrics {
            upstream: UpstreamMetrics::register(&registry)?,
            log_dropped: register.counters(
                "talon_log_lines_dropped_total",
                "Log lines that standard error did not take, by reason: full (not read), failed.",
                &["reason"],
            )?,
            feeds: Feeds::register(&register)?,
            shards: Shards::register(&register)?,
            recoveries: Recoveries::register(&registry)?,
            components: Components::register(&register)?,
            commands: Commands::register(&register)?,
            relays: Relays::register(&register)?,
            process: Process::register(&registry)?,
            forgotten: Forgotten::default(),
            registry,
        })
    }

    /// The text format of Prometheus.
    pub fn text(&self) -> String {
        self.process.refresh();
        let families = self.forgotten.leave_out(self.registry.gather());
        TextEncoder::new().encode_to_string(&families).unwrap_or_default()
    }

    /// A connector was deleted: nothing is shown of it any more.
    pub(crate) fn forget_connector(&self, connector: &str) {
        self.forgotten.add(connector);
    }

    /// A connector is there, again or for the first time. Its counters go on where they were.
    pub(crate) fn expect_connector(&self, connector: &str) {
        self.forgotten.remove(connector);
    }

    /// Those of one feed, which is to be read at this interval; zero where it is pushed.
    pub fn feed(
        &self,
        connector: &str,
        feed: &str,
        interval: Duration,
        clock: &Clock,
    ) -> FeedMetrics {
        FeedMetrics::new(&self.feeds, connector, feed, interval, clock.now_ms())
    }

    /// How long a commit took.
    pub(crate) fn published(&self, connector: &str, took: Duration) {
        self.shards.published(connector, took);
    }

    /// How long a recovery took.
    pub(crate) fn recovered(&self, connector: &str, took: Duration) {
        self.shards.recovered(connector, took);
    }

    /// A connector is opened, and how long that stands still is shown until it is over.
    pub(crate) fn recovering(&self, connector: &str) -> Recovery {
        self.recoveries.attempt(connector)
    }

    /// The connector runs, or is another process's to run.
    pub(crate) fn recovery_over(&self, connector: &str) {
        self.recoveries.over(connector);
    }

    /// Another process took the shard so many more times.
    pub(crate) fn fenced(&self, connector: &str, times: u64) {
        self.shards.fenced(connector, times);
    }

    /// Whether this process owns the shard.
    pub(crate) fn owned(&self, connector: &str, owned: bool) {
        self.shards.owned(connector, owned);
    }

    /// The state of a component, and whether it works; none where it does not run here.
    pub(crate) fn component(&self, component: &str, state: &'static str, up: Option<bool>) {
        self.components.show(component, state, up);
    }

    /// Nothing is known of the component any more.
    pub(crate) fn forget_component(&self, component: &str) {
        self.components.forget(component);
    }
}

#[cfg(test)]
mod tests;
