//! What was published, as it is kept.

use std::collections::HashMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::clock::now_ms;

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

    /// The states of an entity, in order.
    pub(super) fn states(&self, kind: Kind, id: i64) -> Vec<PastState> {
        let kept = self.states.get(&(kind, id));
        kept.into_iter().flatten().map(Kept::past).collect()
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
