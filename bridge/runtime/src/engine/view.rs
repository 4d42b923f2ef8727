//! What an engine shows of itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use talon_sdk::{Clock, Left, Standing};

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
    pub(super) feeds: Arc<Vec<(FeedRow, FeedMetrics)>>,
    pub(super) lanes: Arc<Vec<LaneMetrics>>,
    pub(super) relays: Arc<Vec<RelayView>>,
    pub(super) clock: Clock,
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
        let feeds = self.feeds.iter().map(|(row, feed)| (row.clone(), feed.status())).collect();
        let commands = self.lanes.iter().map(LaneMetrics::status).collect();
        let relays = self.relays.iter().filter_map(RelayView::row).collect();
        let connectors = || self.feeds.iter().map(|(row, _)| &row.connector);
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
        self.feeds.iter().for_each(|(_, feed)| feed.refresh(now));
        self.lanes.iter().for_each(|lane| lane.refresh(now));
        self.relays.iter().for_each(|relay| relay.refresh(now));
        self.metrics.text()
    }
}
