use std::sync::LazyLock;

use jiff::tz::TimeZone;
use serde_json::{Value as Json, json};
use talon_schemas::{Contract, Envelope, Instants, Op, Source};

use super::*;
use crate::privacy::{Policy, Privacy};
use crate::record::{Extra, Text};
use crate::{Row, RowCodec, RowFault};

/// A state of a ticket.
#[derive(Debug)]
struct State;

impl Words for State {
    const KNOWN: &'static [&'static str] = &["New", "Done"];
}

#[derive(Debug)]
struct Level;

impl Codes for Level {
    const KNOWN: &'static [(i64, &'static str)] = &[(1, "low"), (2, "high")];
}

/// A ticket.
#[derive(Record)]
#[record(namespace = "talon.test", finish = Ticket::take_desk)]
struct Ticket<'a> {
    /// Key.
    #[from("id")]
    id: i64,
    #[from("name")]
    #[record(pii)]
    name: Option<Text<'a>>,
    #[from("phone")]
    #[record(pii)]
    phone: Option<i64>,
    #[from("open")]
    open: Option<bool>,
    #[from("price")]
    price: Option<f64>,
    #[from("at")]
    opened_at: Option<Instant<'a>>,
    /// When it was closed.
    #[from("closed")]
    closed: Stamp<'a>,
    /// Of the desk.
    #[from("state")]
    state: Option<Word<'a, State>>,
    /// Of importance.
    #[from("level")]
    level: Code<Level>,
    #[from("count")]
    count: Option<Int>,
    #[from("urgent")]
    urgent: Option<Flag>,
    #[from("raw")]
    raw: Option<RawJson<'a>>,
    #[from("desk")]
    #[record(hidden)]
    desk: Option<Desk<'a>>,
    #[record(made)]
    desk_id: Option<i64>,
    #[from("steps")]
    steps: Vec<Step<'a>>,
    extra: Extra<'a>,
    #[from("mark")]
    #[record(volatile)]
    mark: Option<i64>,
}

impl Ticket<'_> {
    fn take_desk(&mut self, _: &How<'_>) {
        if let Some(desk) = self.desk.take() {
            self.desk_id = desk.id;
            self.extra.take("desk", desk.extra);
        }
    }
}

#[derive(Record)]
struct Desk<'a> {
    #[from("id")]
    id: Option<i64>,
    extra: Extra<'a>,
}

/// A step.
#[derive(Record)]
#[record(order(place, title))]
struct Step<'a> {
    #[from("place")]
    place: Required<Int>,
    #[from("title")]
    title: Option<Text<'a>>,
    #[from("by")]
    #[record(pii)]
    by: Option<Text<'a>>,
    extra: Extra<'a>,
}

impl Entity for Ticket<'_> {
    const KEY: &'static str = "id";

    fn key(of: &Ticket<'_>, key: &mut String) -> Result<(), RowFault> {
        key.push_str(&of.id.to_string());
        Ok(())
    }

    fn changed_at(of: &Ticket<'_>) -> Option<i64> {
        of.opened_at.as_ref().map(Instant::micros)
    }
}

