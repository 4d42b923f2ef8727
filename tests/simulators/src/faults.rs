//! Misbehaviours of a simulator: what happens, to which requests, how often.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

/// One misbehaviour, and when it happens. Its JSON is flat:
/// `{"kind": "status", "code": 503, "path": "/call/modifications", "after": 2, "times": 3}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fault<K, W> {
    /// What happens.
    #[serde(flatten)]
    pub kind: K,
    /// To which requests or messages; all by default.
    #[serde(flatten)]
    pub to: W,
    /// How many of these it happens to; until it is cleared by default.
    #[serde(default)]
    pub times: Option<u64>,
    /// How many of these are spared first.
    #[serde(default)]
    pub after: u64,
}

impl<K, W: Default> From<K> for Fault<K, W> {
    /// What happens to all, until it is cleared.
    fn from(kind: K) -> Self {
        Self { kind, to: W::default(), times: None, after: 0 }
    }
}

impl<K, W> Fault<K, W> {
    /// Ends the fault after so many requests.
    #[must_use]
    pub fn times(self, times: u64) -> Self {
        Self { times: Some(times), ..self }
    }

    /// Spares so many requests first.
    #[must_use]
    pub fn after(self, after: u64) -> Self {
        Self { after, ..self }
    }
}

/// The faults that are in force; a cheap handle, callable at any time.
#[derive(Debug)]
pub struct Faults<K, W>(Arc<Mutex<Vec<Active<K, W>>>>);

#[derive(Debug)]
struct Active<K, W> {
    fault: Fault<K, W>,
    /// How many requests came that it is meant for.
    seen: u64,
}

impl<K: Clone, W: Clone> Faults<K, W> {
    /// Adds a fault; it counts requests from now on. Several can happen to one request.
    pub fn add(&self, fault: impl Into<Fault<K, W>>) {
        self.active().push(Active { fault: fault.into(), seen: 0 });
    }

    /// Removes all faults.
    pub fn clear(&self) {
        self.active().clear();
    }

    /// The faults that have not run out.
    pub fn list(&self) -> Vec<Fault<K, W>> {
        self.active().iter().map(|one| one.fault.clone()).collect()
    }

    /// What happens to a request that some faults are meant for; counts it.
    pub(crate) fn happen(&self, is_meant: impl Fn(&Fault<K, W>) -> bool) -> Vec<K> {
        let mut active = self.active();
        let mut kinds = Vec::new();
        for one in active.iter_mut().filter(|one| is_meant(&one.fault)) {
            one.seen += 1;
            if one.seen > one.fault.after {
                kinds.push(one.fault.kind.clone());
            }
        }
        active.retain(|Active { fault, seen }| {
            fault.times.is_none_or(|times| *seen < fault.after + times)
        });
        kinds
    }

    fn active(&self) -> MutexGuard<'_, Vec<Active<K, W>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K, W> Default for Faults<K, W> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K, W> Clone for Faults<K, W> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}
