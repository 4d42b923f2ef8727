use std::sync::LazyLock;

use proptest::prelude::*;

use crate::Writer;
use crate::datum::{put_long, put_text};

fn writer(schema: &str) -> &'static Writer {
    Writer::parse(schema).unwrap()
}

/// A record with one field of each kind.
const EVERY_TYPE: &str = r#"{"type": "record", "name": "All", "namespace": "x", "fields": [
    {"name": "flag", "type": "boolean"}, {"name": "int", "type": "int"},
    {"name": "float", "type": "float"}, {"name": "double", "type": "double"},
    {"name": "bytes", "type": "bytes"}, {"name": "text", "type": ["null", "string"]},
    {"name": "hash", "type": {"type": "fixed", "name": "Hash", "size": 2}},
    {"name": "again", "type": "Hash"},
    {"name": "price", "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}},
    {"name": "sum", "type": {"type": "fixed", "name": "Sum", "size": 4, "logicalType": "decimal", "precision": 8, "scale": 3}},
    {"name": "day", "type": {"type": "int", "logicalType": "date"}},
    {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
    {"name": "nanos", "type": {"type": "long", "logicalType": "timestamp-nanos"}},
    {"name": "id", "type": {"type": "string", "logicalType": "uuid"}},
    {"name": "span", "type": {"type": "fixed", "name": "Span", "size": 12, "logicalType": "duration"}},
    {"name": "kind", "type": {"type": "enum", "name": "Kind", "symbols": ["A", "B"]}},
    {"name": "all", "type": {"type": "array", "items": ["null", "Kind"]}},
    {"name": "of", "type": {"type": "map", "values": "long"}}]}"#;

const EVERY_VALUE: &str = concat!(
    r#"{"flag":true,"int":-5,"float":0.5,"double":1e300,"bytes":"AP8=","text":"ü\n","hash":"AQI=","#,
    r#""again":"AwQ=","price":"-12.30","sum":"0.007","day":19000,"at":1700000000123,"#,
    r#""nanos":1700000000123456789,"id":"6ba7b810-9dad-11d1-80b4-00c04fd430c8","#,
    r#""span":{"months":1,"days":2,"millis":4294967295},"kind":"B","all":["A",null],"of":{"b":1,"a":-9007199254740993}}"#
);

#[test]
fn a_value_of_every_type_is_spelled_and_read_back() {
    let writer = writer(EVERY_TYPE);
    let datum = writer.from_json(EVERY_VALUE.as_bytes()).unwrap();
    assert_eq!(writer.to_json(&datum).unwrap().replace("1e+300", "1e300"), EVERY_VALUE);
    let value = writer.value(&datum).expect("the library reads the same");
    assert!(matches!(value, apache_avro::types::Value::Record(fields) if fields.len() == 18));
    for end in 0..datum.len() {
        assert!(writer.to_json(&datum[..end]).is_err(), "cut at {end}");
    }
    let longer = [&datum[..], &[0]].concat();
    assert!(writer.to_json(&longer).is_err(), "something follows");
}

