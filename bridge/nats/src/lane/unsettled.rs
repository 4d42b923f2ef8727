//! Commands that were delivered and are not settled.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_nats::Subject;

/// Commands that were delivered and are not settled: where each is acknowledged, by its sequence.
#[derive(Default)]
pub(crate) struct Unsettled(Mutex<BTreeMap<u64, Subject>>);

impl Unsettled {
    /// A delivery; one that came again is acknowledged where it came last.
    pub(crate) fn add(&self, sequence: u64, ack: Subject) {
        self.lock().insert(sequence, ack);
    }

    pub(crate) fn take(&self, sequence: u64) -> Option<Subject> {
        self.lock().remove(&sequence)
    }

    pub(crate) fn all(&self) -> Vec<Subject> {
        self.lock().values().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Subject>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
