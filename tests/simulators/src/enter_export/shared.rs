//! What requests and the handles share.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicI64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::civil::Date;
use serde_json::Value;

use super::faults::Faults;
use super::settings::Settings;
use super::world::World;
use crate::clock;

/// The upstream as it is now.
pub(super) struct Shared {
    pub(super) world: World,
    pub(super) faults: Faults,
    pub(super) clock: Arc<AtomicI64>,
    settings: Mutex<Settings>,
    asked: Mutex<Counts>,
}

#[derive(Default)]
pub(super) struct Counts {
    pub(super) requests: BTreeMap<String, u64>,
    pub(super) days: BTreeMap<Asked, u64>,
}

impl Shared {
    pub(super) fn new(settings: Settings) -> Shared {
        Shared {
            world: World::new(&settings),
            settings: Mutex::new(settings),
            faults: Faults::default(),
            asked: Mutex::default(),
            clock: Arc::new(AtomicI64::new(0)),
        }
    }

    pub(super) fn now_ms(&self) -> i64 {
        clock::now_ms(&self.clock)
    }

    pub(super) fn settings(&self) -> MutexGuard<'_, Settings> {
        self.settings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn counts(&self) -> MutexGuard<'_, Counts> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn change_settings(&self, patch: &Value) -> anyhow::Result<()> {
        let mut settings = self.settings();
        *settings = settings.changed(patch)?;
        Ok(())
    }
}

/// A branch-day that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Asked {
    /// The place of the branch.
    pub branch: usize,
    /// The day.
    pub day: Date,
}
