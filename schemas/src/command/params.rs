//! The parameters of one type of command: what they are, and whether given ones fit.

use std::collections::BTreeMap;

use apache_avro::Schema;
use apache_avro::schema::{RecordField, RecordSchema};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use serde_json::{Map, Value as Json};

/// Marks an Avro string that is the text of a JSON object.
const JSON: &str = "talon.json";

/// The parameters of one type of command.
#[derive(Debug)]
pub struct Params {
    record: &'static RecordSchema,
}

/// A parameter, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Param {
    /// Its name.
    pub name: &'static str,
    /// What its values are: `whole number`, `text`.
    pub kind: String,
    /// Whether its value is a text in a JSON command.
    pub text: bool,
    /// Whether it must be given.
    pub required: bool,
    /// What it means.
    pub doc: &'static str,
}

impl Params {
    pub(crate) fn of(schema: &'static Schema) -> Params {
        let Schema::Record(record) = schema else { panic!("parameters are a record") };
        for field in &record.fields {
            assert!(is_known(&field.schema), "`{}`: no type for a parameter", field.name);
        }
        Params { record }
    }

    /// Type of the command.
    pub fn name(&self) -> &'static str {
        self.record.name.name()
    }

    /// What the command does.
    pub fn doc(&self) -> &'static str {
        self.record.doc.as_deref().unwrap_or_default()
    }

    /// The parameters in the order of the schema.
    pub fn list(&self) -> Vec<Param> {
        let fields = self.record.fields.iter();
        fields
            .map(|field| Param {
                name: &field.name,
                kind: kind(&field.schema, &field.custom_attributes),
                text: is_text(&field.schema) && !is_json(field),
                required: field.default.is_none() && !is_optional(&field.schema),
                doc: field.doc.as_deref().unwrap_or_default(),
            })
            .collect()
    }

    /// Whether there is a parameter of that name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.record.fields.iter().any(|field| field.name == name)
    }

    /// Whether a parameter is an object in JSON, and its text in Avro.
    pub(crate) fn is_json(&self, name: &str) -> bool {
        self.record.fields.iter().any(|field| field.name == name && is_json(field))
    }

    /// Checks given parameters and brings them into one form: instants as microseconds since 1970
    /// UTC, bytes as base64 text, what is not given with its default, or not there at all where that
    /// is null.
    ///
    /// # Errors
    /// All problems, each with the parameter's name and never with its value, which may be personal.
    pub fn read(&self, given: &Json) -> Result<Map<String, Json>, Vec<String>> {
        let mut problems = Vec::new();
        let read = record(self.record, given, "params", &mut problems);
        match read {
            Some(Json::Object(params)) if problems.is_empty() => Ok(params),
            _ => Err(problems),
        }
    }
}

fn is_json(field: &RecordField) -> bool {
    field.custom_attributes.contains_key(JSON)
}

fn is_optional(schema: &Schema) -> bool {
    matches!(schema, Schema::Union(union) if union.variants().contains(&Schema::Null))
}

fn is_text(schema: &Schema) -> bool {
    match schema {
        Schema::String | Schema::Bytes | Schema::TimestampMicros | Schema::Enum(_) => true,
        Schema::Union(union) => union.variants().iter().any(is_text),
        _ => false,
    }
}

fn is_known(schema: &Schema) -> bool {
    match schema {
        Schema::Boolean
        | Schema::Int
        | Schema::Long
        | Schema::Double
        | Schema::String
        | Schema::Bytes
        | Schema::TimestampMicros
        | Schema::Enum(_) => true,
        Schema::Array(array) => is_known(&array.items),
        Schema::Map(map) => is_known(&map.types),
        Schema::Record(record) => record.fields.iter().all(|field| is_known(&field.schema)),
        // Null and one other: more would need a word for which of them is meant.
        Schema::Union(union) => {
            let others = union.variants().iter().filter(|schema| **schema != Schema::Null);
            union.variants().len() == 2
                && others.clone().count() == 1
                && others.into_iter().all(is_known)
        }
        _ => false,
    }
}

