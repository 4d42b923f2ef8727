//! Converts the values of one task.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bytes::Bytes;
use talon_schemas::Writer;
use tokio::runtime::Handle;

use super::super::converted::{CONTENT_TYPE, Converted, Form};
use super::super::record::Record;
use crate::bus::BusFault;
use crate::service::registry::{RELAYED, Registry};

/// What single-object encoding begins with.
const SINGLE_OBJECT: [u8; 2] = [0xc3, 0x01];

/// For how long an id that the registry gave is believed.
const BELIEVED: Duration = Duration::from_secs(60);

/// How values are converted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Values {
    /// What they become.
    pub form: Form,
    /// Files with the schemas of values that do not come from a registry.
    pub schemas: Vec<PathBuf>,
}

/// Why a value is not converted.
#[derive(Debug)]
pub enum Unconverted {
    /// For a reason that lies in the record.
    Refused(String),
    /// The registry does not answer, or refuses the schema: it may be so again in a while.
    Held(BusFault),
}

/// Converts values. Used by one thread, which may block.
pub struct Converter {
    form: Form,
    registry: Registry,
    runtime: Handle,
    /// Of the files.
    schemas: Vec<&'static Writer>,
    /// Ids of schemas that were registered, by topic and fingerprint.
    registered: HashMap<(String, [u8; 8]), (u32, Instant)>,
}

/// A value whose schema is known.
struct Known {
    writer: &'static Writer,
    /// Under which the registry has the schema.
    id: Option<u32>,
    datum: Bytes,
}

impl Converter {
    /// Reads the files with schemas; asks nothing yet. Must be called inside a Tokio runtime.
    ///
    /// # Errors
    /// [`BusFault::Misconfigured`] where a file cannot be used, or there is no registry.
    pub fn open(values: &Values, registry: Option<&Registry>) -> Result<Converter, BusFault> {
        let lacks = || {
            BusFault::Misconfigured(
                "a relay that converts values needs `schema.registry.url`".to_owned(),
            )
        };
        Ok(Converter {
            form: values.form,
            registry: registry.ok_or_else(lacks)?.clone(),
            runtime: Handle::current(),
            schemas: values.schemas.iter().map(|path| schema(path)).collect::<Result<_, _>>()?,
            registered: HashMap::new(),
        })
    }

    /// The record with its value in the other form; `topic` is where it goes. A tombstone stays one.
    ///
    /// Asks the registry for an id or schema that it does not know, and waits for the answer.
    ///
    /// # Errors
    /// Why it is not converted; the record is as it was.
    pub fn convert(&mut self, record: &Record, topic: &str) -> Result<Record, Unconverted> {
        let mut record = record.clone();
        let Some(value) = record.value.take() else { return Ok(record) };
        if self.form == form_of(&value) {
            let is_json = || serde_json::from_slice::<serde::de::IgnoredAny>(&value).is_ok();
            if self.form == Form::Json && !is_json() {
                return refused("its value has no form of Avro, and is no JSON");
            }
            record.value = Some(value);
            return Ok(record);
        }
        let known = self.known(value, record.converted)?;
        record.value = Some(self.written(&known, topic)?);
        if self.form == Form::Confluent {
            // What came through a relay has the headers that it had; any other says what it was.
            if record.converted.take().is_none() {
                record.headers.retain(|header| !header.name.eq_ignore_ascii_case(CONTENT_TYPE));
            }
        } else {
            record.converted = Some(Converted { form: self.form, schema: known.id });
        }
        Ok(record)
    }

