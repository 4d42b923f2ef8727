//! Time without progress.

use std::time::{Duration, Instant};

/// How long the broker may be silent before it counts as away.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// The longest wait for a broker that answers but does not go on. A quota delays acknowledgements by more
/// than ten seconds.
pub(crate) const SLOW: Duration = Duration::from_secs(90);

/// One look at the broker where something does not go on.
pub(crate) const LOOK: Duration = Duration::from_secs(2);

/// Watches a count that changes while something goes on.
#[derive(Debug)]
pub(crate) struct Stall {
    count: i64,
    since: Instant,
    /// When it was found that it only takes long.
    excused: Option<Instant>,
}

impl Stall {
    pub(crate) fn new() -> Stall {
        Stall { count: i64::MIN, since: Instant::now(), excused: None }
    }

    /// The count is so now.
    pub(crate) fn see(&mut self, count: i64) {
        if count != self.count {
            *self = Stall { count, ..Stall::new() };
        }
    }

    /// Whether it has stood still for too long, since the last change or excuse.
    pub(crate) fn lasts(&self) -> bool {
        self.excused.unwrap_or(self.since).elapsed() > PATIENCE
    }

    /// It stands still, but there is a reason to wait on.
    pub(crate) fn excuse(&mut self) {
        self.excused = Some(Instant::now());
    }

    /// How long it has stood still.
    pub(crate) fn time(&self) -> Duration {
        self.since.elapsed()
    }
}
