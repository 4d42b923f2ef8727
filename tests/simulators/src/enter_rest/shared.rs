//! What requests and the handles share.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicI64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tokio::sync::Notify;

use super::faults::Faults;
use super::settings::Settings;
use super::show;
use super::store::Store;
use crate::clock;
use crate::connection::Lines;

/// The upstream as it is now.
pub(super) struct Shared {
    pub(super) faults: Faults,
    pub(super) clock: Arc<AtomicI64>,
    pub(super) lines: Lines,
    /// Replies that wait.
    pub(super) held: Notify,
    store: Mutex<Store>,
    requests: Mutex<BTreeMap<String, u64>>,
}

impl Shared {
    pub(super) fn new(settings: Settings) -> Shared {
        Shared {
            faults: Faults::default(),
            clock: Arc::new(AtomicI64::new(0)),
            lines: Lines::default(),
            held: Notify::new(),
            store: Mutex::new(Store::new(settings, show::ticket)),
            requests: Mutex::default(),
        }
    }

    pub(super) fn now_ms(&self) -> i64 {
        clock::now_ms(&self.clock)
    }

    /// The store as it is by the clock.
    pub(super) fn store(&self) -> MutexGuard<'_, Store> {
        let mut store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        store.live_until(self.now_ms());
        store
    }

    /// Its settings, without a step of the life.
    pub(super) fn settings(&self) -> Settings {
        self.store.lock().unwrap_or_else(PoisonError::into_inner).settings.clone()
    }

    pub(super) fn change_settings(&self, patch: &Value) -> anyhow::Result<()> {
        let mut store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        store.settings = store.settings.changed(patch)?;
        Ok(())
    }

    pub(super) fn requests(&self) -> MutexGuard<'_, BTreeMap<String, u64>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
