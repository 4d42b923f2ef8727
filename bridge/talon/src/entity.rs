//! Events and entities as a line of text, without personal data.

use serde_json::{Map, Value};
use talon_schemas::Contract;
use talon_schemas::wire::{Payload, Wire};

/// An event of a feed, whatever form it is written in.
pub(crate) fn decode(contract: &Contract, message: &[u8]) -> Option<Value> {
    // Any id will do: the topics hold nothing but this contract.
    match Wire::SingleObject.open(contract, message) {
        Payload::Own(datum) | Payload::Registered(_, datum) => contract.to_json(datum).ok(),
        Payload::Json(json) => serde_json::from_slice(json).ok(),
        Payload::Fingerprinted(..) | Payload::Foreign => None,
    }
}

/// A command that is settled, in a line.
/// What changed, field by field.
pub(crate) fn differences(
    contract: &Contract,
    before: &Map<String, Value>,
    after: &Map<String, Value>,
) -> String {
    let changed =
        after.iter().filter(|(name, value)| *name != "mark" && before.get(*name) != Some(value));
    let texts: Vec<String> = changed
        .map(|(name, value)| {
            let old = show(contract, name, before.get(name).unwrap_or(&Value::Null));
            let new = show(contract, name, value);
            // What is shown of them may be the same: so many items, or nothing.
            if old == new {
                format!("{name}: {new}, changed")
            } else {
                format!("{name}: {old} → {new}")
            }
        })
        .collect();
    texts.join(", ")
}

/// The fields that fit into a line.
pub(crate) fn brief(contract: &Contract, entity: &Map<String, Value>) -> String {
    let filled = entity.iter().filter(|(name, value)| {
        !matches!(name.as_str(), "id" | "mark") && !value.is_null() && !is_empty(value)
    });
    let texts: Vec<String> = filled
        .take(6)
        .map(|(name, value)| format!("{name}: {}", show(contract, name, value)))
        .collect();
    texts.join(", ")
}

fn is_empty(value: &Value) -> bool {
    value.as_array().is_some_and(Vec::is_empty) || value.as_object().is_some_and(Map::is_empty)
}

/// A value in a few characters; personal data is never shown.
fn show(contract: &Contract, name: &str, value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        _ if contract.pii().iter().any(|field| field == name) => "****".to_owned(),
        Value::Array(items) => format!("{} items", items.len()),
        Value::Object(map) => format!("{} fields", map.len()),
        Value::Number(number) if name.ends_with("_at") => number
            .as_i64()
            .and_then(|micros| jiff::Timestamp::from_microsecond(micros).ok())
            .map_or_else(|| number.to_string(), |instant| instant.strftime("%F %T").to_string()),
        Value::String(text) => {
            let short: String = text.chars().take(40).collect();
            if short.len() < text.len() { format!("{short}…") } else { short }
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use talon_contractor::contracts::CALL;

    use super::*;

    #[test]
    fn what_changed_is_shown_even_where_it_looks_the_same() {
        for (name, before, after, shown) in [
            ("status", json!("New"), json!("Done"), "status: New → Done"),
            ("jeopardies", json!([1]), json!([2]), "jeopardies: 1 items, changed"),
            ("contact_person_name", json!("a"), json!("b"), "contact_person_name: ****, changed"),
        ] {
            let call = |value: Value| Map::from_iter([(name.to_owned(), value)]);
            assert_eq!(differences(&CALL, &call(before), &call(after)), shown);
        }
    }
}
