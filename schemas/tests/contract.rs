//! The contract as consumers see it: files compile, golden schemas do not drift, events decode with
//! a stock Avro library.
#![allow(clippy::unwrap_used)]

mod files;

use std::collections::BTreeMap;

use apache_avro::types::Value;
use files::{commands, contract as of_feed, contracts};
use serde::Serialize;
use talon_schemas::wire::{Payload, Wire};
use talon_schemas::{Contract, Envelope, Instants, Op, Source, Writer};

#[derive(Serialize)]
struct Message {
    id: i64,
    call_id: Option<i64>,
    written_at: Option<i64>,
    message: Option<&'static str>,
    owner_id: Option<i64>,
    extra: BTreeMap<&'static str, &'static str>,
    owner_name: Option<&'static str>,
    mark: Option<i64>,
}

fn message(text: &'static str, mark: i64) -> Message {
    Message {
        id: 42,
        call_id: Some(7),
        written_at: Some(1_700_000_000_123_456),
        message: Some(text),
        owner_id: None,
        extra: BTreeMap::from([("slaClass", "\"gold\"")]),
        owner_name: None,
        mark: Some(mark),
    }
}

#[test]
fn noise_in_texts_of_json_is_gone_from_what_is_encoded_and_from_what_is_read_back() {
    let contract = of_feed("contractor.call_message");
    let with = |extra: BTreeMap<&'static str, &'static str>| Message { extra, ..message("t", 9) };
    let canonical =
        encode(contract, &with(BTreeMap::from([("a", "{\"x\":1.5,\"y\":[100]}"), ("b", "0")])));
    let noisy = BTreeMap::from([("b", "-0.0"), ("a", "{ \"y\" : [1e2], \"\\u0078\":1.50 }")]);
    assert_eq!(encode(contract, &with(noisy)), canonical);
    let content = contract.content(&canonical).unwrap();
    assert_eq!(content.datum(), canonical);
    assert_eq!(content.stable().len(), contract.stable_len(&canonical).unwrap());

    // As versions wrote it that kept the texts as they came, and with its names in another order.
    let place = canonical.windows(2).position(|bytes| bytes == b"\x02a").unwrap();
    let mut old = canonical[..place].to_vec();
    let put = |out: &mut Vec<u8>, text: &str| {
        out.push(u8::try_from(text.len() * 2).unwrap());
        out.extend(text.as_bytes());
    };
    for text in ["b", "0e5", "a", "{\"y\": [100.0],\"x\":15e-1}"] {
        put(&mut old, text);
    }
    let rest = canonical.windows(3).rposition(|bytes| bytes == b"\x020\0").unwrap() + 2;
    old.extend(&canonical[rest..]);
    let read = contract.content(&old).unwrap();
    assert_eq!(read.datum(), canonical);
    assert_eq!(read, contract.content(&old).unwrap());
    assert_eq!(read.stable(), content.stable());
}

#[test]
fn noise_every_text_that_is_json_is_marked_as_such() {
    fn unmarked(json: &serde_json::Value, found: &mut Vec<String>) {
        if let Some(doc) = json.get("doc").and_then(serde_json::Value::as_str)
            && doc.contains("JSON text")
            && json["talon.json"] != true
        {
            found.push(json["name"].to_string());
        }
        match json {
            serde_json::Value::Object(map) => map.values().for_each(|value| unmarked(value, found)),
            serde_json::Value::Array(items) => items.iter().for_each(|item| unmarked(item, found)),
            _ => {}
        }
    }
    for (name, contract) in contracts() {
        let mut found = Vec::new();
        unmarked(&serde_json::from_str(contract.text()).unwrap(), &mut found);
        assert!(found.is_empty(), "{name}: {found:?}");
    }
}

fn encode(contract: &Contract, entity: &impl Serialize) -> Vec<u8> {
    let mut bytes = Vec::new();
    contract.encode(entity, &mut bytes).unwrap();
    bytes
}

