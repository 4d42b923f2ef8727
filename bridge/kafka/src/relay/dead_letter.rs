//! What of a record that could not be carried goes to the dead letters.

use bytes::Bytes;
use talon_runtime::relay::{Header, Key, Record, SinkSpec};

/// What is left of one that is too large as a whole, bytes.
const CUT_VALUE: usize = 64 * 1024;
const CUT_KEY: usize = 1024;

/// Header with the size of the whole value, where it was cut.
const VALUE_BYTES: &str = "__talon.errors.value.bytes";

/// The record with where it stood and why it is here.
pub(super) fn whole(record: &Record, spec: &SinkSpec, why: &str) -> Record {
    let mut letter = record.clone();
    // When it was put here: the topic keeps by age, and the record may be old.
    letter.timestamp_ms = None;
    let at = record.position.next.saturating_sub(1);
    letter.headers.extend(
        [
            ("topic", record.part.of.to_string()),
            ("partition", record.part.number.to_string()),
            ("offset", at.to_string()),
            ("connector.name", spec.relay.clone()),
            ("task.id", spec.task.to_string()),
            ("stage", "RELAY".to_owned()),
            ("exception.message", why.to_owned()),
        ]
        .map(|(name, value)| header(&format!("__connect.errors.{name}"), value)),
    );
    letter
}

/// What is left of one that is too large, of which the first `own` headers are the record's: any of its parts may
/// be what is too large.
pub(super) fn cut(letter: &Record, own: usize) -> Record {
    let mut cut = letter.clone();
    cut.headers.drain(..own);
    if let Some(value) = &letter.value {
        cut.value = Some(value.slice(..value.len().min(CUT_VALUE)));
        cut.headers.push(header(VALUE_BYTES, value.len().to_string()));
    }
    if let Key::Bytes(key) = &letter.key {
        cut.key = Key::Bytes(key.slice(..key.len().min(CUT_KEY)));
    }
    cut
}

fn header(name: &str, value: String) -> Header {
    Header { name: name.to_owned(), value: Some(Bytes::from(value)) }
}
