use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::*;

fn record(key: Key, headers: Vec<(&str, Option<&[u8]>)>, value: Option<&[u8]>) -> Record {
    let header = |(name, value): (&str, Option<&[u8]>)| Header {
        name: name.to_owned(),
        value: value.map(Bytes::copy_from_slice),
    };
    Record {
        part: Part::new("calls", 3),
        position: Position { next: 18, of: 0 },
        origin: Some(Origin { topic: "calls".into(), partition: 3, offset: 17 }),
        subject: None,
        key,
        headers: headers.into_iter().map(header).collect(),
        value: value.map(Bytes::copy_from_slice),
        timestamp_ms: Some(1_700_000_000_123),
        hops: Hops::default(),
        converted: None,
    }
}

/// What a stream makes of a message: a client keeps no order between the names of headers.
fn stored(message: Message) -> Stored {
    let mut headers = message.headers;
    headers.sort_by(|one, other| other.0.cmp(&one.0));
    Stored {
        part: Part::new("CALLS", 0),
        position: Position { next: 6, of: 0 },
        subject: "calls.x".to_owned(),
        headers,
        payload: message.payload,
        taken_ms: 5,
    }
}

/// The record that comes back, as if it had been read where the first one was.
fn returned(record: &Record) -> Record {
    let back = read_message(stored(write_message(record)));
    let (part, position) = (record.part.clone(), record.position);
    Record { part, position, subject: record.subject.clone(), ..back }
}

#[test]
fn what_kafka_knows_of_a_record_comes_back() {
    let key = |bytes: &'static [u8]| Key::Bytes(Bytes::from_static(bytes));
    for record in [
        record(key(b"42"), vec![("a", Some(b"1"))], Some(b"v")),
        record(key(b""), vec![], Some(b"")),
        record(key(b"\xff\x00 "), vec![], None),
        record(Key::Null, vec![("a", None), ("a", Some(b"")), ("a", Some(b"x")), ("", None)], None),
        record(
            Key::Null,
            vec![("b", Some(b"1")), ("a", Some(b"2")), ("b", Some(b"3"))],
            Some(b"v"),
        ),
        record(Key::Null, vec![("x", Some(b" blank ")), ("y", Some(b"\r\nNats-TTL: 1"))], None),
        record(Key::Null, vec![("ce_id", Some(b"1")), ("ce-id", Some(b"2"))], None),
        record(Key::Null, vec![("Nats-Rollup", Some(b"sub")), ("nats-ttl", Some(b"1"))], None),
        record(Key::Null, vec![("Talon-Relay-Key", Some(b"x")), ("a:b,c=!%", Some(b"x"))], None),
        record(Key::Null, vec![("имя", Some("значение".as_bytes()))], None),
    ] {
        assert_eq!(returned(&record), record);
    }
}

#[test]
fn a_record_without_a_time_has_none_when_it_comes_back() {
    let record = Record { timestamp_ms: None, ..record(Key::Null, vec![], None) };
    assert_eq!(returned(&record).timestamp_ms, None);
}

#[test]
fn headers_that_a_server_would_obey_travel_under_another_name() {
    let names = ["Nats-Rollup", "nats-ttl", "NATS-Msg-Id", "Nats-Stream-Source", "Nats-Schedule"];
    let headers = names.iter().map(|name| (*name, Some(&b"1"[..]))).collect();
    let message = write_message(&record(Key::Null, headers, None));
    for (name, _) in &message.headers {
        assert!(!name.to_ascii_lowercase().starts_with("nats-"), "{name}");
    }
    assert!(message.headers.contains(&("Talon-Relay-Carried-nats-ttl".into(), "1".into())));
}

#[test]
fn cloud_events_and_traces_have_their_usual_names_on_both_sides() {
    let headers = vec![("ce_type", Some(&b"t"[..])), ("traceparent", Some(b"00-1-2-01"))];
    let message = write_message(&record(Key::Null, headers, None));
    assert!(message.headers.contains(&("ce-type".into(), "t".into())));
    assert!(message.headers.contains(&("traceparent".into(), "00-1-2-01".into())));
    let published = Message {
        headers: vec![("ce-id".into(), "1".into()), ("Nats-Batch-Id".into(), "x".into())],
        payload: Bytes::from_static(b"v"),
    };
    let record = read_message(stored(published));
    assert_eq!(record.headers, [Header { name: "ce_id".into(), value: Some("1".into()) }]);
    assert_eq!((record.key, record.timestamp_ms), (Key::Absent, Some(5)));
}

#[test]
fn the_marker_of_what_was_deleted_is_a_tombstone_and_an_empty_message_is_none() {
    let read = |name: &str, value: &str| {
        let headers = vec![(name.to_owned(), value.to_owned())];
        read_message(stored(Message { headers, payload: Bytes::new() })).value
    };
    for (name, value) in
        [("KV-Operation", "DEL"), ("KV-Operation", "PURGE"), ("Nats-Marker-Reason", "MaxAge")]
    {
        assert_eq!(read(name, value), None);
    }
    assert_eq!(read("KV-Operation", "PUT"), Some(Bytes::new()));
    assert_eq!(read("x", "y"), Some(Bytes::new()));
}

#[test]
fn what_a_message_carried_is_carried_on_to_another_stream() {
    let headers = vec![("Nats-TTL".to_owned(), "5".to_owned()), ("a".to_owned(), "1".to_owned())];
    let first = read_message(stored(Message { headers, payload: Bytes::new() }));
    let second = read_message(stored(write_message(&first)));
    assert_eq!((second.headers, second.key), (first.headers, Key::Absent));
    assert_eq!((second.timestamp_ms, second.value), (first.timestamp_ms, first.value));
}

fn any_key() -> impl Strategy<Value = Key> {
    prop_oneof![Just(Key::Null), any::<Vec<u8>>().prop_map(|key| Key::Bytes(key.into()))]
}

fn any_header() -> impl Strategy<Value = Header> {
    let name = prop_oneof!["[a-c]{0,2}", "Nats-[A-Z]{1,2}", "ce[_-]id", ".*"];
    let text = ".{0,6}".prop_map(String::into_bytes);
    let value = option::of(prop_oneof![text, any::<Vec<u8>>()]);
    (name, value).prop_map(|(name, value)| Header { name, value: value.map(Bytes::from) })
}

proptest! {
    #[test]
    fn every_record_of_kafka_comes_back_byte_for_byte(
        key in any_key(),
        headers in vec(any_header(), 0..8),
        value in option::of(any::<Vec<u8>>()),
        timestamp_ms in option::of(any::<i64>()),
        topic in "[a-z._-]{1,9}",
        at in (0..i32::MAX, 0..i64::MAX),
    ) {
        let origin = Some(Origin { topic: topic.as_str().into(), partition: at.0, offset: at.1 });
        let value = value.map(Bytes::from);
        let record =
            Record { key, headers, value, timestamp_ms, origin, ..record(Key::Null, vec![], None) };
        prop_assert_eq!(returned(&record), record);
    }

    #[test]
    fn every_header_is_one_that_nats_takes(headers in vec(any_header(), 0..8)) {
        let message = write_message(&Record { headers, ..record(Key::Null, vec![], None) });
        for (name, value) in message.headers {
            prop_assert!(!name.is_empty() && name.chars().all(|c| c.is_ascii_graphic() && c != ':'));
            prop_assert!(!name.to_ascii_lowercase().starts_with("nats-"));
            prop_assert!(!value.contains(['\r', '\n']) && value.trim() == value);
        }
    }
}
