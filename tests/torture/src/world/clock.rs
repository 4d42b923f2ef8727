//! The clock that all times of a run are taken from.

use jiff::Timestamp;

/// Now, ms since 1970 UTC.
pub(super) fn now_ms() -> i64 {
    Timestamp::now().as_millisecond()
}
