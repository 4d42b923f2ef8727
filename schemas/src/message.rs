//! One kind of message: its schema, and how it is read and written.
//!
//! # Messages of another schema
//!
//! A topic holds what earlier versions wrote, for as long as it keeps it. Which schema a message has is
//! known for sure where its fingerprint stands in it (single-object encoding) and that version's schema
//! is shipped, or where the registry knows its id ([`Message::upgrade`]).
//!
//! It is not known where the registry does not have the id, or has another schema under it, because it
//! was lost and counts anew, or where there is no registry any more. Then the datum is held against
//! every schema that Talon has ever released for this message ([`Message::recognise`]). Avro data say
//! nothing of themselves, so this could be wrong in two ways, and each has its guard:
//!
//! * Bytes of a foreign schema pass for one of ours. All of the datum must be used up, every text must
//!   be UTF-8, every branch one that there is; and the caller looks for what it knows must stand in it
//!   (the connector and the feed in an event, the command's id in a result). Both together do not
//!   happen by chance.
//! * Two of our versions fit the same bytes, such as two that have swapped fields of the same type. Then
//!   nothing is read, unless both give the same.
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::writer::datum::GenericDatumWriter;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use crate::datum::Malformed;
use crate::error::SchemaError;
use crate::instants::name_for_connect;
use crate::json::Unknown;
use crate::released;
use crate::writer::Writer;

/// The schema of the messages of a topic.
///
/// Made once and kept for the life of the process: the schema is leaked, which lets readers and
/// writers borrow it.
pub struct Message {
    today: &'static Writer,
    text: String,
    writer: GenericDatumWriter<'static>,
    reader: GenericDatumReader<'static>,
    /// Beside those that are shipped.
    given: Vec<&'static Writer>,
    /// Compiled when the first message of another schema is met, which most processes never do.
    earlier: OnceLock<Vec<&'static Writer>>,
    /// By the address of the schema written with: to compile the pair takes longer than to read.
    upgrades: Mutex<HashMap<usize, Upgrade>>,
}

type Upgrade = Arc<GenericDatumReader<'static>>;

impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Message").field("full_name", &self.full_name()).finish_non_exhaustive()
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
        Message::with_earlier(json, &[])
    }

    /// As [`Message::of`], with the texts of earlier schemas beside those that are shipped: a test plays
    /// the version after the next one.
    ///
    /// # Panics
    /// As [`Message::of`], for all of them.
    pub fn with_earlier(mut json: Json, earlier: &[&str]) -> Message {
        name_for_connect(&mut json);
        let today = Writer::of(&json).expect("a message is a record");
        let schema = today.schema();
        assert!(matches!(schema, Schema::Record(_)), "a message is a record");
        let given = earlier.iter().map(|text| Writer::parse(text).expect("a message is a record"));
        Message {
            today,
            text: json.to_string(),
            writer: GenericDatumWriter::builder(schema).build().expect("the schema resolves"),
            reader: GenericDatumReader::builder(schema).build().expect("the schema resolves"),
            given: given.collect(),
            earlier: OnceLock::new(),
            upgrades: Mutex::default(),
        }
    }

    /// Full name of the record.
    pub fn full_name(&self) -> &str {
        self.today.full_name()
    }

    /// The schema as registered: JSON text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The schema.
    pub fn schema(&self) -> &'static Schema {
        self.today.schema()
    }

    /// Whether a schema is one of this message, in whatever version. The record of an event had another
    /// name once; its entity has not.
    pub fn is_written_by(&self, writer: &Writer) -> bool {
        let Message { today, .. } = self;
        today.about() == writer.about() && today.instants() == writer.instants()
    }

    /// CRC-64-AVRO of the canonical form, in the byte order of single-object encoding.
    pub fn fingerprint(&self) -> [u8; 8] {
        self.today.fingerprint()
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

    /// A datum as JSON, for people. Slow.
    pub fn to_json(&self, datum: &[u8]) -> Result<Json, SchemaError> {
        serde_json::from_str(&self.today.to_json(datum)?).map_err(|_| SchemaError::Json)
    }

    /// The datum that [`Message::to_json`] wrote, also that of an earlier version. Slow, as that is.
    pub fn from_json(&self, json: &[u8]) -> Result<Vec<u8>, SchemaError> {
        self.today.read_json(Unknown::LeftOut, json)
    }

    /// The schema of an earlier version, by its fingerprint.
    pub fn earlier(&self, fingerprint: [u8; 8]) -> Option<&'static Writer> {
        self.all_earlier().iter().copied().find(|earlier| earlier.fingerprint() == fingerprint)
    }

    /// A datum that was written with another schema, in this one. Slow.
    ///
    /// # Errors
    /// Where `datum` is not exactly one record of that schema, or that schema cannot be read as this one.
    pub fn upgrade(&self, writer: &'static Writer, datum: &[u8]) -> Result<Vec<u8>, SchemaError> {
        if writer.fits(datum) == Some(false) {
            return Err(Malformed.into());
        }
        let mut rest = datum;
        let value = self.reader_of(writer)?.read_value(&mut rest)?;
        if !rest.is_empty() {
            return Err(Malformed.into());
        }
        Ok(self.writer.write_value_to_vec(value)?)
    }

    /// A datum of which nothing says with what schema it was written, in this one. `is_ours` is asked of
    /// the datum in this schema whether it holds what the caller knows must stand in it.
    ///
    /// `None` where no version that is known wrote it, or it cannot be told which; the reasons are at
    /// the head of this file.
    pub fn recognise(&self, datum: &[u8], is_ours: impl Fn(&[u8]) -> bool) -> Option<Vec<u8>> {
        let today = (self.today.fits(datum) == Some(true)).then(|| datum.to_vec());
        let earlier = self.all_earlier().iter().copied();
        let earlier = earlier
            .filter(|earlier| earlier.fits(datum) == Some(true))
            .filter_map(|earlier| self.upgrade(earlier, datum).ok());
        let mut found = today.into_iter().chain(earlier).filter(|datum| is_ours(datum));
        let first = found.next()?;
        found.all(|other| other == first).then_some(first)
    }

    /// The schema as one that messages were written with.
    pub(crate) fn writer(&self) -> &'static Writer {
        self.today
    }

    /// Those of earlier versions that differ from this one and from one another.
    fn all_earlier(&self) -> &[&'static Writer] {
        self.earlier.get_or_init(|| {
            let mut all: Vec<&'static Writer> = Vec::new();
            let released = released::of(self.today.about(), self.today.instants());
            for earlier in self.given.iter().copied().chain(released) {
                let is_known = |known: &&Writer| known.fingerprint() == earlier.fingerprint();
                if !is_known(&self.today) && !all.iter().any(is_known) {
                    all.push(earlier);
                }
            }
            all
        })
    }

    fn reader_of(&self, writer: &'static Writer) -> Result<Upgrade, SchemaError> {
        let key = std::ptr::from_ref(writer).addr();
        let mut upgrades = self.upgrades.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = upgrades.get(&key) {
            return Ok(known.clone());
        }
        let reader = GenericDatumReader::builder(writer.schema()).reader_schema(self.schema());
        let reader = Arc::new(reader.build()?);
        upgrades.insert(key, reader.clone());
        Ok(reader)
    }
}

pub(crate) fn leak(schema: Schema) -> &'static Schema {
    Box::leak(Box::new(schema))
}
