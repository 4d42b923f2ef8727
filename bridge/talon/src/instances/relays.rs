//! What is wanted of the relays of the file, which is kept and told as that of connectors is.
//!
//! Their records have keys as those of connectors, under a name that no connector has (`relay/NAME`), and so do the
//! states of their tasks. What was wanted of a relay counts for as long as nobody says anything else, also where it
//! was not in the file for a while.

use talon_runtime::engine::RelayWish;

use super::drive::Driver;
use super::records::{Target, of_relay};
use super::shared::Shared;
use super::status::Shown;

/// A relay as it is told.
pub(crate) struct RelayInfo {
    pub(crate) target: Target,
    /// The states of its tasks, wherever they run.
    pub(crate) tasks: Vec<Shown>,
}

impl Shared {
    /// A relay and the states of its tasks.
    pub(super) fn relay(&self, name: &str) -> Option<RelayInfo> {
        let shards = self.relays.shards().remove(name)?;
        let target = self.picture().target_of_relay(name);
        let components = self.view.health.components();
        let shown = |shard: &String| self.status(shard, target, &components);
        Some(RelayInfo { target, tasks: shards.iter().map(shown).collect() })
    }
}

impl Driver {
    /// Looks at what is wanted of a relay, and tells the engine, if that is new.
    pub(super) fn see_relay(&mut self, name: &str) {
        if !self.shared.is_relay(&of_relay(name)) {
            return;
        }
        let (target, restart) = {
            let picture = self.shared.picture();
            let restart = picture.restart(&of_relay(name)).map(|seen| seen.revision);
            (picture.target_of_relay(name), restart)
        };
        match self.told_relays.insert(name.to_owned(), (target, restart)) {
            Some((before, restarted)) if before == target => {
                if restarted != restart {
                    self.shared.relays.restart(name);
                }
            }
            _ => self.shared.relays.set(name, wish(target)),
        }
    }
}

fn wish(target: Target) -> RelayWish {
    match target {
        Target::Running => RelayWish::Run,
        Target::Paused => RelayWish::Pause,
        Target::Stopped => RelayWish::Stop,
    }
}
