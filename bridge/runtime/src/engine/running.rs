//! A connector at work: its services, and what is shown of them.

use std::time::Duration;

use talon_sdk::FeedPlan;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::alive::Alive;
use super::view::{ConnectorView, FeedRow};
use crate::bus::{ConnectorTopics, Release};
use crate::commands::{Lane, lane_spec};
use crate::service::keep;
use crate::service::metrics::FeedMetrics;
use crate::service::setup::{Setup, Shared, topic};
use crate::shard::{Feeds, Inlet, Pace, SetAside, shard_spec};

/// How long a connector that comes to rest may take to commit what was read. As long as one that goes to
/// another process may.
const RELEASE: Duration = Duration::from_secs(20);

/// A connector at work.
pub(super) struct Running {
    services: Vec<JoinHandle<()>>,
}

/// The feeds of a connector with their metrics.
type Plans = Vec<(FeedPlan, FeedMetrics)>;

/// Starts the services of a connector. They open when its shard is granted.
pub(super) fn start(
    shared: &Shared,
    setup: Setup,
    inlet: Inlet,
    alive: &Alive,
) -> (Running, ConnectorView) {
    let plans = plans(shared, &setup);
    let lane = Lane::of(shared, &setup);
    let view = view(shared, &setup, &plans, lane.as_ref());
    let mut running = Running { services: Vec::new() };
    if let Some(lane) = lane {
        running.services.push(alive.spawn(keep(shared.clone(), lane)));
    }
    if !plans.is_empty() {
        let shared = shared.clone();
        let aside = SetAside::default();
        let pace = Pace::new(&setup.name, shared.health.clone(), shared.metrics.clone());
        let feeds = Feeds { shared: shared.clone(), setup, plans, aside, pace, inlet };
        running.services.push(alive.spawn(keep(shared, feeds)));
    }
    (running, view)
}

fn plans(shared: &Shared, setup: &Setup) -> Plans {
    let metrics = |plan: &FeedPlan| {
        shared.metrics.feed(&setup.name, &plan.spec.name, plan.interval, &shared.clock)
    };
    setup.connector.feeds().into_iter().map(|plan| (plan.clone(), metrics(&plan))).collect()
}

fn view(shared: &Shared, setup: &Setup, plans: &Plans, lane: Option<&Lane>) -> ConnectorView {
    let row = |(plan, metrics): &(FeedPlan, FeedMetrics)| {
        let row = FeedRow {
            connector: setup.name.clone(),
            feed: plan.spec.name.clone(),
            topic: topic(&shared.prefix, &setup.name, &plan.spec.name),
            interval_ms: plan.interval.as_millis() as u64,
        };
        (row, metrics.clone())
    };
    ConnectorView {
        feeds: plans.iter().map(row).collect(),
        lane: lane.map(|lane| lane.metrics.clone()),
        topics: ConnectorTopics {
            shard: shard_spec(&shared.prefix, setup),
            lane: lane.map(|_| lane_spec(&shared.prefix, setup)),
        },
    }
}

impl Running {
    pub(super) fn of(services: Vec<JoinHandle<()>>) -> Running {
        Running { services }
    }

    /// Waits until nothing of it is at work. What takes too long to commit is void, and read again.
    pub(super) async fn end(self, release: &Release) {
        tokio::select! {
            () = release.done() => {}
            () = sleep(RELEASE) => {
                let late = release.cut_short();
                if !late.is_empty() {
                    tracing::warn!(connector = late.join(", "), "not let go in time; what it still publishes is fenced");
                }
            }
        }
        for service in self.services {
            // One that panicked has ended too.
            service.await.ok();
        }
        // A thread that still opens holds the grant for longer than its service.
        release.done().await;
    }
}
