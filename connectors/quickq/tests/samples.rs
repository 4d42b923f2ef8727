//! Every reply of `quickq-websocket.txt`, as it stands there, slips included.
#![allow(clippy::unwrap_used)]

mod support;

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use support::{connector, entity};
use talon_quickq::frame::{Frame, Read};

fn sample(name: &str) -> Read {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples");
    let text = std::fs::read(folder.join(format!("{name}.json"))).unwrap();
    Frame::read(Bytes::from(text)).unwrap_or_else(|_| panic!("{name} is unreadable"))
}

fn names() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples");
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// The rows of a sample's list as entities of a feed.
fn rows(name: &str, feed: &str, scope: &str) -> Vec<(String, Value)> {
    let rows = sample(name).frame.rows().unwrap();
    let texts = rows.iter().map(|row| String::from_utf8(row.to_vec()).unwrap());
    texts.map(|row| entity(feed, scope, &row, &[]).unwrap()).collect()
}

/// The visitor of a sample as an entity.
fn visitor(name: &str) -> Value {
    let row = Value::Object(sample(name).frame.entity().unwrap()).to_string();
    entity("consumer", "", &row, &[]).unwrap().1
}

fn micros(text: &str) -> Value {
    json!(text.parse::<jiff::Timestamp>().unwrap().as_microsecond())
}

#[test]
fn a_reply_is_given_up_after_the_time_limit_of_requests() {
    let limited = |settings: &[(&str, &str)]| connector(settings).unwrap().request_timeout();
    assert_eq!(limited(&[]), Duration::from_secs(30));
    let limit = [("upstream.request.timeout.ms", "700")];
    assert_eq!(limited(&limit), Duration::from_millis(700));
}

#[test]
fn every_sample_is_read_and_names_its_command() {
    let names = names();
    assert_eq!(names.len(), 30);
    for name in names {
        let frame = sample(&name).frame;
        match name.as_str() {
            "00-structure" => assert_eq!(frame.command, "subscribeOperations"),
            "00-error" => {
                let error = frame.error.unwrap();
                assert_eq!((error.code_error, error.code_module, error.code), (150, 0, 150));
            }
            _ => {
                assert_eq!(name.split_once('-').unwrap().1, frame.command, "{name}");
                assert_eq!(frame.error, None, "{name}: success is codeError 0");
                assert_eq!(frame.id, None, "{name}");
            }
        }
    }
}

#[test]
fn a_login_gives_its_token_and_keeps_the_hash_to_itself() {
    let Read { frame, token } = sample("10-login");
    assert_eq!(token.unwrap().expose_secret(), "{e0768aa5-bd8d-40e7-8316-77417b6d24dd}");
    let text = String::from_utf8(frame.text().to_vec()).unwrap();
    for secret in ["827ccb0eea8a706c4c34a16891f84e7b", "e0768aa5"] {
        assert!(!text.contains(secret), "{text}");
    }
    let user = frame.entity().unwrap()["user"].to_string();
    let (_, user) = entity("user", "", &user, &[]).unwrap();
    assert_eq!((&user["login"], &user["first_name"]), (&json!("admin"), &json!("")));
    assert_eq!(user["role"]["clerk"]["operation_ids"], json!([1, 2, 3, 4, 5, 6, 7]));
    assert_eq!(user["clerk"]["default_workplace_id"], Value::Null);
    assert!(!user.to_string().contains("password"), "{user}");
    assert_eq!(user["extra"], json!({}));
}

#[test]
fn services_have_their_stages_in_order() {
    for name in ["01-serviceList", "08-serviceList"] {
        let rows = rows(name, "service", "");
        assert_eq!(rows.iter().map(|row| row.0.as_str()).collect::<Vec<_>>(), ["1", "3"]);
        let (_, service) = &rows[0];
        assert_eq!(
            service["stages"],
            json!([{"stage": 10, "operation_ids": [10]}, {"stage": 20, "operation_ids": [3]}])
        );
        assert_eq!((&service["disabled"], &service["pin_code"]), (&json!(false), &Value::Null));
        assert_eq!(service["extra"], json!({}));
    }
    for name in ["02-getService", "04-newService"] {
        let row = Value::Object(sample(name).frame.entity().unwrap()).to_string();
        assert!(entity("service", "", &row, &[]).is_ok(), "{name}");
    }
}

#[test]
fn a_queue_is_keyed_by_its_workplace() {
    let rows = rows("14-currentQueue", "queue", "11");
    let keys: Vec<&str> = rows.iter().map(|row| row.0.as_str()).collect();
    assert_eq!(keys, ["11/38", "11/43", "11/36", "11/40", "11/41", "11/42"]);
    let (_, first) = &rows[0];
    assert_eq!((&first["queue_workplace_id"], &first["id"]), (&json!(11), &json!(38)));
    assert_eq!(first["called_at"], micros("2015-06-17T15:38:39.577Z"));
    assert_eq!((&first["workplace_id"], &first["may_call"]), (&Value::Null, &json!(true)));
    assert_eq!(first["extra"], json!({}));
}

