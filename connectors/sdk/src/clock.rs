use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Where the time of day comes from. Cheap to clone.
///
/// Durations and timeouts use Tokio's clock; this one is for stamps that leave the process.
#[derive(Debug, Clone)]
pub enum Clock {
    /// The machine's clock.
    System,
    /// A clock that a test sets: milliseconds since 1970 UTC.
    Manual(Arc<AtomicI64>),
    /// The machine's clock with so many milliseconds added, which a test changes.
    Shifted(Arc<AtomicI64>),
}

impl Clock {
    /// Milliseconds since 1970 UTC.
    pub fn now_ms(&self) -> i64 {
        match self {
            Clock::System => system_ms(),
            Clock::Manual(ms) => ms.load(Ordering::Relaxed),
            Clock::Shifted(by_ms) => system_ms().saturating_add(by_ms.load(Ordering::Relaxed)),
        }
    }
}

fn system_ms() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