fn event<'a>(before: Option<&'a [u8]>, after: Option<&'a [u8]>, op: Op) -> Envelope<'a> {
    Envelope {
        before,
        after,
        source: Source {
            version: "0.1.0",
            connector: "contractor",
            name: "field-service",
            feed: "call_message",
            scope: "",
            ts_ms: 1_700_000_000_123,
            snapshot: op == Op::Read,
            absent: false,
            instants: Instants::Micros,
        },
        op,
        ts_ms: 1_700_000_000_456,
    }
}

#[test]
fn the_published_schemas_do_not_change_by_accident() {
    for (name, contract) in contracts() {
        assert_golden(name, contract.as_ref());
    }
    for (class, contract) in commands() {
        assert_golden(&format!("{class}.commands"), contract.as_ref());
    }
    assert_golden("result", &talon_schemas::result::RESULT);
    for name in ["contractor.call", "enter-export.ticket"] {
        let millis = of_feed(name).with_instants(Instants::Millis);
        assert_golden(&format!("millis/{name}"), millis.as_ref());
    }
}

/// Debezium's transformations and sinks take an event for theirs by the end of this name.
#[test]
fn the_envelope_is_named_by_its_class_and_feed_and_the_entity_keeps_its_name() {
    let call: &Contract = of_feed("contractor.call");
    assert_eq!(call.full_name(), "talon.contractor.call.Envelope");
    assert_eq!(of_feed("enter-export.ticket").full_name(), "talon.enter_export.ticket.Envelope");
    let json: serde_json::Value = serde_json::from_str(call.text()).unwrap();
    let [before, after, source, ..] = &json["fields"].as_array().unwrap()[..] else { panic!() };
    let entity = &before["type"][1];
    assert_eq!(
        (&entity["namespace"], &entity["name"]),
        (&"talon.contractor".into(), &"Call".into())
    );
    assert_eq!(after["type"][1], "talon.contractor.Call");
    let fields = source["type"]["fields"].as_array().unwrap().iter();
    let names: Vec<&str> = fields.map(|field| field["name"].as_str().unwrap()).collect();
    let expected = [
        "version",
        "connector",
        "name",
        "db",
        "table",
        "feed",
        "scope",
        "ts_ms",
        "snapshot",
        "absent",
    ];
    assert_eq!(names, expected);
    let mut names: Vec<&str> = contracts().iter().map(|(_, of)| of.full_name()).collect();
    assert!(names.iter().all(|name| name.ends_with(".Envelope")));
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), contracts().len(), "one name for each feed");
}

/// Every object with a logical type in a schema.
fn logical(json: &serde_json::Value, found: &mut Vec<serde_json::Value>) {
    match json {
        serde_json::Value::Object(map) => {
            if map.contains_key("logicalType") {
                found.push(json.clone());
            }
            map.values().for_each(|value| logical(value, found));
        }
        serde_json::Value::Array(items) => items.iter().for_each(|item| logical(item, found)),
        _ => {}
    }
}

