//! Looks now and then whether the topics of a connector still keep what Talon keeps on them.
//!
//! An operator can change a topic at any time, and what its settings lose is noticed otherwise only when it
//! is lost. What is found is a component of its own, `{connector}/topics`: the connector works, and needs a
//! person.

use std::time::Duration;

use tokio::time::sleep;

use crate::bus::{LaneSpec, ShardSpec, Standing};
use crate::service::health::{Severity, State};
use crate::service::setup::Shared;

/// How often it is looked.
const EVERY: Duration = Duration::from_secs(20);

/// The topics of a connector.
pub(super) struct Inspection {
    pub(super) shared: Shared,
    pub(super) shard: ShardSpec,
    pub(super) lane: Option<LaneSpec>,
}

impl Inspection {
    /// Looks whenever this process runs the connector, until the process stops.
    pub(super) async fn run(self) {
        let (ownership, name) = (&self.shared.ownership, self.shard.name.as_str());
        let component = format!("{name}/topics");
        let granted = |standing: &Standing| matches!(standing, Standing::Granted(_));
        loop {
            match ownership.standing(name) {
                Standing::Stopped => return,
                Standing::Granted(_) => {
                    self.look(&component).await;
                    tokio::select! {
                        () = sleep(EVERY) => {}
                        () = ownership.wait(name, |standing| !granted(standing)) => {}
                    }
                }
                Standing::Away | Standing::Elsewhere(_) => {
                    // Whoever runs it looks.
                    self.shared.health.remove(&component);
                    let met = |standing: &Standing| {
                        granted(standing) || matches!(standing, Standing::Stopped)
                    };
                    ownership.wait(name, met).await;
                }
            }
        }
    }

    async fn look(&self, component: &str) {
        let (bus, shard, lane) = (self.shared.bus.clone(), self.shard.clone(), self.lane.clone());
        let looked = tokio::task::spawn_blocking(move || bus.inspect(&shard, lane.as_ref())).await;
        // A bus that does not answer is noticed elsewhere.
        let Ok(Ok(found)) = looked else { return };
        let health = &self.shared.health;
        if !found.is_empty() {
            let message = found.join("; ");
            health.set(component, Severity::Feed, State::Misconfigured, &message);
        } else if health.components().contains_key(component) {
            health.set(component, Severity::Feed, State::Up, "");
        }
    }
}
