//! One feed's contract: its schema and what is compiled from it.

use std::sync::OnceLock;

use std::borrow::Cow;

use apache_avro::Schema;
use apache_avro::writer::datum::GenericDatumWriter;
use serde::Serialize;
use serde_json::{Value as Json, json};

use crate::canonical::datum::{Content, content, put};
use crate::envelope::Parts;
use crate::error::SchemaError;
use crate::instants::Instants;
use crate::message::{Message, leak};
use crate::plan::{Malformed, Plan};

/// The schema of one feed's events, compiled.
///
/// Made once per feed and kept for the life of the process: the schemas behind it are leaked, which
/// lets writers borrow them.
pub struct Contract {
    file: File,
    instants: Instants,
    entity: &'static Schema,
    envelope: Message,
    writer: GenericDatumWriter<'static>,
    plan: Plan,
    stable: Vec<Plan>,
    pii: Vec<String>,
    /// The same contract with instants in the other unit, made when it is asked for.
    other: OnceLock<&'static Contract>,
}

/// What contracts are compiled from.
#[derive(Clone)]
struct File {
    namespace: String,
    entity: Json,
    earlier: Vec<Json>,
}

impl std::fmt::Debug for Contract {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Contract").field("full_name", &self.full_name()).finish_non_exhaustive()
    }
}

impl Contract {
    /// Compiles the text of a schema file: what an entity is of this feed of a connector's class. The
    /// record around it is `talon.{class}.{feed}.Envelope`, with `_` for `-`, which a name cannot have.
    ///
    /// # Panics
    /// Where the file is no record schema, uses a type that [`Plan`] does not know, or has a volatile
    /// field that does not stand last. The files are part of the program, and a test compiles all.
    pub fn of(class: &str, feed: &str, file: &str) -> Contract {
        Contract::with_earlier(class, feed, file, &[])
    }

    /// As [`Contract::of`], with the texts of earlier envelopes beside those that are shipped; see
    /// [`Message::with_earlier`].
    ///
    /// # Panics
    /// As [`Contract::of`], for all of them.
    pub fn with_earlier(class: &str, feed: &str, file: &str, earlier: &[&str]) -> Contract {
        let json = |text: &str| -> Json { serde_json::from_str(text).expect("a schema is JSON") };
        let file = File {
            namespace: format!("talon.{class}.{feed}").replace('-', "_"),
            entity: json(file),
            earlier: earlier.iter().map(|text| json(text)).collect(),
        };
        Contract::compile(file, Instants::Micros)
    }

    fn compile(file: File, instants: Instants) -> Contract {
        let mut entity_json = file.entity.clone();
        instants.put(&mut entity_json);
        let entity = leak(Schema::parse(&entity_json).expect("a schema file is an Avro schema"));
        let mut json = envelope_json(&file.namespace, &file.entity);
        instants.put(&mut json);
        let earlier: Vec<String> = file
            .earlier
            .iter()
            .map(|earlier| {
                let mut earlier = earlier.clone();
                instants.put(&mut earlier);
                earlier.to_string()
            })
            .collect();
        let earlier: Vec<&str> = earlier.iter().map(String::as_str).collect();
        let envelope = Message::with_earlier(json, &earlier);
        let full_name = envelope.full_name();
        let Schema::Record(record) = entity else { panic!("`{full_name}` is of no record") };
        let plan = Plan::of(entity).expect("a schema file uses only types that Talon can skip");
        let Plan::Record(fields) = &plan else { unreachable!("a record's plan is a record") };
        let is_volatile = |i: usize| {
            record.fields[i].custom_attributes.get("talon.volatile") == Some(&Json::Bool(true))
        };
        let stable = (0..fields.len()).take_while(|i| !is_volatile(*i)).count();
        assert!(
            (stable..fields.len()).all(is_volatile),
            "`{full_name}`: volatile fields stand last"
        );
        let mut pii = Vec::new();
        collect_pii(&entity_json, &mut pii);
        Contract {
            stable: fields[..stable].to_vec(),
            pii,
            writer: GenericDatumWriter::builder(entity).build().expect("the schema resolves"),
            entity,
            envelope,
            plan,
            file,
            instants,
            other: OnceLock::new(),
        }
    }

    /// This contract with instants in that unit.
    pub fn with_instants(&'static self, instants: Instants) -> &'static Contract {
        if instants == self.instants {
            return self;
        }
        self.other.get_or_init(|| {
            let other = Contract::compile(self.file.clone(), instants);
            // It is new, so nobody has set that.
            other.other.set(self).ok();
            Box::leak(Box::new(other))
        })
    }

    /// The unit of instants.
    pub fn instants(&self) -> Instants {
        self.instants
    }

    /// Full name of the envelope's record, as in the header `talon-schema`.
    pub fn full_name(&self) -> &str {
        self.envelope.full_name()
    }

    /// The envelope's schema as registered: JSON text.
    pub fn text(&self) -> &str {
        self.envelope.text()
    }

    /// The envelope's schema.
    pub fn schema(&self) -> &'static Schema {
        self.envelope.schema()
    }

    /// CRC-64-AVRO of the envelope's canonical form, in the byte order of single-object encoding.
    pub fn fingerprint(&self) -> [u8; 8] {
        self.envelope.fingerprint()
    }

    /// Names of the fields that carry personal data, at any depth, each once.
    pub fn pii(&self) -> &[String] {
        &self.pii
    }

