use super::*;
use crate::entity::Record;
use crate::spelling::read;

#[derive(Record)]
struct Dto<'a> {
    #[from("id")]
    id: i64,
    #[from("text")]
    text: Option<Text<'a>>,
    #[from("size")]
    size: Option<f64>,
    #[from("items")]
    items: Vec<i64>,
    extra: Extra<'a>,
}

fn show(row: &str) -> Result<String, RowFault> {
    decode::<Dto<'_>, _>(row.as_bytes(), |dto| {
        Ok(format!(
            "{} {:?} {:?} {:?} {:?}",
            dto.id,
            dto.text.map(|t| t.0),
            dto.size,
            dto.items,
            dto.extra.0
        ))
    })
}

#[test]
fn unknown_fields_are_kept_as_json_text() {
    assert_eq!(
        show(r#"{"id":1,"text":"a\"b","new":{"x":[1, 2]},"other":null}"#).unwrap(),
        r#"1 Some("a\"b") None [] {"new": "{\"x\":[1, 2]}", "other": "null"}"#
    );
}

#[test]
fn a_value_of_another_type_goes_to_extra_and_the_rest_stays() {
    assert_eq!(
        show(r#"{"size":"large","id":1,"items":null,"text":"t"}"#).unwrap(),
        r#"1 Some("t") None [] {"size": "\"large\""}"#
    );
}

#[test]
fn an_object_inside_that_lacks_its_key_costs_that_field_alone() {
    #[derive(Record)]
    struct Outer<'a> {
        #[from("id")]
        id: i64,
        #[from("inner")]
        inner: Option<Inner<'a>>,
        extra: Extra<'a>,
    }
    #[derive(Record)]
    struct Inner<'a> {
        #[from("id")]
        id: i64,
        extra: Extra<'a>,
    }
    let show = |row: &str| {
        decode::<Outer<'_>, _>(row.as_bytes(), |outer| {
            let inner = outer.inner.map(|inner| (inner.id, inner.extra.0.len()));
            Ok(format!("{} {inner:?} {:?}", outer.id, outer.extra.0))
        })
    };
    let whole = r#"{"id":1,"inner":{"id":2,"x":3}}"#;
    assert_eq!(show(whole).unwrap(), "1 Some((2, 1)) {}");
    let lacking = r#"{"inner":{"x":3},"id":1}"#;
    assert_eq!(show(lacking).unwrap(), r#"1 None {"inner": "{\"x\":3}"}"#);
    let lines = "{\"id\":1,\n\"inner\":{\n\"x\":3\n}}";
    assert!(show(lines).unwrap().starts_with("1 None"));
    let outer = r#"{"inner":{"x":3}}"#;
    assert_eq!(show(outer).unwrap_err(), RowFault("missing field `id`".to_owned()));
}

#[test]
fn noise_a_whole_number_in_another_spelling_is_that_number() {
    for (id, size) in [("7", "35.5"), ("7.0", "35.500"), ("0.7e1", "3.55E+1"), ("70e-1", "355e-1")]
    {
        let row =
            format!(r#"{{"size": {size} ,"items":[1e2, 2.00],"\u0069d":{id},"text":"\u0061\/"}}"#);
        assert_eq!(show(&row).unwrap(), r#"7 Some("a/") Some(35.5) [100, 2] {}"#, "{row}");
    }
    let exact = r#"{"id":9007199254740993.0}"#;
    assert_eq!(show(exact).unwrap(), "9007199254740993 None None [] {}");
    assert_eq!(read::<Vec<i64>>(b"[1.0,2]").unwrap(), [1, 2]);
    assert!(read::<i64>(b"1.5").is_err() && read::<i64>(b"1e30").is_err());
}

#[test]
fn a_value_that_no_type_can_hold_goes_to_extra() {
    assert_eq!(
        show(r#"{"id":1,"text":"half \ud83d","size":1e400,"items":[1.5]}"#).unwrap(),
        r#"1 None None [] {"items": "[1.5]", "size": "1e400", "text": "\"half \\ud83d\""}"#
    );
}

#[test]
fn a_row_with_a_field_that_is_there_twice_is_a_fault() {
    for row in [
        r#"{"id":1,"id":2}"#,
        r#"{"id":1,"text":"t","text":"t"}"#,
        r#"{"id":1,"size":"large","text":null,"text":"t"}"#,
        r#"{"id":1,"new":1,"new":2}"#,
        r#"{"id":1,"items":"odd","new":1,"n\u0065w":2}"#,
    ] {
        let fault = RowFault("a field that is there twice".to_owned());
        assert_eq!(show(row).unwrap_err(), fault, "{row}");
    }
}

#[test]
fn a_row_without_its_key_is_a_fault_that_quotes_nothing() {
    for (row, reason) in [
        (r#"{"text":"secret"}"#, "missing field `id`"),
        (r#"{"id":"secret"}"#, "a value of another type than the schema's at line 1 column 14"),
        (r#""secret""#, "a value of another type than the schema's at line 1 column 8"),
        (r#"{"id":1"#, "cut JSON at line 1 column 7"),
    ] {
        assert_eq!(show(row).unwrap_err(), RowFault(reason.to_owned()), "{row}");
    }
}

#[test]
fn noise_of_binary_fractions_is_no_content() {
    assert_eq!(steady(0.1 + 0.2), 0.3);
    assert_eq!(steady(-0.0).to_bits(), 0.0_f64.to_bits());
    assert_eq!(steady(55.751_244_123), 55.751_244_123);
    assert_eq!(steady(12_345_678.25), 12_345_678.25);
}

#[test]
fn an_unknown_word_says_so() {
    assert_eq!(word("New".into(), &["New"]), "New");
    assert_eq!(word("Paused".into(), &["New"]), "unknown(Paused)");
}

#[test]
fn a_key_is_peeked_wherever_it_stands() {
    for (row, expected) in [
        (r#"{"id":123,"x":1}"#, Some("123")),
        (r#"{"id":5}"#, Some("5")),
        (r#"{ "x" : {"id":9}, "id" : -7 }"#, Some("-7")),
        (r#"{"id":"a/b","x":1}"#, Some("a/b")),
        (r#"{ "\u0069d" : "\u0061\/b" }"#, Some("a/b")),
        (r#"{"id":7.0}"#, None),
        (r#"{"id":-0}"#, None),
        (r#"{"id":1.5}"#, None),
        (r#"{"id":null}"#, None),
        (r#"{"x":1}"#, None),
        ("[1]", None),
    ] {
        let mut key = String::new();
        let found = peek_scalar(row.as_bytes(), "id", &mut key);
        assert_eq!(found.then_some(key.as_str()), expected, "{row}");
    }
}

#[test]
fn what_was_kept_of_an_object_inside_takes_nothing_from_the_record() {
    let mut own = Extra::default();
    own.keep("color", "1");
    let mut inner = Extra::default();
    inner.keep("color", "2");
    inner.keep("size", "3");
    own.take_beside("owner", inner);
    let kept: Vec<_> = own.0.iter().map(|(name, json)| format!("{name}={json}")).collect();
    assert_eq!(kept, ["color=1", "owner.color=2", "size=3"]);
}
