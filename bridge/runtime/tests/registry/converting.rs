//! Values that a relay converts.

use std::io::Write;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::json;
use talon_runtime::registry::Registry;
use talon_runtime::relay::mapping::{Stored, read_message, write_message};
use talon_runtime::relay::{
    Converter, Form, Header, Hops, Key, Origin, Part, Position, Record, Unconverted, Values,
};
use talon_schemas::Writer;

use crate::client;
use crate::server::Server;

const ORDER: &str = r#"{"type": "record", "name": "Order", "namespace": "x", "fields": [
    {"name": "id", "type": "long"},
    {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
    {"name": "note", "type": ["null", "string"], "default": null}]}"#;

const JSON: &str = r#"{"id":7,"at":1700000000123,"note":"ü"}"#;

fn datum() -> Vec<u8> {
    Writer::parse(ORDER).unwrap().from_json(JSON.as_bytes()).unwrap()
}

fn framed(id: usize, datum: &[u8]) -> Bytes {
    [&[0], &u32::try_from(id).unwrap().to_be_bytes()[..], datum].concat().into()
}

fn single(datum: &[u8]) -> Bytes {
    let fingerprint = Writer::parse(ORDER).unwrap().fingerprint();
    [&[0xc3, 0x01], &fingerprint[..], datum].concat().into()
}

fn record(value: impl Into<Option<Bytes>>) -> Record {
    let header = |name: &str, value: &'static str| Header {
        name: name.to_owned(),
        value: Some(Bytes::from_static(value.as_bytes())),
    };
    Record {
        part: Part::new("orders", 3),
        position: Position { next: 18, of: 0 },
        origin: Some(Origin { topic: "orders".into(), partition: 3, offset: 17 }),
        subject: None,
        key: Key::Null,
        headers: vec![header("a", "1"), header("content-type", "application/x"), header("b", "2")],
        value: value.into(),
        timestamp_ms: Some(5),
        hops: Hops::default(),
        converted: None,
    }
}

/// The record that is read of its message in a stream.
fn by_way_of_nats(record: &Record) -> (Record, Vec<(String, String)>) {
    let message = write_message(record);
    let stored = Stored {
        part: record.part.clone(),
        position: record.position,
        subject: "orders".to_owned(),
        headers: message.headers.clone(),
        payload: message.payload,
        taken_ms: 9,
    };
    (Record { subject: None, ..read_message(stored) }, message.headers)
}