    /// Appends an entity's datum to `out`, its JSON texts in [canonical](crate::canonical) spelling, its
    /// instants as they are: codecs do so with a contract in microseconds. After an error `out` may hold a
    /// part of it.
    pub fn encode<T: Serialize>(&self, entity: &T, out: &mut Vec<u8>) -> Result<(), SchemaError> {
        let start = out.len();
        self.writer.write_ser(out, entity)?;
        if let Cow::Owned(canonical) = self.content(&out[start..])?.into_datum() {
            out.truncate(start);
            out.extend_from_slice(&canonical);
        }
        Ok(())
    }

    /// Puts an entity's datum with microseconds, as codecs make it, into this contract's unit.
    pub fn adopt(&self, entity: &mut Vec<u8>) -> Result<(), Malformed> {
        if self.instants != Instants::Micros {
            *entity = self.converted(entity)?;
        }
        Ok(())
    }

    /// An entity's datum with instants in the other unit, in this contract's.
    pub fn converted(&self, entity: &[u8]) -> Result<Vec<u8>, Malformed> {
        let (mut input, mut out) = (entity, Vec::with_capacity(entity.len() + 16));
        put(&self.plan, &mut input, &mut out, &|instant| self.instants.convert(instant))?;
        if input.is_empty() { Ok(out) } else { Err(Malformed) }
    }

    /// What counts of an entity's datum, whichever version wrote it: the datum with its JSON texts in
    /// [canonical](crate::canonical) spelling, borrowed where they have it already.
    pub fn content<'d>(&self, entity: &'d [u8]) -> Result<Content<'d>, Malformed> {
        content(&self.plan, self.stable.len(), entity)
    }

    /// How many leading bytes of an entity's datum count as its content: all but the volatile fields.
    pub fn stable_len(&self, entity: &[u8]) -> Result<usize, Malformed> {
        let mut input = entity;
        for field in &self.stable {
            field.skip(&mut input)?;
        }
        Ok(entity.len() - input.len())
    }

    /// Cuts an envelope's datum into its parts, without decoding them.
    pub fn cut<'a>(&self, datum: &'a [u8]) -> Result<Parts<'a>, Malformed> {
        Parts::cut(&self.plan, self.instants, datum)
    }

    /// An envelope's datum as JSON, for people. Slow: it goes through a generic value.
    pub fn to_json(&self, datum: &[u8]) -> Result<Json, SchemaError> {
        self.envelope.to_json(datum)
    }

    /// The datum of an envelope that [`Contract::to_json`] wrote. Slow, as that is.
    pub fn from_json(&self, json: &[u8]) -> Result<Vec<u8>, SchemaError> {
        self.envelope.from_json(json)
    }

    /// The entity's schema.
    pub fn entity_schema(&self) -> &'static Schema {
        self.entity
    }
}

impl AsRef<Message> for Contract {
    fn as_ref(&self) -> &Message {
        &self.envelope
    }
}

fn envelope_json(namespace: &str, entity: &Json) -> Json {
    let name = entity["name"].as_str().expect("a schema file has a name");
    let of = entity["namespace"].as_str().expect("a schema file has a namespace");
    json!({
        "type": "record", "name": "Envelope", "namespace": namespace,
        "doc": format!("A change of a {name}, in Debezium's envelope."),
        "fields": [
            {"name": "before", "type": ["null", entity], "default": null,
             "doc": "The value before; null where there was none, where before.image is none, and where it was written with a schema that Talon does not know."},
            {"name": "after", "type": ["null", format!("{of}.{name}")], "default": null,
             "doc": "The value now; null for a delete."},
            {"name": "source", "type": {
                "type": "record", "name": "Source", "namespace": "talon",
                "fields": [
                    {"name": "version", "type": "string", "doc": "Version of Talon."},
                    {"name": "connector", "type": "string", "doc": "Class of the connector."},
                    {"name": "name", "type": "string", "doc": "Name of the connector instance."},
                    {"name": "db", "type": "string", "default": "",
                     "doc": "The same as name, for software that was made for databases."},
                    {"name": "table", "type": "string", "default": "",
                     "doc": "The same as feed, for software that was made for databases."},
                    {"name": "feed", "type": "string"},
                    {"name": "scope", "type": "string",
                     "doc": "The part of the feed that was read; empty where it has only one."},
                    {"name": "ts_ms", "type": "long",
                     "doc": "Upstream time, milliseconds: of the change where the row tells it, else when it was read."},
                    {"name": "snapshot", "type": "string", "default": "false",
                     "doc": "true for events of the first read."},
                    {"name": "absent", "type": "boolean", "default": false,
                     "doc": "true where a delete was inferred from absence in a full list."}
                ]}},
            {"name": "op", "type": "string", "doc": "r first sight in a snapshot, c, u, d."},
            {"name": "ts_ms", "type": "long", "doc": "When Talon made the event, milliseconds."}
        ]
    })
}

/// Walks a schema's JSON for fields with `talon.pii`.
fn collect_pii(json: &Json, found: &mut Vec<String>) {
    match json {
        Json::Object(map) => {
            if map.get("talon.pii") == Some(&Json::Bool(true))
                && let Some(name) = map.get("name").and_then(Json::as_str)
                && !found.iter().any(|known| known == name)
            {
                found.push(name.to_owned());
            }
            map.values().for_each(|value| collect_pii(value, found));
        }
        Json::Array(items) => items.iter().for_each(|item| collect_pii(item, found)),
        _ => {}
    }
}