#[test]
fn the_licence_number_does_not_leave() {
    let frame = sample("12-info").frame;
    let row = String::from_utf8(frame.data().to_vec()).unwrap();
    assert!(!row.contains("1023919797"), "{row}");
    let (key, info) = entity("server_info", "", &row, &[]).unwrap();
    assert_eq!(
        (key.as_str(), &info["core"], &info["sessions"]),
        ("server", &json!("1.0.5"), &json!(20))
    );
    assert_eq!(info["extra"], json!({}));
}

#[test]
fn plain_lists_are_lists() {
    assert_eq!(sample("13-postponeDelay").frame.rows().unwrap().len(), 6);
    assert_eq!(sample("16-statistics").frame.rows().unwrap().len(), 1);
    assert!(sample("09-subscribeServices").frame.rows().is_none());
}

/// What each reply with a visitor says: id, overall state, and the state of each operation.
#[test]
fn visitors_are_read_wherever_their_fields_stand() {
    for (name, id, state, operations) in [
        ("17-nextConsumer", 29, "SERVING", "4/50/3 SERVING"),
        ("18-consumerFromQueueBody", 2, "SERVING", "3/1/3 SERVING"),
        ("20-serveOperation", 31, "SERVED", "4/50/3 SERVED"),
        // The overall state is no outcome.
        ("21-rejectOperation", 32, "SERVED", "4/50/3 REJECTED"),
        ("22-serveConsumer", 33, "SERVED", "5/50/4 SERVED"),
        ("23-rejectConsumer", 35, "SERVED", "4/50/3 REJECTED"),
        ("24-rejectService", 37, "REJECTED", "4/50/3 REJECTED"),
        ("25-postponeConsumer", 38, "POSTPONE", "4/50/3 POSTPONE"),
        ("26-skipConsumer", 39, "SERVING", "4/50/3 SERVING"),
        ("27-addService", 39, "SERVING", "1/10/10 WAITING, 1/20/3 WAITING, 4/50/3 SERVING"),
        ("28-registrateConsumer", 32317, "WAITING", "1/1/1 WAITING"),
    ] {
        let visitor = visitor(name);
        let done: Vec<String> = visitor["operations"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| {
                let id = |name: &str| one[name].to_string();
                let place = [id("service_id"), id("stage"), id("operation_id")].join("/");
                format!("{place} {}", one["state"].as_str().unwrap())
            })
            .collect();
        assert_eq!((&visitor["id"], &visitor["state"]), (&json!(id), &json!(state)), "{name}");
        assert_eq!(done.join(", "), operations, "{name}");
        // A page break of the document tears the workplace of this one apart.
        if name != "18-consumerFromQueueBody" {
            assert_eq!(visitor["extra"], json!({}), "{name}");
        }
    }
    let rejected = visitor("23-rejectConsumer");
    assert_eq!(rejected["operations"][0]["comments"], json!(["Reason", "Reason"]));
    assert_eq!(
        visitor("25-postponeConsumer")["postponed_until"],
        micros("2015-06-17T15:38:37.155Z")
    );
    let new = visitor("28-registrateConsumer");
    assert_eq!((&new["comment"], &new["ticket"]), (&json!("Какой-то комментарий"), &json!("447")));
    assert!(!new.to_string().contains("base64"), "the ticket's picture is left out");
}

#[test]
fn what_is_done_under_an_id_that_is_no_number_loses_nothing_and_keeps_its_policy() {
    let one = r#"{"state":"SERVED","user_id":7,"comment":"secret","x":1}"#;
    let many = r#"{"state":"odd","user_id":-1,"comment":["a","b"]}"#;
    let row = format!(r#"{{"id":1,"services":{{"4":{{"50":{{"a":{one},"3b":{many}}}}}}}}}"#);
    let extra = |settings: &[(&str, &str)]| {
        entity("consumer", "", &row, settings).unwrap().1["extra"].clone()
    };
    let kept = json!({
        "services.4.50.a": "\"SERVED\"",
        "services.4.50.a.user_id": "7",
        "services.4.50.a.comment": "[\"secret\"]",
        "services.4.50.a.x": "1",
        "services.4.50.3b": "\"odd\"",
        "services.4.50.3b.comment": "[\"a\",\"b\"]",
    });
    assert_eq!(extra(&[]), kept);
    for policy in ["drop", "mask", "hash"] {
        let extra = extra(&[("pii.policy.comments", policy)]).to_string();
        assert!(!extra.contains("secret") && extra.contains("SERVED"), "{policy}: {extra}");
    }
}
