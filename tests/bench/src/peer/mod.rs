//! What one would write by hand for exactly this task: parse, encode, produce, and nothing else.
//!
//! It compares nothing, keeps nothing of what it does not know, and reads a list in one pass without
//! looking for its rows first. Its records are bare, or the same as Talon's.

mod dto;
mod entity;

use std::collections::HashMap;
use std::fmt::Write;

use anyhow::Context;
use apache_avro::writer::datum::GenericDatumWriter;
use serde::Serialize;
use serde::de::{DeserializeSeed, Deserializer, SeqAccess, Visitor};
use talon_contractor::contracts::CALL;
use talon_schemas::{Envelope, Op, Source as OwnSource};

use entity::Call;

/// The envelope as its schema has it.
#[derive(Serialize)]
struct Change<'a> {
    before: Option<Call<'a>>,
    after: Option<Call<'a>>,
    source: Source<'a>,
    op: &'a str,
    ts_ms: i64,
}

#[derive(Serialize)]
struct Source<'a> {
    version: &'a str,
    connector: &'a str,
    name: &'a str,
    db: &'a str,
    table: &'a str,
    feed: &'a str,
    scope: &'a str,
    ts_ms: i64,
    snapshot: &'a str,
    absent: bool,
}

/// What it writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Records {
    /// The value now, under its key.
    Bare,
    /// What Talon writes, byte for byte as many: with two headers.
    Headers,
    /// That, with the previous value, which has to be kept.
    HeadersAndBefore,
}

impl Records {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Records::Bare => "bare",
            Records::Headers | Records::HeadersAndBefore => "same",
        }
    }
}

/// Parses and encodes calls one after another.
pub(crate) struct Peer {
    writer: GenericDatumWriter<'static>,
    entities: GenericDatumWriter<'static>,
    /// The values last written, where the previous one is wanted.
    known: Option<HashMap<i64, Vec<u8>>>,
    value: Vec<u8>,
    prefix: [u8; 10],
    now_ms: i64,
    key: String,
    record: Vec<u8>,
}

impl Peer {
    pub(crate) fn new(records: Records) -> anyhow::Result<Peer> {
        let mut prefix = [0xc3, 0x01, 0, 0, 0, 0, 0, 0, 0, 0];
        prefix[2..].copy_from_slice(&CALL.fingerprint());
        Ok(Peer {
            writer: GenericDatumWriter::builder(CALL.schema()).build()?,
            entities: GenericDatumWriter::builder(CALL.entity_schema()).build()?,
            known: (records == Records::HeadersAndBefore).then(HashMap::new),
            value: Vec::new(),
            prefix,
            now_ms: 1_790_000_000_000,
            key: String::new(),
            record: Vec::new(),
        })
    }

    /// Hands key and record of each call in the list to `produce`.
    pub(crate) fn run(
        &mut self,
        list: &[u8],
        produce: impl FnMut(&str, &[u8]) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let mut failed = Ok(());
        let mut json = serde_json::Deserializer::from_slice(list);
        let parsed = json.deserialize_seq(List { peer: self, produce, failed: &mut failed });
        failed.context("producing")?;
        Ok(parsed?)
    }

    fn encode(&mut self, call: dto::Call<'_>) -> anyhow::Result<()> {
        self.key.clear();
        write!(self.key, "{}", call.id)?;
        self.record.clear();
        self.record.extend_from_slice(&self.prefix);
        if self.known.is_some() {
            return self.encode_with_before(call);
        }
        let change = Change {
            before: None,
            after: Some(call.into()),
            source: Source {
                version: "0.1.0",
                connector: "contractor",
                name: "bench",
                db: "bench",
                table: "call",
                feed: "call",
                scope: "",
                ts_ms: self.now_ms,
                snapshot: "false",
                absent: false,
            },
            op: "u",
            ts_ms: self.now_ms,
        };
        self.writer.write_ser(&mut self.record, &change)?;
        Ok(())
    }
}

impl Peer {
    fn encode_with_before(&mut self, call: dto::Call<'_>) -> anyhow::Result<()> {
        let id = call.id;
        self.value.clear();
        self.entities.write_ser(&mut self.value, &Call::from(call))?;
        let known = self.known.get_or_insert_default().entry(id).or_default();
        Envelope {
            before: Some(known.as_slice()).filter(|before| !before.is_empty()),
            after: Some(&self.value),
            source: OwnSource {
                version: "0.1.0",
                connector: "contractor",
                name: "bench",
                feed: "call",
                scope: "",
                ts_ms: self.now_ms,
                snapshot: false,
                absent: false,
                instants: talon_schemas::Instants::Micros,
            },
            op: Op::Update,
            ts_ms: self.now_ms,
        }
        .encode(&mut self.record);
        known.clone_from(&self.value);
        Ok(())
    }
}

/// A list whose calls are dealt with as they are read.
struct List<'p, F> {
    peer: &'p mut Peer,
    produce: F,
    failed: &'p mut anyhow::Result<()>,
}

impl<'de, F: FnMut(&str, &[u8]) -> anyhow::Result<()>> Visitor<'de> for List<'_, F> {
    type Value = ();

    fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("a list of calls")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        while let Some(call) = list.next_element_seed(OneCall)? {
            let done = self.peer.encode(call);
            let done = done.and_then(|()| (self.produce)(&self.peer.key, &self.peer.record));
            if done.is_err() {
                *self.failed = done;
                break;
            }
        }
        Ok(())
    }
}

struct OneCall;

impl<'de> DeserializeSeed<'de> for OneCall {
    type Value = dto::Call<'de>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        serde::Deserialize::deserialize(json)
    }
}
