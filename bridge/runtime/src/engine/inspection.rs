//! Looks now and then whether the topics of the connectors still keep what Talon keeps on them.
//!
//! An operator can change a topic at any time, and what its settings lose is noticed otherwise only when it
//! is lost. What is found is a component of its own, `{connector}/topics`: the connector works, and needs a
//! person.
//!
//! One task of the process looks for all connectors, so that what the brokers are asked, and over how many
//! connections, does not grow with the connectors.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};

use super::view::Connected;
use crate::bus::{Bus, BusFault, ConnectorTopics, Ownership, Standing};
use crate::service::health::{Health, Severity, State};

/// How often it is looked.
const EVERY: Duration = Duration::from_secs(20);

/// How often is asked which connectors this process runs. Those that come within it are looked at together.
const TICK: Duration = Duration::from_secs(1);

/// The topics of all connectors of a process.
pub(super) struct Inspection {
    pub(super) bus: Arc<dyn Bus>,
    pub(super) health: Health,
    pub(super) ownership: Ownership,
    pub(super) connected: Connected,
}

impl Inspection {
    /// Looks at the topics of the connectors that this process runs, until it stops.
    pub(super) async fn run(self) {
        let mut looked = BTreeSet::<String>::new();
        let mut due = Instant::now();
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !self.ownership.is_stopped() {
            tick.tick().await;
            let granted = self.granted();
            // Whoever runs those that were let go looks.
            for name in looked.iter().filter(|name| !granted.contains_key(*name)) {
                self.health.remove(&component(name));
            }
            looked.retain(|name| granted.contains_key(name));
            let is_due = Instant::now() >= due;
            let wanted: BTreeMap<String, ConnectorTopics> =
                granted.into_iter().filter(|(name, _)| is_due || !looked.contains(name)).collect();
            if !wanted.is_empty() {
                looked.extend(wanted.keys().cloned());
                self.look(wanted.into_values().collect()).await;
            }
            if is_due {
                due = Instant::now() + EVERY;
            }
        }
    }

    /// The connectors that this process runs.
    fn granted(&self) -> BTreeMap<String, ConnectorTopics> {
        let is_granted =
            |name: &String| matches!(self.ownership.standing(name), Standing::Granted(_));
        let topics = self.connected.all().into_iter().map(|connector| connector.topics.clone());
        let named = topics.map(|topics| (topics.shard.name.clone(), topics));
        named.filter(|(name, _)| is_granted(name)).collect()
    }

    async fn look(&self, connectors: Vec<ConnectorTopics>) {
        let bus = self.bus.clone();
        let looked = tokio::task::spawn_blocking(move || {
            let found = bus.inspect(&connectors);
            connectors.into_iter().zip(found).collect::<Vec<_>>()
        });
        let looked = looked.await.unwrap_or_default();
        let granted = self.granted();
        for (connector, found) in looked {
            let name = &connector.shard.name;
            // It may have been let go, or deleted, meanwhile.
            if granted.contains_key(name) {
                self.show(&component(name), found);
            }
        }
    }

    fn show(&self, component: &str, found: Result<Vec<String>, BusFault>) {
        // A bus that does not answer is noticed elsewhere.
        let Ok(found) = found else { return };
        if !found.is_empty() {
            let message = found.join("; ");
            self.health.set(component, Severity::Feed, State::Misconfigured, &message);
        } else if self.health.components().contains_key(component) {
            self.health.set(component, Severity::Feed, State::Up, "");
        }
    }
}

fn component(connector: &str) -> String {
    format!("{connector}/topics")
}
