//! Messages as the build that is simulated writes them.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::settings::{DateName, ErrorPlace, Settings, TokenPlace};
use crate::noise;

/// Fields that only newer builds have.
const NEWER: [&str; 14] = [
    "active",
    "vanish_count",
    "comment",
    "state_changed",
    "last_update",
    "department",
    "auto_call",
    "auto_call_timeout",
    "auto_serve",
    "auto_serve_timeout",
    "service_priority_enabled",
    "audio_notification_enabled",
    "registrable",
    "dynamic",
];

/// Why a command failed, as `codeError` of module 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refusal(pub(super) i64, pub(super) &'static str);

/// A time as the upstream writes it.
pub(super) fn stamp(ms: i64) -> String {
    let at = Timestamp::from_millisecond(ms).unwrap_or_default();
    format!("{at:.3}")
}

/// The result object of a success.
pub(super) fn success() -> Value {
    json!({
        "codeError": 0, "codeModule": 100, "code": 429_496_729_600_i64, "desc": "No errors",
        "children": [],
    })
}

fn failure(Refusal(code, desc): Refusal) -> Value {
    json!({ "codeError": code, "codeModule": 0, "code": code, "desc": desc, "children": [] })
}

/// What the request said that its answer repeats.
#[derive(Debug, Default, Clone)]
pub(super) struct Asked {
    pub(super) id: Option<Value>,
    pub(super) token: Option<String>,
}

/// The text of an answer.
pub(super) fn answer(
    settings: &Settings,
    asked: &Asked,
    command: &str,
    outcome: Result<Value, Refusal>,
    now_ms: i64,
) -> String {
    // The document: `unsubscribe…` is answered as `subscribe…`.
    let name = command.strip_prefix("un").filter(|rest| rest.starts_with("subscribe"));
    let mut top = head(settings, name.unwrap_or(command), now_ms);
    match outcome {
        Ok(mut data) => {
            dress(settings, &mut data);
            if command == "login" && settings.token_place == TokenPlace::Top {
                let token = data.as_object_mut().and_then(|data| data.remove("token"));
                top.insert("token".to_owned(), token.unwrap_or_default());
            }
            let is_consumer = data.get("services").is_some_and(Value::is_object);
            let late = match &mut data {
                Value::Object(fields) if settings.misplaced_data && is_consumer => {
                    let services = fields.shift_remove("services").unwrap_or_default();
                    let late = std::mem::take(fields);
                    fields.insert("services".to_owned(), services);
                    late
                }
                _ => Map::new(),
            };
            top.insert("data".to_owned(), data);
            top.extend(late);
        }
        Err(refusal) => match settings.error_place {
            ErrorPlace::Data => {
                top.insert("data".to_owned(), failure(refusal));
            }
            ErrorPlace::Error => {
                top.insert("data".to_owned(), json!({}));
                top.insert("error".to_owned(), failure(refusal));
            }
            ErrorPlace::Top => {
                if let Value::Object(fields) = failure(refusal) {
                    top.extend(fields);
                }
            }
        },
    }
    if let Some(id) = asked.id.as_ref().filter(|_| settings.echo_id) {
        top.insert("id".to_owned(), id.clone());
    }
    if let Some(token) = asked.token.as_ref().filter(|_| settings.echo_token) {
        top.insert("token".to_owned(), token.as_str().into());
    }
    Value::Object(top).to_string()
}

/// The text of a push: as the answer to the list's command.
pub(super) fn push(settings: &Settings, command: &str, rows: &[Value], now_ms: i64) -> String {
    let mut top = head(settings, command, now_ms);
    let mut data = Value::from(rows.to_vec());
    dress(settings, &mut data);
    top.insert("data".to_owned(), data);
    Value::Object(top).to_string()
}

fn head(settings: &Settings, command: &str, now_ms: i64) -> Map<String, Value> {
    let date = match settings.date_name {
        DateName::DateTime => "dateTime",
        DateName::Datetime => "datetime",
    };
    let mut top = Map::new();
    top.insert(date.to_owned(), stamp(now_ms).into());
    top.insert("command".to_owned(), command.into());
    top
}

/// Entities as this build has them.
pub(super) fn dress(settings: &Settings, value: &mut Value) {
    fit(settings, value);
    if settings.noise > 0.0 {
        noise::extend(value);
    }
}

fn fit(settings: &Settings, value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| fit(settings, item)),
        Value::Object(fields) => {
            if !settings.newer_fields && fields.contains_key("id") {
                fields.retain(|name, _| !NEWER.contains(&name.as_str()));
            }
            let is_result = fields.contains_key("codeError");
            fields.values_mut().filter(|_| !is_result).for_each(|field| fit(settings, field));
        }
        Value::Number(number) if settings.numbers_as_strings => {
            *value = Value::from(number.to_string());
        }
        _ => {}
    }
}
