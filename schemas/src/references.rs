//! Schemas that refer to others, as one.
//!
//! A registry keeps such a schema as it was sent, with a list of the others. It is read and known by its fingerprint
//! as one in which each type stands where it is used first.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value as Json};

const PRIMITIVES: [&str; 8] =
    ["null", "boolean", "int", "long", "float", "double", "bytes", "string"];

/// The schema of `text` with the types of `references` in it, which may refer to one another; `None` where one of
/// them is no JSON.
pub(crate) fn whole(text: &str, references: &[String]) -> Option<Json> {
    let root: Json = serde_json::from_str(text).ok()?;
    if references.is_empty() {
        return Some(root);
    }
    let mut known = HashMap::new();
    for reference in references {
        collect(&serde_json::from_str(reference).ok()?, "", &mut known);
    }
    let mut defined = HashSet::new();
    Some(put_in(root, "", &known, &mut defined))
}

/// The named types of a schema, by their full names.
fn collect(schema: &Json, namespace: &str, known: &mut HashMap<String, Json>) {
    match schema {
        Json::Array(branches) => {
            branches.iter().for_each(|branch| collect(branch, namespace, known));
        }
        Json::Object(object) => {
            let name = name(object, namespace);
            let within = name.as_deref().map_or(namespace, namespace_of).to_owned();
            if let Some(name) = name {
                known.insert(name.clone(), named(object, &name));
            }
            for inner in inner(object) {
                collect(inner, &within, known);
            }
        }
        _ => {}
    }
}

/// The same with what is used and not defined before it.
fn put_in(
    schema: Json,
    namespace: &str,
    known: &HashMap<String, Json>,
    defined: &mut HashSet<String>,
) -> Json {
    match schema {
        Json::String(used) if !PRIMITIVES.contains(&used.as_str()) => {
            let full = full_name(&used, namespace);
            match known.get(&full) {
                Some(definition) if !defined.contains(&full) => {
                    put_in(definition.clone(), namespace, known, defined)
                }
                Some(_) => Json::String(full),
                None => Json::String(used),
            }
        }
        Json::Array(branches) => {
            let branches = branches.into_iter();
            Json::Array(branches.map(|of| put_in(of, namespace, known, defined)).collect())
        }
        Json::Object(mut object) => {
            let mut within = namespace.to_owned();
            if let Some(name) = name(&object, namespace) {
                // Defined twice is refused, and two references may both bring it.
                if !defined.insert(name.clone()) && known.contains_key(&name) {
                    return Json::String(name);
                }
                namespace_of(&name).clone_into(&mut within);
            }
            let mut put = |of: &mut Json| *of = put_in(of.take(), &within, known, defined);
            if let Some(Json::Array(fields)) = object.get_mut("fields") {
                fields.iter_mut().filter_map(|field| field.get_mut("type")).for_each(&mut put);
            }
            for place in ["items", "values", "type"] {
                // What `type` says of a complex type is a word, and no name.
                if let Some(of) = object.get_mut(place).filter(|of| !is_word(of)) {
                    put(of);
                }
            }
            Json::Object(object)
        }
        other => other,
    }
}

/// The schemas that stand in one.
fn inner(object: &Map<String, Json>) -> impl Iterator<Item = &Json> {
    let fields = object.get("fields").and_then(Json::as_array).into_iter().flatten();
    let of_fields = fields.filter_map(|field| field.get("type"));
    let places = ["items", "values", "type"].into_iter();
    of_fields.chain(places.filter_map(|place| object.get(place)).filter(|of| !is_word(of)))
}

fn is_word(of: &Json) -> bool {
    matches!(of.as_str(), Some("record" | "error" | "enum" | "fixed" | "array" | "map"))
}

/// The full name of a type, if it is a named one.
fn name(object: &Map<String, Json>, namespace: &str) -> Option<String> {
    let kind = object.get("type")?.as_str()?;
    if !matches!(kind, "record" | "error" | "enum" | "fixed") {
        return None;
    }
    let own = object.get("namespace").and_then(Json::as_str).unwrap_or(namespace);
    Some(full_name(object.get("name")?.as_str()?, own))
}

/// The same type under its full name, wherever it is put.
fn named(object: &Map<String, Json>, name: &str) -> Json {
    let mut object = object.clone();
    object.insert("name".to_owned(), name.into());
    // Without a namespace of its own one without dots would have that of what surrounds it.
    object.insert("namespace".to_owned(), namespace_of(name).into());
    Json::Object(object)
}

fn full_name(name: &str, namespace: &str) -> String {
    if name.contains('.') || namespace.is_empty() {
        name.to_owned()
    } else {
        format!("{namespace}.{name}")
    }
}

fn namespace_of(name: &str) -> &str {
    name.rsplit_once('.').map_or("", |(namespace, _)| namespace)
}

#[cfg(test)]
mod tests {
    use apache_avro::Schema;

    use super::*;

    const CITY: &str = r#"{"type": "record", "name": "City", "namespace": "geo", "fields": [
        {"name": "name", "type": "string"}, {"name": "of", "type": ["null", "Land"]}]}"#;
    const LAND: &str = r#"{"type": "enum", "name": "Land", "namespace": "geo", "symbols": ["A"]}"#;

    #[test]
    fn a_type_that_is_referred_to_stands_where_it_is_used_first_and_once() {
        let root = r#"{"type": "record", "name": "Trip", "namespace": "x", "fields": [
            {"name": "land", "type": "geo.Land"}, {"name": "from", "type": "geo.City"},
            {"name": "by", "type": {"type": "array", "items": "geo.City"}},
            {"name": "next", "type": ["null", "Trip"]}]}"#;
        let whole = whole(root, &[LAND.to_owned(), CITY.to_owned()]).unwrap();
        let own = r#"{"type": "record", "name": "Trip", "namespace": "x", "fields": [
            {"name": "land", "type": {"type": "enum", "name": "geo.Land", "symbols": ["A"]}},
            {"name": "from", "type": {"type": "record", "name": "geo.City", "fields": [
                {"name": "name", "type": "string"}, {"name": "of", "type": ["null", "geo.Land"]}]}},
            {"name": "by", "type": {"type": "array", "items": "geo.City"}},
            {"name": "next", "type": ["null", "Trip"]}]}"#;
        let canonical = |schema: &Schema| schema.canonical_form();
        let expected = Schema::parse_str(own).unwrap();
        assert_eq!(canonical(&Schema::parse(&whole).unwrap()), canonical(&expected));
    }

    #[test]
    fn a_type_without_a_namespace_keeps_none_wherever_it_is_put() {
        let bare = r#"{"type": "fixed", "name": "Hash", "size": 2}"#;
        let root = r#"["null", {"type": "map", "values": "Hash"}]"#;
        let whole = whole(root, &[bare.to_owned()]).unwrap();
        assert!(Schema::parse(&whole).unwrap().canonical_form().contains(r#""name":"Hash""#));
        assert_eq!(super::whole("{", &[]), None);
        assert_eq!(super::whole("\"string\"", &["{".to_owned()]), None);
    }
}