    /// The schema of a value, and its datum.
    fn known(&self, value: Bytes, converted: Option<Converted>) -> Result<Known, Unconverted> {
        let was = converted.and_then(|converted| converted.schema);
        match &value[..] {
            [0, a, b, c, d, ..] => {
                let id = u32::from_be_bytes([*a, *b, *c, *d]);
                match self.by_id(id)? {
                    Some(writer) => Ok(Known { writer, id: Some(id), datum: value.slice(5..) }),
                    None => refused(&format!("the registry has no Avro schema of the id {id}")),
                }
            }
            [0xc3, 0x01, rest @ ..] if rest.len() >= 8 => {
                let is_it = |writer: &&Writer| writer.fingerprint() == rest[..8];
                let datum = value.slice(10..);
                if let Some(id) = was
                    && let Some(writer) = self.by_id(id)?.filter(|writer| is_it(writer))
                {
                    return Ok(Known { writer, id: Some(id), datum });
                }
                match self.schemas.iter().find(|writer| is_it(writer)) {
                    Some(writer) => Ok(Known { writer, id: None, datum }),
                    None => refused(&format!(
                        "no schema of the fingerprint {} is known; name its file in `value.schemas`",
                        fingerprint(&rest[..8])
                    )),
                }
            }
            _ => {
                let of_id = was.map(|id| Ok((Some(id), self.by_id(id)?))).transpose()?;
                let (id, writer) = match (of_id, self.schemas.as_slice()) {
                    (Some((id, Some(writer))), _) => (id, writer),
                    (_, [writer]) => (None, *writer),
                    (_, []) => {
                        return refused(
                            "its value has no form of Avro; if it is JSON, name the file with its schema in `value.schemas`",
                        );
                    }
                    (_, _) => {
                        return refused(
                            "its value has no form of Avro; JSON does not say which of the schemas in `value.schemas` is its own",
                        );
                    }
                };
                let datum = writer.from_json(&value).map_err(|error| {
                    let name = writer.full_name();
                    Unconverted::Refused(format!("its value as JSON of `{name}`: {error}"))
                })?;
                Ok(Known { writer, id, datum: datum.into() })
            }
        }
    }

    /// A value in the form that is wanted.
    fn written(&mut self, known: &Known, topic: &str) -> Result<Bytes, Unconverted> {
        let Known { writer, datum, .. } = known;
        match self.form {
            Form::Json => match writer.to_json(datum) {
                Ok(json) => Ok(json.into()),
                Err(error) => {
                    let name = writer.full_name();
                    refused(&format!("its value as JSON of `{name}`: {error}"))
                }
            },
            Form::SingleObject => {
                Ok([&SINGLE_OBJECT[..], &writer.fingerprint(), datum].concat().into())
            }
            Form::Confluent => {
                let id = match known.id {
                    Some(id) => id,
                    None => self.register(topic, writer)?,
                };
                Ok([&[0], &id.to_be_bytes()[..], datum].concat().into())
            }
        }
    }

    fn by_id(&self, id: u32) -> Result<Option<&'static Writer>, Unconverted> {
        if let Some(known) = self.registry.remembered(id, RELAYED) {
            return Ok(known);
        }
        self.runtime.block_on(self.registry.by_id(id, RELAYED)).map_err(Unconverted::Held)
    }

    fn register(&mut self, topic: &str, writer: &'static Writer) -> Result<u32, Unconverted> {
        let key = (topic.to_owned(), writer.fingerprint());
        if let Some((id, since)) = self.registered.get(&key)
            && since.elapsed() < BELIEVED
        {
            return Ok(*id);
        }
        let asked = self.runtime.block_on(self.registry.register_other(topic, writer));
        let id = asked.map_err(Unconverted::Held)?;
        self.registered.insert(key, (id, Instant::now()));
        Ok(id)
    }
}

/// The form that a value has; what has none of Avro counts as JSON.
fn form_of(value: &[u8]) -> Form {
    match value {
        [0, _, _, _, _, ..] => Form::Confluent,
        [0xc3, 0x01, rest @ ..] if rest.len() >= 8 => Form::SingleObject,
        _ => Form::Json,
    }
}

fn schema(path: &Path) -> Result<&'static Writer, BusFault> {
    let unusable = |why: &str| {
        let path = path.display();
        BusFault::Misconfigured(format!("the file `{path}` of `value.schemas` {why}"))
    };
    let text = std::fs::read_to_string(path)
        .map_err(|error| unusable(&format!("cannot be read: {error}")))?;
    Writer::parse(&text).ok_or_else(|| unusable("is no Avro schema"))
}

fn refused<T>(why: &str) -> Result<T, Unconverted> {
    Err(Unconverted::Refused(why.to_owned()))
}

fn fingerprint(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
