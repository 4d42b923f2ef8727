//! What requests and the handles share.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use super::faults::Faults;
use super::journal::Journal;
use super::life::World;
use super::limits::Counted;
use super::settings::Settings;
use super::spelling::Spelling;
use crate::clock;
use crate::connection::Lines;
use crate::random::Random;

/// The upstream as it is now.
pub(super) struct Shared {
    pub(super) world: World,
    pub(super) faults: Faults,
    pub(super) journal: Journal,
    pub(super) lines: Lines,
    pub(super) clock: Arc<AtomicI64>,
    settings: Mutex<Settings>,
    counted: Mutex<Counted>,
    replies: AtomicU64,
}

impl Shared {
    pub(super) fn new(settings: Settings) -> Shared {
        Shared {
            world: World::new(&settings),
            faults: Faults::default(),
            journal: Journal::default(),
            lines: Lines::default(),
            clock: Arc::default(),
            settings: Mutex::new(settings),
            counted: Mutex::default(),
            replies: AtomicU64::new(0),
        }
    }

    pub(super) fn now_ms(&self) -> i64 {
        clock::now_ms(&self.clock)
    }

    /// How the next reply is spelled.
    pub(super) fn spelling(&self) -> Spelling {
        let Settings { seed, noise, extra_column, .. } = *self.settings();
        let reply = self.replies.fetch_add(1, Ordering::SeqCst);
        let is_another = Random::at(&[seed, 32, reply]).share() < noise;
        let spelling = if is_another { Spelling::any(seed, reply) } else { Spelling::documented() };
        // A column that comes and goes would be another content.
        Spelling { has_extra: extra_column, ..spelling }
    }

    pub(super) fn settings(&self) -> MutexGuard<'_, Settings> {
        self.settings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn counted(&self) -> MutexGuard<'_, Counted> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn change_settings(&self, patch: &Value) -> anyhow::Result<()> {
        let mut settings = self.settings();
        *settings = settings.changed(patch)?;
        Ok(())
    }
}
