//! A schema that messages were written with: this version's, an earlier one's, or another program's.

use std::sync::OnceLock;

use apache_avro::Schema;
use apache_avro::rabin::Rabin;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value;
use serde_json::Value as Json;

use crate::datum::Malformed;
use crate::error::SchemaError;
use crate::instants::Instants;
use crate::json::{self, Names, Unknown};
use crate::plan::Plan;
use crate::references;

/// A schema that messages were written with, as an earlier version of Talon or a registry has it.
///
/// Kept for the life of the process: there are as many as there are versions of contracts, and ids that
/// are met on topics.
pub struct Writer {
    schema: Schema,
    text: String,
    full_name: String,
    about: String,
    instants: Instants,
    fingerprint: [u8; 8],
    plan: Option<Plan>,
    /// Compiled when the first datum is decoded.
    reader: OnceLock<GenericDatumReader<'static>>,
    /// Found when the first is read or written as JSON.
    names: OnceLock<Names<'static>>,
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer").field("full_name", &self.full_name).finish_non_exhaustive()
    }
}

impl Writer {
    /// Compiles the JSON text of a schema; `None` where it is none. What it takes is never given back.
    pub fn parse(text: &str) -> Option<&'static Writer> {
        Writer::with_references(text, &[])
    }

    /// The same where it refers to types of other schemas, which these are, each with those that it refers to.
    pub fn with_references(text: &str, references: &[String]) -> Option<&'static Writer> {
        Writer::of(&references::whole(text, references)?)
    }

    pub(crate) fn of(json: &Json) -> Option<&'static Writer> {
        let schema = Schema::parse(json).ok()?;
        let full_name = schema.name().map(|name| name.fullname(None)).unwrap_or_default();
        let (text, fingerprint) = (json.to_string(), fingerprint(json)?);
        let plan = Plan::of(&schema);
        let about = about(json).unwrap_or_else(|| full_name.clone());
        let instants = instants(json);
        let (reader, names) = (OnceLock::new(), OnceLock::new());
        Some(Box::leak(Box::new(Writer {
            schema,
            text,
            full_name,
            about,
            instants,
            fingerprint,
            plan,
            reader,
            names,
        })))
    }

    /// Full name of a named type, such as a record; of all others, nothing.
    pub fn full_name(&self) -> &str {
        &self.full_name
    }

    /// The schema.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// The schema as JSON text, whole: with what it refers to.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What its messages are about: see [`about`].
    pub(crate) fn about(&self) -> &str {
        &self.about
    }

    /// The unit of its instants, where it is an event's.
    pub(crate) fn instants(&self) -> Instants {
        self.instants
    }

    /// CRC-64-AVRO of the canonical form, in the byte order of single-object encoding.
    pub fn fingerprint(&self) -> [u8; 8] {
        self.fingerprint
    }

    /// A datum, all of it, as JSON text, in which every field stands. Slow.
    ///
    /// # Errors
    /// It is none of this schema, or is nested too deep.
    pub fn to_json(&'static self, datum: &[u8]) -> Result<String, SchemaError> {
        Ok(json::spell(&self.schema, self.names(), datum)?)
    }

    /// The datum of JSON text. Slow.
    ///
    /// # Errors
    /// It does not fit the schema; what the schema does not have does not fit.
    pub fn from_json(&'static self, json: &[u8]) -> Result<Vec<u8>, SchemaError> {
        self.read_json(Unknown::Refused, json)
    }

    pub(crate) fn read_json(
        &'static self,
        unknown: Unknown,
        json: &[u8],
    ) -> Result<Vec<u8>, SchemaError> {
        let json: Json = serde_json::from_slice(json).map_err(|_| SchemaError::Json)?;
        json::read(&self.schema, self.names(), unknown, &json).ok_or(SchemaError::Json)
    }

    fn names(&'static self) -> &'static Names<'static> {
        self.names.get_or_init(|| json::names(&self.schema))
    }

    /// A datum as a value of this schema, all of it. Slow.
    pub(crate) fn value(&'static self, datum: &[u8]) -> Result<Value, SchemaError> {
        if self.fits(datum) == Some(false) {
            return Err(Malformed.into());
        }
        let reader = match self.reader.get() {
            Some(reader) => reader,
            None => {
                let reader = GenericDatumReader::builder(&self.schema).build()?;
                self.reader.get_or_init(|| reader)
            }
        };
        let mut rest = datum;
        let value = reader.read_value(&mut rest)?;
        if rest.is_empty() { Ok(value) } else { Err(Malformed.into()) }
    }

    /// Whether `datum` may be one record of this schema, all of it; `None` where the schema has a type
    /// of which only decoding tells.
    pub(crate) fn fits(&self, datum: &[u8]) -> Option<bool> {
        self.plan.as_ref().map(|plan| plan.fits(datum))
    }
}

/// What the messages of a schema are about: the full name of the entity in an event, of all others that
/// of the record itself. It stays what it is where an event's own name changes from version to version.
pub(crate) fn about(schema: &Json) -> Option<String> {
    let namespace = schema["namespace"].as_str();
    let fields = schema["fields"].as_array()?;
    let before = fields.iter().find(|field| field["name"] == "before");
    let entity =
        before.and_then(|field| field["type"].as_array()?.iter().find(|of| of.is_object()));
    let record = entity.unwrap_or(schema);
    let (name, namespace) = (record["name"].as_str()?, record["namespace"].as_str().or(namespace));
    Some(match namespace {
        Some(namespace) if !name.contains('.') => format!("{namespace}.{name}"),
        _ => name.to_owned(),
    })
}

/// Of an event's schema, as it says itself.
fn instants(schema: &Json) -> Instants {
    let field = |of: &Json, name: &str| -> Option<Json> {
        let fields = of["fields"].as_array()?;
        fields.iter().find(|field| field["name"] == name).map(|field| field["type"].clone())
    };
    match field(schema, "source").and_then(|source| field(&source, "instants")) {
        Some(_) => Instants::Millis,
        None => Instants::Micros,
    }
}

/// CRC-64-AVRO of the canonical form, as every other implementation computes it.
///
/// Without logical types, because apache-avro 0.22 leaves `{"type":"long"}` of them in the canonical
/// form where the specification has `"long"`: consumers would not know the schema by its
/// fingerprint. Not needed any more when the fingerprint is the same with them.
fn fingerprint(json: &Json) -> Option<[u8; 8]> {
    let mut plain = json.clone();
    remove_logical_types(&mut plain);
    let schema = Schema::parse(&plain).ok()?;
    schema.fingerprint::<Rabin>().bytes.try_into().ok()
}

fn remove_logical_types(json: &mut Json) {
    match json {
        Json::Object(map) => {
            map.remove("logicalType");
            map.values_mut().for_each(remove_logical_types);
        }
        Json::Array(items) => items.iter_mut().for_each(remove_logical_types),
        _ => {}
    }
}
