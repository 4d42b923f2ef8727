//! What a task of a relay shows of itself.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::record::Part;
use super::source::Lag;

/// What a task of a relay shows of itself. Clones are one.
#[derive(Debug, Clone, Default)]
pub struct Status(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    carried: AtomicU64,
    echoes: AtomicU64,
    dead_letters: AtomicU64,
    skipped: AtomicU64,
    /// When nothing was behind, or something was carried: milliseconds since 1970 UTC; 0 for never.
    fresh_ms: AtomicI64,
    runs: AtomicBool,
    lag: Mutex<BTreeMap<Part, Lag>>,
}

/// How many records of which fate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Carried and committed.
    pub carried: u64,
    /// Not sent, because they come from there.
    pub echoes: u64,
    /// Put to the dead letters.
    pub dead_letters: u64,
    /// Left out, as configured for what cannot be carried.
    pub skipped: u64,
}

impl Status {
    /// Since the process began.
    pub fn tally(&self) -> Tally {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Tally {
            carried: of(&self.0.carried),
            echoes: of(&self.0.echoes),
            dead_letters: of(&self.0.dead_letters),
            skipped: of(&self.0.skipped),
        }
    }

    /// How far each part is behind, as of the last look.
    pub fn lag(&self) -> BTreeMap<Part, Lag> {
        self.0.lag.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// When it last carried something or found nothing behind, milliseconds since 1970 UTC; none for never.
    pub fn fresh_ms(&self) -> Option<i64> {
        Some(self.0.fresh_ms.load(Ordering::Relaxed)).filter(|ms| *ms > 0)
    }

    pub(super) fn committed(&self, tally: Tally, now_ms: i64) {
        let add = |count: &AtomicU64, more: u64| count.fetch_add(more, Ordering::Relaxed);
        add(&self.0.carried, tally.carried);
        add(&self.0.echoes, tally.echoes);
        add(&self.0.dead_letters, tally.dead_letters);
        add(&self.0.skipped, tally.skipped);
        self.0.fresh_ms.store(now_ms, Ordering::Relaxed);
    }

    pub(super) fn looked(&self, lag: BTreeMap<Part, Lag>, now_ms: i64) {
        // What stands behind an open transaction is behind, however often it is looked.
        if lag.values().all(|lag| lag.records == 0) {
            self.0.fresh_ms.store(now_ms, Ordering::Relaxed);
        }
        self.waits(lag);
    }

    /// So far it is behind, and it carries nothing.
    pub(super) fn waits(&self, lag: BTreeMap<Part, Lag>) {
        *self.0.lag.lock().unwrap_or_else(PoisonError::into_inner) = lag;
    }

    /// It is about to run here: what is not known to be fresh ages from now.
    pub(crate) fn begins(&self, now_ms: i64) {
        self.0.fresh_ms.compare_exchange(0, now_ms, Ordering::Relaxed, Ordering::Relaxed).ok();
        self.0.runs.store(true, Ordering::Relaxed);
    }

    /// Whether it runs in this process.
    pub fn runs(&self) -> bool {
        self.0.runs.load(Ordering::Relaxed)
    }

    /// It does not run here any more: who runs it tells the lag.
    pub(crate) fn ended(&self) {
        self.0.fresh_ms.store(0, Ordering::Relaxed);
        self.0.runs.store(false, Ordering::Relaxed);
        self.0.lag.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
