//! What becomes of rows that are strange, missing, late, doubled or private, and of the choices of
//! form. Against a real Kafka and a simulated upstream.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use support::consumer::{Record, content, histories, read};
use support::truth::{settled, summary_of_dto, summary_of_event};
use support::{On, TOKEN, Talon, configuration, live, settings, until, upstream};
use talon_brokers::{Kafka, unique};
use talon_contractor::contracts;
use talon_schemas::Contract;
use talon_schemas::canonical::canonical;
use talon_simulators::contractor::{Fault, FaultKind, Kind, MarkBound, Settings, Simulator};

const TASKS: &str = "GET /calltask";
const MESSAGES: &str = "GET /call/messages/modifications/{timestamp}";

fn with(mut texts: BTreeMap<String, String>, more: &[(&str, &str)]) -> BTreeMap<String, String> {
    texts.extend(more.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())));
    texts
}

/// What the upstream serves now.
fn now(upstream: &Simulator, kind: Kind) -> BTreeMap<i64, Value> {
    let current = upstream.history().current(kind);
    current.into_iter().map(|(id, json)| (id, serde_json::from_str(&json).unwrap())).collect()
}

/// Waits until an endpoint was asked so many times more, and the reply to the last but one was used.
async fn asked_again(upstream: &Simulator, endpoint: &str, times: u64) {
    let before = upstream.journal().count(endpoint);
    until("the upstream is asked again", async || {
        upstream.journal().count(endpoint) > before + times
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_6_an_undecodable_row_is_put_aside_once_with_its_bytes_and_the_rest_flows_on() {
    let Some(kafka) = Kafka::shared("dead_letters") else { return };
    let upstream = upstream(60, 43).await;
    let prefix = unique("dead");
    // Everything is read again with every read.
    let texts = with(
        configuration(&prefix, kafka.bootstrap(), &upstream.url()),
        &[("connectors.field.timestamp.overlap", "1000000000")],
    );
    upstream.fault(Fault::from(FaultKind::UndecodableRow).at("/calltask"));
    upstream.fault(Fault::from(FaultKind::RowWithoutId).at("/call/messages"));
    upstream.fault(Fault::from(FaultKind::WrongType).at("/call/modifications"));
    let (tasks, messages) = (now(&upstream, Kind::Tasks), now(&upstream, Kind::Messages));
    let (bad_task, bad_message) = (*tasks.keys().next().unwrap(), *messages.keys().next().unwrap());
    let dead_letters = || read(kafka.bootstrap(), &format!("{prefix}.field.dlq"));

    let mut talon = Talon::run(&texts);
    talon.ready().await;
    until("both rows are put aside", async || dead_letters().len() >= 2).await;
    asked_again(&upstream, TASKS, 4).await;
    asked_again(&upstream, MESSAGES, 4).await;
    let letters = dead_letters();
    assert_eq!(letters.len(), 2, "{letters:?}");
    for (feed, schema, bytes) in [
        ("call_task", "talon.contractor.call_task.Envelope", {
            let mut row = tasks[&bad_task].clone();
            row["id"] = json!("не число");
            row.to_string()
        }),
        ("call_message", "talon.contractor.call_message.Envelope", {
            let mut row = messages[&bad_message].clone();
            row.as_object_mut().unwrap().shift_remove("id");
            row.to_string()
        }),
    ] {
        let letter = letters.iter().find(|letter| letter.headers["__talon.errors.feed"] == feed);
        let Record { value, headers, .. } = letter.unwrap();
        // Spelled in another way at each read.
        let value = String::from_utf8(value.clone().unwrap()).unwrap();
        assert_eq!(canonical(&value), canonical(&bytes), "{feed}");
        let mut headers = headers.clone();
        let message = headers.remove("__connect.errors.exception.message").unwrap();
        assert!(message.contains("type") || message == "missing field `id`", "{feed}: {message}");
        let topic = format!("{prefix}.field.{feed}");
        let expected = [
            ("__connect.errors.class.name", "contractor"),
            ("__connect.errors.connector.name", "field"),
            ("__connect.errors.exception.class.name", "talon.RowFault"),
            ("__connect.errors.stage", "decode"),
            ("__connect.errors.task.id", "0"),
            ("__connect.errors.topic", &topic),
            ("__talon.errors.feed", feed),
            ("__talon.errors.scope", ""),
            ("talon-schema", schema),
        ];
        let expected: BTreeMap<String, String> =
            expected.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect();
        assert_eq!(headers, expected);
        let sample = format!(
            r#"talon_dead_letters_total{{connector="field",feed="{feed}",stage="decode"}}"#
        );
        assert_eq!(talon.metric(&sample).await, 1.0);
        assert_eq!(
            talon.lines(&["WARN", "dead letters", &format!("\"{feed}\"")]),
            1,
            "{}",
            talon.log()
        );
    }

    // All others are there. A field of another type is no dead letter: it travels in `extra`.
    let topic = |feed: &str| format!("{prefix}.field.{feed}");
    let published = |feed: &str, contract: &Contract| -> BTreeSet<i64> {
        histories(kafka.bootstrap(), &topic(feed), contract).into_keys().collect()
    };
    let all_but = |rows: &BTreeMap<i64, Value>, bad: i64| -> BTreeSet<i64> {
        rows.keys().copied().filter(|id| *id != bad).collect()
    };
    assert_eq!(published("call_task", &contracts::CALL_TASK), all_but(&tasks, bad_task));
    assert_eq!(
        published("call_message", &contracts::CALL_MESSAGE),
        all_but(&messages, bad_message)
    );
    let calls = histories(kafka.bootstrap(), &topic("call"), &contracts::CALL);
    assert_eq!(calls.len(), 60);
    let after = &calls.values().next().unwrap()[0]["after"];
    assert_eq!(after["critical"], Value::Null);
    assert_eq!(after["extra"]["critical"], "\"да\"");

    // The rows are mended: they come as if nothing had been.
    upstream.faults().clear();
    until("the mended rows are there", async || {
        published("call_task", &contracts::CALL_TASK).len() == tasks.len()
            && published("call_message", &contracts::CALL_MESSAGE).len() == messages.len()
    })
    .await;

    // A known row that becomes unreadable is not taken for absent, nor put aside a second time.
    let withheld = r#"talon_feed_withheld_deletes{connector="field",feed="call_task"}"#;
    upstream.fault(Fault::from(FaultKind::UndecodableRow).at("/calltask"));
    until("its absence is not believed", async || talon.metric(withheld).await == 1.0).await;
    asked_again(&upstream, TASKS, 4).await;
    assert_eq!(talon.lines(&["deletes withheld", "cannot be read"]), 1, "{}", talon.log());
    upstream.faults().clear();
    until("it is there again", async || talon.metric(withheld).await == 0.0).await;
    let tasks = histories(kafka.bootstrap(), &topic("call_task"), &contracts::CALL_TASK);
    assert_eq!(tasks[&bad_task].len(), 1);
    assert_eq!(dead_letters().len(), 2);
    assert!(talon.terminate().await.success(), "{}", talon.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_7_what_the_schema_does_not_know_travels_with_the_event() {
    let Some(kafka) = Kafka::shared("extra") else { return };
    let upstream = upstream(20, 47).await;
    let prefix = unique("extra");
    upstream.fault(FaultKind::UnknownField);
    upstream.fault(Fault::from(FaultKind::UnknownStatus).at("/call/modifications"));
    upstream.fault(Fault::from(FaultKind::UnknownStatus).at("/calltask"));
    let mut talon = Talon::run(&configuration(&prefix, kafka.bootstrap(), &upstream.url()));
    talon.ready().await;
    for (feed, contract, kind) in [
        ("call", &contracts::CALL, Kind::Calls),
        ("call_task", &contracts::CALL_TASK, Kind::Tasks),
        ("call_message", &contracts::CALL_MESSAGE, Kind::Messages),
        ("call_jeopardy", &contracts::CALL_JEOPARDY, Kind::Jeopardies),
    ] {
        let topic = format!("{prefix}.field.{feed}");
        let rows = now(&upstream, kind);
        assert!(!rows.is_empty(), "a world without rows of `{feed}` tests nothing");
        let all = async || histories(kafka.bootstrap(), &topic, contract).len() == rows.len();
        until("all rows are there", all).await;
        let events = histories(kafka.bootstrap(), &topic, contract);
        for history in events.values() {
            assert_eq!(history[0]["after"]["extra"]["slaClass"], "\"gold\"", "{feed}");
        }
        if matches!(kind, Kind::Calls | Kind::Tasks) {
            let first = &events.values().next().unwrap()[0]["after"];
            assert_eq!(first["status"], "unknown(Paused)", "{feed}");
        }
    }
    assert_eq!(read(kafka.bootstrap(), &format!("{prefix}.field.dlq")).len(), 0);
    assert!(talon.terminate().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_4_a_list_that_is_implausibly_short_deletes_nothing_and_a_plausible_one_does() {
    let Some(kafka) = Kafka::shared("absence") else { return };
    let upstream = upstream(100, 53).await;
    let prefix = unique("absence");
    let mut talon = Talon::run(&configuration(&prefix, kafka.bootstrap(), &upstream.url()));
    talon.ready().await;
    settled(kafka.bootstrap(), &prefix, &upstream).await;
    let topic = format!("{prefix}.field.call_task");
    let tasks = || read(kafka.bootstrap(), &topic);
    let served = || now(&upstream, Kind::Tasks).len();
    assert_eq!(tasks().len(), served());

    let withheld = r#"talon_feed_withheld_deletes{connector="field",feed="call_task"}"#;
    let observed =
        r#"talon_observations_total{connector="field",feed="call_task",result="withheld"}"#;
    let shorts = [(FaultKind::ShortList { keep: 10 }, 10), (FaultKind::EmptyList, 0)];
    for (count, (kind, kept)) in (1..).zip(shorts) {
        let before = talon.metric(observed).await;
        upstream.fault(Fault::from(kind).at("/calltask"));
        let several = async || talon.metric(observed).await >= before + 3.0;
        until("several lists are not believed", several).await;
        assert_eq!(talon.metric(withheld).await, (served() - kept) as f64);
        let (code, health) = talon.health().await;
        assert_eq!((code, &health["status"]), (200, &json!("up")));
        assert_eq!(talon.lines(&["WARN", "deletes withheld"]), count, "{}", talon.log());
        upstream.faults().clear();
        until("the list is believed again", async || talon.metric(withheld).await == 0.0).await;
        assert_eq!(talon.lines(&["no longer withheld"]), count, "{}", talon.log());
        upstream.edit(20);
        settled(kafka.bootstrap(), &prefix, &upstream).await;
    }
    // A fault, and then once a list of nothing.
    upstream.fault(Fault::from(status(503)).at("/calltask").times(1));
    upstream.fault(Fault::from(FaultKind::EmptyList).at("/calltask").times(2));
    until("it has passed", async || upstream.faults().list().is_empty()).await;
    asked_again(&upstream, TASKS, 2).await;
    assert_eq!(talon.lines(&["first after a fault"]), 1, "{}", talon.log());
    let deletes =
        |records: &[Record]| records.iter().filter(|record| record.value.is_none()).count();
    assert_eq!(deletes(&tasks()), 0);

    // Two tasks vanish, which is plausible, and come back.
    let rows = now(&upstream, Kind::Tasks);
    let gone: Vec<i64> = rows.keys().rev().take(2).copied().collect();
    let chosen = |records: Vec<Record>, id: i64| -> Vec<Record> {
        records.into_iter().filter(|record| record.key == id.to_string()).collect()
    };
    upstream.fault(Fault::from(FaultKind::ShortList { keep: rows.len() - 2 }).at("/calltask"));
    until("they are deleted", async || deletes(&tasks()) >= 2).await;
    asked_again(&upstream, TASKS, 2).await;
    upstream.faults().clear();
    let back = async || {
        let records = tasks();
        gone.iter().all(|id| chosen(records.clone(), *id).last().unwrap().value.is_some())
    };
    until("they are back", back).await;
    assert_eq!(deletes(&tasks()), 2);
    let records = tasks();
    let mut ids = HashSet::new();
    for id in gone {
        let mine = chosen(records.clone(), id);
        let last = mine.len() - 1;
        let [before, delete, tombstone, create] = &mine[last - 3..] else { unreachable!() };
        let event = |record: &Record| record.event(&contracts::CALL_TASK).unwrap();
        let (before, deleted, created) = (event(before), event(delete), event(create));
        assert_eq!(deleted["op"], "d");
        assert_eq!(deleted["source"]["absent"], true);
        let content = |entity: &Value| content(&contracts::CALL_TASK, entity);
        assert_eq!(content(&deleted["before"]), content(&before["after"]));
        assert_eq!(deleted["after"], Value::Null);
        assert_eq!(tombstone.value, None);
        assert_eq!(created["op"], "c");
        assert_eq!(created["before"], Value::Null);
        assert_eq!(content(&created["after"]), content(&before["after"]));
        for record in &mine {
            if record.value.is_some() {
                assert!(ids.insert(record.headers["talon-event-id"].clone()), "an id twice");
            }
        }
    }
    assert!(talon.terminate().await.success(), "{}", talon.log());
}

fn status(code: u16) -> FaultKind {
    FaultKind::Status { code, retry_after_seconds: None, body: None }
}

#[tokio::test(flavor = "multi_thread")]
async fn late_and_equal_marks_are_caught_by_the_overlap_and_inclusive_ones_double_nothing() {
    let Some(kafka) = Kafka::shared("marks") else { return };
    let late = |mark_bound| Settings {
        mark_bound,
        marks_shared_by: 4,
        late_share: 0.2,
        late_edits: 10,
        late_ms: 150,
        ..settings(200, 59)
    };
    // Without an overlap marks must be on time and each its own; whether the bound is inclusive does
    // not matter.
    let strict = Settings { mark_bound: MarkBound::Inclusive, ..settings(200, 61) };
    tokio::join!(
        live_with_marks(kafka, late(MarkBound::Exclusive), "500"),
        live_with_marks(kafka, late(MarkBound::Inclusive), "500"),
        live_with_marks(kafka, strict, "0"),
    );
}

async fn live_with_marks(kafka: &Kafka, settings: Settings, overlap: &str) {
    let upstream = Simulator::start(settings).await.unwrap();
    let prefix = unique("marks");
    let texts = with(
        configuration(&prefix, kafka.bootstrap(), &upstream.url()),
        &[("connectors.field.timestamp.overlap", overlap)],
    );
    let mut talon = Talon::run(&texts);
    talon.ready().await;
    live(&upstream, 400.0);
    let changes = r#"talon_changes_total{connector="field",feed="call",op="u"}"#;
    until("many changes", async || talon.metric(changes).await > 120.0).await;
    live(&upstream, 0.0);
    upstream.settle();
    settled(kafka.bootstrap(), &prefix, &upstream).await;
    // All of it, or its end, is read again, and is known.
    asked_again(&upstream, MESSAGES, 3).await;
    settled(kafka.bootstrap(), &prefix, &upstream).await;
    assert!(talon.terminate().await.success(), "{}", talon.log());
}

/// The newest event of each call that tells of the upstream as it is.
fn is_current(records: &[Record], upstream: &Simulator) -> bool {
    let mut newest = BTreeMap::new();
    for record in records {
        if let Some(event) = record.event(&contracts::CALL) {
            newest.insert(record.key.parse::<i64>().unwrap(), event["after"].clone());
        }
    }
    let calls = now(upstream, Kind::Calls);
    calls.len() == newest.len()
        && calls.iter().all(|(id, call)| summary_of_dto(call) == summary_of_event(&newest[id]))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_form_and_guarantee_survives_a_restart_under_load() {
    let Some(kafka) = Kafka::shared("forms") else { return };
    let upstream = upstream(200, 67).await;
    let prefix = unique("forms");
    let mut texts = BTreeMap::new();
    for (name, key, text) in [
        ("slim", "before.image", "none"),
        ("readable", "format", "json"),
        ("loose", "delivery", "at-least-once"),
    ] {
        for (key, text) in configuration(&prefix, kafka.bootstrap(), &upstream.url()) {
            texts.insert(key.replace("connectors.field.", &format!("connectors.{name}.")), text);
        }
        texts.insert(format!("connectors.{name}.{key}"), text.to_owned());
        texts.insert(format!("connectors.{name}.feeds"), "call,call_task".to_owned());
    }
    live(&upstream, 200.0);
    let calls = |name: &str| read(kafka.bootstrap(), &format!("{prefix}.{name}.call"));
    for _ in 0..2 {
        let mut talon = Talon::run(&texts);
        talon.ready().await;
        for name in ["slim", "readable", "loose"] {
            let changes =
                format!(r#"talon_changes_total{{connector="{name}",feed="call",op="u"}}"#);
            until("it publishes changes", async || talon.metric(&changes).await > 20.0).await;
        }
        assert_eq!(talon.terminate().await.code(), Some(0), "{}", talon.log());
    }
    live(&upstream, 0.0);
    let mut talon = Talon::run(&texts);
    for name in ["slim", "readable", "loose"] {
        let current = async || is_current(&calls(name), &upstream);
        until("the topic tells what the upstream is", current).await;
    }
    // What is published already is not published again.
    let before = calls("readable").len();
    assert!(talon.terminate().await.success(), "{}", talon.log());
    let mut talon = Talon::run(&texts);
    talon.ready().await;
    asked_again(&upstream, TASKS, 6).await;
    assert_eq!(calls("readable").len(), before);
    assert!(talon.terminate().await.success(), "{}", talon.log());

    for (name, has_before, once) in
        [("slim", false, true), ("readable", true, true), ("loose", true, false)]
    {
        let records = calls(name);
        let mut ids = HashSet::new();
        let mut last: BTreeMap<String, Value> = BTreeMap::new();
        for record in &records {
            assert_eq!(record.value.as_ref().unwrap()[0] == b'{', name == "readable");
            let event = record.event(&contracts::CALL).unwrap();
            let new = ids.insert(record.headers["talon-event-id"].clone());
            assert!(new || !once, "{name}: an event twice");
            let before = last.insert(record.key.clone(), event["after"].clone());
            let ops = if before.is_some() { ["u", "u"] } else { ["r", "c"] };
            assert!(ops.contains(&event["op"].as_str().unwrap()), "{name}: {event}");
            match (before, has_before) {
                (Some(before), true) if new => {
                    let content = |entity: &Value| content(&contracts::CALL, entity);
                    assert_eq!(content(&event["before"]), content(&before), "{name}");
                }
                (_, true) => {}
                (_, false) => assert_eq!(event["before"], Value::Null, "{name}"),
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_8_personal_data_leaves_only_as_the_policy_of_its_field_says() {
    let Some(kafka) = Kafka::shared("policies") else { return };
    const SALT: &str = "canary-salt-9c41";
    let upstream = upstream(30, 71).await;
    let prefix = unique("policies");
    let texts = with(
        configuration(&prefix, kafka.bootstrap(), &upstream.url()),
        &[
            ("connectors.field.pii.policy", "drop"),
            ("connectors.field.pii.hash.salt", SALT),
            ("connectors.field.pii.policy.contact_person_name", "mask"),
            ("connectors.field.pii.policy.contact_person_phone", "hash"),
            ("connectors.field.pii.policy.service_object_latitude", "hash"),
            ("connectors.field.pii.policy.service_object_address", "keep"),
            ("connectors.field.pii.policy.message", "hash"),
            ("connectors.field.pii.policy.comment", "mask"),
        ],
    );
    let mut talon = Talon::run(&texts);
    talon.ready().await;
    let all = async |feed: &str, contract: &Contract, kind: Kind| {
        let topic = format!("{prefix}.field.{feed}");
        let rows = now(&upstream, kind);
        until("all rows are there", async || read(kafka.bootstrap(), &topic).len() == rows.len())
            .await;
        let events = histories(kafka.bootstrap(), &topic, contract);
        rows.into_iter().map(|(id, row)| (row, events[&id][0]["after"].clone())).collect::<Vec<_>>()
    };
    let masked = |text: &Value| if text.is_null() { Value::Null } else { json!("****") };
    let hashed = |text: &Value| match text.as_str() {
        None => Value::Null,
        Some(text) => {
            let digest = Sha256::new().chain_update(SALT).chain_update(text).finalize();
            json!(digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
        }
    };
    let mut seen = 0;
    for (row, after) in all("call", &contracts::CALL, Kind::Calls).await {
        assert_eq!(after["contact_person_name"], masked(&row["contactPersonName"]));
        assert_eq!(after["contact_person_phone"], hashed(&row["contactPersonPhone"]));
        assert_eq!(after["service_object_address"], row["serviceObjectAddress"]);
        assert_eq!(after["client_name"], row["clientName"], "not personal");
        for dropped in [
            "contact_person_email",
            "service_object_latitude",
            "service_object_longitude",
            "comments",
            "description_html",
            "description_for_field_employee",
        ] {
            assert_eq!(after[dropped], Value::Null, "{dropped}");
        }
        seen += usize::from(row["contactPersonPhone"].is_string());
        for (risk, row) in
            after["jeopardies"].as_array().unwrap().iter().zip(sorted(&row["jeopardies"]))
        {
            assert_eq!(risk["comment"], masked(&row["comment"]));
            assert_eq!(risk["answer_comment"], Value::Null);
        }
    }
    assert!(seen > 0, "a world without phones tests nothing");
    for (row, after) in all("call_message", &contracts::CALL_MESSAGE, Kind::Messages).await {
        assert_eq!(after["message"], hashed(&row["message"]));
        assert_eq!(after["owner_name"], Value::Null);
    }
    for (row, after) in all("call_jeopardy", &contracts::CALL_JEOPARDY, Kind::Jeopardies).await {
        assert_eq!(after["comment"], masked(&row["comment"]));
    }
    assert!(!talon.log().contains("canary"), "{}", talon.log());
    assert!(talon.terminate().await.success());
}

fn sorted(list: &Value) -> Vec<Value> {
    let mut items = list.as_array().cloned().unwrap_or_default();
    items.sort_by_key(|item| item["id"].as_i64());
    items
}

/// Texts of the upstream that are personal: what a schema marks, by the upstream's name of it.
fn personal(upstream: &Simulator) -> BTreeSet<String> {
    const NAMES: [&str; 11] = [
        "contactPersonName",
        "contactPersonEmail",
        "contactPersonPhone",
        "serviceObjectAddress",
        "comments",
        "descriptionHtmlText",
        "descriptionTextForFieldEmployee",
        "comment",
        "answerComment",
        "message",
        "name",
    ];
    fn collect(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(map) => map.iter().for_each(|(name, value)| match value {
                // A short text could be a word of the log by accident.
                Value::String(text)
                    if NAMES.contains(&name.as_str()) && text.chars().count() > 6 =>
                {
                    found.insert(text.clone());
                }
                _ => collect(value, found),
            }),
            Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
            _ => {}
        }
    }
    let mut found = BTreeSet::new();
    for kind in [Kind::Calls, Kind::Messages, Kind::Jeopardies] {
        now(upstream, kind).values().for_each(|row| collect(row, &mut found));
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_8_secrets_and_personal_data_are_nowhere_but_in_values_however_much_is_logged() {
    let Some(kafka) = Kafka::shared("canaries") else { return };
    const SALT: &str = "canary-salt-77aa";
    const BODY: &str = "canary-body-of-an-error-0b3e";
    let upstream = upstream(40, 73).await;
    let prefix = unique("canaries");
    let mut texts = with(
        configuration(&prefix, kafka.bootstrap(), &upstream.url()),
        &[
            ("connectors.field.pii.hash.salt", SALT),
            ("connectors.field.auth.external.token", "${env:CANARY}"),
            ("connectors.field.feeds", "call,call_message,call_jeopardy,call_task,call_cost"),
            ("connectors.field.call_cost.poll.interval.ms", "50"),
        ],
    );
    texts.insert("schema.registry.basic.auth.user.info".to_owned(), "u:canary-password".to_owned());
    // Rows, replies and refusals that errors could quote.
    upstream.fault(Fault::from(FaultKind::RowWithoutId).at("/call/modifications"));
    upstream.fault(Fault::from(FaultKind::RowWithoutId).at("/call/messages").times(1));
    upstream.fault(Fault::from(FaultKind::WrongType).at("/call/messages").after(1));
    let refusal =
        FaultKind::Status { code: 500, retry_after_seconds: None, body: Some(BODY.to_owned()) };
    upstream.fault(Fault::from(refusal).at("/call/jeopardies").times(2));
    upstream.fault(Fault::from(FaultKind::InvalidJson).at("/calltask").times(2));

    let file = support::write(&texts);
    let mut command = support::program();
    command.args(["run", "--config"]).arg(file.path());
    command.env("TALON_LOG", "trace").env("CANARY", TOKEN);
    let mut talon = Talon::spawn(command);
    talon.ready().await;
    let dead_letters = || read(kafka.bootstrap(), &format!("{prefix}.field.dlq"));
    until("rows are put aside", async || dead_letters().len() >= 2).await;
    upstream.faults().clear();
    until("all feeds work", async || talon.health().await.1["status"] == "up").await;
    upstream.edit(50);
    asked_again(&upstream, TASKS, 2).await;
    // The last credentials are refused.
    upstream
        .fault(FaultKind::TokenExpired { scheme: talon_simulators::contractor::Scheme::External });
    talon.becomes("field/call", "misconfigured").await;

    let mut places = vec![];
    for page in ["/", "/metrics", "/health/ready", "/health/live"] {
        places.push((page.to_owned(), talon.get(page).await.1));
    }
    assert!(talon.terminate().await.success(), "{}", talon.log());
    assert!(talon.log().contains("TRACE"), "logs all there is");
    places.push(("the log".to_owned(), talon.log()));
    for topic in
        ["field.dlq", "field.call", "field.call_message", "field.call_jeopardy", "field.call_task"]
    {
        let records = read(kafka.bootstrap(), &format!("{prefix}.{topic}"));
        for Record { key, headers, .. } in records {
            places.push((format!("a key of {topic}"), key));
            places.push((format!("headers of {topic}"), format!("{headers:?}")));
        }
    }
    for Record { key, value, headers } in read(kafka.bootstrap(), &format!("{prefix}.checkpoints"))
    {
        let text = format!("{key} {headers:?} {}", String::from_utf8(value.unwrap()).unwrap());
        places.push(("a checkpoint".to_owned(), text));
    }
    let personal = personal(&upstream);
    assert!(personal.len() > 100, "{} personal texts", personal.len());
    for (place, text) in &places {
        assert!(!text.contains("canary"), "a secret is in {place}: {text}");
        for canary in &personal {
            assert!(!text.contains(canary.as_str()), "`{canary}` is in {place}: {text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_9_nor_is_the_password_of_nats_nor_what_is_read_back_in_the_log() {
    let Some(address) = On::Nats.shared("discreet") else { return };
    const PASSWORD: &str = "canary-password-of-nats";
    let upstream = upstream(40, 79).await;
    let prefix = unique("discreet");
    let mut texts = configuration(&prefix, address, &upstream.url());
    texts.insert("bus.nats.user".to_owned(), "somebody".to_owned());
    texts.insert("bus.nats.password".to_owned(), PASSWORD.to_owned());
    let topic = format!("{prefix}.field.call");
    // The second life reads back what the first one published.
    for _ in 0..2 {
        let mut talon = Talon::run_logging(&texts, "trace");
        talon.ready().await;
        until("all calls are there", async || read(address, &topic).len() == 40).await;
        assert!(talon.terminate().await.success(), "{}", talon.log());
        let log = talon.log();
        assert!(!log.contains("canary"), "a secret is in the log: {log}");
        for text in personal(&upstream) {
            assert!(!log.contains(text.as_str()), "`{text}` is in the log: {log}");
        }
    }
}
