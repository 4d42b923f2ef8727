//! The schema of commands as others spell it, and as earlier and later versions have it.

use serde_json::{Map, Value, json};

/// The same schema in another spelling: no docs, no properties of Talon, other order of keys, full names,
/// and the branches of the union the other way round.
pub(crate) fn respelled(text: &str) -> String {
    let mut schema: Value = serde_json::from_str(text).unwrap();
    let namespace = schema["namespace"].as_str().unwrap().to_owned();
    branches(&mut schema).reverse();
    let mut plain = plain(&schema, &namespace);
    plain.as_object_mut().unwrap().remove("namespace");
    serde_json::to_string_pretty(&plain).unwrap()
}

/// The schema of an earlier version: each command lacks its last optional parameter, there was no `as`,
/// and the branches stood in another order.
pub(crate) fn older(text: &str) -> String {
    let mut schema: Value = serde_json::from_str(text).unwrap();
    fields(&mut schema).retain(|field| field["name"] != "as");
    let records = branches(&mut schema);
    let half = records.len() / 2;
    records.rotate_left(half);
    for record in records {
        let fields = fields(record);
        if let Some(last) = fields.iter().rposition(|field| field.get("default").is_some()) {
            fields.remove(last);
        }
    }
    schema.to_string()
}

/// The schema of a later version: each command, and the record around it, has one optional field more.
pub(crate) fn ahead(text: &str) -> String {
    let mut schema: Value = serde_json::from_str(text).unwrap();
    let added = json!({"name": "added_later", "type": ["null", "string"], "default": null});
    fields(&mut schema).push(added.clone());
    branches(&mut schema).iter_mut().for_each(|record| fields(record).push(added.clone()));
    schema.to_string()
}

/// With the branches in the worst order for senders who do not name theirs.
pub(crate) fn shortest_last(text: &str) -> String {
    let mut schema: Value = serde_json::from_str(text).unwrap();
    branches(&mut schema)
        .sort_by_key(|record| std::cmp::Reverse(fields(&mut record.clone()).len()));
    schema.to_string()
}

fn fields(record: &mut Value) -> &mut Vec<Value> {
    record["fields"].as_array_mut().unwrap()
}

fn branches(schema: &mut Value) -> &mut Vec<Value> {
    let params = fields(schema).iter_mut().find(|field| field["name"] == "params").unwrap();
    params["type"].as_array_mut().unwrap()
}

fn plain(schema: &Value, namespace: &str) -> Value {
    match schema {
        Value::Object(object) => {
            let is_named = object.contains_key("fields") || object.contains_key("symbols");
            let kept = object.iter().rev().filter(|(key, _)| *key != "doc" && !key.contains('.'));
            let kept = kept.map(|(key, value)| match (key.as_str(), value.as_str()) {
                ("name", Some(name)) if is_named => {
                    (key.clone(), json!(format!("{namespace}.{name}")))
                }
                ("default", _) => (key.clone(), value.clone()),
                _ => (key.clone(), plain(value, namespace)),
            });
            Value::Object(kept.collect::<Map<_, _>>())
        }
        Value::Array(items) => items.iter().map(|item| plain(item, namespace)).collect(),
        other => other.clone(),
    }
}
