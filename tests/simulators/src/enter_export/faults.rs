use serde::{Deserialize, Serialize};

/// One misbehaviour, and when it happens.
pub type Fault = crate::faults::Fault<FaultKind, Requests>;

/// The faults that are in force; a cheap handle, callable at any time.
pub type Faults = crate::faults::Faults<FaultKind, Requests>;

/// What a fault is restricted to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Requests {
    /// Only paths that begin like this; all by default. Paths under `/_sim` never misbehave.
    pub path: Option<String>,
    /// Only the tickets of this branch, by its place.
    pub branch: Option<usize>,
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
    /// The reply says that its branch is not connected, and has but so many of the day's tickets.
    Offline {
        /// How many are there.
        tickets: usize,
    },
    /// The answer is 200 with a page for people.
    HtmlError,
}

impl Fault {
    /// Restricts the fault to paths that begin like this.
    #[must_use]
    pub fn at(mut self, path: &str) -> Self {
        self.to.path = Some(path.to_owned());
        self
    }

    /// Restricts the fault to the tickets of a branch.
    #[must_use]
    pub fn branch(mut self, branch: usize) -> Self {
        self.to.branch = Some(branch);
        self
    }
}

impl Faults {
    /// What happens to a request; counts it.
    pub(super) fn strike(&self, path: &str, branch: Option<usize>) -> Vec<FaultKind> {
        self.happen(|Fault { to, .. }| {
            to.path.as_ref().is_none_or(|prefix| path.starts_with(prefix))
                && (to.branch.is_none() || to.branch == branch)
        })
    }
}