static CONTRACT: LazyLock<Contract> =
    LazyLock::new(|| Contract::of("test", "ticket", &schema_of::<Ticket<'_>>().to_string()));

/// What a row comes to under a policy for each personal field.
fn read(row: &str, policy: Policy) -> Result<Json, RowFault> {
    let privacy = Privacy::everywhere(&[&*CONTRACT], policy);
    let codec = Codec::<Ticket<'_>>::new(TimeZone::UTC, privacy);
    let mut out = Row::default();
    codec.decode(row.as_bytes(), "", &mut out)?;
    let mut peeked = String::new();
    assert!(codec.peek_key(row.as_bytes(), "", &mut peeked), "{row}");
    assert_eq!(peeked, out.key);
    let source = Source {
        version: "",
        connector: "",
        name: "",
        feed: "",
        scope: "",
        ts_ms: 0,
        snapshot: false,
        absent: false,
        instants: Instants::Micros,
    };
    let mut event = Vec::new();
    Envelope { before: None, after: Some(&out.value), source, op: Op::Create, ts_ms: 0 }
        .encode(&mut event);
    Ok(CONTRACT.to_json(&event).unwrap()["after"].take())
}

fn kept(row: &str) -> Json {
    read(row, Policy::Keep).unwrap()
}

#[test]
fn a_record_with_every_kind_of_field_is_read_and_written_as_its_schema_says() {
    let row = r#"{"id":7,"name":"A\"b","phone":5,"open":true,"price":0.30000000000000004,
        "at":"2024-01-02T03:04:05Z","closed":"2024-01-02T03:04:06","state":"Paused","level":2,
        "count":"12","urgent":1,"raw":{"b": 1,"a":2},"desk":{"id":3,"floor":2},
        "steps":[{"place":2,"title":"b"},{"place":1,"title":"c"},{"place":"1","title":"a"}],
        "new":[1, 2],"mark":9}"#;
    let shown = kept(row);
    let expected = json!({
        "id": 7, "name": "A\"b", "phone": 5, "open": true, "price": 0.3,
        "opened_at": 1_704_164_645_000_000_i64,
        "closed_at": 1_704_164_646_000_000_i64, "closed_local": "2024-01-02T03:04:06",
        "state": "unknown(Paused)", "level_code": 2, "level": "high",
        "count": 12, "urgent": true, "raw": r#"{"a":2,"b":1}"#, "desk_id": 3,
        "steps": [
            {"place": 1, "title": "a", "by": null, "extra": {}},
            {"place": 1, "title": "c", "by": null, "extra": {}},
            {"place": 2, "title": "b", "by": null, "extra": {}},
        ],
        "extra": {"desk.floor": "2", "new": "[1,2]"}, "mark": 9,
    });
    assert_eq!(shown, expected, "\n{shown:#}\n");
}

#[test]
fn a_schema_says_what_is_declared() {
    let schema = schema_of::<Ticket<'_>>();
    let field = |name: &str| {
        let fields = schema["fields"].as_array().unwrap();
        fields.iter().find(|field| field["name"] == name).unwrap().clone()
    };
    assert_eq!((&schema["name"], &schema["namespace"]), (&json!("Ticket"), &json!("talon.test")));
    assert_eq!(schema["doc"], "A ticket.");
    assert_eq!(field("id"), json!({"name": "id", "type": "long", "doc": "Key."}));
    assert_eq!(field("name")["talon.pii"], true);
    assert_eq!(field("mark")["talon.volatile"], true);
    assert_eq!(field("raw")["talon.json"], true);
    assert_eq!(
        field("state")["doc"],
        "New, Done; another text appears as unknown(text). Of the desk."
    );
    assert_eq!(field("level_code")["doc"], "Of importance.");
    assert_eq!(field("level")["doc"], "low 1, high 2; another number appears as unknown(number).");
    let step = &field("steps")["type"]["items"];
    assert_eq!(
        (&step["name"], step.get("namespace"), &step["fields"][0]["type"]),
        (&json!("Step"), None, &json!("long")),
        "a record inside is in the namespace of the outermost"
    );
}

#[test]
fn what_a_row_lacks_or_has_as_null_is_null_or_empty() {
    let bare = kept(r#"{"id":7}"#);
    let nulls =
        r#"{"id":7,"name":null,"closed":null,"level":null,"raw":null,"desk":null,"steps":null}"#;
    assert_eq!(bare, kept(nulls));
    assert_eq!((&bare["steps"], &bare["extra"]), (&json!([]), &json!({})));
    let fault = read(r#"{"name":"a"}"#, Policy::Keep).unwrap_err();
    assert_eq!(fault, RowFault("missing field `id`".to_owned()));
}

#[test]
fn a_value_of_an_odd_type_goes_to_extra_and_costs_no_other_field() {
    let row = r#"{"id":7,"name":[1],"phone":"many","price":"dear","at":"soon","closed":"later",
        "level":"top","count":1.5,"urgent":2,"desk":4,"steps":[{"title":"no place"}],"mark":9}"#;
    let shown = kept(row);
    let expected = json!({
        "name": "[1]", "phone": "\"many\"", "price": "\"dear\"", "at": "\"soon\"",
        "closed": "\"later\"", "level": "\"top\"", "count": "1.5", "urgent": "2", "desk": "4",
        "steps": r#"[{"title":"no place"}]"#,
    });
    assert_eq!((&shown["extra"], &shown["mark"]), (&expected, &json!(9)), "\n{shown:#}\n");
    assert_eq!(shown["closed_local"], "later");
}

#[test]
fn a_policy_holds_for_a_personal_field_wherever_its_value_stands() {
    let row = r#"{"id":7,"name":"Ivan","phone":5,"steps":[{"place":1,"by":"Ivan"}]}"#;
    let odd = r#"{"id":7,"name":{"first":"Ivan"},"phone":"Ivan","steps":["Ivan"],"at":"x"}"#;
    let masked = json!("\"****\"");
    for (policy, guarded) in
        [(Policy::Mask, &masked), (Policy::Hash, &masked), (Policy::Drop, &Json::Null)]
    {
        let shown = read(row, policy).unwrap();
        match policy {
            Policy::Drop => assert_eq!(shown["name"], Json::Null),
            Policy::Mask => assert_eq!(shown["name"], "****"),
            _ => assert_eq!(shown["name"].as_str().unwrap().len(), 64, "a SHA-256 in hex"),
        }
        assert_eq!(shown["steps"][0]["by"], shown["name"], "{policy:?}");
        assert_eq!(shown["phone"], Json::Null, "there is no half of a number");
        let shown = read(odd, policy).unwrap();
        for field in ["name", "phone", "steps"] {
            let found = shown["extra"].get(field).cloned().unwrap_or_default();
            assert_eq!(&found, guarded, "{field} under {policy:?}");
        }
        assert_eq!(shown["extra"]["at"], "\"x\"", "what is not personal stays");
        assert!(!shown.to_string().contains("Ivan"), "{policy:?}: {shown}");
    }
    assert_eq!(kept(odd)["extra"]["name"], r#"{"first":"Ivan"}"#);
}

#[test]
fn a_field_that_is_there_twice_is_a_fault_wherever_it_stands() {
    for row in [
        r#"{"id":7,"name":"a","name":"a"}"#,
        r#"{"id":7,"new":1,"new":1}"#,
        r#"{"id":7,"name":"a","\u006eame":"b"}"#,
    ] {
        let fault = RowFault("a field that is there twice".to_owned());
        assert_eq!(read(row, Policy::Keep).unwrap_err(), fault, "{row}");
    }
    // One inside a field costs that field, and neither value.
    let shown = kept(r#"{"id":7,"steps":[{"place":1,"title":"a","title":"b"}]}"#);
    assert!(shown["extra"]["steps"].as_str().unwrap().contains("\"b\""), "{shown}");
}
