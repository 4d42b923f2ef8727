//! A sender of Avro, as fastavro 1.13 and confluent-kafka's `AvroSerializer` write.

use apache_avro::Schema;
use apache_avro::schema::RecordSchema;
use apache_avro::types::Value as Avro;
use apache_avro::writer::datum::GenericDatumWriter;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value};
use talon_schemas::command::Params;

/// How the branch of the parameters is chosen.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Branch<'a> {
    /// The sender names it.
    Named(&'a str),
    /// The sender gives a plain map: the first of the records that it fits with the most of its keys.
    Plain,
}

/// A command under a schema; `None` where it does not fit.
pub(crate) fn encode(
    schema: &Schema,
    command: &Map<String, Value>,
    branch: Branch<'_>,
) -> Option<Vec<u8>> {
    let Schema::Record(record) = schema else { panic!("a command is a record") };
    let fields = record.fields.iter().map(|field| {
        let given = command.get(&field.name).or(field.default.as_ref())?;
        let value = match &field.schema {
            Schema::Union(union) if field.name == "params" => {
                let given = given.as_object()?;
                let records = union.variants().iter().map(|schema| match schema {
                    Schema::Record(record) => record,
                    _ => panic!("a branch is a record"),
                });
                let (place, record) = chosen(&records.collect::<Vec<_>>(), given, branch)?;
                Avro::Union(place, Box::new(record))
            }
            schema => value(schema, given)?,
        };
        Some((field.name.clone(), value))
    });
    let fields = fields.collect::<Option<Vec<_>>>()?;
    let writer = GenericDatumWriter::builder(schema).build().unwrap();
    Some(writer.write_value_to_vec(Avro::Record(fields)).unwrap())
}

fn chosen(
    records: &[&RecordSchema],
    given: &Map<String, Value>,
    branch: Branch<'_>,
) -> Option<(u32, Avro)> {
    let keys = |schema: &RecordSchema| {
        schema.fields.iter().filter(|field| given.contains_key(&field.name)).count()
    };
    let mut best: Option<(usize, u32, Avro)> = None;
    for (place, schema) in records.iter().enumerate() {
        let is_wanted = match branch {
            // Who names the branch means all that is given.
            Branch::Named(name) => schema.name.name() == name && keys(schema) == given.len(),
            Branch::Plain => true,
        };
        let Some(value) = is_wanted.then(|| record(schema, given)).flatten() else { continue };
        if best.as_ref().is_none_or(|(most, ..)| keys(schema) > *most) {
            best = Some((keys(schema), u32::try_from(place).unwrap(), value));
        }
    }
    // Parameters that no record has are lost by the sender; such a command says nothing of the reader.
    best.filter(|(most, ..)| *most == given.len()).map(|(_, place, value)| (place, value))
}

fn record(schema: &RecordSchema, given: &Map<String, Value>) -> Option<Avro> {
    let fields = schema.fields.iter().map(|field| {
        let given = given.get(&field.name).or(field.default.as_ref())?;
        Some((field.name.clone(), value(&field.schema, given)?))
    });
    Some(Avro::Record(fields.collect::<Option<_>>()?))
}

fn value(schema: &Schema, given: &Value) -> Option<Avro> {
    Some(match schema {
        Schema::Null => given.is_null().then_some(Avro::Null)?,
        Schema::Boolean => Avro::Boolean(given.as_bool()?),
        Schema::Int => Avro::Int(given.as_i64()?.try_into().ok()?),
        Schema::Long => Avro::Long(given.as_i64()?),
        Schema::TimestampMicros => Avro::TimestampMicros(given.as_i64()?),
        // Infinity, which JSON cannot say.
        Schema::Double if given == "inf" => Avro::Double(f64::INFINITY),
        Schema::Double => Avro::Double(given.as_f64()?),
        Schema::String if given.is_object() => Avro::String(given.to_string()),
        Schema::String => Avro::String(given.as_str()?.to_owned()),
        Schema::Bytes => Avro::Bytes(BASE64_STANDARD.decode(given.as_str()?).ok()?),
        Schema::Enum(symbols) => {
            let text = given.as_str()?;
            let place = symbols.symbols.iter().position(|symbol| symbol == text)?;
            Avro::Enum(u32::try_from(place).unwrap(), text.to_owned())
        }
        Schema::Array(array) => {
            let items = given.as_array()?.iter().map(|item| value(&array.items, item));
            Avro::Array(items.collect::<Option<_>>()?)
        }
        Schema::Map(map) => {
            let entries = given.as_object()?.iter();
            let entries = entries.map(|(key, item)| Some((key.clone(), value(&map.types, item)?)));
            Avro::Map(entries.collect::<Option<_>>()?)
        }
        Schema::Record(inner) => record(inner, given.as_object()?)?,
        Schema::Union(union) => {
            let fits = |(place, schema)| Some((u32::try_from(place).ok()?, value(schema, given)?));
            let (place, value) = union.variants().iter().enumerate().find_map(fits)?;
            Avro::Union(place, Box::new(value))
        }
        other => panic!("no parameter is {other:?}"),
    })
}

/// All parameters of a command, each with a value that is not its default.
pub(crate) fn sample(params: &Params) -> Map<String, Value> {
    let list = params.list();
    list.iter().map(|param| (param.name.to_owned(), of_kind(&param.kind))).collect()
}

/// A value of a kind as `talon commands` names it.
fn of_kind(kind: &str) -> Value {
    let object = |names: &str| {
        let value = |name: &str| match name {
            "task_id" | "expenditure_item_id" => Value::from(11),
            "count" | "price" => Value::from(2.5),
            "status" => Value::from("Done"),
            "owner_type" => Value::from("Contractor"),
            _ => Value::from("x"),
        };
        names.split(", ").map(|name| (name.to_owned(), value(name))).collect()
    };
    match kind {
        "true or false" => true.into(),
        "whole number" => 7.into(),
        "number" => 1.5.into(),
        "text" => "кириллица".into(),
        "instant, in JSON as RFC 3339" => 1_700_000_000_123_456_i64.into(),
        "bytes, in JSON as base64" => "AAEC".into(),
        "object, in Avro as JSON text" => serde_json::json!({"name": "x", "n": 1}),
        _ => {
            if let Some(inner) = kind.strip_prefix("list of ") {
                Value::Array(vec![of_kind(inner), of_kind(inner)])
            } else if let Some(inner) = kind.strip_prefix("object with values: ") {
                serde_json::json!({"1": of_kind(inner)})
            } else if let Some(names) = kind.strip_prefix("object with ") {
                Value::Object(object(names))
            } else {
                let symbols = kind.strip_prefix("one of ").expect("a kind that is known");
                symbols.split(", ").last().into()
            }
        }
    }
}
