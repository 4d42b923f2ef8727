use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use super::call::Operation;

const HOUR: i64 = 3_600_000;

/// A call that reached the operation: it may be counted, whatever became of its reply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// Whose.
    pub account: String,
    /// Of what.
    pub operation: Operation,
    /// When, milliseconds since 1970 UTC by the simulator's clock.
    pub at_ms: i64,
    /// What became of it.
    pub outcome: Outcome,
    /// The window that it asked for, `ClosedFrom` and `ClosedTo` as they came.
    pub closed: (Option<String>, Option<String>),
}

/// What became of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was answered with a table.
    Answered,
    /// It was one too many.
    OutOfLimit,
    /// It was refused for something else, or misbehaved.
    Refused,
}

/// Every call that clients made; a cheap handle, callable at any time.
#[derive(Clone, Debug, Default)]
pub struct Journal(Arc<Mutex<Vec<Call>>>);

impl Journal {
    /// All calls, in order.
    pub fn calls(&self) -> Vec<Call> {
        self.all().clone()
    }

    /// The calls of an operation, in order.
    pub fn calls_of(&self, operation: Operation) -> Vec<Call> {
        self.all().iter().filter(|call| call.operation == operation).cloned().collect()
    }

    /// How many calls were one too many.
    pub fn out_of_limit(&self) -> usize {
        self.all().iter().filter(|call| call.outcome == Outcome::OutOfLimit).count()
    }

    /// The most calls of an operation in any sixty minutes, refused ones included.
    pub fn most_in_an_hour(&self, operation: Operation) -> usize {
        let calls = self.calls_of(operation);
        let at = |place: usize| calls[place].at_ms;
        let first = |place: usize| calls.partition_point(|call| call.at_ms <= at(place) - HOUR);
        (0..calls.len()).map(|place| place + 1 - first(place)).max().unwrap_or(0)
    }

    pub(super) fn append(&self, call: Call) {
        self.all().push(call);
    }

    fn all(&self) -> MutexGuard<'_, Vec<Call>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
