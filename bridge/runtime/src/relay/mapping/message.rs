//! A record as a message of NATS, and back.

use std::collections::HashMap;

use bytes::Bytes;

use super::super::converted::{CONTENT_TYPE, Converted};
use super::super::hops::Hops;
use super::super::record::{Header, Key, Origin, Part, Position, Record};
use super::header_list::{self, Carried};
use crate::bus::escape;

const ORIGIN: &str = "Talon-Relay-Origin";
const KEY: &str = "Talon-Relay-Key";
const TIME: &str = "Talon-Relay-Time";
const TOMBSTONE: &str = "Talon-Relay-Tombstone";
const HEADERS: &str = "Talon-Relay-Headers";
const HOPS: &str = "Talon-Relay-Hops";
const VALUE: &str = "Talon-Relay-Value";

/// What stands before the name of a header that would act on the other side.
const CARRIED: &str = "Talon-Relay-Carried-";

/// All headers of a relay itself begin so.
const OURS: &str = "talon-relay-";

/// What a server or client put on a message for its own use: of no meaning behind the stream.
const TRANSPORT: &[&str] = &["nats-expected-", "nats-batch-", "nats-required-api-level"];

/// A message to be published. Names and values are such as NATS takes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Message {
    /// Headers; a name may come several times.
    pub headers: Vec<(String, String)>,
    /// Payload.
    pub payload: Bytes,
}

/// A message as it stands in a stream.
#[derive(Debug, Clone)]
pub struct Stored {
    /// Its part: the stream.
    pub part: Part,
    /// Behind it.
    pub position: Position,
    /// Its subject.
    pub subject: String,
    /// Its headers. Those of one name are in their order.
    pub headers: Vec<(String, String)>,
    /// Its payload.
    pub payload: Bytes,
    /// When the stream took it, milliseconds since 1970 UTC.
    pub taken_ms: i64,
}

/// The message of a record.
pub fn write_message(record: &Record) -> Message {
    let mut headers = Vec::with_capacity(record.headers.len() + 5);
    let mut put = |name: &str, value: String| headers.push((name.to_owned(), value));
    if let Some(Origin { topic, partition, offset }) = &record.origin {
        put(ORIGIN, format!("{topic}/{partition}/{offset}"));
    }
    if let Key::Bytes(key) = &record.key {
        put(KEY, escape::token(key));
    }
    put(TIME, record.timestamp_ms.map_or_else(|| "-".to_owned(), |ms| ms.to_string()));
    if record.value.is_none() {
        put(TOMBSTONE, "1".to_owned());
    }
    if !record.hops.text().is_empty() {
        put(HOPS, record.hops.text().to_owned());
    }
    if let Some(converted) = record.converted {
        put(VALUE, converted.text());
        put(CONTENT_TYPE, converted.content_type().to_owned());
    }
    let mut list = String::new();
    for header in &record.headers {
        let carried = match &header.value {
            // Another one stands there, which says what the value is now.
            Some(value) if record.converted.is_some() && is_content_type(&header.name) => {
                Carried::Inside(value.clone())
            }
            _ => header_list::carried(header),
        };
        header_list::push(&header.name, &carried, &mut list);
        if let (Carried::Beside, Some(value)) = (carried, &header.value) {
            put(&name_on_nats(&header.name), String::from_utf8_lossy(value).into_owned());
        }
    }
    if !list.is_empty() {
        put(HEADERS, list);
    }
    Message { headers, payload: record.value.clone().unwrap_or_default() }
}

