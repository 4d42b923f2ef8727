//! What was published, for checkers.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::log::{Kind, PastState};
use super::shared::Shared;
use crate::noise;

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
        let store = self.shared.store();
        let mut states = store.log.states(kind, id);
        if store.settings.noise > 0.0 {
            states.iter_mut().for_each(|state| state.json = noise::extended(&state.json));
        }
        states
    }

    /// The JSON texts that are served now, by id; works without `Settings::keep_history`.
    pub fn current(&self, kind: Kind) -> BTreeMap<i64, String> {
        let store = self.shared.store();
        let (rows, is_noisy) = (store.current(kind), store.settings.noise > 0.0);
        drop(store);
        let text = |json: &[u8]| {
            let text = String::from_utf8_lossy(json);
            if is_noisy { noise::extended(&text) } else { text.into_owned() }
        };
        rows.into_iter().map(|(id, json)| (id, text(&json))).collect()
    }

    fn texts(&self, kind: Kind, id: i64) -> Vec<String> {
        let states = self.states(kind, id);
        states.into_iter().map(|state| state.json).collect()
    }
}
