use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A command that had an effect, whether or not its answer arrived.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Effect {
    /// The place in the journal, from 1; the order is that of the effects.
    pub sequence: u64,
    /// When, in ms of Unix time.
    pub at_ms: i64,
    /// The command.
    pub command: String,
    /// The visitor or the item of a book that it was about.
    pub entity: Option<i64>,
    /// Its `data`, with passwords and pictures replaced by `***`.
    pub data: Value,
}

/// What the upstream was told and asked; a cheap handle, callable at any time.
#[derive(Clone, Debug, Default)]
pub struct Journal(Arc<Mutex<Pages>>);

#[derive(Debug, Default)]
struct Pages {
    effects: Vec<Effect>,
    requests: BTreeMap<String, u64>,
}

impl Journal {
    /// All effects, in order.
    pub fn effects(&self) -> Vec<Effect> {
        self.pages().effects.clone()
    }

    /// The effects of one command, in order.
    pub fn effects_of(&self, command: &str) -> Vec<Effect> {
        let pages = self.pages();
        pages.effects.iter().filter(|effect| effect.command == command).cloned().collect()
    }

    /// How many requests came, refused ones and faults included, by command.
    pub fn requests(&self) -> BTreeMap<String, u64> {
        self.pages().requests.clone()
    }

    /// How many requests of one command came.
    pub fn count(&self, command: &str) -> u64 {
        self.pages().requests.get(command).copied().unwrap_or(0)
    }

    pub(super) fn asked(&self, command: &str) {
        *self.pages().requests.entry(command.to_owned()).or_default() += 1;
    }

    /// Appends an effect; the caller still holds the lock under which it happened.
    pub(super) fn append(&self, command: &str, entity: Option<i64>, data: &Value, at_ms: i64) {
        let mut data = data.clone();
        if let Some(fields) = data.as_object_mut() {
            for name in ["password", "photo"] {
                if fields.get(name).is_some_and(|value| !value.is_null()) {
                    fields.insert(name.to_owned(), "***".into());
                }
            }
        }
        let mut pages = self.pages();
        let sequence = pages.effects.len() as u64 + 1;
        pages.effects.push(Effect { sequence, at_ms, command: command.to_owned(), entity, data });
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
