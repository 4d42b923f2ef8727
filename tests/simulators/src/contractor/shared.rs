//! What requests, the life and the handles share.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::watch;

use super::door::Door;
use super::faults::Faults;
use super::journal::Journal;
use super::life::Life;
use super::log::Kind;
use super::settings::Settings;
use super::store::Store;
use crate::connection::Lines;

/// The upstream as it is now.
pub(super) struct Shared {
    pub(super) faults: Faults,
    pub(super) journal: Journal,
    pub(super) lines: Lines,
    pub(super) door: Door,
    /// The edits a second, for the life to wait on.
    pub(super) pace: watch::Sender<f64>,
    world: Mutex<World>,
}

/// The state and what changes it by itself, in lockstep.
pub(super) struct World {
    store: Store,
    life: Life,
}

/// The lock on the store.
pub(super) struct StoreGuard<'a>(MutexGuard<'a, World>);

impl std::ops::Deref for StoreGuard<'_> {
    type Target = Store;

    fn deref(&self) -> &Store {
        &self.0.store
    }
}

impl std::ops::DerefMut for StoreGuard<'_> {
    fn deref_mut(&mut self) -> &mut Store {
        &mut self.0.store
    }
}

impl Shared {
    pub(super) fn new(settings: Settings) -> Self {
        let pace = watch::Sender::new(settings.edits_per_second);
        let mut life = Life::new(&settings);
        let mut store = Store::new(settings);
        life.populate(&mut store);
        Self {
            faults: Faults::default(),
            journal: Journal::default(),
            lines: Lines::default(),
            door: Door::default(),
            pace,
            world: Mutex::new(World { store, life }),
        }
    }

    pub(super) fn store(&self) -> StoreGuard<'_> {
        StoreGuard(self.world.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// One lock an edit, so that reads come in between.
    pub(super) fn edit(&self, edits: usize) {
        for _ in 0..edits {
            let mut guard = self.store();
            let World { store, life } = &mut *guard.0;
            life.edit(store);
        }
    }

    pub(super) fn marks(&self) -> Marks {
        let store = self.store();
        Marks {
            calls: store.head(Kind::Calls),
            messages: store.head(Kind::Messages),
            jeopardies: store.head(Kind::Jeopardies),
        }
    }

    pub(super) fn change_settings(&self, patch: &Value) -> anyhow::Result<()> {
        let mut store = self.store();
        store.settings = store.settings.changed(patch)?;
        let pace = store.settings.edits_per_second;
        drop(store);
        self.pace.send_replace(pace);
        Ok(())
    }
}

/// The highest marks drawn so far; late rows that are not visible yet count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marks {
    /// Of `GET /call/modifications/{timestamp}`.
    pub calls: i64,
    /// Of `GET /call/messages/modifications/{timestamp}`.
    pub messages: i64,
    /// Of `GET /call/jeopardies/modifications/{timestamp}`.
    pub jeopardies: i64,
}
