//! Time without progress.

use std::time::{Duration, Instant};

/// Watches a count while a bus is waited for: what is on its way, or how far was read.
#[derive(Debug)]
pub struct Stall {
    count: i64,
    progress: Instant,
    attempt: Instant,
}

impl Stall {
    /// The wait begins, at this count.
    pub fn at(count: i64) -> Stall {
        let now = Instant::now();
        Stall { count, progress: now, attempt: now }
    }

    /// The count is so now; another one is progress.
    pub fn see(&mut self, count: i64) {
        if count != self.count {
            *self = Stall::at(count);
        }
    }

    /// Something was done about it, such as asking whether the bus answers, or sending again.
    pub fn attempted(&mut self) {
        self.attempt = Instant::now();
    }

    /// Since the last progress.
    pub fn time(&self) -> Duration {
        self.progress.elapsed()
    }

    /// Since the last progress or attempt.
    pub fn since_attempt(&self) -> Duration {
        self.attempt.elapsed()
    }
}
