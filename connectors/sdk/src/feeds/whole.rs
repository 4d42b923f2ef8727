//! Observations of whole lists.

use crate::{Coverage, Cursor, Observation, Rows};

/// An observation of a whole list. There is no place to read on from: the cursor only says that the first
/// read is over.
pub(super) fn whole(scope: String, rows: Rows, is_first: bool, as_of_ms: i64) -> Observation {
    Observation {
        scope,
        coverage: Coverage::Full,
        rows,
        cursor: Some(Cursor("read".to_owned())),
        snapshot: is_first,
        as_of_ms,
    }
}
