//! All connectors of a process.

mod alive;
mod connectors;
mod inspection;
mod letters;
mod registry_watch;
mod relays;
mod running;
mod view;

use std::sync::Arc;
use std::time::Duration;

use talon_sdk::Clock;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, timeout_at};

use crate::bus::{Bus, Membership, Ownership, Report, Shards, Stop};
use crate::relay::Relay;
use crate::service::farewell;
use crate::service::health::Health;
use crate::service::metrics::Metrics;
use crate::service::registry::Registry;
use crate::service::setup::{Setup, Shared, report};
use alive::Alive;
use inspection::Inspection;
use view::Connected;

pub use connectors::{Connectors, Whereabouts, Wish};
pub use letters::{Action, NotSettled, Order};
pub use relays::{RelayWish, Relays};
pub use view::{FeedRow, Glance, UpstreamRow, View};

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

/// The connectors of a process at work. See [`Engine::stop`]; one that is dropped ends where it stands.
pub struct Engine {
    ownership: Ownership,
    shards: Shards,
    leave: Stop,
    alive: Alive,
    /// Nothing waits for it: it only looks.
    inspection: JoinSet<()>,
    member: JoinHandle<()>,
    view: View,
    connectors: Connectors,
    relays: Relays,
}

impl Engine {
    /// Starts all connectors. Must be called inside a Tokio runtime.
    pub fn start(parts: Parts) -> Engine {
        Engine::start_with(parts, Vec::new())
    }

    /// Starts all connectors. Relays run when [they are told to](Relays::set). Must be called inside a Tokio runtime.
    pub fn start_with(parts: Parts, relays: Vec<Relay>) -> Engine {
        let leave = Stop::default();
        let health = Health::new(parts.clock.clone(), parts.metrics.clone());
        let ownership = Ownership::default();
        let names = parts.connectors.iter().map(|setup| setup.name.clone());
        let shards = Shards::new(names);
        // What they share is as safe as the safest of them.
        let replication =
            parts.connectors.iter().map(|setup| setup.options.replication).max().unwrap_or(0);
        let report: Report = {
            let health = health.clone();
            Arc::new(move |fault| report(&health, "bus", fault))
        };
        let member = parts.bus.join(Membership {
            shards: shards.clone(),
            replication,
            ownership: ownership.clone(),
            report,
            stop: leave.clone(),
        });
        let shared = Shared {
            prefix: parts.prefix,
            bus: parts.bus.clone(),
            registry: parts.registry.clone(),
            clock: parts.clock.clone(),
            metrics: parts.metrics.clone(),
            health: health.clone(),
            ownership: ownership.clone(),
            replication,
        };
        let (alive, connected) = (Alive::new(), Connected::default());
        let connectors =
            Connectors::new(shared.clone(), shards.clone(), connected.clone(), alive.clone());
        for setup in parts.connectors {
            connectors.set(&setup.name.clone(), Wish::Run(setup));
        }
        let relays = Relays::new(&shared, &shards, &alive, relays);
        let looks = Inspection {
            bus: parts.bus,
            health: health.clone(),
            ownership: ownership.clone(),
            connected: connected.clone(),
        };
        let mut inspection = JoinSet::new();
        inspection.spawn(looks.run());
        if let Some(registry) = parts.registry {
            inspection.spawn(registry_watch::watch(registry, health.clone()));
        }
        let view = View {
            health,
            metrics: parts.metrics,
            connected,
            relays: Arc::new(relays.views()),
            clock: parts.clock,
        };
        Engine { ownership, shards, leave, alive, inspection, member, view, connectors, relays }
    }

    /// What it shows of itself.
    pub fn view(&self) -> View {
        self.view.clone()
    }

    /// Its connectors, to be changed.
    pub fn connectors(&self) -> Connectors {
        self.connectors.clone()
    }

    /// Its relays, to be told what is wanted of them.
    pub fn relays(&self) -> Relays {
        self.relays.clone()
    }

    /// Stops reading, commits what was read, leaves the group, and ends, all of it within `timeout`.
    /// `false` if that was too short to commit.
    pub async fn stop(mut self, timeout: Duration) -> bool {
        let end = Instant::now() + timeout;
        let connectors = self.connectors.stop();
        self.relays.stop();
        self.ownership.stop();
        self.inspection.abort_all();
        let drained = self.alive.ended();
        let drained = timeout_at(end - LEAVE.min(timeout / LEAVE_PART), drained).await.is_ok();
        self.ownership.finish();
        self.leave.set();
        self.shards.clear();
        let mut leaving = JoinSet::new();
        for connector in connectors {
            leaving.spawn(async move { farewell(connector.as_ref()).await });
        }
        // Without leaving, the others would wait for this process's session to run out, and upstreams
        // would count sessions that are over. Both are courtesies: who is away does not hold the process.
        timeout_at(end, async {
            while leaving.join_next().await.is_some() {}
            (&mut self.member).await.ok();
        })
        .await
        .ok();
        drained
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.alive.abort();
    }
}