/// The record of a message, by whomever it was published.
pub fn read_message(stored: Stored) -> Record {
    let Stored { part, position, subject, headers, payload, taken_ms } = stored;
    let mut named: HashMap<&str, Vec<&str>> = HashMap::with_capacity(headers.len());
    for (name, value) in &headers {
        named.entry(name).or_default().push(value);
    }
    let one = |name: &str| named.get(name).and_then(|values| values.first().copied());
    let (time, key) = (one(TIME), one(KEY));
    let hops = one(HOPS).map(Hops::parse).unwrap_or_default();
    let origin = one(ORIGIN).and_then(origin);
    let converted = one(VALUE).and_then(Converted::parse);
    let is_tombstone = one(TOMBSTONE).is_some();
    let (is_marker, own) = match time {
        // By others.
        None => (is_marker(&headers), others(&headers)),
        Some(_) => {
            let list = one(HEADERS).map_or_else(|| Some(Vec::new()), header_list::parse);
            // A list that somebody wrote over says nothing: what is there is taken as it stands.
            let own = list.and_then(|list| restored(list, &named));
            (false, own.unwrap_or_else(|| others(&headers)))
        }
    };
    Record {
        part,
        position,
        key: match key.and_then(escape::bytes) {
            Some(key) => Key::Bytes(key.into()),
            None if origin.is_some() => Key::Null,
            None => Key::Absent,
        },
        origin,
        subject: Some(subject.into()),
        headers: own,
        value: (!is_tombstone && !is_marker).then_some(payload),
        timestamp_ms: match time {
            Some("-") => None,
            Some(time) => Some(time.parse().unwrap_or(taken_ms)),
            None => Some(taken_ms),
        },
        hops,
        converted,
    }
}

/// Whether a header is that of the content type, also as another name that a client of NATS takes for the same.
fn is_content_type(name: &str) -> bool {
    name.eq_ignore_ascii_case(CONTENT_TYPE)
}

/// The headers of a list; none where one of them is missing.
fn restored(list: Vec<(String, Carried)>, named: &HashMap<&str, Vec<&str>>) -> Option<Vec<Header>> {
    // How many of each name were taken.
    let mut taken: HashMap<String, usize> = HashMap::new();
    let mut header = |(name, carried): (String, Carried)| {
        let value = match carried {
            Carried::Null => None,
            Carried::Inside(value) => Some(value),
            Carried::Beside => {
                let on_nats = name_on_nats(&name);
                let values = named.get(on_nats.as_str())?;
                let at = taken.entry(on_nats).or_default();
                let value = values.get(*at)?;
                *at += 1;
                Some(Bytes::copy_from_slice(value.as_bytes()))
            }
        };
        Some(Header { name, value })
    };
    list.into_iter().map(&mut header).collect()
}

/// The headers of a message that no relay wrote.
fn others(headers: &[(String, String)]) -> Vec<Header> {
    let header = |(name, value): &(String, String)| {
        let lower = name.to_ascii_lowercase();
        if lower.starts_with(OURS) || TRANSPORT.iter().any(|begin| lower.starts_with(begin)) {
            return None;
        }
        let name = match name.strip_prefix("ce-") {
            Some(attribute) => format!("ce_{attribute}"),
            None => name.clone(),
        };
        Some(Header { name, value: Some(Bytes::copy_from_slice(value.as_bytes())) })
    };
    let mut all: Vec<Header> = headers.iter().filter_map(header).collect();
    // Stable: those of one name keep their order.
    all.sort_by(|one, other| one.name.cmp(&other.name));
    all
}

/// Whether a message says that its subject was deleted or has ended.
fn is_marker(headers: &[(String, String)]) -> bool {
    headers.iter().any(|(name, value)| match name.as_str() {
        "KV-Operation" => matches!(value.as_str(), "DEL" | "PURGE"),
        "Nats-Marker-Reason" => true,
        _ => false,
    })
}

/// The name under which a header travels. Different ones may share a name: the list keeps them apart.
fn name_on_nats(name: &str) -> String {
    let lower = name.to_ascii_lowercase();
    let mut on_nats = String::with_capacity(name.len() + CARRIED.len());
    let name = if lower.starts_with("nats-") || lower.starts_with(OURS) {
        on_nats.push_str(CARRIED);
        name
    } else if let Some(attribute) = name.strip_prefix("ce_") {
        on_nats.push_str("ce-");
        attribute
    } else {
        name
    };
    header_list::push_name(name, &mut on_nats);
    on_nats
}

fn origin(text: &str) -> Option<Origin> {
    let mut parts = text.rsplitn(3, '/');
    let (offset, partition) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    Some(Origin { topic: parts.next()?.into(), partition, offset })
}

#[cfg(test)]
#[path = "message_tests.rs"]
mod tests;
