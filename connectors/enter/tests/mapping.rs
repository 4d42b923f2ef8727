//! How the samples of the document become entities: names, states, zones, unknown things, personal
//! data. The samples are `enter-central-export.txt`'s own, one for each method.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use prometheus::Registry;
use serde_json::{Value, json};
use talon_enter::EnterExport;
use talon_schemas::{Contract, Envelope, Op, Source};
use talon_sdk::config::{Secrets, Settings};
use talon_sdk::{Class, Clock, Connector, Context, FeedPlan, Row, RowFault, UpstreamMetrics};

const BRANCH: &str = "78e721bb-c691-7d58-1db5-97882ad01310";

fn sample(name: &str) -> Value {
    let path = format!("{}/tests/samples/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn configured(settings: &[(&str, &str)]) -> Result<Arc<dyn Connector>, Vec<String>> {
    let mut texts = BTreeMap::from([("upstream.url".to_owned(), "http://localhost:82".to_owned())]);
    texts.extend(settings.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())));
    let keys = EnterExport.keys();
    let secrets = Secrets::Unresolved;
    let mut settings = Settings::new("", &keys, texts, &secrets);
    let metrics = UpstreamMetrics::register(&Registry::new()).unwrap();
    let context = Context { name: "queue".to_owned(), clock: Clock::System, metrics };
    let connector = EnterExport.configure(&mut settings, context);
    connector.ok_or_else(|| settings.problems().iter().map(ToString::to_string).collect())
}

fn plan(feed: &str, settings: &[(&str, &str)]) -> FeedPlan {
    let plans = configured(settings).unwrap().feeds();
    plans.into_iter().find(|plan| *plan.spec.name == *feed).unwrap()
}

