//! What cannot be carried, in a stream of its own.
//!
//! Each has a subject of its own, of which it must be the first: so one that is put aside again, because its position
//! was not committed, is there once.

use async_nats::header::NATS_EXPECTED_LAST_SUBJECT_SEQUENCE;
use async_nats::jetstream::stream::Config;
use bytes::Bytes;
use talon_runtime::bus::BusFault;
use talon_runtime::relay::mapping::write_message;
use talon_runtime::relay::{Record, SinkSpec};

use super::super::place;
use super::owner::refused;
use super::wire::{MAX_HEADERS, Message, Wire, header_map};
use crate::streams::{create, info};
use crate::writer::{Answer, Limits};

/// What is left of a value that is too large, bytes.
const CUT_VALUE: usize = 64 * 1024;

/// Header with the size of the whole value, where it was cut.
const VALUE_BYTES: &str = "__talon.errors.value.bytes";

/// Longest reason, bytes.
const MAX_WHY: usize = 2_048;

/// The dead letters of a relay. Their stream is made when the first one comes.
pub(super) struct DeadLetters {
    wanted: Config,
    limits: Option<Limits>,
}

impl DeadLetters {
    pub(super) fn new(wanted: Config) -> DeadLetters {
        DeadLetters { wanted, limits: None }
    }

    /// Writes one, and waits until it is stored. Nothing else may be on its way.
    pub(super) fn write(
        &mut self,
        subject: String,
        record: &Record,
        (spec, why): (&SinkSpec, &str),
        wire: &mut Wire,
    ) -> Result<(), BusFault> {
        let limits = self.limits(wire)?;
        let message = draft(subject, record, spec, why, limits.bytes);
        let number = wire.ask(&message)?;
        match wire.answer_to(number)? {
            // It was put aside before.
            Answer::Stored(_) | Answer::Conflict(_) => Ok(()),
            answer => Err(refused(answer, wire)),
        }
    }

    fn limits(&mut self, wire: &Wire) -> Result<Limits, BusFault> {
        if let Some(limits) = self.limits {
            return Ok(limits);
        }
        let connection = &wire.connection;
        let config = wire.runtime.block_on(async {
            match info(connection, &self.wanted.name).await? {
                Some(found) => Ok(found.config),
                None => create(connection, &self.wanted).await,
            }
        })?;
        Ok(*self.limits.insert(Limits::of(connection.client.max_payload(), &config)))
    }
}

fn draft(subject: String, record: &Record, spec: &SinkSpec, why: &str, most: usize) -> Message {
    let why: String = why.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let end = (0..=MAX_WHY.min(why.len())).rev().find(|end| why.is_char_boundary(*end));
    let put = |message: &mut Message, name: &str, value: &str| {
        message.headers.insert(name, value.trim());
    };
    let with_reason = |headers, payload| {
        let mut message = Message { subject: subject.clone(), headers, payload };
        let task = spec.task.to_string();
        put(&mut message, "__connect.errors.connector.name", &spec.relay);
        put(&mut message, "__connect.errors.task.id", &task);
        put(&mut message, "__connect.errors.topic", &record.part.of);
        put(&mut message, "__connect.errors.partition", &record.part.number.to_string());
        put(&mut message, "__connect.errors.stage", "relay");
        put(&mut message, "__connect.errors.exception.message", &why[..end.unwrap_or(0)]);
        put(&mut message, place::FROM, &place::from(spec, &record.part, record.position));
        put(&mut message, NATS_EXPECTED_LAST_SUBJECT_SEQUENCE.as_ref(), "0");
        message
    };
    let written = write_message(record);
    let headers = header_map(&written.headers).unwrap_or_default();
    let whole = with_reason(headers, written.payload.clone());
    if whole.header_bytes() <= MAX_HEADERS && whole.bytes() <= most {
        return whole;
    }
    // Its headers may be what is too large: of them only the relay's own stay, if they are short.
    let bytes = written.payload.len();
    let is_own = |(name, value): &&(String, String)| {
        name.starts_with("Talon-Relay-") && value.len() <= MAX_WHY
    };
    let own: Vec<_> = written.headers.iter().filter(is_own).take(8).cloned().collect();
    let cut = written.payload.slice(..bytes.min(CUT_VALUE).min(most / 2));
    let mut message = with_reason(header_map(&own).unwrap_or_default(), cut);
    put(&mut message, VALUE_BYTES, &bytes.to_string());
    if message.bytes() > most {
        message.payload = Bytes::new();
    }
    message
}