fn kind(schema: &Schema, bounds: &Bounds) -> String {
    match schema {
        Schema::String if bounds.contains_key(JSON) => "object, in Avro as JSON text".to_owned(),
        Schema::Boolean => "true or false".to_owned(),
        Schema::Int | Schema::Long => "whole number".to_owned(),
        Schema::Double => "number".to_owned(),
        Schema::String => "text".to_owned(),
        Schema::Bytes => "bytes, in JSON as base64".to_owned(),
        Schema::TimestampMicros => "instant, in JSON as RFC 3339".to_owned(),
        Schema::Enum(symbols) => format!("one of {}", symbols.symbols.join(", ")),
        Schema::Array(array) => format!("list of {}", kind(&array.items, &Bounds::new())),
        Schema::Map(map) => format!("object with values: {}", kind(&map.types, &Bounds::new())),
        Schema::Record(record) => {
            let names: Vec<&str> = record.fields.iter().map(|field| field.name.as_str()).collect();
            format!("object with {}", names.join(", "))
        }
        Schema::Union(union) => union
            .variants()
            .iter()
            .find(|schema| **schema != Schema::Null)
            .map_or(String::new(), |inner| kind(inner, bounds)),
        _ => String::new(),
    }
}

type Bounds = BTreeMap<String, Json>;

fn record(
    schema: &RecordSchema,
    given: &Json,
    path: &str,
    problems: &mut Vec<String>,
) -> Option<Json> {
    let Some(object) = given.as_object() else {
        problems.push(format!("`{path}` is {}, expected an object", found(given)));
        return None;
    };
    let mut read = Map::new();
    for field in &schema.fields {
        let path = format!("{path}.{}", field.name);
        match object.get(&field.name).filter(|json| !json.is_null()) {
            Some(json) => {
                let value = value(&field.schema, &field.custom_attributes, json, &path, problems);
                read.extend(value.map(|value| (field.name.clone(), value)));
            }
            None => match &field.default {
                Some(Json::Null) => {}
                Some(default) => {
                    read.insert(field.name.clone(), default.clone());
                }
                None if is_optional(&field.schema) => {}
                None => {
                    let kind = kind(&field.schema, &field.custom_attributes);
                    problems.push(format!("`{path}` is missing, expected {kind}"));
                }
            },
        }
    }
    let names = || schema.fields.iter().map(|field| field.name.as_str());
    for name in object.keys().filter(|name| !names().any(|known| known == name.as_str())) {
        // A name is shown, cut: it is what the sender misspelled.
        let shown: String = name.chars().take(60).collect();
        let known: Vec<&str> = names().collect();
        problems.push(match known.as_slice() {
            [] => format!("`{path}.{shown}` is not known; there are no parameters"),
            _ => format!("`{path}.{shown}` is not known; there are {}", known.join(", ")),
        });
    }
    Some(Json::Object(read))
}

