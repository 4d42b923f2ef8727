//! Messages of QuickQ's WebSocket.

use bytes::Bytes;
use serde_json::Value;
use talon_quickq::frame::{Frame, Read, Unreadable};

use super::json::is_json;
use super::samples;

/// Fields that are blanked.
const SECRET: [&str; 3] = ["password", "hasp", "token"];

/// The input is a message.
pub(super) fn run(data: &[u8]) {
    let text = Bytes::copy_from_slice(data);
    let shown = match Frame::read(text.clone()) {
        Ok(Read { frame, .. }) => {
            check(&frame);
            frame.text()
        }
        Err(Unreadable { text: shown, command }) => {
            assert_eq!(shown.len(), data.len(), "what cannot be read keeps its bytes");
            assert!(command.is_none_or(|name| name.chars().all(|c| c.is_ascii_alphanumeric())));
            shown
        }
    };
    // A repair adds a brace at the end, and commas before fields that stand outside.
    assert!(shown.len() <= 2 * data.len() + 1, "a message does not grow beyond its repair");
    assert_blank(data, &shown);
}

fn check(frame: &Frame) {
    let (data, rows) = (frame.data(), frame.rows());
    assert_eq!(rows.is_some(), frame.has_rows(), "a list is a list to all who ask");
    let all_sound = rows.iter().flat_map(|rows| rows.iter()).all(is_json);
    if is_json(&frame.text()) {
        assert!(data.is_empty() || is_json(&data), "the data of a message that is JSON is JSON");
        assert!(all_sound, "so is each row");
    } else {
        assert!(rows.is_some(), "a message that is no JSON is read for the rows of its list alone");
    }
    if let Some(error) = &frame.error {
        let said = error.to_string();
        assert!(
            error.desc.len() < 5 || !said.contains(&error.desc),
            "the upstream's words: {said}"
        );
    }
    let again = Frame::read(frame.text()).unwrap_or_else(|_| panic!("it is read only once"));
    assert_eq!(again.frame.command, frame.command);
    assert_eq!((&again.frame.id, &again.frame.error), (&frame.id, &frame.error));
    assert_eq!(again.frame.text(), frame.text(), "blanked once is blanked");
    assert_eq!(again.frame.data(), data);
    assert_eq!(again.frame.entity(), frame.entity());
}

/// Of every secret of a message that is JSON, one occurrence is gone. Names with escapes aside.
fn assert_blank(data: &[u8], shown: &[u8]) {
    if data.contains(&b'\\') {
        return;
    }
    let Ok(json) = serde_json::from_slice::<Value>(data) else { return };
    let mut secrets = Vec::new();
    collect(&json, &mut secrets);
    for secret in &secrets {
        let count = |text: &[u8]| memchr::memmem::find_iter(text, secret.as_bytes()).count();
        let places = secrets.iter().filter(|other| other.contains(secret.as_str())).count();
        // A secret that is also something else stands there in the open.
        assert!(count(shown) + places <= count(data), "`{secret}` is shown");
    }
}

/// Secrets that are written as they are, and not so short that they turn up anywhere.
fn collect(json: &Value, secrets: &mut Vec<String>) {
    match json {
        Value::Object(fields) => {
            for (name, value) in fields {
                let secret = match value {
                    Value::String(text) => text.clone(),
                    Value::Number(number) => number.to_string(),
                    _ => String::new(),
                };
                let is_plain = secret.chars().all(|char| char.is_ascii_alphanumeric());
                if SECRET.contains(&name.as_str()) && is_plain && secret.len() >= 6 {
                    secrets.push(secret);
                }
                collect(value, secrets);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, secrets)),
        _ => {}
    }
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let samples = samples::of("quickq").into_iter().map(|(_, text)| text);
    let odd = [
        r#"{"command":"userList","data":[{"id":1,"password":"5ecret5"},{"password" : "5ecret5","id":2}]}"#,
        r#"{"command":"info","data":{"hasp":1023919797,"sessions":1},"token":"{5ecret}"}"#,
        r#"{"command":"getUser","error":{"codeError":150,"codeModule":7,"code":30064771222,"desc":"Нет"}}"#,
        r#"{"codeError":"150","codeModule":7,"desc":"Нет","children":[]}"#,
        r#"{"command":"nextConsumer","data":{"services":{}},"id":31,"number":2}"#,
        r#"{"command":"currentQueue2","data":{"size":9,"list":[{"id":1}]},"id":"talon-7"}"#,
        r#"{"command":"userList","data":[{"id":1},{"#,
    ];
    samples.chain(odd.into_iter().map(|text| text.as_bytes().to_vec())).collect()
}
