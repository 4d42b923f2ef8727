//! An event as JSON text back into a datum: the way back for `format: json`.
//!
//! The Avro library's own way from JSON loses the types of numbers, so the schema leads here.

use std::collections::HashMap;

use apache_avro::Schema;
use apache_avro::schema::Name;
use apache_avro::types::Value;
use serde_json::Value as Json;

/// Reads `json` as a value of `schema`; `None` where it does not fit.
pub(crate) fn value_of(schema: &'static Schema, json: &Json) -> Option<Value> {
    read(schema, json, &mut HashMap::new())
}

fn read(
    schema: &'static Schema,
    json: &Json,
    known: &mut HashMap<&'static Name, &'static Schema>,
) -> Option<Value> {
    Some(match schema {
        Schema::Null => json.is_null().then_some(Value::Null)?,
        Schema::Boolean => Value::Boolean(json.as_bool()?),
        Schema::Int => Value::Int(json.as_i64()?.try_into().ok()?),
        Schema::Long => Value::Long(json.as_i64()?),
        Schema::TimestampMicros => Value::TimestampMicros(json.as_i64()?),
        Schema::TimestampMillis => Value::TimestampMillis(json.as_i64()?),
        Schema::Double => Value::Double(json.as_f64()?),
        Schema::String => Value::String(json.as_str()?.to_owned()),
        Schema::Array(array) => Value::Array(
            json.as_array()?
                .iter()
                .map(|item| read(&array.items, item, known))
                .collect::<Option<_>>()?,
        ),
        Schema::Map(map) => Value::Map(
            json.as_object()?
                .iter()
                .map(|(key, value)| Some((key.clone(), read(&map.types, value, known)?)))
                .collect::<Option<_>>()?,
        ),
        Schema::Union(union) => {
            // The record behind a null must be known, should a later field refer to it by name.
            union.variants().iter().for_each(|variant| learn(variant, known));
            union.variants().iter().enumerate().find_map(|(i, variant)| {
                Some(Value::Union(i as u32, Box::new(read(variant, json, known)?)))
            })?
        }
        Schema::Record(record) => {
            learn(schema, known);
            let object = json.as_object()?;
            Value::Record(
                record
                    .fields
                    .iter()
                    .map(|field| {
                        // What an earlier version did not write has its default.
                        let default = field.default.as_ref().unwrap_or(&Json::Null);
                        let json = object.get(&field.name).unwrap_or(default);
                        Some((field.name.clone(), read(&field.schema, json, known)?))
                    })
                    .collect::<Option<_>>()?,
            )
        }
        Schema::Ref { name } => {
            let schema = *known.get(name)?;
            read(schema, json, known)?
        }
        _ => return None,
    })
}

fn learn(schema: &'static Schema, known: &mut HashMap<&'static Name, &'static Schema>) {
    if let Schema::Record(record) = schema {
        known.insert(&record.name, schema);
    }
}
