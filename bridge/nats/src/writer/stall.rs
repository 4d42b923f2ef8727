//! Waiting without progress.

use std::time::{Duration, Instant};

/// How long nothing was acknowledged.
pub(crate) struct Stall {
    since: Instant,
    again: Instant,
    in_flight: usize,
}

impl Stall {
    pub(crate) fn new(in_flight: usize) -> Stall {
        Stall { since: Instant::now(), again: Instant::now(), in_flight }
    }

    /// So many are on their way now.
    pub(crate) fn look(&mut self, in_flight: usize) {
        if in_flight < self.in_flight {
            *self = Stall::new(in_flight);
        }
    }

    /// All that are on their way were published again.
    pub(crate) fn published_again(&mut self) {
        self.again = Instant::now();
    }

    /// Since the last progress.
    pub(crate) fn lasts(&self) -> Duration {
        self.since.elapsed()
    }

    /// Since everything was published again, or since the last progress.
    pub(crate) fn since_again(&self) -> Duration {
        self.again.elapsed()
    }
}
