//! From an append to a record on NATS: subject, headers, limits.

use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::header::{
    HeaderName, HeaderValue, NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, NATS_MESSAGE_ID, NATS_MESSAGE_TTL,
};
use async_nats::jetstream::stream::Config;
use bytes::Bytes;
use talon_runtime::bus::{Append, BusFault};
use talon_runtime::diff::EventId;
use talon_sdk::Kind;
use xxhash_rust::xxh3::xxh3_128;

use super::record::{Life, Record, Target};
use super::sequences::Sequences;
use crate::names::{self, MAX_TOKEN};

/// A marker lives so many times as long as the past of its entity, which is purged before it ends.
const MARKER_LIVES: u32 = 2;

/// Longest header value, bytes; what is longer is cut.
const MAX_HEADER: usize = 4_096;

/// What a stream takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Bytes of headers and value together.
    pub(crate) bytes: usize,
    /// Whether records can have an end.
    pub(crate) ttl: bool,
}

impl Limits {
    pub(crate) fn of(max_payload: usize, stream: &Config) -> Limits {
        let of_stream = usize::try_from(stream.max_message_size).unwrap_or(0);
        let bytes = if of_stream == 0 { max_payload } else { of_stream.min(max_payload) };
        Limits { bytes, ttl: stream.allow_message_ttl }
    }
}

/// An append, from which a record is made.
pub(crate) struct Draft<'a> {
    pub(crate) append: &'a Append<'a>,
    pub(crate) limits: &'a Limits,
}

impl Draft<'_> {
    /// For a feed whose subjects begin so. It expects nothing where no sequences are kept.
    pub(crate) fn feed(
        &self,
        beginning: &str,
        kind: Kind,
        keep: Duration,
        sequences: Option<&Sequences>,
    ) -> Result<Record, BusFault> {
        let Append { key, value, .. } = self.append;
        let mut subject = String::with_capacity(beginning.len() + key.len() + 8);
        subject.push_str(beginning);
        names::push_token(key, &mut subject);
        if subject.len() - beginning.len() > MAX_TOKEN {
            return Err(BusFault::TooLarge(format!(
                "NATS: the key is longer than {MAX_TOKEN} bytes as a subject"
            )));
        }
        let mut headers = self.headers();
        if let Some(id) = self.append.headers.iter().find(|(name, _)| *name == "talon-event-id") {
            let id = String::from_utf8_lossy(id.1);
            let marker = if value.is_none() { "-marker" } else { "" };
            headers.insert(NATS_MESSAGE_ID, text(&format!("{id}{marker}")));
        }
        // A marker ends, and so does a fact. An entity's state does not.
        let (life, lives) = match (value, kind) {
            (None, _) => (Life::For(keep), Some(keep * MARKER_LIVES)),
            (Some(_), Kind::Log) => (Life::Passing, Some(keep)),
            (Some(_), Kind::Table) => (Life::Lasting, None),
        };
        if let Some(lives) = lives.filter(|_| self.limits.ttl) {
            headers.insert(NATS_MESSAGE_TTL, lives.as_secs().max(1).to_string());
        }
        let target = match sequences {
            Some(sequences) => {
                Target::Owned { subject: sequences.subject(&subject), expected: 0, life }
            }
            None => Target::Free,
        };
        self.record(target, subject, headers)
    }

    /// For a lane: named by its id.
    pub(crate) fn named(
        &self,
        subject: String,
        id: &str,
        target: Target,
    ) -> Result<Record, BusFault> {
        let mut headers = self.headers();
        headers.insert(NATS_MESSAGE_ID, text(id));
        self.record(target, subject, headers)
    }

    /// For the dead letters. All are on one subject, so the key is in a header, as a subject token.
    pub(crate) fn dead_letter(&self, subject: &str) -> Result<Record, BusFault> {
        let mut headers = self.headers();
        let key = names::token(self.append.key);
        let value = self.append.value.unwrap_or_default();
        // One that is put aside again after a conflict is stored once.
        let mut content = key.clone().into_bytes();
        for (name, value) in self.append.headers {
            content.extend_from_slice(name.as_bytes());
            content.extend_from_slice(value);
        }
        content.extend_from_slice(value);
        let id = EventId::of(xxh3_128(&content)).text();
        headers.insert(NATS_MESSAGE_ID, text(&String::from_utf8_lossy(&id)));
        headers.insert("talon-key", text(&key));
        self.record(Target::Free, subject.to_owned(), headers)
    }

    /// For a checkpoint, whose last revision must be this.
    pub(crate) fn checkpoint(
        &self,
        subject: String,
        revision: Option<u64>,
    ) -> Result<Record, BusFault> {
        let key = self.append.key;
        let mut headers = HeaderMap::new();
        if let Some(revision) = revision {
            // So that one that is published again after a lost connection is no conflict.
            let content = xxh3_128(self.append.value.unwrap_or_default()) as u64;
            headers.insert(NATS_MESSAGE_ID, text(&format!("{key}-{revision}-{content:016x}")));
            headers.insert(NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, revision.to_string());
        }
        let target = Target::Checkpoint { key: key.to_owned(), expected: revision };
        self.record(target, subject, headers)
    }

    fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in self.append.headers {
            let Ok(name) = name.parse::<HeaderName>() else { continue };
            headers.insert(name, text(&String::from_utf8_lossy(value)));
        }
        headers
    }

    fn record(
        &self,
        target: Target,
        subject: String,
        headers: HeaderMap,
    ) -> Result<Record, BusFault> {
        let value = self.append.value.unwrap_or_default();
        // As on the wire, with room for the expected sequence and a longer id.
        let head: usize = headers
            .iter()
            .flat_map(|(name, values)| {
                let name: &str = name.as_ref();
                values.iter().map(move |value| name.len() + value.as_str().len() + 4)
            })
            .sum::<usize>()
            + 120;
        if head + value.len() > self.limits.bytes {
            return Err(BusFault::TooLarge(format!(
                "NATS: {} bytes are more than the server takes ({})",
                head + value.len(),
                self.limits.bytes
            )));
        }
        let payload = Bytes::copy_from_slice(value);
        Ok(Record { target, subject: subject.into(), headers, payload })
    }
}

/// A header's value: a line feed would end it.
fn text(value: &str) -> HeaderValue {
    let mut end = value.len().min(MAX_HEADER);
    while !value.is_char_boundary(end) {
        end -= 1;
    }
    let value: String =
        value[..end].chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    value.parse().unwrap_or_default()
}
