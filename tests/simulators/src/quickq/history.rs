//! What was true when: the states of everything that lists and statistics show, for checkers.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::log::Kind;
use super::shared::Shared;

/// The states that there were; a cheap handle, callable at any time. Empty without
/// `Settings::keep_history`.
#[derive(Clone)]
pub struct History {
    pub(super) shared: Arc<Shared>,
}

impl History {
    /// The states of each entity of a kind, in order, as they are sent; none where it was absent. The
    /// last one is that of now.
    pub fn states(&self, kind: Kind) -> BTreeMap<i64, Vec<Option<Value>>> {
        let mut world = self.shared.world();
        world.catch_up();
        world.log.states(kind)
    }
}
