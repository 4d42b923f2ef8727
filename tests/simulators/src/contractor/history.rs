//! What was published, for checkers.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::log::{Kind, PastState};
use super::shared::Shared;

/// What the upstream published, for checkers; a cheap handle, callable at any time.
///
/// Of a call the seeded population before the start leaves one state, of the others all.
#[derive(Clone)]
pub struct History {
    pub(super) shared: Arc<Shared>,
}

impl History {
    /// The JSON texts of the states of a call, in order; empty without `Settings::keep_history`.
    pub fn calls(&self, id: i64) -> Vec<String> {
        self.texts(Kind::Calls, id)
    }

    /// The JSON texts of the states of a task, in order.
    pub fn tasks(&self, id: i64) -> Vec<String> {
        self.texts(Kind::Tasks, id)
    }

    /// The JSON texts of the states of a message, in order: one.
    pub fn messages(&self, id: i64) -> Vec<String> {
        self.texts(Kind::Messages, id)
    }

    /// The JSON texts of the states of a jeopardy, in order: raised, answered.
    pub fn jeopardies(&self, id: i64) -> Vec<String> {
        self.texts(Kind::Jeopardies, id)
    }

    /// The JSON texts of the states of a call's estimate, in order.
    pub fn costs(&self, call: i64) -> Vec<String> {
        self.texts(Kind::Costs, call)
    }

    /// The states of an entity, in order; empty without `Settings::keep_history`.
    pub fn states(&self, kind: Kind, id: i64) -> Vec<PastState> {
        self.shared.store().log.states(kind, id)
    }

    /// The JSON texts that are served now, by id; works without `Settings::keep_history`.
    pub fn current(&self, kind: Kind) -> BTreeMap<i64, String> {
        let store = self.shared.store();
        let rows = store.current(kind);
        drop(store);
        rows.into_iter()
            .map(|(id, json)| (id, String::from_utf8_lossy(&json).into_owned()))
            .collect()
    }

    fn texts(&self, kind: Kind, id: i64) -> Vec<String> {
        let states = self.states(kind, id);
        states.into_iter().map(|state| state.json).collect()
    }
}
