use proptest::prelude::*;

use super::super::super::hops::Hops;
use super::super::super::record::{Header, Origin, Part, Position};
use super::*;

fn record(topic: &str, key: Key, subject: Option<&str>) -> Record {
    let header = Header { name: "city".to_owned(), value: Some("St. Petersburg".into()) };
    Record {
        part: Part::new(topic, 3),
        position: Position::default(),
        origin: Some(Origin { topic: topic.into(), partition: 3, offset: 1 }),
        subject: subject.map(Into::into),
        key,
        headers: vec![header],
        value: None,
        timestamp_ms: None,
        hops: Hops::default(),
        converted: None,
    }
}

fn key(bytes: &[u8]) -> Key {
    Key::Bytes(bytes.to_vec().into())
}

fn subject(template: &str, record: &Record) -> Result<String, String> {
    Template::parse(template).unwrap().subject(record).map_err(|why| why.to_string())
}

#[test]
fn a_subject_is_built_from_placeholders() {
    let record = record("talon.field.call", key(b"7/4 2.x"), None);
    for (template, expected) in [
        ("{topic}.{key}", "talon.field.call.7/4%202%2Ex"),
        ("in.{partition}.{header:city}", "in.3.St%2E%20Petersburg"),
        ("a-{key}-b", "a-7/4%202%2Ex-b"),
    ] {
        assert_eq!(subject(template, &record).as_deref(), Ok(expected));
    }
    let odd = self::record("a..b", key(b"\xff"), None);
    assert_eq!(subject("{topic}.{key}", &odd).as_deref(), Ok("a.%.b.%FF"));
}

#[test]
fn a_null_key_an_empty_key_and_any_other_are_three_subjects() {
    let of = |key: Key| subject("x.{key}", &record("t", key, None)).unwrap();
    let all = [of(Key::Null), of(key(b"")), of(key(b"%-")), of(key(b"-")), of(key(b"%"))];
    assert_eq!(all, ["x.%-", "x.%", "x.%25-", "x.-", "x.%25"]);
}

#[test]
fn topics_and_keys_are_built_from_subjects() {
    let record = record("t", Key::Absent, Some("orders.eu.a%2Eb"));
    for (template, expected) in [
        ("{subject:1}", "orders"),
        ("{subject:2..}", "eu.a%2Eb"),
        ("{subject:3}", "a.b"),
        ("x-{subject:2}", "x-eu"),
    ] {
        let template = Template::parse(template).unwrap();
        assert_eq!(template.plain(&record).unwrap(), expected);
    }
    let missing = Template::parse("{subject:4}").unwrap().plain(&record).unwrap_err();
    assert!(missing.to_string().contains("{subject:4}"), "{missing}");
}

#[test]
fn a_subject_that_is_not_possible_is_told_and_never_sent() {
    let plain = record("t", key(b"$JS"), None);
    assert!(subject("{key}.API.STREAM.DELETE.x", &plain).unwrap_err().contains('$'));
    assert_eq!(subject("$KV.b.{key}", &plain).as_deref(), Ok("$KV.b.$JS"));
    assert!(subject("{header:none}", &plain).unwrap_err().contains("none"));
    let long = record("t", key(&[b'k'; 3_000]), None);
    assert!(subject("x.{key}", &long).unwrap_err().contains("3002 bytes"));
    for (template, problem) in [
        ("a..{key}", "token"),
        (".a", "token"),
        ("a b", "blank"),
        ("a.*.{key}", "`*`"),
        ("a.>", "`>`"),
    ] {
        let found = Template::parse(template).unwrap().problem_as_subject().unwrap();
        assert!(found.contains(problem), "{template}: {found}");
    }
    assert_eq!(Template::parse("{topic}.{key}").unwrap().problem_as_subject(), None);
}

#[test]
fn a_placeholder_that_there_is_not_is_told() {
    for (wrong, told) in [
        ("{keys}", "`{keys}`"),
        ("{subject:0}", "`{subject:0}`"),
        ("{subject:}", "`{subject:}`"),
        ("{header:}", "`{header:}`"),
        ("{key", "alone"),
        ("key}", "alone"),
        ("", "empty"),
    ] {
        let problem = Template::parse(wrong).unwrap_err();
        assert!(problem.contains(told), "{wrong}: {problem}");
    }
}

#[test]
fn placeholders_that_run_together_are_known_and_so_is_what_a_template_can_make() {
    let template = |text: &str| Template::parse(text).unwrap();
    assert!(template("{topic}{key}").runs_together());
    assert!(!template("{topic}.{key}").runs_together());
    for (text, topics, filter) in [
        ("{topic}.{key}", "*", None),
        ("{topic}.{key}", "a.b*", Some("a.>")),
        ("{topic}.{key}", "a.*", Some("a.>")),
        ("{topic}.{key}", "a.b", Some("a.b.*")),
        ("{key}.x", "a", None),
        ("in.{key}.x", "a", Some("in.*.x")),
        ("in.a-{key}.x", "a", Some("in.*.x")),
        ("in.{topic}.x", "*", Some("in.>")),
        ("in.{subject:2..}", "*", Some("in.>")),
        ("in.x", "a", Some("in.x")),
    ] {
        assert_eq!(template(text).as_filter(topics).as_deref(), filter, "{text} {topics}");
    }
}

proptest! {
    #[test]
    fn two_records_meet_in_a_subject_only_if_they_have_the_same_topic_and_key(
        topics in ("[a-b.]{1,4}", "[a-b.]{1,4}"),
        keys in (any_key(), any_key()),
    ) {
        let one = record(&topics.0, keys.0, None);
        let other = record(&topics.1, keys.1, None);
        let (first, second) = (subject("{topic}.{key}", &one), subject("{topic}.{key}", &other));
        let same = one.key == other.key && topics.0 == topics.1;
        prop_assert_eq!(first.unwrap() == second.unwrap(), same);
    }
}

fn any_key() -> impl Strategy<Value = Key> {
    let short = prop_oneof!["[a-b.%-]{0,3}".prop_map(String::into_bytes), any::<Vec<u8>>()];
    prop_oneof![Just(Key::Null), short.prop_map(|key| Key::Bytes(key.into()))]
}

#[test]
fn the_name_that_all_records_of_a_topic_get_is_known_before_they_come() {
    let of = |template: &str, topic: &str| Template::parse(template).unwrap().of_topic(topic);
    assert_eq!(of("out.{topic}", "a.b").as_deref(), Some("out.a.b"));
    assert_eq!(of("out", "").as_deref(), Some("out"));
    assert_eq!((of("out.{topic}", ""), of("out.{key}", "a")), (None, None));
}
