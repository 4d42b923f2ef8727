//! All connectors of a process.

mod inspection;
mod registry_watch;
mod view;

use std::sync::Arc;
use std::time::Duration;

use talon_sdk::{Clock, Connector, FeedPlan};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, timeout_at};

use crate::bus::{Bus, ConnectorTopics, Membership, Ownership, Report, Stop};
use crate::commands::{Lane, lane_spec};
use crate::relay::{Relay, RelayTask, RelayView};
use crate::service::health::Health;
use crate::service::metrics::{FeedMetrics, Metrics};
use crate::service::registry::Registry;
use crate::service::setup::{Setup, Shared, report, topic};
use crate::service::{farewell, keep};
use crate::shard::{Feeds, Pace, SetAside, shard_spec};
use inspection::Inspection;

pub use view::{FeedRow, Glance, View};

/// What of the time for a stop is kept for leaving the group and the upstreams, at most; and the part of
/// the whole that it is where there is little time.
const LEAVE: Duration = Duration::from_secs(3);
const LEAVE_PART: u32 = 4;

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
    ownership: Ownership,
    leave: Stop,
    tasks: JoinSet<()>,
    /// Nothing waits for it: it only looks.
    inspection: JoinSet<()>,
    member: JoinHandle<()>,
    view: View,
    connectors: Vec<Arc<dyn Connector>>,
}

impl Engine {
    /// Starts all connectors. Must be called inside a Tokio runtime.
    pub fn start(parts: Parts) -> Engine {
        Engine::start_with(parts, Vec::new())
    }

    /// Starts all connectors and relays. Must be called inside a Tokio runtime.
    pub fn start_with(parts: Parts, relays: Vec<Relay>) -> Engine {
        let leave = Stop::default();
        let health = Health::new(parts.clock.clone(), parts.metrics.clone());
        let ownership = Ownership::default();
        let mut shards: Vec<String> =
            parts.connectors.iter().map(|setup| setup.name.clone()).collect();
        shards.extend(relays.iter().flat_map(Relay::shards));
        // What they share is as safe as the safest of them.
        let replication =
            parts.connectors.iter().map(|setup| setup.options.replication).max().unwrap_or(0);
        let report: Report = {
            let health = health.clone();
            Arc::new(move |fault| report(&health, "bus", fault))
        };
        let member = parts.bus.join(Membership {
            shards,
            replication,
            ownership: ownership.clone(),
            report,
            stop: leave.clone(),
        });
        let connectors = parts.connectors.iter().map(|setup| setup.connector.clone()).collect();
        let (mut tasks, mut inspected) = (JoinSet::new(), Vec::new());
        let mut rows = Vec::new();
        let mut lanes = Vec::new();
        let shared = Shared {
            prefix: parts.prefix.clone(),
            bus: parts.bus.clone(),
            registry: parts.registry.clone(),
            clock: parts.clock.clone(),
            metrics: parts.metrics.clone(),
            health: health.clone(),
            ownership: ownership.clone(),
            replication,
        };
        for setup in parts.connectors {
            let plans: Vec<(FeedPlan, FeedMetrics)> = setup
                .connector
                .feeds()
                .into_iter()
                .map(|plan| {
                    let metrics = parts.metrics.feed(
                        &setup.name,
                        &plan.spec.name,
                        plan.interval,
                        &parts.clock,
                    );
                    let row = FeedRow {
                        connector: setup.name.clone(),
                        feed: plan.spec.name.clone(),
                        topic: topic(&parts.prefix, &setup.name, &plan.spec.name),
                        interval_ms: plan.interval.as_millis() as u64,
                    };
                    rows.push((row, metrics.clone()));
                    (plan, metrics)
                })
                .collect();
            let shared = shared.clone();
            let mut topics =
                ConnectorTopics { shard: shard_spec(&parts.prefix, &setup), lane: None };
            if let Some(lane) = Lane::of(&shared, &setup) {
                topics.lane = Some(lane_spec(&parts.prefix, &setup));
                lanes.push(lane.metrics.clone());
                tasks.spawn(keep(shared.clone(), lane));
            }
            if !plans.is_empty() {
                let aside = SetAside::default();
                let pace = Pace::new(&setup.name, health.clone(), shared.metrics.clone());
                tasks.spawn(keep(shared.clone(), Feeds { shared, setup, plans, aside, pace }));
            }
            inspected.push(topics);
        }
        let mut relayed = Vec::new();
        for relay in relays {
            tracing::info!(relay = relay.name, way = relay.way(), "relay started");
            for number in 0..relay.plan.tasks {
                let task = RelayTask::new(&shared, &relay, number);
                let (way, metrics) = (relay.way(), &shared.metrics.relays);
                relayed.push(RelayView::new(&relay.name, number, &way, &task.status, metrics));
                tasks.spawn(keep(shared.clone(), task));
            }
        }
        let looks = Inspection {
            bus: parts.bus,
            health: health.clone(),
            ownership: ownership.clone(),
            connectors: inspected,
        };
        let mut inspection = JoinSet::new();
        inspection.spawn(looks.run());
        if let Some(registry) = parts.registry {
            inspection.spawn(registry_watch::watch(registry, health.clone()));
        }
        let view = View {
            health,
            metrics: parts.metrics,
            feeds: Arc::new(rows),
            lanes: Arc::new(lanes),
            relays: Arc::new(relayed),
            clock: parts.clock,
        };
        Engine { ownership, leave, tasks, inspection, member, view, connectors }
    }

    /// What it shows of itself.
    pub fn view(&self) -> View {
        self.view.clone()
    }

    /// Stops reading, commits what was read, leaves the group, and ends, all of it within `timeout`.
    /// `false` if that was too short to commit.
    pub async fn stop(mut self, timeout: Duration) -> bool {
        let end = Instant::now() + timeout;
        self.ownership.stop();
        self.inspection.abort_all();
        let drained = async { while self.tasks.join_next().await.is_some() {} };
        let drained = timeout_at(end - LEAVE.min(timeout / LEAVE_PART), drained).await.is_ok();
        self.ownership.finish();
        self.leave.set();
        let mut leaving = JoinSet::new();
        for connector in self.connectors {
            leaving.spawn(async move { farewell(connector.as_ref()).await });
        }
        // Without leaving, the others would wait for this process's session to run out, and upstreams
        // would count sessions that are over. Both are courtesies: who is away does not hold the process.
        timeout_at(end, async {
            while leaving.join_next().await.is_some() {}
            self.member.await.ok();
        })
        .await
        .ok();
        drained
    }
}
