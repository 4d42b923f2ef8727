//! How bodies become entities, and which settings are problems.

use std::collections::BTreeMap;
use std::sync::Arc;

use prometheus::Registry;
use serde_json::{Value, json};
use talon_schemas::{Envelope, Instants, Op, Source};
use talon_sdk::config::{Secrets, Settings};
use talon_sdk::{Class, Clock, Connector, Context, Row, RowFault, UpstreamMetrics};

use super::EnterRest;

const USUAL: &[(&str, &str)] = &[
    ("upstream.url", "http://localhost:8002/api/1"),
    ("auth.admin.login", "admin"),
    ("auth.admin.password", "12345"),
    ("boards", "board01"),
    ("surveys", "survey01"),
    ("workplaces", "window01"),
    ("auth.operator.window01.login", "operator"),
    ("auth.operator.window01.password", "54321"),
    ("booking.products", "310"),
];

fn configured(texts: &[(&str, &str)]) -> Result<Arc<dyn Connector>, Vec<String>> {
    let texts: BTreeMap<String, String> =
        texts.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect();
    let (keys, secrets) = (EnterRest.keys(), Secrets::Unresolved);
    let mut settings = Settings::new("", &keys, texts, &secrets);
    let metrics = UpstreamMetrics::register(&Registry::new()).unwrap();
    let context = Context { name: "hall".to_owned(), clock: Clock::System, metrics };
    let connector = EnterRest.configure(&mut settings, context);
    connector.ok_or_else(|| settings.problems().iter().map(ToString::to_string).collect())
}

/// Key, time and entity of a row.
fn read(
    feed: &str,
    scope: &str,
    row: &Value,
    more: &[(&str, &str)],
) -> Result<(String, Option<i64>, Value), RowFault> {
    let plans = configured(&[USUAL, more].concat()).unwrap().feeds();
    let plan = plans.into_iter().find(|plan| *plan.spec.name == *feed).unwrap();
    let (mut out, mut key) = (Row::default(), String::new());
    let row = row.to_string();
    plan.codec.decode(row.as_bytes(), scope, &mut out)?;
    if plan.codec.peek_key(row.as_bytes(), scope, &mut key) {
        assert_eq!(key, out.key);
    }
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
    let (mut event, after) = (Vec::new(), Some(out.value.as_slice()));
    Envelope { before: None, after, source, op: Op::Create, ts_ms: 0 }.encode(&mut event);
    let event = plan.spec.contract().to_json(&event).unwrap();
    Ok((out.key, out.ts_ms, event["after"].clone()))
}

/// A ticket with the names of the old public pages.
fn old() -> Value {
    json!({
        "Id": "t-1", "Created": "2017-09-07T10:16:31.5", "Prefix": "A", "Number": 12,
        "FullNumber": "A12", "State": 2,
        "Products": [{
            "Id": "s-1", "Name": "Консультация", "ProductId": "p-1",
            "Product": { "Id": "p-1", "Name": "Консультация", "IntegrationId": "310" },
            "Created": "2017-09-07T10:16:31.5", "StartTime": "2017-09-07T10:16:33",
            "IsPending": false, "Chain": 1, "State": 5, "CurrentPriority": 7,
            "TicketProductDataFields": [{ "Id": "f", "FieldTypeId": "t", "Name": "Фамилия", "Value": "Ли" }],
            "InQueueStartTime": "2017-09-07T10:16:33", "InvitedStartTime": "2017-09-07T10:20:00",
            "OperatingStartTime": "2017-09-07T10:21:00", "CompletedEndTime": "2017-09-07T10:30:00",
        }],
    })
}

/// The same with the names of the ticket export, numbers as texts, and offsets.
fn new() -> Value {
    json!({
        "Id": "t-1", "CreatedTime": "2017-09-07T10:16:31.5+03:00", "Number": "A12", "State": "2",
        "Products": [{
            "Id": "s-1", "Product": { "Id": "p-1", "Name": "Консультация", "IntegrationId": "310" },
            "CreatedTime": "2017-09-07T10:16:31.5+03:00", "StartTime": "2017-09-07T10:16:33+03:00",
            "IsPending": "false", "Chain": "1", "State": "5", "CurrentPriority": "7",
            "Fields": [{ "Id": "f", "FieldTypeId": "t", "Name": "Фамилия", "Value": "Ли" }],
            "InQueueStartTime": "2017-09-07T10:16:33+03:00",
            "InvitedStartTime": "2017-09-07T10:20:00+03:00",
            "OperatingStartTime": "2017-09-07T10:21:00+03:00", "EndTime": "2017-09-07T10:30:00+03:00",
        }],
    })
}

