//! One kind of message: its schema, and how it is read and written.

use apache_avro::rabin::Rabin;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::writer::datum::GenericDatumWriter;
use apache_avro::{Schema, from_value};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use crate::SchemaError;

/// The schema of the messages of a topic.
///
/// Made once and kept for the life of the process: the schema is leaked, which lets readers and
/// writers borrow it.
pub struct Message {
    schema: &'static Schema,
    text: String,
    full_name: String,
    fingerprint: [u8; 8],
    writer: GenericDatumWriter<'static>,
    reader: GenericDatumReader<'static>,
}

impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Message").field("full_name", &self.full_name).finish_non_exhaustive()
    }
}

impl AsRef<Message> for Message {
    fn as_ref(&self) -> &Message {
        self
    }
}

impl Message {
    /// Compiles a record schema.
    ///
    /// # Panics
    /// Where it is none. Schemas are part of the program, and a test compiles all.
    pub fn of(json: Json) -> Message {
        let schema = leak(Schema::parse(&json).expect("an Avro schema"));
        let Schema::Record(record) = schema else { panic!("a message is a record") };
        Message {
            full_name: record.name.fullname(None),
            fingerprint: fingerprint(&json),
            text: json.to_string(),
            writer: GenericDatumWriter::builder(schema).build().expect("the schema resolves"),
            reader: GenericDatumReader::builder(schema).build().expect("the schema resolves"),
            schema,
        }
    }

    /// Full name of the record.
    pub fn full_name(&self) -> &str {
        &self.full_name
    }

    /// The schema as registered: JSON text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The schema.
    pub fn schema(&self) -> &'static Schema {
        self.schema
    }

    /// CRC-64-AVRO of the canonical form, in the byte order of single-object encoding.
    pub fn fingerprint(&self) -> [u8; 8] {
        self.fingerprint
    }

    /// Appends a datum to `out`. After an error `out` may hold a part of it.
    pub fn encode<T: Serialize>(&self, record: &T, out: &mut Vec<u8>) -> Result<(), SchemaError> {
        self.writer.write_ser(out, record)?;
        Ok(())
    }

    /// Reads a datum.
    pub fn decode<T: DeserializeOwned>(&self, mut datum: &[u8]) -> Result<T, SchemaError> {
        Ok(self.reader.read_deser(&mut datum)?)
    }

    /// A datum as a generic value. Slow.
    pub(crate) fn value(&self, mut datum: &[u8]) -> Result<apache_avro::types::Value, SchemaError> {
        Ok(self.reader.read_value(&mut datum)?)
    }

    /// A datum as JSON, for people. Slow: it goes through a generic value.
    pub fn to_json(&self, datum: &[u8]) -> Result<Json, SchemaError> {
        from_value::<Json>(&self.value(datum)?).map_err(SchemaError::from)
    }

    /// The datum that [`Message::to_json`] wrote. Slow, as that is.
    pub fn from_json(&self, json: &[u8]) -> Result<Vec<u8>, SchemaError> {
        let json: Json = serde_json::from_slice(json).map_err(|_| SchemaError::Json)?;
        let value = crate::json::value_of(self.schema, &json).ok_or(SchemaError::Json)?;
        Ok(GenericDatumWriter::builder(self.schema).build()?.write_value_to_vec(value)?)
    }

    /// A datum that was written with another schema, in this one.
    pub fn upgrade(&self, writer: &Schema, mut datum: &[u8]) -> Result<Vec<u8>, SchemaError> {
        let reader = GenericDatumReader::builder(writer).reader_schema(self.schema).build()?;
        let value = reader.read_value(&mut datum)?;
        Ok(GenericDatumWriter::builder(self.schema).build()?.write_value_to_vec(value)?)
    }
}

/// CRC-64-AVRO of the canonical form, as every other implementation computes it.
///
/// Without logical types, because apache-avro 0.22 leaves `{"type":"long"}` of them in the canonical
/// form where the specification has `"long"`: consumers would not know the schema by its
/// fingerprint. Not needed any more when the fingerprint is the same with them.
fn fingerprint(json: &Json) -> [u8; 8] {
    let mut plain = json.clone();
    remove_logical_types(&mut plain);
    let schema = Schema::parse(&plain).expect("an Avro schema");
    schema.fingerprint::<Rabin>().bytes.try_into().expect("a Rabin fingerprint has eight bytes")
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

pub(crate) fn leak(schema: Schema) -> &'static Schema {
    Box::leak(Box::new(schema))
}
