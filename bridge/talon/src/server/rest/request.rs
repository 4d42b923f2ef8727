//! Bodies and queries of requests.

use axum::body::Bytes;
use serde_json::Value;

use super::errors::Error;
use crate::instances::Config;

/// The JSON of a body.
pub(super) fn json_of(body: &Bytes) -> Result<Value, Error> {
    serde_json::from_slice(body)
        .map_err(|error| Error::bad(format!("the body is no JSON: {error}")))
}

/// A flat map of texts; other plain values become texts.
pub(super) fn flat(value: &Value) -> Result<Config, Error> {
    let Value::Object(map) = value else { return Err(no_map()) };
    // A null is as good as not set.
    let set = map.iter().filter(|(_, value)| !value.is_null());
    set.map(|(key, value)| text(value).map(|text| (key.clone(), text)).ok_or_else(no_map)).collect()
}

pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

pub(super) fn no_map() -> Error {
    Error::bad("the configuration is no flat map of texts")
}

/// Whether a parameter of a query is `true`.
pub(super) fn is_set(query: Option<&str>, what: &str) -> bool {
    values(query, what).any(|value| value == "true")
}

/// The values of a parameter of a query. Those that are asked for here have only letters.
pub(super) fn values<'q>(
    query: Option<&'q str>,
    name: &'q str,
) -> impl Iterator<Item = String> + 'q {
    let pairs = query.unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
    pairs.filter(move |(key, _)| *key == name).map(|(_, value)| value.to_owned())
}