fn value(
    schema: &Schema,
    bounds: &Bounds,
    given: &Json,
    path: &str,
    problems: &mut Vec<String>,
) -> Option<Json> {
    let length = |length: usize, problems: &mut Vec<String>| within(bounds, length, path, problems);
    let read = match schema {
        Schema::Union(union) => {
            let inner = union.variants().iter().find(|schema| **schema != Schema::Null)?;
            return value(inner, bounds, given, path, problems);
        }
        Schema::Record(inner) => return record(inner, given, path, problems),
        Schema::Boolean => given.as_bool().map(Json::from),
        Schema::Int | Schema::Long => {
            let number = given
                .as_i64()
                .filter(|number| *schema == Schema::Long || i32::try_from(*number).is_ok());
            number.inspect(|number| range(bounds, *number as f64, path, problems)).map(Json::from)
        }
        Schema::Double => {
            given.as_f64().inspect(|number| range(bounds, *number, path, problems)).map(Json::from)
        }
        Schema::String if bounds.contains_key(JSON) => given.as_object().cloned().map(Json::from),
        Schema::String => given.as_str().map(|text| {
            length(text.chars().count(), problems);
            Json::from(text)
        }),
        Schema::Bytes => given.as_str().and_then(|text| {
            let bytes = BASE64_STANDARD.decode(text).ok()?;
            length(bytes.len(), problems);
            Some(Json::from(text))
        }),
        Schema::TimestampMicros => match given {
            Json::String(text) => {
                text.parse::<Timestamp>().ok().map(|at| at.as_microsecond().into())
            }
            _ => given.as_i64().map(Json::from),
        },
        Schema::Enum(symbols) => given
            .as_str()
            .filter(|text| symbols.symbols.iter().any(|symbol| symbol == text))
            .map(Json::from),
        Schema::Array(array) => {
            let items = given.as_array();
            if let Some(items) = items {
                length(items.len(), problems);
            }
            items.map(|items| {
                let items = items.iter().enumerate().filter_map(|(i, item)| {
                    value(&array.items, &Bounds::new(), item, &format!("{path}[{i}]"), problems)
                });
                items.collect()
            })
        }
        Schema::Map(map) => {
            let entries = given.as_object();
            if let Some(entries) = entries {
                length(entries.len(), problems);
            }
            entries.map(|entries| {
                let entries = entries.iter().filter_map(|(key, item)| {
                    let path = format!("{path}.{key}");
                    Some((key.clone(), value(&map.types, &Bounds::new(), item, &path, problems)?))
                });
                Json::Object(entries.collect())
            })
        }
        _ => None,
    };
    if read.is_none() {
        problems.push(format!("`{path}` is {}, expected {}", found(given), kind(schema, bounds)));
    }
    read
}

/// What stands there instead, without showing it.
fn found(given: &Json) -> &'static str {
    match given {
        Json::Null => "null",
        Json::Bool(_) => "true or false",
        Json::Number(number) if number.is_f64() => "a number with a fraction",
        Json::Number(_) => "a whole number",
        Json::String(text) if text.is_empty() => "an empty text",
        Json::String(_) => "another text",
        Json::Array(_) => "a list",
        Json::Object(_) => "an object",
    }
}

fn range(bounds: &Bounds, number: f64, path: &str, problems: &mut Vec<String>) {
    let bound = |name: &str| bounds.get(name).and_then(Json::as_f64);
    if let Some(min) = bound("talon.min").filter(|min| number < *min) {
        problems.push(format!("`{path}` is too small, expected at least {min}"));
    }
    if let Some(max) = bound("talon.max").filter(|max| number > *max) {
        problems.push(format!("`{path}` is too large, expected at most {max}"));
    }
}

