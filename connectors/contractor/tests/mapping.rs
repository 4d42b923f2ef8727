//! How rows become entities: names, instants, unknown things, personal data.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use prometheus::Registry;
use serde_json::{Value, json};
use talon_contractor::Contractor;
use talon_schemas::{Contract, Envelope, Op, Source};
use talon_sdk::config::{Secrets, Settings};
use talon_sdk::{Class, Clock, Context, Row, RowFault, UpstreamMetrics};

/// The entity that a feed makes of a row, under some settings.
fn entity(feed: &str, row: &Value, settings: &[(&str, &str)]) -> Result<Value, RowFault> {
    let (row, contract) = decoded(feed, row, settings)?;
    Ok(shown(contract, &row.value))
}

fn decoded(
    feed: &str,
    row: &Value,
    settings: &[(&str, &str)],
) -> Result<(Row, &'static Contract), RowFault> {
    let mut texts =
        BTreeMap::from([("upstream.url".to_owned(), "http://localhost:5000".to_owned())]);
    texts.extend(settings.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())));
    let keys = Contractor.keys();
    let secrets = Secrets::Unresolved;
    let mut settings = Settings::new("", &keys, texts, &secrets);
    let metrics = UpstreamMetrics::register(&Registry::new()).unwrap();
    let context = Context { name: "field".to_owned(), clock: Clock::System, metrics };
    let connector = Contractor.configure(&mut settings, context);
    assert_eq!(settings.problems(), []);
    let plan =
        connector.unwrap().feeds().into_iter().find(|plan| *plan.spec.name == *feed).unwrap();
    let mut out = Row::default();
    plan.codec.decode(row.to_string().as_bytes(), "", &mut out)?;
    Ok((out, plan.spec.contract()))
}

#[test]
fn what_is_unknown_of_a_message_is_not_lost_for_what_is_unknown_of_its_author() {
    let mut message = sample("call_message");
    message["color"] = json!("red");
    message["owner"]["color"] = json!("green");
    message["owner"]["shift"] = json!(2);
    let extra = &entity("call_message", &message, &[]).unwrap()["extra"];
    assert_eq!(extra["color"], "\"red\"");
    assert_eq!(extra["owner.color"], "\"green\"");
    assert_eq!(extra["shift"], "2");
}

#[test]
fn a_message_is_another_fact_only_where_the_upstream_edits_it() {
    let content = |row: &Value| {
        let (row, contract) = decoded("call_message", row, &[]).unwrap();
        row.value[..contract.stable_len(&row.value).unwrap()].to_vec()
    };
    let message = sample("call_message");
    let mut again = message.clone();
    again["timestamp"] = json!(999_999);
    again["owner"]["name"] = json!("Переименован");
    assert_eq!(content(&message), content(&again), "touched, and its author has another name");
    again["message"] = json!("исправлено");
    assert_ne!(content(&message), content(&again), "an edit is told");
}

fn shown(contract: &Contract, value: &[u8]) -> Value {
    let source = Source {
        version: "",
        connector: "",
        name: "",
        feed: "",
        scope: "",
        ts_ms: 0,
        snapshot: false,
        absent: false,
        instants: talon_schemas::Instants::Micros,
    };
    let mut event = Vec::new();
    Envelope { before: None, after: Some(value), source, op: Op::Create, ts_ms: 0 }
        .encode(&mut event);
    contract.to_json(&event).unwrap()["after"].clone()
}

