//! An entry as a message.

use async_nats::HeaderMap;
use async_nats::header::{NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, NATS_MESSAGE_ID};
use async_nats::jetstream::message::StreamMessage;
use bytes::Bytes;
use talon_runtime::bus::{BusFault, Record};

use super::bucket::OpenBucket;
use crate::names::{self, MAX_TOKEN};
use crate::writer::Limits;

/// The header by which a bucket knows that a key was removed.
const OPERATION: &str = "KV-Operation";

/// The header of a marker that the server wrote, because an entry has ended.
const MARKER: &str = "Nats-Marker-Reason";

/// What a key is in the bucket; the empty one is `=`, which is no escape.
fn bucket_key(key: &str) -> String {
    if key.is_empty() { "=".to_owned() } else { names::bucket_key(key) }
}

/// The key of a subject; none where it is of nobody.
pub(super) fn key_of(bucket: &str, subject: &str) -> Option<String> {
    let key = subject.strip_prefix("$KV.")?.strip_prefix(bucket)?.strip_prefix('.')?;
    if key == "=" { Some(String::new()) } else { names::checkpoint_key(key) }
}

/// The subject of a key inside of the stream.
pub(super) fn subject(bucket: &OpenBucket, key: &str) -> Result<String, BusFault> {
    let key = bucket_key(key);
    if key.len() > MAX_TOKEN {
        return Err(BusFault::TooLarge(format!(
            "NATS: the key is longer than {MAX_TOKEN} bytes as a subject"
        )));
    }
    Ok(format!("$KV.{}.{key}", bucket.name))
}

/// What stands under a key after this message.
pub(super) fn record(sequence: u64, headers: Option<&HeaderMap>, payload: &Bytes) -> Record {
    let has = |name: &str| headers.is_some_and(|headers| headers.get(name).is_some());
    let is_put = headers
        .and_then(|headers| headers.get(OPERATION))
        .is_none_or(|operation| operation.as_str() == "PUT");
    let value = (is_put && !has(MARKER)).then(|| payload.clone());
    Record { revision: sequence, value }
}

/// The id of the write, and the sequence that it expected.
pub(super) fn write_of(message: &StreamMessage) -> (Option<&str>, Option<u64>) {
    let text = |name| Some(message.headers.get(name)?.as_str());
    let expected = text(NATS_EXPECTED_LAST_SUBJECT_SEQUENCE.as_ref());
    (text(NATS_MESSAGE_ID.as_ref()), expected.and_then(|expected| expected.parse().ok()))
}

/// The headers of a write, without what it expects.
pub(super) fn headers(id: &str, value: Option<&[u8]>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(NATS_MESSAGE_ID, id);
    if value.is_none() {
        headers.insert(OPERATION, "DEL");
    }
    headers
}

/// Refuses what the bucket does not take.
pub(super) fn fits(bucket: &OpenBucket, value: Option<&[u8]>) -> Result<(), BusFault> {
    /// More than the headers of a write take.
    const HEADERS: usize = 512;
    let most = Limits::of(bucket.connection.client.max_payload(), &bucket.below).bytes;
    let size = value.map_or(0, <[u8]>::len) + HEADERS;
    if size > most {
        return Err(BusFault::TooLarge(format!(
            "NATS: an entry of {size} bytes is too large for the bucket `{}`, which takes {most} (`max_payload` of the server, `max_msg_size` of the stream)",
            bucket.name
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_comes_back_from_its_subject_and_what_is_no_key_is_nobodys() {
        for key in ["connector-a", "", "a.b", "=", "тикет №7", "*", "a/b"] {
            let subject = format!("$KV.talon_configs.{}", bucket_key(key));
            assert_eq!(key_of("talon_configs", &subject).as_deref(), Some(key));
        }
        for subject in ["$KV.talon_configs.a.b", "$KV.talon_configs.", "$KV.other.a", "a"] {
            assert!(key_of("talon_configs", subject).is_none_or(|key| bucket_key(&key) != "a"));
        }
    }

    #[test]
    fn removals_of_every_kind_are_no_entries() {
        let payload = Bytes::from_static(b"1");
        let headers = |name: &'static str, value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, value);
            headers
        };
        for (headers, is_entry) in [
            (None, true),
            (Some(headers(OPERATION, "PUT")), true),
            (Some(headers(OPERATION, "DEL")), false),
            (Some(headers(OPERATION, "PURGE")), false),
            (Some(headers(MARKER, "MaxAge")), false),
        ] {
            assert_eq!(record(1, headers.as_ref(), &payload).value.is_some(), is_entry);
        }
    }
}