#[test]
fn connect_knows_every_instant_in_microseconds_by_its_name() {
    let feeds = contracts().into_iter().map(|(_, contract)| contract.as_ref());
    let commands = commands().into_iter().map(|(_, contract)| contract.as_ref());
    let mut seen = 0;
    for message in feeds.chain(commands).chain([&*talon_schemas::result::RESULT]) {
        let mut found = Vec::new();
        logical(&serde_json::from_str(message.text()).unwrap(), &mut found);
        for instant in found {
            seen += 1;
            let expected = serde_json::json!({"type": "long", "logicalType": "timestamp-micros",
                "connect.version": 1, "connect.name": "io.debezium.time.MicroTimestamp"});
            assert_eq!(instant, expected);
        }
    }
    assert!(seen > 60, "{seen} instants");
    // What is written for other readers does not change how the schema is known.
    let call: &Contract = of_feed("contractor.call");
    let plain = call.text().replace(r#","connect.name":"io.debezium.time.MicroTimestamp""#, "");
    let plain = plain.replace(r#","connect.version":1"#, "");
    assert!(!plain.contains("connect."));
    let plain = talon_schemas::Message::of(serde_json::from_str(&plain).unwrap());
    assert_eq!(plain.fingerprint(), call.fingerprint());
}

#[test]
fn in_milliseconds_the_schema_says_so_and_an_entity_is_put_into_it() {
    let micros: &'static Contract = of_feed("contractor.call_message");
    let millis = micros.with_instants(Instants::Millis);
    assert!(std::ptr::eq(millis.with_instants(Instants::Micros), micros));
    assert_eq!(millis.full_name(), micros.full_name());
    assert_ne!(
        millis.fingerprint(),
        micros.fingerprint(),
        "without a registry they are told apart"
    );
    let mut found = Vec::new();
    logical(&serde_json::from_str(millis.text()).unwrap(), &mut found);
    let expected = serde_json::json!({"type": "long", "logicalType": "timestamp-millis"});
    assert!(!found.is_empty() && found.iter().all(|instant| *instant == expected));

    let mut entity = encode(micros, &message("text", 1));
    let written = entity.clone();
    micros.adopt(&mut entity).unwrap();
    assert_eq!(entity, written);
    millis.adopt(&mut entity).unwrap();
    assert_eq!(millis.converted(&micros.converted(&entity).unwrap()).unwrap(), entity);
    let mut datum = Vec::new();
    let mut event = event(None, Some(&entity), Op::Create);
    event.source.instants = Instants::Millis;
    event.encode(&mut datum);
    let json = millis.to_json(&datum).unwrap();
    assert_eq!(json["after"]["written_at"], 1_700_000_000_123_i64);
    assert_eq!(json["source"]["instants"], "millis");
    let back = millis.from_json(&serde_json::to_vec(&json).unwrap()).unwrap();
    assert_eq!(millis.cut(&back).unwrap().after, Some(&entity[..]));
    assert!(micros.cut(&datum).is_err(), "bytes of the one do not pass for the other");
    assert_eq!(micros.as_ref().recognise(&datum, |datum| micros.cut(datum).is_ok()), None);
}

#[test]
fn an_envelope_of_the_first_version_is_read_whatever_its_name_was() {
    let mut seen = 0;
    for (name, contract) in contracts() {
        let path = format!("{}/released/0.1.0-pre/{name}.avsc", env!("CARGO_MANIFEST_DIR"));
        // What came later has no first version.
        let Ok(text) = std::fs::read_to_string(path) else { continue };
        seen += 1;
        let first = Writer::parse(&text).unwrap();
        assert!(first.full_name().ends_with("Change"), "{name}");
        let message = contract.as_ref();
        assert!(message.is_written_by(first), "{name}");
        // Two classes may have one entity: `branch` is what both interfaces of an upstream give.
        let entity = contract.entity_schema();
        let others =
            contracts().into_iter().filter(|(_, of)| of.entity_schema().name() != entity.name());
        assert!(others.into_iter().all(|(_, of)| !of.as_ref().is_written_by(first)), "{name}");
        let mut prefix = Vec::new();
        let of_first = talon_schemas::Message::of(serde_json::from_str(&text).unwrap());
        Wire::SingleObject.put_prefix(&of_first, &mut prefix);
        let Payload::Fingerprinted(known, _) = Wire::SingleObject.open(message, &prefix) else {
            panic!("its own")
        };
        assert!(message.earlier(known).is_some(), "{name} is known by its fingerprint");
    }
    assert_eq!(seen, 23);
    let contract: &Contract = of_feed("contractor.call_message");
    let path = "released/0.1.0-pre/contractor.call_message.avsc";
    let text = std::fs::read_to_string(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let first = Writer::parse(&text).unwrap();
    let entity = encode(contract, &message("text", 5));
    let mut datum = Vec::new();
    event(Some(&entity), Some(&entity), Op::Update).encode(&mut datum);
    let written = downgraded(contract, first, &datum);
    let upgraded = contract.as_ref().upgrade(first, &written).unwrap();
    let parts = contract.cut(&upgraded).unwrap();
    assert_eq!((parts.before, parts.after), (Some(&entity[..]), Some(&entity[..])));
    assert_eq!((parts.name, parts.feed), ("field-service", "call_message"));
    let is_ours = |datum: &[u8]| contract.cut(datum).is_ok();
    assert_eq!(contract.as_ref().recognise(&written, is_ours), Some(upgraded));
    assert_eq!(Op::at_end_of(&written), Some((Op::Update, 1_700_000_000_456)));
    let names = ["contractor", "field-service", "call_message"];
    assert_eq!(Source::scope_in(&written, names), Some(""));
}

fn assert_golden(name: &str, message: &talon_schemas::Message) {
    let path = format!("{}/golden/{name}.avsc", env!("CARGO_MANIFEST_DIR"));
    let json: serde_json::Value = serde_json::from_str(message.text()).unwrap();
    let now = serde_json::to_string_pretty(&json).unwrap() + "\n";
    if std::env::var_os("TALON_BLESS").is_some() {
        std::fs::write(&path, &now).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        golden, now,
        "the contract of `{name}` changed; if that is meant, run with TALON_BLESS=1 and say so in CHANGELOG.md"
    );
}

#[test]
fn an_event_decodes_with_a_stock_avro_library() {
    let contract: &Contract = of_feed("contractor.call_message");
    let (old, new) =
        (encode(contract, &message("first", 1)), encode(contract, &message("second", 2)));
    let mut datum = Vec::new();
    event(Some(&old), Some(&new), Op::Update).encode(&mut datum);

    let schema = apache_avro::Schema::parse_str(contract.text()).unwrap();
    let reader = apache_avro::reader::datum::GenericDatumReader::builder(&schema).build().unwrap();
    let mut rest = datum.as_slice();
    let Value::Record(fields) = reader.read_value(&mut rest).unwrap() else { panic!("no record") };
    assert!(rest.is_empty());
    let names: Vec<&str> = fields.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["before", "after", "source", "op", "ts_ms"]);

    let json = contract.to_json(&datum).unwrap();
    assert_eq!(json["before"]["message"], "first");
    assert_eq!(json["after"]["message"], "second");
    assert_eq!(json["after"]["written_at"], 1_700_000_000_123_456_i64);
    assert_eq!(json["after"]["extra"]["slaClass"], "\"gold\"");
    assert_eq!(json["op"], "u");
    assert_eq!(json["source"]["name"], "field-service");
    assert_eq!(json["source"]["snapshot"], "false");
}

#[test]
fn an_event_is_cut_into_its_parts_without_decoding() {
    let contract: &Contract = of_feed("contractor.call_message");
    let (old, new) =
        (encode(contract, &message("first", 1)), encode(contract, &message("second", 2)));
    for (before, after) in
        [(None, Some(&new)), (Some(&old), Some(&new)), (Some(&old), None), (None, None)]
    {
        let (before, after) = (before.map(Vec::as_slice), after.map(Vec::as_slice));
        let mut datum = Vec::new();
        event(before, after, Op::Update).encode(&mut datum);
        let parts = contract.cut(&datum).unwrap();
        assert_eq!((parts.before, parts.after), (before, after));
        assert!(contract.cut(&datum[..datum.len() - 1]).is_err(), "a cut datum is noticed");
    }
}

#[test]
fn a_volatile_field_stands_behind_the_content() {
    let contract: &Contract = of_feed("contractor.call_message");
    let (a, b) = (encode(contract, &message("same", 1)), encode(contract, &message("same", 200)));
    let (a_len, b_len) = (contract.stable_len(&a).unwrap(), contract.stable_len(&b).unwrap());
    assert_ne!(a, b);
    assert_eq!(a[..a_len], b[..b_len]);
    assert!(a_len < a.len());
}

#[test]
fn a_message_says_which_schema_wrote_it() {
    let contract: &Contract = of_feed("contractor.call_message");
    let entity = encode(contract, &message("text", 1));
    for wire in [Wire::Confluent { id: 77 }, Wire::SingleObject, Wire::Json] {
        let mut bytes = Vec::new();
        wire.put_prefix(contract, &mut bytes);
        event(None, Some(&entity), Op::Create).encode(&mut bytes);
        wire.finish(contract, &mut bytes).unwrap();
        match wire.open(contract, &bytes) {
            Payload::Own(datum) => {
                assert_eq!(contract.cut(datum).unwrap().after, Some(&entity[..]))
            }
            Payload::Json(json) => {
                let datum = contract.from_json(json).unwrap();
                assert_eq!(contract.cut(&datum).unwrap().after, Some(&entity[..]));
            }
            other => panic!("{wire:?} gave {other:?}"),
        }
    }
    let foreign = Wire::Confluent { id: 1 }.open(contract, &[0, 0, 0, 0, 2, 9]);
    assert_eq!(foreign, Payload::Registered(2, &[9]));
    assert_eq!(Wire::SingleObject.open(contract, b"hello"), Payload::Foreign);
}

/// The schema as it might have been before `extra` came.
fn before_extra(contract: &Contract) -> String {
    let mut json: serde_json::Value = serde_json::from_str(contract.text()).unwrap();
    let fields = json["fields"][0]["type"][1]["fields"].as_array_mut().unwrap();
    fields.retain(|field| field["name"] != "extra");
    json.to_string()
}

/// A datum as that schema has it.
fn downgraded(contract: &Contract, earlier: &Writer, datum: &[u8]) -> Vec<u8> {
    let value = apache_avro::reader::datum::GenericDatumReader::builder(contract.schema())
        .reader_schema(earlier.schema())
        .build()
        .unwrap()
        .read_value(&mut &*datum)
        .unwrap();
    let writer = apache_avro::writer::datum::GenericDatumWriter::builder(earlier.schema());
    writer.build().unwrap().write_value_to_vec(value).unwrap()
}

#[test]
fn an_earlier_schema_is_read_as_this_one() {
    let contract: &Contract = of_feed("contractor.call_message");
    let earlier = Writer::parse(&before_extra(contract)).unwrap();
    let entity = encode(contract, &message("text", 5));
    let mut datum = Vec::new();
    event(None, Some(&entity), Op::Create).encode(&mut datum);
    let written = downgraded(contract, earlier, &datum);

    let upgraded = contract.as_ref().upgrade(earlier, &written).unwrap();
    let json = contract.to_json(&upgraded).unwrap();
    assert_eq!(json["after"]["message"], "text");
    assert_eq!(json["after"]["extra"], serde_json::json!({}));

    let message = contract.as_ref();
    assert!(message.upgrade(earlier, &datum).is_err(), "a datum of another schema");
    let longer = [&written[..], &[0]].concat();
    assert!(message.upgrade(earlier, &longer).is_err(), "more than a datum");
}

#[test]
fn a_datum_is_recognised_by_the_schemas_that_are_shipped() {
    let today: &Contract = of_feed("contractor.call_message");
    let file = include_str!("../contractor/call_message.avsc");
    let text = before_extra(today);
    let contract = Contract::with_earlier("contractor", "call_message", file, &[&text]);
    let earlier = Writer::parse(&text).unwrap();
    let entity = encode(today, &message("text", 5));
    let mut datum = Vec::new();
    event(None, Some(&entity), Op::Create).encode(&mut datum);
    let written = downgraded(today, earlier, &datum);

    let recognise = |contract: &Contract, datum: &[u8]| {
        contract.as_ref().recognise(datum, |datum| {
            contract.cut(datum).is_ok_and(|parts| parts.feed == "call_message")
        })
    };
    assert_eq!(recognise(&contract, &datum).as_deref(), Some(&datum[..]), "its own");
    let upgraded = recognise(&contract, &written).unwrap();
    assert_eq!(contract.to_json(&upgraded).unwrap()["after"]["message"], "text");
    assert_eq!(recognise(today, &written), None, "a version that does not know it");
    for end in 0..written.len() {
        assert_eq!(recognise(&contract, &written[..end]), None, "a part of it");
    }
    let other = contract.as_ref().recognise(&written, |_| false);
    assert_eq!(other, None, "another feed's");

    let mut prefix = Vec::new();
    let earlier_contract = talon_schemas::Message::of(serde_json::from_str(&text).unwrap());
    Wire::SingleObject.put_prefix(&earlier_contract, &mut prefix);
    let Payload::Fingerprinted(fingerprint, _) = Wire::SingleObject.open(&contract, &prefix) else {
        panic!("its own")
    };
    assert!(contract.as_ref().earlier(fingerprint).is_some());
    assert!(today.as_ref().earlier(fingerprint).is_none());
}

#[test]
fn where_two_versions_fit_nothing_is_read_unless_both_say_the_same() {
    let of = |a: &str, b: &str| {
        format!(
            r#"{{"type": "record", "name": "R", "namespace": "t", "fields": [
                {{"name": "{a}", "type": "string"}}, {{"name": "{b}", "type": "string"}}]}}"#
        )
    };
    let json = serde_json::from_str(&of("a", "b")).unwrap();
    let message = talon_schemas::Message::with_earlier(json, &[&of("b", "a")]);
    assert_eq!(message.recognise(&[2, b'x', 2, b'y'], |_| true), None);
    assert!(message.recognise(&[2, b'x', 2, b'x'], |_| true).is_some());
}

