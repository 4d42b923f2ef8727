//! What an engine shows of itself.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus::core::Collector;
use serde::Serialize;
use talon_sdk::{Clock, Left, Standing};

use crate::bus::ConnectorTopics;
use crate::commands::{LaneMetrics, LaneStatus};
use crate::relay::{RelayRow, RelayView};
use crate::service::health::{Component, Health};
use crate::service::metrics::{FeedMetrics, FeedStatus, Metrics};

/// What an engine shows of itself. Cheap to clone.
#[derive(Clone)]
pub struct View {
    /// What works and what does not.
    pub health: Health,
    /// Counters.
    pub metrics: Metrics,
    pub(super) connected: Connected,
    pub(super) relays: Arc<Vec<RelayView>>,
    pub(super) clock: Clock,
}

/// The connectors that are shown, by name. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Connected(Arc<Mutex<BTreeMap<String, Arc<ConnectorView>>>>);

/// A connector that is shown, whether it runs or not.
pub(super) struct ConnectorView {
    pub(super) feeds: Vec<(FeedRow, FeedMetrics)>,
    pub(super) lane: Option<LaneMetrics>,
    pub(super) topics: ConnectorTopics,
}

impl Connected {
    pub(super) fn show(&self, name: &str, view: ConnectorView) {
        self.locked().insert(name.to_owned(), Arc::new(view));
    }

    pub(super) fn hide(&self, name: &str) {
        self.locked().remove(name);
    }

    /// Those of now.
    pub(super) fn all(&self) -> Vec<Arc<ConnectorView>> {
        self.locked().values().cloned().collect()
    }

    fn locked(&self) -> MutexGuard<'_, BTreeMap<String, Arc<ConnectorView>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A feed in the console.
#[derive(Debug, Clone, Serialize)]
pub struct FeedRow {
    /// Name of the connector.
    pub connector: String,
    /// Name of the feed.
    pub feed: Arc<str>,
    /// Its topic.
    pub topic: String,
    /// How often it is read, milliseconds.
    pub interval_ms: u64,
}

/// An engine at a glance, as in the console and in `/health/ready`.
#[derive(Debug, Clone, Serialize)]
pub struct Glance {
    /// `up`, `degraded` (a feed stands still) or `unavailable`.
    pub status: &'static str,
    /// Components by name.
    pub components: BTreeMap<String, Component>,
    /// All feeds.
    pub feeds: Vec<(FeedRow, FeedStatus)>,
    /// The commands of all connectors that carry any.
    pub commands: Vec<LaneStatus>,
    /// The tasks of relays that run here.
    pub relays: Vec<RelayRow>,
    /// How far the backfills are, by connector.
    pub backfills: BTreeMap<String, Standing>,
    /// What is left of upstreams' quotas, by connector and operation.
    pub quotas: BTreeMap<String, BTreeMap<&'static str, Left>>,
    /// Now, milliseconds since 1970 UTC.
    pub now_ms: i64,
}

/// What a connector asked of its upstream since the process began.
#[derive(Debug, Clone, Default)]
pub struct UpstreamRow {
    /// Requests.
    pub requests: u64,
    /// Those of them that were not answered well.
    pub failed: u64,
    /// Requests by status or failure.
    pub codes: BTreeMap<String, u64>,
    /// How long they waited for the rate budget, in all, milliseconds.
    pub waited_ms: i64,
}

impl View {
    /// What upstreams were asked, by connector.
    pub fn upstreams(&self) -> BTreeMap<String, UpstreamRow> {
        let mut rows: BTreeMap<String, UpstreamRow> = BTreeMap::new();
        let upstream = &self.metrics.upstream;
        for family in upstream.requests.collect() {
            for metric in family.get_metric() {
                let label = |name: &str| {
                    let pair = metric.get_label().iter().find(|pair| pair.name() == name);
                    pair.map(|pair| pair.value().to_owned()).unwrap_or_default()
                };
                let (code, count) = (label("code"), metric.get_counter().get_value() as u64);
                let row = rows.entry(label("connector")).or_default();
                row.requests += count;
                if !(code == "ok" || code.starts_with('2') || code.starts_with('3')) {
                    row.failed += count;
                }
                row.codes.insert(code, count);
            }
        }
        for (name, row) in &mut rows {
            let waited = upstream.budget_wait.with_label_values(&[name]).get_sample_sum();
            row.waited_ms = (waited * 1_000.0) as i64;
        }
        let shown = self.connected.all();
        rows.retain(|name, _| shown.iter().any(|connector| connector.topics.shard.name == *name));
        rows
    }

    /// Everything at a glance.
    pub fn glance(&self) -> Glance {
        let components = self.health.components();
        let all_up = components.values().all(|c| c.state.is_well());
        let status = match (self.health.ready(), all_up) {
            (false, _) => "unavailable",
            (true, false) => "degraded",
            (true, true) => "up",
        };
        let connected = self.connected.all();
        let feeds = connected.iter().flat_map(|connector| &connector.feeds);
        let feeds = feeds.map(|(row, feed)| (row.clone(), feed.status())).collect();
        let commands = connected.iter().filter_map(|connector| connector.lane.as_ref());
        let commands = commands.map(LaneMetrics::status).collect();
        let relays = self.relays.iter().filter_map(RelayView::row).collect();
        let connectors = || connected.iter().map(|connector| &connector.topics.shard.name);
        let upstream = &self.metrics.upstream;
        let standing = |name: &String| Some((name.clone(), upstream.backfills.standing(name)?));
        let backfills = connectors().filter_map(standing).collect();
        let quotas = connectors().map(|name| (name.clone(), upstream.quotas.of(name))).collect();
        let now_ms = self.clock.now_ms();
        Glance { status, components, feeds, commands, relays, backfills, quotas, now_ms }
    }

    /// The text of `/metrics`.
    pub fn scrape(&self) -> String {
        let now = self.clock.now_ms();
        for connector in self.connected.all() {
            connector.feeds.iter().for_each(|(_, feed)| feed.refresh(now));
            connector.lane.iter().for_each(|lane| lane.refresh(now));
        }
        self.relays.iter().for_each(|relay| relay.refresh(now));
        self.metrics.text()
    }
}
