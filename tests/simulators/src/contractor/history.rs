use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::simulator::Shared;

/// A kind of entity with a published state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// `CallDTO`, by its id.
    Calls,
    /// `CallTasktOutputDTO`, by its id.
    Tasks,
    /// `CallMessageDTO`, by its id.
    Messages,
    /// `CallJeopardyDTO`, by its id.
    Jeopardies,
    /// `CallCostDTO`, by the id of its call.
    Costs,
}

/// A state that was published once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastState {
    /// The place among all published states of all kinds, from 1; rises with time.
    pub sequence: u64,
    /// The mark (`timestamp`), for the three kinds that have one.
    pub mark: Option<i64>,
    /// When it became visible, in ms of Unix time.
    pub at_ms: u64,
    /// The JSON text as it was served.
    pub json: String,
}

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
        let kept = store.log.states.get(&(kind, id));
        kept.into_iter().flatten().map(Kept::past).collect()
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

/// The published states as they are kept: the texts are shared with the feeds.
#[derive(Debug, Default)]
pub(super) struct Log {
    keep: bool,
    sequence: u64,
    states: HashMap<(Kind, i64), Vec<Kept>>,
}

#[derive(Debug)]
struct Kept {
    sequence: u64,
    mark: Option<i64>,
    at_ms: u64,
    json: Bytes,
}

impl Log {
    /// A log that keeps the states, or only counts them.
    pub(super) fn new(keep: bool) -> Self {
        Self { keep, ..Self::default() }
    }

    pub(super) fn record(&mut self, kind: Kind, id: i64, mark: Option<i64>, json: &Bytes) {
        self.sequence += 1;
        if self.keep {
            self.states.entry((kind, id)).or_default().push(Kept {
                sequence: self.sequence,
                mark,
                at_ms: now_ms(),
                json: json.clone(),
            });
        }
    }

    /// How many states were published.
    pub(super) fn published(&self) -> u64 {
        self.sequence
    }
}

impl Kept {
    fn past(&self) -> PastState {
        PastState {
            sequence: self.sequence,
            mark: self.mark,
            at_ms: self.at_ms,
            json: String::from_utf8_lossy(&self.json).into_owned(),
        }
    }
}

/// The time of the machine, in ms of Unix time.
pub(super) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}
