use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::clock::now_ms;

/// A write request that had an effect, whether or not its answer arrived.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Effect {
    /// The place in the journal, from 1; the order is that of the effects.
    pub sequence: u64,
    /// When, in ms of Unix time.
    pub at_ms: u64,
    /// The method and the path with its placeholders, as `POST /call/{id}/message`.
    pub endpoint: String,
    /// The entity that changed or came to be: for a new message its id, for an estimate the id of
    /// its call, for `/systemSettings` the day.
    pub entity: i64,
    /// The path as it was asked for, without the query.
    pub path: String,
    /// The JSON body with passwords replaced by `***`; `null` without one, and the size in bytes
    /// for an attachment.
    pub body: Value,
    /// The header `x-request-id`, if the client sent one.
    pub request_id: Option<String>,
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

    /// The effects of one endpoint, as `POST /call/{id}/message`, in order.
    pub fn effects_of(&self, endpoint: &str) -> Vec<Effect> {
        let pages = self.pages();
        let effects = pages.effects.iter();
        let own = effects.filter(|effect| effect.endpoint == endpoint);
        own.cloned().collect()
    }

    /// How many requests came, refused ones and faults included, by endpoint.
    pub fn requests(&self) -> BTreeMap<String, u64> {
        self.pages().requests.clone()
    }

    /// How many requests came to one endpoint, as `GET /call/{id}`.
    pub fn count(&self, endpoint: &str) -> u64 {
        self.pages().requests.get(endpoint).copied().unwrap_or(0)
    }

    pub(super) fn asked(&self, endpoint: &str) {
        let mut pages = self.pages();
        match pages.requests.get_mut(endpoint) {
            Some(count) => *count += 1,
            None => {
                pages.requests.insert(endpoint.to_owned(), 1);
            }
        }
    }

    /// Appends an effect; the caller still holds the lock under which it happened.
    pub(super) fn append(
        &self,
        endpoint: &str,
        entity: i64,
        path: &str,
        body: Value,
        id: Option<String>,
    ) {
        let mut pages = self.pages();
        let sequence = pages.effects.len() as u64 + 1;
        pages.effects.push(Effect {
            sequence,
            at_ms: now_ms(),
            endpoint: endpoint.to_owned(),
            entity,
            path: path.to_owned(),
            body,
            request_id: id,
        });
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A body as the journal keeps it.
pub(super) fn redacted(body: &[u8]) -> Value {
    if body.is_empty() {
        return Value::Null;
    }
    let Ok(mut value) = serde_json::from_slice::<Value>(body) else {
        return json!({ "bytes": body.len() });
    };
    if let Some(fields) = value.as_object_mut() {
        for (name, field) in fields {
            if name.to_lowercase().contains("password") {
                *field = "***".into();
            }
        }
    }
    value
}