/// Under the id of today's schema a registry that was lost may have had another version's.
#[test]
fn bytes_of_another_version_do_not_pass_for_todays() {
    let file = |planted: &str| {
        format!(
            r#"{{"type": "record", "name": "R", "namespace": "t", "fields": [
                {{"name": "id", "type": "string"}}, {planted}
                {{"name": "a", "type": ["null", "string"]}}, {{"name": "b", "type": ["null", "string"]}},
                {{"name": "c", "type": ["null", "boolean"]}},
                {{"name": "extra", "type": {{"type": "map", "values": "string"}}}}]}}"#
        )
    };
    let before = Contract::of("t", "r", &file(""));
    let after =
        Contract::of("t", "r", &file(r#"{"name": "planted", "type": ["null", "string"]},"#));
    // As `after` has it, each optional text takes the bytes of the next; the flag takes a length, and what
    // follows is a block of the map that tells its size.
    let json = serde_json::json!({
        "before": null, "op": "c", "ts_ms": 1_700_000_000_456_i64,
        "after": {"id": "1", "a": "text 1", "b": "text 1", "c": false, "extra": {"k": "text 1"}},
        "source": {"version": "", "connector": "", "name": "", "feed": "", "scope": "", "ts_ms": 0},
    });
    let datum = before.from_json(&serde_json::to_vec(&json).unwrap()).unwrap();
    assert!(before.cut(&datum).is_ok());
    assert!(after.cut(&datum).is_err());
    assert_eq!(after.as_ref().recognise(&datum, |_| true), None);
}

#[test]
fn an_events_op_stands_at_its_end_whatever_the_entity() {
    let contract: &Contract = of_feed("contractor.call_message");
    let entity = encode(contract, &message("text", 5));
    for op in [Op::Read, Op::Create, Op::Update, Op::Delete] {
        let mut datum = Vec::new();
        event(Some(&entity), None, op).encode(&mut datum);
        assert_eq!(Op::at_end_of(&datum), Some((op, 1_700_000_000_456)));
        assert_eq!(Op::at_end_of(&datum[..datum.len() - 1]), None);
        let json = serde_json::to_vec(&contract.to_json(&datum).unwrap()).unwrap();
        assert_eq!(Op::in_json(&json), Some((op, 1_700_000_000_456)));
    }
    assert_eq!(Op::at_end_of(&[]), None);
    assert_eq!(Op::at_end_of(&[0x80]), None);
    assert_eq!(Op::at_end_of(&[2, b'd', 2]), None, "in 1970");
    assert_eq!(Op::in_json(br#"{"op": 1, "ts_ms": 1}"#), None);
}

#[test]
fn json_of_an_earlier_version_has_defaults_for_what_it_lacks() {
    let contract: &Contract = of_feed("contractor.call_message");
    let entity = encode(contract, &message("text", 5));
    let mut datum = Vec::new();
    event(None, Some(&entity), Op::Create).encode(&mut datum);
    let mut json = contract.to_json(&datum).unwrap();
    json["after"].as_object_mut().unwrap().remove("extra");
    json["source"].as_object_mut().unwrap().remove("snapshot");
    let read = contract.from_json(&serde_json::to_vec(&json).unwrap()).unwrap();
    let read = contract.to_json(&read).unwrap();
    assert_eq!(read["after"]["extra"], serde_json::json!({}));
    assert_eq!(
        (&read["after"]["message"], &read["source"]["snapshot"]),
        (&"text".into(), &"false".into())
    );
}

#[test]
fn the_schemas_of_every_release_are_shipped() {
    let root = env!("CARGO_MANIFEST_DIR");
    let changelog = std::fs::read_to_string(format!("{root}/../CHANGELOG.md")).unwrap();
    let versions = changelog.lines().filter_map(|line| line.strip_prefix("## "));
    let versions = versions.filter_map(|heading| heading.split_whitespace().next());
    for version in versions.filter(|version| *version != "Unreleased") {
        let folder = format!("{root}/released/{version}");
        assert!(
            std::fs::exists(&folder).unwrap(),
            "version {version} was released; copy its schemas from schemas/golden to {folder}"
        );
    }
}

#[test]
fn personal_data_is_marked() {
    assert_eq!(of_feed("contractor.call_message").pii(), ["message", "owner_name"]);
    for field in ["contact_person_phone", "service_object_latitude", "answer_comment"] {
        assert!(of_feed("contractor.call").pii().iter().any(|name| name == field), "{field}");
    }
}

#[test]
fn the_scope_of_an_event_is_known_whatever_its_schema() {
    let source = Source {
        version: "9",
        connector: "enter-export",
        name: "hall",
        feed: "ticket",
        scope: "b/2024-07-10",
        ts_ms: 5,
        snapshot: false,
        absent: false,
        instants: Instants::Micros,
    };
    // An entity of no schema that is known, in which the same names stand too.
    let entity = b"\x18enter-export\x08hall\x0cticket\x02x";
    let mut datum = Vec::new();
    Envelope { before: None, after: Some(entity), source, op: Op::Create, ts_ms: 7 }
        .encode(&mut datum);
    let names = ["enter-export", "hall", "ticket"];
    assert_eq!(Source::scope_in(&datum, names), Some("b/2024-07-10"));
    assert_eq!(Source::scope_in(&datum, ["enter-export", "hall", "branch"]), None);
    assert_eq!(Source::scope_in(&datum[..40], names), Some("x"), "at worst another scope");
    assert_eq!(Source::scope_in(b"", names), None);
    // As the first version had it, also where the connector is named as its class or its feed.
    let first = b"\x021\x08call\x08call\x08call\x06b/1\x0a\x0afalse\x00\x02c\x0e";
    assert_eq!(Source::scope_in(first, ["call", "call", "call"]), Some("b/1"));
    for names in [["class", "class", "call"], ["class", "call", "call"], ["class", "name", "call"]]
    {
        let [connector, name, feed] = names;
        let mut datum = Vec::new();
        let mut event = event(None, Some(entity), Op::Create);
        event.source = Source { connector, name, feed, scope: "b/2", ..event.source };
        event.encode(&mut datum);
        assert_eq!(Source::scope_in(&datum, names), Some("b/2"), "{names:?}");
        event.source.instants = Instants::Millis;
        datum.clear();
        event.encode(&mut datum);
        assert_eq!(Source::scope_in(&datum, names), Some("b/2"), "{names:?}");
        assert_eq!(Op::at_end_of(&datum), Some((Op::Create, 1_700_000_000_456)));
    }
    let json = br#"{"op":"c","source":{"name":"hall","scope":"b/1"},"ts_ms":7}"#;
    assert_eq!(Source::scope_in_json(json), Some("b/1"));
    assert_eq!(Source::scope_in_json(b"{}"), None);
}