#[test]
fn a_ticket_is_the_same_with_the_names_of_both_generations() {
    let mut read_both = [old(), new()].map(|row| read("ticket", "2017-09-07", &row, &[]).unwrap());
    for (key, ts_ms, ticket) in &mut read_both {
        assert_eq!((key.as_str(), *ts_ms), ("t-1", Some(1_504_769_400_000)));
        assert_eq!(ticket["full_number"], "A12");
        assert_eq!(ticket["day"], "2017-09-07");
        assert_eq!((&ticket["state_code"], &ticket["state"]), (&json!(2), &json!("being_served")));
        assert_eq!(ticket["extra"], json!({}));
        // Only the old one has these, and the texts as they came differ.
        for name in ["prefix", "number", "created_local"] {
            ticket[name] = Value::Null;
        }
        let service = &mut ticket["services"][0];
        assert_eq!(service["product_integration_id"], "310");
        assert_eq!(service["ended_at"], 1_504_769_400_000_000_i64);
        assert_eq!(service["fields"][0]["value"], "Ли");
        for name in ["created", "starts", "queued", "first_invited", "first_operated", "ended"] {
            service[format!("{name}_local")] = Value::Null;
        }
    }
    let [(_, _, old), (_, _, new)] = read_both;
    assert_eq!(old, new);
}

#[test]
fn what_is_not_known_and_what_is_of_another_type_travels_in_extra() {
    let mut row = old();
    row["Source"] = json!({ "Type": 4 });
    row["State"] = json!({ "code": 2 });
    row["Products"][0]["State"] = json!(11);
    row["Products"][0]["New"] = json!([1.50]);
    let (_, _, ticket) = read("ticket", "2017-09-07", &row, &[]).unwrap();
    assert_eq!(ticket["extra"], json!({ "Source": "{\"Type\":4}", "State": "{\"code\":2}" }));
    assert_eq!(ticket["state_code"], Value::Null);
    assert_eq!(ticket["services"][0]["state"], "unknown(11)");
    assert_eq!(ticket["services"][0]["extra"], json!({ "New": "[1.5]" }));
    for feed in ["ticket", "booking", "board_call", "product", "menu"] {
        let fault = read(feed, "x", &json!({ "Name": "без ключа" }), &[]).unwrap_err();
        assert_eq!(fault.0, "missing field `Id`", "{feed}");
    }
}

#[test]
fn what_visitors_typed_in_and_who_serves_them_follow_the_policy() {
    let mut row = old();
    row["PinCode"] = json!("1234");
    row["Products"][0]["User"] =
        json!({ "Id": "u", "Login": "lee", "Name": "Нина", "SurName": "Ли", "Phone": "+7" });
    let (_, _, ticket) = read("ticket", "x", &row, &[("pii.policy", "drop")]).unwrap();
    let service = &ticket["services"][0];
    for value in [
        &ticket["pin_code"],
        &service["fields"][0]["value"],
        &service["operator"]["login"],
        &service["operator"]["surname"],
    ] {
        assert_eq!(*value, Value::Null);
    }
    assert_eq!(service["operator"]["extra"], json!({}));
    assert_eq!(service["operator"]["id"], "u");
}

