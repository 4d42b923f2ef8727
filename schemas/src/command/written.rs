//! A command that was written in Avro, as the JSON that another sender would have written.
//!
//! It is read with the schema that it was written with, and not resolved to this version's: apache-avro
//! 0.22 with a reader's schema takes the first record of a union whose fields can be filled, whatever
//! branch was written, so that parameters are lost. Not needed any more when
//! `every_spelling_of_a_command_reads_as_its_json` passes with a reader's schema.
//!
//! What `type` says counts, not the branch: a serialiser that is given a plain map chooses a branch by its
//! keys, and several types may have the same (fastavro 1.13). What it put under names that the record of
//! `type` lacks, because the branch has defaults there, is no parameter. Nor is a null anywhere, which Avro
//! must write where JSON leaves the field out.

use apache_avro::Schema;
use apache_avro::schema::RecordSchema;
use apache_avro::types::Value;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value as Json};

use super::params::Params;
use crate::{SchemaError, Writer};

/// Reads a datum that was written with `writer`; `all` are the parameters of all types.
pub(super) fn command(
    all: &[Params],
    writer: &'static Writer,
    datum: &[u8],
) -> Result<Map<String, Json>, SchemaError> {
    let (Value::Record(fields), Schema::Record(schema)) = (writer.value(datum)?, writer.schema())
    else {
        return Err(SchemaError::Json);
    };
    let branch = fields.iter().zip(&schema.fields).find_map(|((name, value), field)| {
        (name == "params").then(|| branch_of(value, &field.schema)).flatten()
    });
    let Json::Object(mut object) = json_of(Value::Record(fields)).ok_or(SchemaError::Json)? else {
        return Err(SchemaError::Json);
    };
    let meant = object
        .get("type")
        .and_then(Json::as_str)
        .and_then(|kind| all.iter().find(|params| params.name() == kind));
    if let (Some(meant), Some(Json::Object(params))) = (meant, object.get_mut("params")) {
        if let Some(branch) = branch.filter(|branch| branch.name.name() != meant.name()) {
            params.retain(|name, value| meant.has(name) || !is_default(branch, name, value));
        }
        open_texts(meant, params);
    }
    Ok(object)
}

/// The record of the branch that was written, where it is a union of records.
fn branch_of<'a>(value: &Value, schema: &'a Schema) -> Option<&'a RecordSchema> {
    let (Value::Union(branch, _), Schema::Union(union)) = (value, schema) else { return None };
    match union.variants().get(usize::try_from(*branch).ok()?)? {
        Schema::Record(record) => Some(record),
        _ => None,
    }
}

fn is_default(branch: &RecordSchema, name: &str, value: &Json) -> bool {
    let field = branch.fields.iter().find(|field| field.name == name);
    let default = field.and_then(|field| field.default.as_ref());
    default.is_some_and(|default| match (default.as_f64(), value.as_f64()) {
        // A double's default of 0 comes back as 0.0.
        (Some(default), Some(value)) => default == value,
        _ => default == value,
    })
}

/// What is an object in JSON stands as its text in Avro. A text that is none is left for the checks.
fn open_texts(meant: &Params, params: &mut Map<String, Json>) {
    for (_, value) in params.iter_mut().filter(|(name, _)| meant.is_json(name)) {
        if let Json::String(text) = value
            && let Ok(object @ Json::Object(_)) = serde_json::from_str(text)
        {
            *value = object;
        }
    }
}

/// Bytes become base64 text, instants microseconds since 1970 UTC; fields of records that are null are
/// left out. `None` where JSON has no such value, and leaving it out would change what is meant.
fn json_of(value: Value) -> Option<Json> {
    Some(match value {
        Value::Null => Json::Null,
        Value::Boolean(value) => value.into(),
        Value::Int(value) | Value::Date(value) | Value::TimeMillis(value) => value.into(),
        Value::Long(value)
        | Value::TimeMicros(value)
        | Value::TimestampMicros(value)
        | Value::LocalTimestampMicros(value) => value.into(),
        Value::TimestampMillis(value) | Value::LocalTimestampMillis(value) => {
            value.checked_mul(1_000)?.into()
        }
        Value::TimestampNanos(value) | Value::LocalTimestampNanos(value) => {
            value.div_euclid(1_000).into()
        }
        Value::Float(value) => number(value.into()),
        Value::Double(value) => number(value),
        Value::Bytes(bytes) | Value::Fixed(_, bytes) => BASE64_STANDARD.encode(bytes).into(),
        Value::String(text) | Value::Enum(_, text) => text.into(),
        Value::Union(_, value) => json_of(*value)?,
        Value::Array(items) => Json::Array(items.into_iter().map(json_of).collect::<Option<_>>()?),
        Value::Map(entries) => {
            let entries = entries.into_iter().map(|(key, item)| Some((key, json_of(item)?)));
            Json::Object(entries.collect::<Option<_>>()?)
        }
        Value::Record(fields) => {
            let fields = fields.into_iter().map(|(key, item)| Some((key, json_of(item)?)));
            let fields = fields.filter(|field| !matches!(field, Some((_, Json::Null))));
            Json::Object(fields.collect::<Option<_>>()?)
        }
        Value::Uuid(uuid) => uuid.to_string().into(),
        Value::Decimal(_) | Value::BigDecimal(_) | Value::Duration(_) => return None,
    })
}

/// JSON has no infinity, and no number that is none: a text, which the checks refuse by its name.
fn number(value: f64) -> Json {
    let number = serde_json::Number::from_f64(value);
    number.map_or_else(|| value.to_string().into(), Json::Number)
}
