//! Visits, as `statistics` tells of them.

use std::collections::BTreeMap;

use serde_json::Value;

/// A visitor's way through the house.
pub(super) struct Visit {
    pub(super) ticket: Value,
    pub(super) registered_ms: i64,
    pub(super) done_ms: Option<i64>,
    pub(super) states: BTreeMap<(String, String, String), Vec<State>>,
}

/// What happened to one of its operations.
pub(super) struct State {
    pub(super) state: String,
    pub(super) at_ms: i64,
    pub(super) comment: Option<String>,
    pub(super) workplace: i64,
}

/// The window that is asked for, in ms; the document leaves its meaning open: a visit counts if any
/// of it lies inside.
#[derive(Debug, Clone, Copy)]
pub(in crate::quickq) struct Filter {
    pub(in crate::quickq) from_ms: i64,
    pub(in crate::quickq) to_ms: i64,
}
