//! What an engine shows of itself.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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

/// A feed on the status page.
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

/// An engine at a glance, as on the status page and in `/health/ready`.
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

impl View {
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
