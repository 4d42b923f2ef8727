//! What of a reply is passed on: ids and harmless fields, by an allow-list.

use jiff::tz::TimeZone;
use serde_json::{Map, Value as Json, json};
use talon_sdk::spelling::respelled;
use talon_sdk::{Answer, instant};

use crate::Reply;

/// A field of a reply that may be passed on. What is of another form than it should is left out.
#[derive(Debug, Clone, Copy)]
pub enum Field {
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
    /// The reply is a text itself; passed on under this name, if there is one.
    Text(Option<&'static str>),
}

/// Whether the body of a success is what the document says.
///
/// No content is: the status says all. Else a reply with an id must have it, a number or a text must be one,
/// and any other must be of its form. What is not leaves the command unclear, and it is read back.
pub fn is_documented(fields: &[Field], reply: &Reply) -> bool {
    if reply.body.trim_ascii().is_empty() {
        return true;
    }
    let body: Option<Json> = serde_json::from_slice(&respelled(&reply.body)).ok();
    let is_object = body.as_ref().is_some_and(Json::is_object);
    fields.iter().all(|field| match (field, &body) {
        (Field::Id(name), Some(body)) => body[*name].as_i64().is_some(),
        (Field::Itself(_), Some(body)) => body.as_i64().is_some(),
        (Field::Text(_), Some(body)) => body.is_string(),
        // As plain text.
        (Field::Text(_), None) => true,
        (Field::Ids(_) | Field::Instant(_) | Field::Token(_), _) => is_object,
        (Field::Id(_) | Field::Itself(_), None) => false,
    })
}

/// The answer of a reply that says that the command was done.
pub fn of_reply(fields: &[Field], reply: &Reply) -> Answer {
    let body: Json = serde_json::from_slice(&reply.body).unwrap_or_default();
    let mut out = Map::new();
    for field in fields {
        let (name, value) = match field {
            Field::Id(name) => (*name, body[*name].as_i64().map(Json::from)),
            Field::Ids(name) => (*name, body[*name].as_array().map(|list| ids(list))),
            Field::Instant(name) => (*name, text(&body[*name], is_instant)),
            Field::Token(name) => (*name, text(&body[*name], is_token)),
            Field::Itself(name) => (*name, body.as_i64().map(Json::from)),
            Field::Text(Some(name)) => (*name, text(&body, |_| true)),
            Field::Text(None) => continue,
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

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn is_answer(fields: &[Field], body: &'static str) -> bool {
        let reply = Reply {
            status: 200,
            retry_after: None,
            content_type: None,
            date_ms: None,
            redirect_origin: None,
            body: Bytes::from_static(body.as_bytes()),
        };
        is_documented(fields, &reply)
    }

    #[test]
    fn a_reply_is_known_by_what_the_document_says_is_in_it() {
        const ID: &[Field] = &[Field::Id("id"), Field::Instant("date"), Field::Ids("tasks")];
        for (fields, good, bad) in [
            (ID, r#"{"id":7.0}"#, "{}"),
            (ID, r#"{"id":7,"date":null}"#, r#"[{"id":7}]"#),
            (ID, r#"{"id":7}"#, "null"),
            (ID, r#"{"id":7}"#, r#"{"id":"7"}"#),
            (ID, r#"{"id":7}"#, r#"{"id":7"#),
            (&[Field::Itself("day")], "7", "\"7\""),
            (&[Field::Itself("day")], "7e0", "{}"),
            (&[Field::Text(None)], "\"link\"", "{}"),
            (&[Field::Text(None)], "link", "null"),
            (&[Field::Token("status")], r#"{"status":null}"#, "7"),
        ] {
            assert!(is_answer(fields, good), "{good}");
            assert!(!is_answer(fields, bad), "{bad}");
        }
    }
}
