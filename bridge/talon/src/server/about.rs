//! What the console says of the process, beside what the engine tells.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// How many recent events are kept.
const RECENT: usize = 50;

/// What the console says of the process. Shown to everybody: no secrets.
pub(crate) struct About {
    /// The bus and where it is.
    pub(crate) bus: String,
    /// The schema registry, if there is one.
    pub(crate) registry: Option<String>,
    /// First part of all topic names.
    pub(crate) prefix: String,
    /// The command that runs: `run` or `dev`.
    pub(crate) mode: &'static str,
    /// The last events. While there are none, nothing is shown of them.
    pub(crate) recent: Recent,
}

/// The last events as lines for people. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Recent(Arc<Mutex<VecDeque<String>>>);

impl Recent {
    /// Adds a line; only the newest 50 are kept.
    pub(crate) fn push(&self, line: String) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == RECENT {
            lines.pop_front();
        }
        lines.push_back(line);
    }

    /// The lines, oldest first.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}
