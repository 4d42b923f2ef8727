//! What of a reply is passed on: ids and harmless fields, by an allow-list.

use jiff::tz::TimeZone;
use serde_json::{Map, Value as Json, json};
use talon_http::Reply;
use talon_sdk::{Answer, instant};

use super::sender::Sender;

/// A field of a reply that may be passed on. What is of another form than it should is left out.
#[derive(Debug, Clone, Copy)]
pub(super) enum Field {
    /// A whole number under its name.
    Id(&'static str),
    /// The ids of a list of objects.
    Ids(&'static str),
    /// A date-time.
    Instant(&'static str),
    /// A short text of letters, digits and `-_/.`: a number of a call, a status, a type.
    Token(&'static str),
    /// The reply is a whole number itself; passed on under this name.
    Itself(&'static str),
    /// The reply is a temporary link, a text itself; passed on if `commands.templink.publish`.
    Link,
}

/// The answer of a reply that says that the command was done.
pub(super) fn of_reply(fields: &[Field], sender: &Sender, reply: &Reply) -> Answer {
    let body: Json = serde_json::from_slice(&reply.body).unwrap_or_default();
    let mut out = Map::new();
    for field in fields {
        let (name, value) = match field {
            Field::Id(name) => (*name, body[*name].as_i64().map(Json::from)),
            Field::Ids(name) => (*name, body[*name].as_array().map(|list| ids(list))),
            Field::Instant(name) => (*name, text(&body[*name], is_instant)),
            Field::Token(name) => (*name, text(&body[*name], is_token)),
            Field::Itself(name) => (*name, body.as_i64().map(Json::from)),
            Field::Link if sender.publish_link => ("link", text(&body, |_| true)),
            Field::Link => continue,
        };
        out.extend(value.map(|value| (name.to_owned(), value)));
    }
    Answer {
        status: Some(reply.status),
        code: None,
        message: "done".to_owned(),
        response: (!out.is_empty()).then(|| Json::Object(out).to_string()),
    }
}

fn ids(list: &[Json]) -> Json {
    list.iter().filter_map(|one| one["id"].as_i64()).map(|id| json!({ "id": id })).collect()
}

fn text(value: &Json, fits: impl Fn(&str) -> bool) -> Option<Json> {
    value.as_str().filter(|text| fits(text)).map(Json::from)
}

fn is_instant(text: &str) -> bool {
    text.len() <= 40 && instant::micros(text, &TimeZone::UTC).is_some()
}

fn is_token(text: &str) -> bool {
    text.chars().count() <= 40
        && text.chars().all(|char| char.is_alphanumeric() || "-_/.".contains(char))
}
