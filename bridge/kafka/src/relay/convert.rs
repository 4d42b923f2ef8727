//! A record of the client as one of a relay, and back.

use std::sync::Arc;

use bytes::Bytes;
use rdkafka::message::{self, BorrowedMessage, Headers, Message, OwnedHeaders};
use talon_runtime::relay::{
    CONTENT_TYPE, Converted, Header, Hops, Key, Origin, Part, Position, Record,
};

/// The header in which a record says which buses it has passed.
const HOPS: &str = "talon-relay-hops";

/// A record that was read.
pub(super) fn record(message: &BorrowedMessage<'_>, part: &Part) -> Record {
    let bytes = |bytes: &[u8]| Bytes::copy_from_slice(bytes);
    let (mut headers, mut hops) = (Vec::new(), Hops::default());
    for header in message.headers().into_iter().flat_map(|headers| headers.iter()) {
        match (header.key, header.value.map(std::str::from_utf8)) {
            (HOPS, Some(Ok(text))) => hops = Hops::parse(text),
            (name, _) => {
                headers.push(Header { name: name.to_owned(), value: header.value.map(bytes) })
            }
        }
    }
    let offset = message.offset();
    Record {
        part: part.clone(),
        position: Position { next: u64::try_from(offset + 1).unwrap_or_default(), of: 0 },
        origin: Some(Origin { topic: Arc::clone(&part.of), partition: part.number, offset }),
        subject: None,
        key: message.key().map_or(Key::Null, |key| Key::Bytes(bytes(key))),
        headers,
        value: message.payload().map(bytes),
        timestamp_ms: message.timestamp().to_millis(),
        hops,
        converted: None,
    }
}

/// The headers of a record to be sent, and their bytes.
pub(super) fn headers(record: &Record) -> (Option<OwnedHeaders>, usize) {
    let hops = record.hops.text();
    let content_type = record.converted.map(Converted::content_type);
    let count = record.headers.len() + 2;
    if record.headers.is_empty() && hops.is_empty() && content_type.is_none() {
        return (None, 0);
    }
    let (mut all, mut bytes) = (OwnedHeaders::new_with_capacity(count), 0);
    // What a value is that was converted stands in its place.
    let stays = |header: &&Header| {
        content_type.is_none() || !header.name.eq_ignore_ascii_case(CONTENT_TYPE)
    };
    let own = record.headers.iter().filter(stays);
    let own = own.map(|header| (header.name.as_str(), header.value.as_deref()));
    let now = content_type.map(|kind| (CONTENT_TYPE, Some(kind.as_bytes())));
    let passed = (!hops.is_empty()).then_some((HOPS, Some(hops.as_bytes())));
    for (key, value) in own.chain(now).chain(passed) {
        bytes += key.len() + value.map_or(0, <[u8]>::len) + 12;
        all = all.insert(message::Header { key, value });
    }
    (Some(all), bytes)
}
