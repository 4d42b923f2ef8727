//! All connectors of a process.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use talon_sdk::{Clock, FeedPlan, Standing};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use crate::board::{Board, Component};
use crate::bus::{Bus, GiveUp, Membership, Report};
use crate::commands::{Lane, LaneMetrics, LaneStatus};
use crate::metrics::{FeedMetrics, FeedStatus, Metrics};
use crate::ownership::Ownership;
use crate::registry::Registry;
use crate::supervise::{Feeds, Setup, Shared, report, topic};
use crate::tenure::keep;

/// How long leaving the group may take.
const LEAVE: Duration = Duration::from_secs(3);

/// What an engine is made of.
pub struct Parts {
    /// First part of all topic names.
    pub prefix: String,
    /// The bus.
    pub bus: Arc<dyn Bus>,
    /// The schema registry, if there is one.
    pub registry: Option<Registry>,
    /// The connectors.
    pub connectors: Vec<Setup>,
    /// Time of day.
    pub clock: Clock,
    /// Counters.
    pub metrics: Metrics,
}

/// The connectors of a process at work. Dropping it stops nothing; see [`Engine::stop`].
pub struct Engine {
    stop: watch::Sender<bool>,
    give_up: GiveUp,
    tasks: JoinSet<()>,
    member: JoinHandle<()>,
    view: View,
}

/// What an engine shows of itself. Cheap to clone.
#[derive(Clone)]
pub struct View {
    /// What works and what does not.
    pub board: Board,
    /// Counters.
    pub metrics: Metrics,
    feeds: Arc<Vec<(FeedRow, FeedMetrics)>>,
    lanes: Arc<Vec<LaneMetrics>>,
    clock: Clock,
}

/// A feed on the status page.
#[derive(Debug, Clone, Serialize)]
pub struct FeedRow {
    /// Name of the connector.
    pub connector: String,
    /// Name of the feed.
    pub feed: &'static str,
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
    /// How far the backfills are, by connector.
    pub backfills: BTreeMap<String, Standing>,
    /// Now, milliseconds since 1970 UTC.
    pub now_ms: i64,
}

impl Engine {
    /// Starts all connectors. Must be called inside a Tokio runtime.
    pub fn start(parts: Parts) -> Engine {
        let (stop, stopped) = watch::channel(false);
        let give_up = GiveUp::default();
        let board = Board::new(parts.clock.clone(), parts.metrics.clone());
        let ownership = Ownership::default();
        let shards = parts.connectors.iter().map(|setup| setup.name.clone()).collect();
        // What they share is as safe as the safest of them.
        let replication =
            parts.connectors.iter().map(|setup| setup.options.replication).max().unwrap_or(0);
        let report: Report = {
            let board = board.clone();
            Arc::new(move |fault| report(&board, "bus", fault))
        };
        let member = parts.bus.join(Membership {
            shards,
            replication,
            ownership: ownership.clone(),
            report,
            give_up: give_up.clone(),
        });
        let mut tasks = JoinSet::new();
        let mut rows = Vec::new();
        let mut lanes = Vec::new();
        for setup in parts.connectors {
            let plans: Vec<(FeedPlan, FeedMetrics)> = setup
                .connector
                .feeds()
                .into_iter()
                .map(|plan| {
                    let metrics = parts.metrics.feed(&setup.name, plan.spec.name, &parts.clock);
                    let row = FeedRow {
                        connector: setup.name.clone(),
                        feed: plan.spec.name,
                        topic: topic(&parts.prefix, &setup.name, plan.spec.name),
                        interval_ms: plan.interval.as_millis() as u64,
                    };
                    rows.push((row, metrics.clone()));
                    (plan, metrics)
                })
                .collect();
            let shared = Shared {
                prefix: parts.prefix.clone(),
                bus: parts.bus.clone(),
                registry: parts.registry.clone(),
                clock: parts.clock.clone(),
                metrics: parts.metrics.clone(),
                board: board.clone(),
                ownership: ownership.clone(),
                stop: stopped.clone(),
                give_up: give_up.clone(),
                replication,
            };
            if let Some(lane) = Lane::of(&shared, &setup) {
                lanes.push(lane.metrics.clone());
                tasks.spawn(keep(shared.clone(), lane));
            }
            if !plans.is_empty() {
                tasks.spawn(keep(shared.clone(), Feeds { shared, setup, plans }));
            }
        }
        let view = View {
            board,
            metrics: parts.metrics,
            feeds: Arc::new(rows),
            lanes: Arc::new(lanes),
            clock: parts.clock,
        };
        Engine { stop, give_up, tasks, member, view }
    }

    /// What it shows of itself.
    pub fn view(&self) -> View {
        self.view.clone()
    }

    /// Stops reading, commits what was read, leaves the group, and ends. `false` if to commit took
    /// longer than `timeout`.
    pub async fn stop(mut self, timeout: Duration) -> bool {
        self.stop.send_replace(true);
        let drained = async { while self.tasks.join_next().await.is_some() {} };
        let drained = tokio::time::timeout(timeout, drained).await.is_ok();
        self.give_up.set();
        // Without leaving, the others would wait for this process's session to run out. To leave is a
        // courtesy: a bus that is away does not hold the process.
        tokio::time::timeout(LEAVE, self.member).await.ok();
        drained
    }
}

impl View {
    /// Everything at a glance.
    pub fn glance(&self) -> Glance {
        let components = self.board.components();
        let all_up = components.values().all(|c| c.state.is_well());
        let status = match (self.board.ready(), all_up) {
            (false, _) => "unavailable",
            (true, false) => "degraded",
            (true, true) => "up",
        };
        let feeds = self.feeds.iter().map(|(row, feed)| (row.clone(), feed.status())).collect();
        let commands = self.lanes.iter().map(LaneMetrics::status).collect();
        let connectors = self.feeds.iter().map(|(row, _)| &row.connector);
        let standing =
            |name: &String| Some((name.clone(), self.metrics.upstream.backfills.standing(name)?));
        let backfills = connectors.filter_map(standing).collect();
        Glance { status, components, feeds, commands, backfills, now_ms: self.clock.now_ms() }
    }

    /// The text of `/metrics`.
    pub fn scrape(&self) -> String {
        let now = self.clock.now_ms();
        self.feeds.iter().for_each(|(_, feed)| feed.refresh(now));
        self.lanes.iter().for_each(LaneMetrics::refresh);
        self.metrics.text()
    }
}