/// The entity that a feed makes of a row, under some settings.
fn entity(feed: &str, row: &Value, settings: &[(&str, &str)]) -> Result<Value, RowFault> {
    let plan = plan(feed, settings);
    let mut out = Row::default();
    let scope = format!("{BRANCH}/2024-07-10");
    plan.codec.decode(row.to_string().as_bytes(), &scope, &mut out)?;
    let mut key = String::new();
    if plan.codec.peek_key(row.to_string().as_bytes(), &scope, &mut key) {
        assert_eq!(key, out.key);
    }
    Ok(shown(plan.spec.contract(), &out.value))
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

/// The ticket of the sample with history, as a row.
fn booked() -> Value {
    let reply = sample("history");
    json!({ "Ticket": reply[0]["Tickets"][0], "Department": reply[0]["Department"] })
}

/// A ticket of the sample of the old method, as a row.
fn old(place: usize) -> Value {
    let reply = sample("tickets");
    json!({
        "Ticket": reply["Tickets"][place],
        "ServerId": reply["ServerId"],
        "OrganizationName": reply["OrganizationName"],
    })
}

fn micros(text: &str) -> i64 {
    text.parse::<jiff::Timestamp>().unwrap().as_microsecond()
}

#[test]
fn a_reply_is_given_up_after_the_time_limit_of_requests() {
    let limited = |settings: &[(&str, &str)]| configured(settings).unwrap().request_timeout();
    assert_eq!(limited(&[]), Duration::from_secs(30));
    let limit = [("upstream.request.timeout.ms", "700")];
    assert_eq!(limited(&limit), Duration::from_millis(700));
}

#[test]
fn the_booked_ticket_of_the_sample_is_read_in_the_zone_that_its_reply_names() {
    let ticket = entity("ticket", &booked(), &[("time.zone", "Asia/Kamchatka")]).unwrap();
    assert_eq!(ticket["branch_id"], BRANCH);
    assert_eq!(ticket["day"], "2024-07-10");
    assert_eq!(
        (&ticket["time_zone"], &ticket["time_zone_origin"]),
        (&json!("Europe/Moscow"), &json!("upstream"))
    );
    assert_eq!(ticket["created_at"], micros("2024-07-10T03:22:41.843Z"));
    assert_eq!(ticket["created_local"], "2024-07-10T06:22:41.843");
    assert_eq!((&ticket["state_code"], &ticket["state"]), (&json!(3), &json!("not_waiting")));
    assert_eq!(
        (&ticket["is_open"], &ticket["branch_client_id"]),
        (&json!(false), &json!("department02"))
    );
    let product = &ticket["products"][0];
    assert_eq!(
        (&product["state"], &product["is_booked"]),
        (&json!("cancelled_not_activated"), &json!(true))
    );
    assert_eq!(product["ended_at"], micros("2024-09-07T14:40:00.017Z"));
    assert_eq!(product["product_integration_id"], "205");
    assert_eq!(product["fields"], json!([]), "not asked for, so not shown");
    assert_eq!(ticket["operations"].as_array().unwrap().len(), 3);
    assert_eq!(ticket["source"]["type"], "terminal");
    assert_eq!(ticket["extra"], json!({}));
    assert_eq!(ticket["branch_extra"]["TimeZone.UtcOffset"], "\"UTC+03:00\"");
}

#[test]
fn the_zone_falls_back_from_name_to_offset_to_branch_to_default() {
    let mut row = booked();
    let zone = |row: &Value, settings: &[(&str, &str)]| {
        let ticket = entity("ticket", row, settings).unwrap();
        (
            ticket["time_zone"].clone(),
            ticket["time_zone_origin"].clone(),
            ticket["created_at"].clone(),
        )
    };
    let branch = format!("time.zone.{BRANCH}");
    let settings = [(branch.as_str(), "Asia/Kamchatka"), ("time.zone", "Europe/Kaliningrad")];
    row["Department"]["TimeZone"] =
        json!({ "Id": "Russian Standard Time", "UtcOffset": "UTC+05:00" });
    assert_eq!(
        zone(&row, &settings),
        (json!("+05:00"), json!("offset"), json!(micros("2024-07-10T01:22:41.843Z")))
    );
    row["Department"].as_object_mut().unwrap().shift_remove("TimeZone");
    assert_eq!(zone(&row, &settings).0, "Asia/Kamchatka");
    assert_eq!(zone(&row, &settings).1, "branch");
    let created = micros("2024-07-10T04:22:41.843Z");
    assert_eq!(
        zone(&row, &settings[1..]),
        (json!("Europe/Kaliningrad"), json!("default"), json!(created))
    );
}

#[test]
fn every_ticket_of_the_old_sample_has_the_same_shape() {
    let reply = sample("tickets");
    let tickets = reply["Tickets"].as_array().unwrap();
    let (mut products, mut open) = (0, 0);
    for (place, sample) in tickets.iter().enumerate() {
        let ticket = entity("ticket", &old(place), &[]).unwrap();
        assert_eq!(ticket["extra"], json!({}), "{sample}");
        assert_eq!(ticket["day"], "2017-09-07");
        assert_eq!(ticket["number"], sample["Number"]);
        assert_eq!(ticket["source"]["id"], sample["SourceId"]);
        assert!(ticket["created_at"].is_i64());
        assert_eq!(ticket["operations"], json!([]));
        assert_eq!(
            ticket["branch_extra"]["OrganizationName"],
            reply["OrganizationName"].to_string()
        );
        for product in ticket["products"].as_array().unwrap() {
            products += 1;
            assert_eq!(product["extra"], json!({}));
            assert!(product["starts_at"].is_i64() && product["name"].is_string());
        }
        open += usize::from(ticket["is_open"] == true);
    }
    assert_eq!((tickets.len(), products, open), (34, 53, 4));
    let twelfth = tickets.iter().position(|ticket| ticket["Number"] == "M12").unwrap();
    let ticket = entity("ticket", &old(twelfth), &[]).unwrap();
    assert_eq!(ticket["products"][0]["awaiting_seconds"], 8.7040213, "without the noise");
}

#[test]
fn branches_and_sources_of_the_samples_lose_nothing() {
    for branch in sample("servers").as_array().unwrap() {
        let entity = entity("branch", branch, &[]).unwrap();
        assert_eq!(entity["extra"], json!({}));
        for (name, field) in [
            ("Id", "id"),
            ("IsConnected", "is_connected"),
            ("WrongProtocol", "has_wrong_protocol"),
            ("OrganizationAddress", "organization_address"),
            ("OrganizationFullName", "organization_full_name"),
            ("IntegrationId", "integration_id"),
        ] {
            assert_eq!(entity[field], branch.get(name).cloned().unwrap_or_default(), "{name}");
        }
    }
    let types: Vec<Value> = sample("ticket_sources")
        .as_array()
        .unwrap()
        .iter()
        .map(|source| {
            let entity = entity("ticket_source", source, &[]).unwrap();
            assert_eq!((&entity["id"], &entity["extra"]), (&source["Id"], &json!({})));
            entity["type"].clone()
        })
        .collect();
    assert!(types.contains(&json!("terminal")) && types.contains(&json!("ticket_import_api")));
}

/// What the facts of a row are, and how many of them cannot be told.
fn facts(row: &Value, settings: &[(&str, &str)]) -> (Vec<Value>, usize) {
    let operations = plan("ticket_operation", settings);
    assert_eq!(operations.codec.facts().unwrap().told_by(), "ticket");
    let mut out = Row::default();
    let scope = format!("{BRANCH}/2024-07-10");
    let tickets = plan("ticket", settings).codec;
    tickets.decode(row.to_string().as_bytes(), &scope, &mut out).unwrap();
    let told = out.facts.iter().map(|fact| {
        let shown = shown(operations.spec.contract(), &fact.value);
        assert_eq!(shown["id"], fact.key);
        shown
    });
    (told.collect(), out.facts.faults().len())
}

#[test]
fn the_history_of_the_sample_is_told_as_facts_that_the_ticket_lists() {
    let (found, _) = facts(&booked(), &[]);
    let states: Vec<&Value> = found.iter().map(|fact| &fact["state"]).collect();
    assert_eq!(states, ["reserved", "booked_not_activated", "cancelled_not_activated"]);
    let last = &found[2];
    assert_eq!(last["operated_at"], micros("2024-09-07T14:40:00.017Z"));
    assert_eq!(last["ticket_number"], "П1");
    let ticket = entity("ticket", &booked(), &[]).unwrap();
    let told: Vec<&Value> = found.iter().map(|fact| &fact["id"]).collect();
    assert_eq!(ticket["operations"].as_array().unwrap().iter().collect::<Vec<_>>(), told);

    let plan = plan("ticket", &[]);
    let mut out = Row::default();
    let scope = format!("{BRANCH}/2024-07-10");
    plan.codec.decode(booked().to_string().as_bytes(), &scope, &mut out).unwrap();
    let operations = self::plan("ticket_operation", &[]);
    let mut listed = Vec::new();
    operations.codec.facts().unwrap().told(&out.value, &mut |id| listed.push(json!(id)));
    assert_eq!(listed.iter().collect::<Vec<_>>(), told);
}

#[test]
fn invariant_7_unknown_numbers_fields_and_types_travel() {
    let mut row = booked();
    row["Ticket"]["State"] = json!(9);
    row["Ticket"]["New"] = json!([1]);
    let product = &mut row["Ticket"]["Products"][0];
    product["State"] = json!(11);
    product["Product"]["Color"] = json!("red");
    product["AwaitingDuration"] = json!("long");
    product["History"][1]["State"] = json!(18);
    product["EndTime"] = json!("soon");
    let ticket = entity("ticket", &row, &[]).unwrap();
    assert_eq!(
        (&ticket["state"], &ticket["extra"]),
        (&json!("unknown(9)"), &json!({ "New": "[1]" }))
    );
    assert_eq!(ticket["is_open"], true, "nobody knows whether an unknown state is final");
    let product = &ticket["products"][0];
    assert_eq!(product["state"], "unknown(11)");
    assert_eq!(
        product["extra"],
        json!({ "Color": "\"red\"", "AwaitingDuration": "\"long\"", "EndTime": "\"soon\"" })
    );
    assert_eq!((&product["ended_at"], &product["ended_local"]), (&Value::Null, &json!("soon")));
    assert_eq!(facts(&row, &[]).0[1]["state"], "unknown(18)");
    row["Ticket"]["Products"][0]["History"][0].as_object_mut().unwrap().shift_remove("Id");
    let (told, faults) = facts(&row, &[]);
    assert_eq!((told.len(), faults), (2, 1), "one cannot be told, and costs no other");
    row["Ticket"]["Id"] = json!(17);
    assert!(entity("ticket", &row, &[]).is_err());
}

#[test]
fn invariant_1_what_is_absent_null_or_noise_is_the_same_content() {
    let value = |row: &Value| {
        let mut out = Row::default();
        let scope = format!("{BRANCH}/2024-07-10");
        plan("ticket", &[]).codec.decode(row.to_string().as_bytes(), &scope, &mut out).unwrap();
        (out.key, out.value, out.facts.iter().map(|fact| fact.value.clone()).collect::<Vec<_>>())
    };
    let before = booked();
    let mut after = before.clone();
    let ticket = &mut after["Ticket"];
    ticket["Activation"] = Value::Null;
    let product = &mut ticket["Products"][0];
    for name in ["Workplace", "User", "OperatingStartTime"] {
        product[name] = Value::Null;
    }
    product["AwaitingDuration"] = json!(4e-17);
    product["History"][0]["User"] = Value::Null;
    product["History"].as_array_mut().unwrap().reverse();
    assert_eq!(value(&after), value(&before));
    after["Ticket"]["Products"][0]["AwaitingDuration"] = json!(0.1);
    assert_ne!(value(&after).1, value(&before).1);
}

#[test]
fn stamps_have_fractions_of_no_to_seven_digits() {
    let mut row = booked();
    for (fraction, micros) in
        [("", 0), (".5", 500_000), (".46", 460_000), (".537", 537_000), (".9445819", 944_581)]
    {
        row["Ticket"]["CreatedTime"] = json!(format!("2024-07-10T06:22:41{fraction}"));
        let ticket = entity("ticket", &row, &[]).unwrap();
        let whole = self::micros("2024-07-10T03:22:41Z");
        assert_eq!(ticket["created_at"], whole + micros, "{fraction}");
        assert_eq!(ticket["created_local"], row["Ticket"]["CreatedTime"]);
    }
}

fn with_operator() -> Value {
    let mut row = booked();
    let user =
        json!({ "Id": "u", "Login": "ivanov", "Name": "Иван", "SurName": "Иванов", "Phone": "+7" });
    row["Ticket"]["Products"][0]["User"] = user.clone();
    row["Ticket"]["Products"][0]["History"][1]["User"] = user;
    row
}

#[test]
fn invariant_8_operators_and_data_fields_follow_the_policy_of_each_type() {
    let row = with_operator();
    let shown = |settings: &[(&str, &str)]| {
        entity("ticket", &row, settings).unwrap()["products"][0].clone()
    };
    let kept = shown(&[("data.fields", "true")]);
    assert_eq!(kept["operator"]["surname"], "Иванов");
    assert_eq!(kept["operator"]["extra"], json!({ "Phone": "\"+7\"" }));
    let values = |product: &Value| -> Vec<Value> {
        product["fields"].as_array().unwrap().iter().map(|field| field["value"].clone()).collect()
    };
    assert_eq!(values(&kept), ["+79225027788", "Толбузин"]);
    let some = shown(&[
        ("data.fields", "true"),
        ("pii.policy.value", "drop"),
        ("pii.policy.field.C302B047-6828-47b2-a963-521f369371b7", "mask"),
    ]);
    assert_eq!(values(&some), [Value::Null, json!("****")]);
    let masked = shown(&[("pii.policy", "mask"), ("data.fields", "true")]).to_string();
    for personal in ["Иван", "ivanov", "+7", "Толбузин"] {
        assert!(!masked.contains(personal), "{personal} in {masked}");
    }
    let fact = facts(&row, &[("pii.policy", "mask")]).0[1].to_string();
    assert!(!fact.contains("Иван") && !fact.contains("ivanov"), "{fact}");
}

#[test]
fn invariant_8_personal_values_of_another_type_are_not_kept_by_the_back_door() {
    let mut row = with_operator();
    row["Ticket"]["Products"][0]["History"] = json!({ "User": "Иванов" });
    row["Ticket"]["Products"][0]["Fields"] = json!("Толбузин");
    row["Ticket"]["Products"][0]["User"] = json!("Иванов");
    let ticket = entity("ticket", &row, &[("pii.policy", "mask")]).unwrap().to_string();
    assert!(!ticket.contains("Иванов") && !ticket.contains("Толбузин"), "{ticket}");
    let kept = entity("ticket", &row, &[]).unwrap();
    let extra = &kept["products"][0]["extra"];
    assert_eq!(extra["User"], "\"Иванов\"");
    assert_eq!(
        extra["Fields"], "\"****\"",
        "data fields are not shown where they are not asked for"
    );
}

#[test]
fn invariant_10_every_problem_of_a_configuration_is_told_at_once() {
    let Err(problems) = configured(&[
        ("feeds", "ticket_operation"),
        ("backfill.from", "01.02.2024"),
        ("time.zone.b", "Moscow"),
        ("pii.policy.field.x", "hide"),
        ("late.max.age.day", "7"),
    ]) else {
        panic!("problems are found")
    };
    let all = problems.join("\n");
    for part in [
        "`feeds` has `ticket_operation` without `ticket`",
        "`backfill.from` is `01.02.2024`, expected a day",
        "`time.zone.b` is `Moscow`, expected a time zone",
        "`pii.policy.field.x` is `hide`",
        "`late.max.age.day` is unknown; did you mean `late.max.age.days`?",
    ] {
        assert!(all.contains(part), "`{part}` in {all}");
    }
    assert_eq!(problems.len(), 5, "{all}");
}
