//! Which days and hours hold entities that were published, so that one that is missing from a reply as a
//! whole is told as empty.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Scopes of a feed; told by recovery and publication, read by the feed.
#[derive(Debug, Default)]
pub(crate) struct Known(Mutex<BTreeSet<String>>);

impl Known {
    pub(crate) fn remember(&self, scope: String) {
        self.scopes().insert(scope);
    }

    pub(crate) fn forget(&self) {
        self.scopes().clear();
    }

    /// Those that are not over; those that are, are forgotten.
    pub(crate) fn open(&self, is_over: impl Fn(&str) -> bool) -> Vec<String> {
        let mut scopes = self.scopes();
        scopes.retain(|scope| !is_over(scope));
        scopes.iter().cloned().collect()
    }

    fn scopes(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
