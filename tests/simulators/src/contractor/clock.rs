//! The clock of the machine.

use std::time::{SystemTime, UNIX_EPOCH};

/// The time of the machine, in ms of Unix time.
pub(super) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}
