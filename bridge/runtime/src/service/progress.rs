//! Whether a service gets anywhere.

use std::sync::{Arc, OnceLock};

use tokio::time::Instant;

/// When a service committed first since it was opened. Clones are one.
///
/// What it reads from an upstream, or takes long for, is no progress: if its commit fails each time, it would
/// begin anew for ever.
#[derive(Debug, Clone, Default)]
pub(crate) struct Progress(Arc<OnceLock<Instant>>);

impl Progress {
    /// Something was committed.
    pub(crate) fn committed(&self) {
        self.0.get_or_init(Instant::now);
    }

    /// Since when it commits; none where it has not.
    pub(crate) fn since(&self) -> Option<Instant> {
        self.0.get().copied()
    }
}
