//! Looks now and then whether the topics of the connectors still keep what Talon keeps on them.
//!
//! An operator can change a topic at any time, and what its settings lose is noticed otherwise only when it
//! is lost. What is found is a component of its own, `{connector}/topics`: the connector works, and needs a
//! person.
//!
//! One task of the process looks for all connectors, so that what the brokers are asked, and over how many
//! connections, does not grow with the connectors.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};

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
    pub(super) connectors: Vec<ConnectorTopics>,
}

impl Inspection {
    /// Looks at the topics of the connectors that this process runs, until it stops.
    pub(super) async fn run(self) {
        let mut looked = BTreeSet::new();
        let mut due = Instant::now();
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !self.ownership.is_stopped() {
            tick.tick().await;
            let granted = self.granted();
            // Whoever runs those that were let go looks.
            for place in looked.difference(&granted) {
                self.health.remove(&component(&self.connectors[*place]));
            }
            looked.retain(|place| granted.contains(place));
            let is_due = Instant::now() >= due;
            let wanted: Vec<usize> =
                granted.into_iter().filter(|place| is_due || !looked.contains(place)).collect();
            if !wanted.is_empty() {
                self.look(&wanted).await;
                looked.extend(wanted);
            }
            if is_due {
                due = Instant::now() + EVERY;
            }
        }
    }

    /// Places of the connectors that this process runs.
    fn granted(&self) -> BTreeSet<usize> {
        let standing = |place: &usize| self.ownership.standing(&self.connectors[*place].shard.name);
        let is_granted = |place: &usize| matches!(standing(place), Standing::Granted(_));
        (0..self.connectors.len()).filter(is_granted).collect()
    }

    async fn look(&self, places: &[usize]) {
        let connectors: Vec<ConnectorTopics> =
            places.iter().map(|place| self.connectors[*place].clone()).collect();
        let bus = self.bus.clone();
        let looked = tokio::task::spawn_blocking(move || {
            let found = bus.inspect(&connectors);
            connectors.into_iter().zip(found).collect::<Vec<_>>()
        });
        for (connector, found) in looked.await.unwrap_or_default() {
            self.show(&component(&connector), found);
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

fn component(connector: &ConnectorTopics) -> String {
    format!("{}/topics", connector.shard.name)
}