fn within(bounds: &Bounds, length: usize, path: &str, problems: &mut Vec<String>) {
    let bound = |name: &str| bounds.get(name).and_then(Json::as_u64);
    if let Some(min) = bound("talon.min.length").filter(|min| (length as u64) < *min) {
        problems.push(format!("`{path}` is {length} long, expected at least {min}"));
    }
    if let Some(max) = bound("talon.max.length").filter(|max| length as u64 > *max) {
        problems.push(format!("`{path}` is {length} long, expected at most {max}"));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::command::CommandContract;

    const FILE: &str = r#"[
        {"type": "record", "name": "SetStatus", "namespace": "talon.test.commands", "doc": "Moves it on.", "fields": [
            {"name": "call_id", "type": "long", "doc": "Which."},
            {"name": "status", "type": {"type": "enum", "name": "Status", "symbols": ["Done", "Closed"]}},
            {"name": "comments", "type": ["null", "string"], "default": null, "talon.max.length": 5}
        ]},
        {"type": "record", "name": "Attach", "fields": [
            {"name": "file", "type": "bytes", "talon.min.length": 1},
            {"name": "at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
            {"name": "tags", "type": {"type": "array", "items": "string"}, "default": []},
            {"name": "prices", "type": {"type": "map", "values": "double"}, "default": {}},
            {"name": "day", "type": "int", "default": 1, "talon.min": 1, "talon.max": 28}
        ]}
    ]"#;

    #[test]
    fn every_problem_is_listed_and_no_value_is_shown() {
        let contract = CommandContract::of(FILE);
        let given =
            json!({"call_id": "x", "status": "secret", "comments": "too long", "coment": 1});
        let problems = contract.params("SetStatus").unwrap().read(&given).unwrap_err();
        assert_eq!(
            problems,
            [
                "`params.call_id` is another text, expected whole number",
                "`params.status` is another text, expected one of Done, Closed",
                "`params.comments` is 8 long, expected at most 5",
                "`params.coment` is not known; there are call_id, status, comments",
            ]
        );
        let problems = contract.params("Attach").unwrap().read(&json!({"day": 29})).unwrap_err();
        assert_eq!(
            problems,
            [
                "`params.file` is missing, expected bytes, in JSON as base64",
                "`params.at` is missing, expected instant, in JSON as RFC 3339",
                "`params.day` is too large, expected at most 28",
            ]
        );
    }

    #[test]
    fn what_fits_is_brought_into_one_form() {
        let contract = CommandContract::of(FILE);
        let given = json!({"file": "AAE=", "at": "2026-01-31T10:00:00+03:00", "prices": {"a": 1}});
        let read = contract.params("Attach").unwrap().read(&given).unwrap();
        let expected = json!({"file": "AAE=", "at": 1_769_842_800_000_000_i64, "tags": [], "prices": {"a": 1.0}, "day": 1});
        assert_eq!(serde_json::Value::Object(read), expected);
        let given = json!({"call_id": 7, "status": "Done", "comments": null});
        let read = contract.params("SetStatus").unwrap().read(&given).unwrap();
        assert_eq!(serde_json::Value::Object(read), json!({"call_id": 7, "status": "Done"}));
    }

    #[test]
    fn a_command_in_avro_reads_as_the_same_json() {
        use apache_avro::types::Value;
        use apache_avro::writer::datum::GenericDatumWriter;
        let contract = CommandContract::of(FILE);
        let params = Value::Record(vec![
            ("call_id".to_owned(), Value::Long(7)),
            ("status".to_owned(), Value::Enum(0, "Done".to_owned())),
            ("comments".to_owned(), Value::Union(0, Box::new(Value::Null))),
        ]);
        let none = || Value::Union(0, Box::new(Value::Null));
        let command = Value::Record(vec![
            ("id".to_owned(), Value::String("c-1".to_owned())),
            ("type".to_owned(), Value::String("SetStatus".to_owned())),
            ("params".to_owned(), Value::Union(0, Box::new(params))),
            ("issued_at".to_owned(), none()),
            ("expires_at".to_owned(), Value::Union(1, Box::new(Value::TimestampMicros(9)))),
            ("expect".to_owned(), none()),
            ("as".to_owned(), none()),
        ]);
        let schema = contract.as_ref().schema();
        let writer = GenericDatumWriter::builder(schema).build().unwrap();
        let datum = writer.write_value_to_vec(command).unwrap();
        let read = contract.read(&datum, None).unwrap();
        let expected = json!({"id": "c-1", "type": "SetStatus",
            "params": {"call_id": 7, "status": "Done"}, "expires_at": 9});
        assert_eq!(serde_json::Value::Object(read.clone()), expected);
        let again = contract.read(&datum, crate::Writer::parse(contract.as_ref().text())).unwrap();
        assert_eq!(again, read);
        let longer = [&datum[..], &[0]].concat();
        assert!(contract.read(&longer, None).is_err(), "more than a command");
    }
}
