//! What the parts of this module share.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use talon_runtime::Setup;
use talon_runtime::bus::{Bus, Store};
use talon_runtime::engine::{Connectors, Relays, View};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, watch};

use crate::dead_letters::DeadLetters;

use super::picture::Picture;
use super::records::{Config, Configured, Target, relay};
use super::settings::Checks;

/// A connector of the file.
pub(super) struct OfFile {
    pub(super) setup: Setup,
    /// As it is shown.
    pub(super) config: Config,
}

/// What the parts of this module share.
pub(super) struct Shared {
    pub(super) checks: Checks,
    /// First part of all topic names.
    pub(super) prefix: String,
    pub(super) bus: Arc<dyn Bus>,
    /// Offsets are read and changed one connector at a time: all that it has published is read back.
    pub(super) at_offsets: tokio::sync::Mutex<()>,
    pub(super) worker: String,
    pub(super) file: BTreeMap<String, OfFile>,
    /// Looks at topics that may go on at a time.
    pub(super) looks: Semaphore,
    pub(super) configs: Arc<dyn Store>,
    pub(super) states: Arc<dyn Store>,
    pub(super) letters: DeadLetters,
    pub(super) picture: Mutex<Picture>,
    pub(super) version: watch::Sender<u64>,
    /// Why connectors cannot be made here.
    pub(super) troubles: Mutex<BTreeMap<String, String>>,
    pub(super) connectors: Connectors,
    pub(super) relays: Relays,
    pub(super) view: View,
    pub(super) runtime: Handle,
}

impl Shared {
    pub(super) fn picture(&self) -> MutexGuard<'_, Picture> {
        self.picture.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn troubles(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.troubles.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a relay of the file is called so among connectors.
    pub(super) fn is_relay(&self, called: &str) -> bool {
        relay(called).is_some_and(|name| self.relays.shards().contains_key(name))
    }

    /// Something of the picture is new.
    pub(super) fn changed(&self) {
        self.version.send_modify(|version| *version += 1);
    }

    /// What the records say of a connector: its configuration, what is wanted, and the last restart.
    pub(super) fn now(&self, name: &str) -> Option<(Configured, Target, Option<u64>)> {
        let picture = self.picture();
        let configured = picture.connector(name)?.value.clone();
        let restart = picture.restart(name).map(|seen| seen.revision);
        Some((configured, picture.target(name)?, restart))
    }
}
