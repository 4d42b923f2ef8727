use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

/// One misbehaviour, and when it happens. As JSON:
/// `{"kind": "status", "code": 503, "path": "/api/1/config", "after": 2, "times": 3}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fault {
    /// What happens.
    #[serde(flatten)]
    pub kind: FaultKind,
    /// Only for paths that begin like this; all by default. Paths under `/_sim` never misbehave.
    #[serde(default)]
    pub path: Option<String>,
    /// Only for the tickets of this branch, by its place.
    #[serde(default)]
    pub branch: Option<usize>,
    /// How many matching requests it happens to; until it is cleared by default.
    #[serde(default)]
    pub times: Option<u64>,
    /// How many matching requests are spared first.
    #[serde(default)]
    pub after: u64,
}

/// What can go wrong.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum FaultKind {
    /// The request waits before anything happens.
    Slow {
        /// For how long, in ms.
        ms: u64,
    },
    /// The request is answered with a code.
    Status {
        /// The HTTP status, 100–999.
        code: u16,
        /// The header `Retry-After`, in seconds.
        #[serde(default)]
        retry_after_seconds: Option<u64>,
    },
    /// The connection is cut in mid-body, after so many tickets and the beginning of the next.
    Cut {
        /// How many arrive whole.
        tickets: usize,
    },
    /// The body ends after so many tickets, as if it were whole.
    Unfinished {
        /// How many arrive whole.
        tickets: usize,
    },
    /// The `Id` of the first ticket is a number.
    UndecodableRow,
    /// The first tickets of the day are not there.
    Missing {
        /// How many.
        tickets: usize,
    },
    /// The answer is 200 with a page for people.
    HtmlError,
}

impl From<FaultKind> for Fault {
    /// The fault for all paths, until it is cleared.
    fn from(kind: FaultKind) -> Self {
        Self { kind, path: None, branch: None, times: None, after: 0 }
    }
}

impl Fault {
    /// Restricts the fault to paths that begin like this.
    #[must_use]
    pub fn at(self, path: &str) -> Self {
        Self { path: Some(path.to_owned()), ..self }
    }

    /// Restricts the fault to the tickets of a branch.
    #[must_use]
    pub fn branch(self, branch: usize) -> Self {
        Self { branch: Some(branch), ..self }
    }

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

    fn concerns(&self, path: &str, branch: Option<usize>) -> bool {
        self.path.as_ref().is_none_or(|prefix| path.starts_with(prefix))
            && (self.branch.is_none() || self.branch == branch)
    }
}

/// The faults that are in force; a cheap handle, callable at any time.
#[derive(Clone, Debug, Default)]
pub struct Faults(Arc<Mutex<Vec<Active>>>);

#[derive(Debug)]
struct Active {
    fault: Fault,
    /// How many matching requests came.
    seen: u64,
}

impl Active {
    fn is_over(&self) -> bool {
        let end = self.fault.times.map(|times| self.fault.after + times);
        end.is_some_and(|end| self.seen >= end)
    }
}

impl Faults {
    /// Adds a fault; it counts requests from now on. Several can happen to one request.
    pub fn add(&self, fault: impl Into<Fault>) {
        self.active().push(Active { fault: fault.into(), seen: 0 });
    }

    /// Removes all faults.
    pub fn clear(&self) {
        self.active().clear();
    }

    /// The faults that have not run out.
    pub fn list(&self) -> Vec<Fault> {
        self.active().iter().map(|one| one.fault.clone()).collect()
    }

    /// What happens to a request; counts it.
    pub(super) fn strike(&self, path: &str, branch: Option<usize>) -> Vec<FaultKind> {
        let mut active = self.active();
        let mut kinds = Vec::new();
        for one in active.iter_mut() {
            if one.fault.concerns(path, branch) {
                one.seen += 1;
                if one.seen > one.fault.after {
                    kinds.push(one.fault.kind.clone());
                }
            }
        }
        active.retain(|one| !one.is_over());
        kinds
    }

    fn active(&self) -> MutexGuard<'_, Vec<Active>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
