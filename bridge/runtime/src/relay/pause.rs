//! Whether a relay is to rest.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether a relay is to rest: its tasks stay where they are and tell how far they are behind, and carry nothing.
/// Clones are one.
#[derive(Debug, Clone, Default)]
pub struct Pause(Arc<AtomicBool>);

impl Pause {
    /// From now on it is so; tasks notice within a moment.
    pub fn set(&self, is_paused: bool) {
        self.0.store(is_paused, Ordering::Release);
    }

    /// Whether it is so.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// What is so now, to be noticed when it changes.
    pub fn seen(&self) -> Seen {
        Seen { pause: self.clone(), rests: self.is_set() }
    }
}

/// What was so at a moment.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    pause: Pause,
    rests: bool,
}

impl Seen {
    /// Whether it was to rest then.
    pub fn rests(&self) -> bool {
        self.rests
    }

    /// Whether it is otherwise now.
    pub fn is_over(&self) -> bool {
        self.pause.is_set() != self.rests
    }
}