/// Converts on a thread that may block.
async fn convert(
    registry: &Registry,
    (form, schemas): (Form, &[&str]),
    records: Vec<Record>,
) -> Vec<Result<Record, String>> {
    let files: Vec<tempfile::NamedTempFile> = schemas
        .iter()
        .map(|text| {
            let mut file = tempfile::NamedTempFile::new().unwrap();
            file.write_all(text.as_bytes()).unwrap();
            file
        })
        .collect();
    let schemas = files.iter().map(|file| file.path().to_owned()).collect();
    let registry = registry.clone();
    let converted = tokio::task::spawn_blocking(move || {
        let mut converter = Converter::open(&Values { form, schemas }, Some(&registry)).unwrap();
        let one = |record: &Record| {
            converter.convert(record, "out").map_err(|why| match why {
                Unconverted::Refused(why) => why,
                Unconverted::Held(fault) => format!("held: {fault}"),
            })
        };
        records.iter().map(one).collect()
    });
    converted.await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_from_the_registry_is_single_object_or_json_on_nats_and_comes_back_byte_for_byte() {
    let server = Server::start().await;
    server.has("other-value", r#""string""#);
    let id = server.has("orders-value", ORDER);
    let registry = client(&server.url(), &[]);
    let (sent, tombstone) = (record(framed(id, &datum())), record(None));
    for (form, kind) in [(Form::SingleObject, "application/avro"), (Form::Json, "application/json")]
    {
        let there = convert(&registry, (form, &[]), vec![sent.clone(), tombstone.clone()]).await;
        let there: Vec<Record> = there.into_iter().map(Result::unwrap).collect();
        let expected = if form == Form::Json { JSON.into() } else { single(&datum()) };
        assert_eq!(there[0].value.as_ref(), Some(&expected));
        assert_eq!(there[1], tombstone);
        let (read, headers) = by_way_of_nats(&there[0]);
        let said = |name: &str| {
            let of = headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
            of.map(|(_, value)| value.as_str()).collect::<Vec<_>>()
        };
        assert_eq!(said("content-type"), [kind]);
        assert_eq!(said("Talon-Relay-Value"), [format!("{}/{id}", form.word())]);
        // By another stream, as it is.
        let (read, again) = by_way_of_nats(&read);
        assert_eq!(again, headers);
        let back = convert(&registry, (Form::Confluent, &[]), vec![read]).await.remove(0).unwrap();
        assert_eq!(back, sent, "headers too, and their order");
    }
    let asked = server.asked();
    assert_eq!(asked, [format!("GET /schemas/ids/{id}")], "nothing was registered");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_published_is_registered_with_the_schema_that_is_named_and_framed() {
    let server = Server::start().await;
    let registry = client(&server.url(), &[]);
    let other = r#"{"type": "record", "name": "Other", "fields": []}"#;
    let values = vec![record(single(&datum())), record(single(&datum()))];
    let both = convert(&registry, (Form::Confluent, &[other, ORDER]), values).await;
    assert_eq!(server.state().subjects["out-value"].len(), 1);
    for back in both {
        let back = back.unwrap();
        assert_eq!(back.value, Some(framed(1, &datum())));
        let names = back.headers.iter().map(|header| header.name.as_str());
        assert_eq!(names.collect::<Vec<_>>(), ["a", "b"], "no type of content that it is not");
    }
    let json = vec![record(Bytes::from(JSON)), record(Bytes::from(r#"{"id":1,"more":2}"#))];
    let from_json = convert(&registry, (Form::Confluent, &[ORDER]), json).await;
    assert_eq!(from_json[0].as_ref().unwrap().value, Some(framed(1, &datum())));
    assert!(from_json[1].as_ref().unwrap_err().contains("does not fit"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_convert_says_why_and_an_unknown_id_is_not_asked_for_at_each_record() {
    let server = Server::start().await;
    let id = server.has("orders-value", ORDER);
    let registry = client(&server.url(), &[]);
    let values: Vec<(Bytes, &str)> = vec![
        (Bytes::from_static(&[0, 0, 0, 0, 99, 1]), "no Avro schema of the id 99"),
        (Bytes::from_static(&[0, 0, 0, 0, 99]), "no Avro schema of the id 99"),
        (framed(id, &datum()[..3]), "do not fit"),
        (framed(id, &[&datum()[..], &[0]].concat()), "do not fit"),
        (Bytes::from_static(b""), "no form of Avro"),
        (Bytes::from_static(b"plain text"), "no form of Avro"),
        (Bytes::from_static(&[0xc3, 0x01, 1, 2, 3, 4, 5, 6, 7, 8, 0]), "0102030405060708"),
    ];
    let records: Vec<Record> = values.iter().map(|(value, _)| record(value.clone())).collect();
    let refused = convert(&registry, (Form::Json, &[]), records).await;
    for (refused, (value, part)) in refused.iter().zip(&values) {
        let why = refused.as_ref().unwrap_err();
        assert!(why.contains(part) && !why.starts_with("held"), "{value:?}: {why}");
    }
    assert_eq!(server.asked(), ["GET /schemas/ids/99", &format!("GET /schemas/ids/{id}")]);
    let json = convert(&registry, (Form::Confluent, &[]), vec![record(Bytes::from(JSON))]).await;
    assert!(json[0].as_ref().unwrap_err().contains("`value.schemas`"), "{json:?}");
    let two =
        convert(&registry, (Form::Confluent, &[ORDER, ORDER]), vec![record(Bytes::from(JSON))]);
    assert!(two.await[0].as_ref().unwrap_err().contains("which of the schemas"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_is_away_holds_the_relay_and_is_asked_again() {
    let server = Server::start().await;
    let id = server.has("orders-value", ORDER);
    let registry = client(&server.url(), &[]);
    let sent = || vec![record(framed(id, &datum()))];
    server.state().all = Some((503, ""));
    let held = convert(&registry, (Form::Json, &[]), sent()).await;
    assert!(held[0].as_ref().unwrap_err().starts_with("held: "), "{held:?}");
    server.state().all = None;
    let mended = convert(&registry, (Form::Json, &[]), sent()).await;
    assert_eq!(mended[0].as_ref().unwrap().value, Some(Bytes::from(JSON)));
    // What is known needs no registry.
    server.state().all = Some((503, ""));
    assert!(convert(&registry, (Form::Json, &[]), sent()).await[0].is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_was_lost_and_gives_another_schema_under_an_id_is_noticed_on_the_way_back()
{
    let server = Server::start().await;
    let id = server.has("orders-value", ORDER);
    let sent = vec![record(framed(id, &datum()))];
    let there = convert(&client(&server.url(), &[]), (Form::SingleObject, &[]), sent).await;
    let (read, _) = by_way_of_nats(there[0].as_ref().unwrap());
    server.state().subjects.clear();
    assert_eq!(server.has("orders-value", r#""string""#), id);
    server.has("orders-value", ORDER);
    let registry = client(&server.url(), &[]);
    let lost = convert(&registry, (Form::Confluent, &[]), vec![read.clone()]).await;
    assert!(lost[0].as_ref().unwrap_err().contains("`value.schemas`"), "{lost:?}");
    // With its schema it gets the id that it has now.
    let back = convert(&registry, (Form::Confluent, &[ORDER]), vec![read]).await.remove(0).unwrap();
    assert_eq!(back.value, Some(framed(3, &datum())));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_with_references_and_one_that_is_no_record_are_read() {
    let server = Server::start().await;
    let whole = r#"{"type": "record", "name": "Trip", "fields": [{"name": "to", "type":
        {"type": "record", "name": "geo.City", "fields": [{"name": "name", "type": "string"}]}}]}"#;
    server.has("geo/city", r#"{"type": "record", "name": "City", "namespace": "geo", "fields": [{"name": "name", "type": "string"}]}"#);
    let trip =
        r#"{"type": "record", "name": "Trip", "fields": [{"name": "to", "type": "geo.City"}]}"#;
    let id = server.has("trips-value", trip);
    let text = server.has("texts-value", r#""string""#);
    let references = json!([{"name": "geo.City", "subject": "geo/city", "version": 1}]);
    server.state().references.insert(id, references);
    let registry = client(&server.url(), &[]);
    let datum: Arc<[u8]> = vec![4, b'S', b'o'].into();
    let sent = || vec![record(framed(id, &datum)), record(framed(text, &datum))];
    let json = convert(&registry, (Form::Json, &[]), sent()).await;
    let value = |at: usize| json[at].as_ref().unwrap().value.clone().unwrap();
    assert_eq!((value(0), value(1)), (r#"{"to":{"name":"So"}}"#.into(), "\"So\"".into()));
    let single = convert(&registry, (Form::SingleObject, &[]), sent()).await;
    let fingerprint = Writer::parse(whole).unwrap().fingerprint();
    assert_eq!(single[0].as_ref().unwrap().value.as_ref().unwrap()[2..10], fingerprint);
}