#[test]
fn what_json_has_no_number_for_is_a_text() {
    for (schema, json) in
        [(r#""double""#, "\"NaN\""), (r#""double""#, "\"-inf\""), (r#""float""#, "\"inf\"")]
    {
        let datum = writer(schema).from_json(json.as_bytes()).unwrap();
        assert_eq!(writer(schema).to_json(&datum).unwrap(), json);
    }
}

#[test]
fn json_that_does_not_fit_is_refused_and_no_field_is_lost() {
    let writer = writer(
        r#"{"type": "record", "name": "R", "fields": [
            {"name": "n", "type": "int"}, {"name": "d", "type": "string", "default": "x"},
            {"name": "b", "type": "bytes", "default": "\u00ff"},
            {"name": "p", "type": ["null", {"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 1}], "default": null}]}"#,
    );
    let read = |json: &str| {
        writer.from_json(json.as_bytes()).ok().map(|datum| writer.to_json(&datum).unwrap())
    };
    let full = r#"{"n":1,"d":"x","b":"/w==","p":null}"#;
    assert_eq!(read(r#"{"n":1}"#).as_deref(), Some(full), "the rest has its default");
    assert_eq!(read(full).as_deref(), Some(full));
    for odd in [
        "{}",
        r#"{"n":1,"other":2}"#,
        r#"{"n":2147483648}"#,
        r#"{"n":1.5}"#,
        r#"{"n":"1"}"#,
        r#"{"n":1,"b":"?"}"#,
        r#"{"n":1,"p":"1.25"}"#,
        "[]",
        "1",
        "{",
    ] {
        assert_eq!(read(odd), None, "{odd}");
    }
}

#[test]
fn a_type_that_is_used_before_a_value_of_it_is_met_is_known() {
    let writer = writer(
        r#"{"type": "record", "name": "a.R", "fields": [
            {"name": "none", "type": {"type": "array", "items": {"type": "record", "name": "b.X",
                "fields": [{"name": "y", "type": {"type": "enum", "name": "Y", "symbols": ["S"]}}]}}},
            {"name": "x", "type": "b.X"}, {"name": "y", "type": "b.Y"}]}"#,
    );
    let json = r#"{"none":[],"x":{"y":"S"},"y":"S"}"#;
    let datum = writer.from_json(json.as_bytes()).unwrap();
    assert_eq!((writer.to_json(&datum).unwrap().as_str(), &datum[..]), (json, &[0, 0, 0][..]));
}

#[test]
fn a_schema_that_refers_to_itself_is_followed_and_no_depth_exhausts_the_stack() {
    let list = writer(
        r#"{"type": "record", "name": "List", "fields": [{"name": "next", "type": ["null", "List"]}]}"#,
    );
    assert_eq!(list.to_json(&[2, 2, 0]).unwrap(), r#"{"next":{"next":{"next":null}}}"#);
    let deep = [vec![2; 1_000_000], vec![0]].concat();
    assert!(list.to_json(&deep).is_err());
    let json = r#"{"next":"#.repeat(100_000);
    assert!(list.from_json(json.as_bytes()).is_err());
    let endless = writer(
        r#"{"type": "record", "name": "E", "fields": [{"name": "e", "type": {"type": "array", "items": "null"}}]}"#,
    );
    let mut spin = Vec::new();
    put_long(&mut spin, i64::MAX);
    assert!(endless.to_json(&spin).is_err());
}

#[test]
fn schemas_that_are_no_records_have_values_too() {
    let text = writer(r#""string""#);
    let mut datum = Vec::new();
    put_text(&mut datum, "x");
    assert_eq!((text.to_json(&datum).unwrap().as_str(), text.full_name()), ("\"x\"", ""));
    let either = writer(r#"["null", "long", "string"]"#);
    for json in ["null", "5", "\"a\""] {
        assert_eq!(either.to_json(&either.from_json(json.as_bytes()).unwrap()).unwrap(), json);
    }
}

/// What a writer takes is never given back, so each is made once.
static ALL: LazyLock<&Writer> = LazyLock::new(|| writer(EVERY_TYPE));
static NUMBERS: LazyLock<[&Writer; 3]> =
    LazyLock::new(|| [r#""double""#, r#""float""#, r#""long""#].map(writer));

proptest! {
    #[test]
    fn no_bytes_and_no_text_bring_it_down(
        datum in proptest::collection::vec(any::<u8>(), 0..200),
        json in ".{0,100}",
    ) {
        let all = *ALL;
        all.to_json(&datum).ok();
        all.from_json(json.as_bytes()).ok();
    }

    #[test]
    fn every_number_comes_back_from_its_text(
        double in any::<f64>().prop_filter("it equals itself", |d| !d.is_nan()),
        float in any::<f32>().prop_filter("it equals itself", |f| !f.is_nan()),
        long in any::<i64>(),
    ) {
        let [d, f, l] = *NUMBERS;
        let back = |of: &'static Writer, datum: &[u8]| of.from_json(of.to_json(datum).unwrap().as_bytes()).unwrap();
        prop_assert_eq!(back(d, &double.to_le_bytes()), double.to_le_bytes());
        prop_assert_eq!(back(f, &float.to_le_bytes()), float.to_le_bytes());
        let mut datum = Vec::new();
        put_long(&mut datum, long);
        prop_assert_eq!(back(l, &datum), datum);
    }
}