#[test]
fn a_line_of_a_board_or_queue_is_known_by_its_place_and_its_service() {
    let line = json!({
        "Id": "s-1", "State": 4, "WorkplaceName": "Окно 1",
        "Ticket": { "Id": "t-1", "Number": 12, "FullNumber": "A12", "State": 2 },
    });
    for (feed, place) in
        [("board_call", "board01"), ("operator_queue", "window01"), ("personal_queue", "window01")]
    {
        let (key, _, line) = read(feed, place, &line, &[]).unwrap();
        assert_eq!(key, format!("{place}/s-1"));
        assert_eq!((&line["client_id"], &line["id"]), (&json!(place), &json!("s-1")));
        assert_eq!(line["service"]["ticket"]["full_number"], "A12");
        assert_eq!(line["extra"], json!({ "WorkplaceName": "\"Окно 1\"" }));
    }
    let (key, ..) = read("board_call", "b", &json!({ "TicketProductId": "s-2" }), &[]).unwrap();
    assert_eq!(key, "b/s-2");
}

#[test]
fn places_are_known_by_what_they_were_asked_under_and_summaries_by_their_server() {
    let state = json!({ "IsBreak": "1", "TicketProduct": null, "Light": "green" });
    let (key, _, workplace) = read("workplace", "window01", &state, &[]).unwrap();
    assert_eq!((key.as_str(), &workplace["is_on_break"]), ("window01", &json!(true)));
    assert_eq!(workplace["extra"], json!({ "Light": "\"green\"" }));
    let state = json!({ "Question": { "Id": "q1", "Text": "?", "Answers": ["да"] } });
    let (key, _, survey) = read("survey", "survey01", &state, &[]).unwrap();
    assert_eq!((key.as_str(), &survey["question"]["id"]), ("survey01", &json!("q1")));
    for (row, expected) in [
        (json!({ "ServerId": "a", "Id": "b", "WaitingCount": 3 }), "a"),
        (json!({ "Id": "b", "WaitingCount": "3" }), "b"),
    ] {
        let (key, _, summary) = read("queue_statistics", "", &row, &[]).unwrap();
        assert_eq!((key.as_str(), &summary["waiting"]), (expected, &json!(3)));
    }
    assert!(read("queue_statistics", "", &json!({ "WaitingCount": 3 }), &[]).is_err());
    let (key, ..) =
        read("awaiting", "", &json!({ "ProductId": "p", "Minutes": 7.5 }), &[]).unwrap();
    assert_eq!(key, "p");
}

#[test]
fn a_feed_that_the_server_does_not_have_or_that_lacks_something_is_a_problem() {
    let problems = |texts: &[(&str, &str)]| configured(texts).err().unwrap_or_default().join("; ");
    let url = USUAL[0];
    for (texts, expected) in [
        (&[url][..], "`auth.admin.login` is not set, and the feed `ticket` needs it"),
        (
            &[url, ("feeds", "menu,branch")],
            "`feeds` has `branch`, which a branch server does not have",
        ),
        (
            &[url, ("feeds", "board_call")],
            "`boards` is not set, and the feed `board_call` needs it",
        ),
        (
            &[url, ("feeds", "ticket"), ("server.kind", "central")],
            "`feeds` has `ticket`, which a central server does not have",
        ),
        (
            &[url, ("feeds", "workplace"), ("workplaces", "w1")],
            "`auth.operator.w1.login` is not set, and the workplace `w1` needs it",
        ),
        (&[url, ("auth.admin.login", "a")], "`auth.admin.password` is not set, but the login is"),
        (&[USUAL, &[("auth.token.header", "a b")]].concat(), "is no name of a header"),
        (&[USUAL, &[("server.kind", "central")]].concat(), "a central server has no hall"),
        (
            &[USUAL, &[("auth.operator.w9.login", "a"), ("auth.operator.w9.password", "b")]]
                .concat(),
            "`auth.operator.w9.login` is of a workplace that `workplaces` does not have",
        ),
    ] {
        assert!(problems(texts).contains(expected), "{texts:?}: {}", problems(texts));
    }
    let feeds = |texts: &[(&str, &str)]| -> Vec<String> {
        let plans = configured(texts).unwrap().feeds();
        plans.iter().map(|plan| plan.spec.name.to_string()).collect()
    };
    assert_eq!(feeds(USUAL).len(), 16, "all that a branch has");
    let central = feeds(&[url, ("server.kind", "central")]);
    assert_eq!(central, ["branch", "queue_statistics", "network_load", "service_indicator"]);
    assert_eq!(feeds(&USUAL[..3]).len(), 9, "what needs nothing more");
}
