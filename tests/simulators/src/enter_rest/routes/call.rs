//! A request of the table, and what it is answered with.

use std::collections::HashMap;

use serde_json::Value;

use crate::enter_rest::store::Store;
use crate::enter_rest::store::model::{Holder, Refusal};

/// A request of the table.
pub(super) struct Call {
    pub(super) endpoint: &'static str,
    /// What stands for the parameters of the path.
    pub(super) of: Vec<String>,
    pub(super) query: HashMap<String, String>,
    pub(super) body: Value,
    pub(super) holder: Option<Holder>,
    pub(super) token: String,
}

/// What it is answered with.
pub(super) enum Answer {
    Json(Value),
    Token(String),
    Image(Vec<u8>),
    Done,
}

impl Call {
    /// A parameter of the query or of the body.
    pub(super) fn parameter(&self, name: &str) -> Option<String> {
        let in_body = match &self.body[name] {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        };
        in_body.or_else(|| self.query.get(name).cloned())
    }

    pub(super) fn workplace(&self) -> Result<usize, Refusal> {
        match self.holder {
            Some(Holder::Workplace(place)) => Ok(place),
            _ => Err(Refusal::new(401, "Требуется идентификация рабочего места")),
        }
    }

    pub(super) fn visitor(&self) -> Result<&str, Refusal> {
        match &self.holder {
            Some(Holder::Visitor(identity)) => Ok(identity),
            _ => Err(Refusal::new(401, "Требуется авторизация")),
        }
    }

    /// Whether a hall's administrator asks, or nobody has to.
    pub(super) fn hall(&self, store: &Store) -> Result<(), Refusal> {
        match self.holder {
            Some(Holder::Hall) => Ok(()),
            _ if !store.settings.wants_token => Ok(()),
            _ => Err(Refusal::new(401, "Требуется авторизация")),
        }
    }
}