fn sample(name: &str) -> Value {
    let path = format!("{}/tests/samples/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn call() -> Value {
    sample("call")
}

#[test]
fn names_are_spelled_properly_and_instants_are_utc() {
    let call = entity("call", &call(), &[("time.zone", "Europe/Moscow")]).unwrap();
    let utc = |text: &str| json!(text.parse::<jiff::Timestamp>().unwrap().as_microsecond());
    assert_eq!(call["created_at"], utc("2026-01-31T10:00:00Z"), "no offset: the configured zone");
    assert_eq!(call["committed_at"], utc("2026-01-31T10:05:00Z"));
    assert_eq!(call["resolution_due_at"], utc("2026-02-01T07:00:00Z"));
    assert_eq!(call["arrival_due_at"], Value::Null, "the year 1 is none");
    assert_eq!((&call["owner_id"], &call["mark"]), (&json!(7), &json!(1234)));
    assert_eq!(call["tasks"][0]["title"], "а", "lists are in the order of their ids");
    assert_eq!(call["tasks"][0]["attachments"][0]["type"], "JPEG");
    assert_eq!(call["extra"], json!({}), "nothing of the document is unknown");
}

#[test]
fn invariant_7_what_the_schema_does_not_know_travels_in_extra() {
    let mut row = call();
    row["slaClass"] = json!({"level": 3});
    row["status"] = json!("Paused");
    row["critical"] = json!("yes");
    row["created"] = json!("on Tuesday");
    row["tasks"][0]["owner"] = json!("x");
    let call = entity("call", &row, &[]).unwrap();
    assert_eq!(
        call["extra"],
        json!({"slaClass": "{\"level\":3}", "critical": "\"yes\"", "created": "\"on Tuesday\""})
    );
    assert_eq!(call["status"], "unknown(Paused)");
    assert_eq!((&call["critical"], &call["created_at"]), (&Value::Null, &Value::Null));
    assert_eq!(call["tasks"][1]["extra"]["owner"], "\"x\"");
}

#[test]
fn a_row_with_only_its_key_is_an_entity_and_one_without_it_is_none() {
    for feed in ["call", "call_message", "call_jeopardy", "call_task"] {
        assert_eq!(entity(feed, &json!({"id": 1}), &[]).unwrap()["id"], 1, "{feed}");
        assert!(entity(feed, &json!({"number": "1"}), &[]).is_err(), "{feed}");
        assert!(entity(feed, &json!([]), &[]).is_err(), "{feed}");
    }
    let cost = json!({"callId": 1, "cost": {"status": "Draft", "expenses": null}});
    assert_eq!(entity("call_cost", &cost, &[]).unwrap()["status"], "Draft");
}

/// All fields that a schema marks, wherever they stand, with their values.
fn personal<'v>(contract: &Contract, value: &'v Value, found: &mut Vec<(String, &'v Value)>) {
    match value {
        Value::Object(map) => {
            for (name, value) in map {
                if contract.pii().iter().any(|field| field == name) {
                    found.push((name.clone(), value));
                }
                personal(contract, value, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| personal(contract, item, found)),
        _ => {}
    }
}

#[test]
fn invariant_8_every_marked_field_follows_the_policy_and_no_other_does() {
    let message = sample("call_message");
    let jeopardy = call()["jeopardies"][0].clone();
    let contracts = talon_contractor_contracts();
    for (feed, row) in [("call", call()), ("call_message", message), ("call_jeopardy", jeopardy)] {
        let contract = contracts[feed];
        let kept = entity(feed, &row, &[]).unwrap();
        let mut fields = Vec::new();
        personal(contract, &kept, &mut fields);
        assert!(
            fields.iter().all(|(_, value)| !value.is_null()),
            "{feed}: the sample fills every marked field"
        );
        let mut names: Vec<&str> = fields.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        let mut marked: Vec<&str> = contract.pii().iter().map(String::as_str).collect();
        marked.sort_unstable();
        assert_eq!(names, marked, "{feed}");

        for policy in ["mask", "hash", "drop"] {
            let under = entity(feed, &row, &[("pii.policy", policy)]).unwrap();
            let mut now = Vec::new();
            personal(contract, &under, &mut now);
            for ((name, before), (_, after)) in fields.iter().zip(&now) {
                match (policy, before.is_string()) {
                    ("mask", true) => assert_eq!(**after, "****", "{feed} {name}"),
                    ("hash", true) => {
                        assert_eq!(after.as_str().unwrap().len(), 64, "{feed} {name}")
                    }
                    _ => assert!(after.is_null(), "{feed} {name} under {policy}"),
                }
            }
            assert_eq!(under["id"], kept["id"]);
            assert_eq!(under["client_name"], kept["client_name"]);
        }
    }
}

#[test]
fn invariant_8_a_personal_value_of_another_type_is_not_kept_by_the_back_door() {
    let mut row = call();
    row["contactPersonPhone"] = json!({"work": "+7 900 111-11-11"});
    let masked = entity("call", &row, &[("pii.policy", "mask")]).unwrap();
    assert_eq!(masked["extra"], json!({"contactPersonPhone": "\"****\""}));
    let mut odd = call();
    odd["jeopardies"][0]["date"] = json!(["personal"]);
    let masked_list = entity("call", &odd, &[("pii.policy", "mask")]).unwrap();
    assert_eq!(masked_list["extra"], json!({"jeopardies": "\"****\""}));
    let dropped = entity("call", &row, &[("pii.policy.contact_person_phone", "drop")]).unwrap();
    assert_eq!(dropped["extra"], json!({}));
    assert_eq!(dropped["contact_person_name"], "Иван Петров", "one field's policy is its own");
}

fn talon_contractor_contracts() -> BTreeMap<std::sync::Arc<str>, &'static Contract> {
    Contractor.feeds().iter().map(|feed| (feed.name.clone(), feed.contract())).collect()
}
