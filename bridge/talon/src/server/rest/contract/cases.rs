//! Cases: a request, its code, and what its answer has at least.

use serde_json::{Value, json};

use super::super::tests::{ask, config};
use crate::server::tests::Server;

/// A request, its code, and what its answer has at least; `null` is an answer without a body.
pub(super) type Case = (&'static str, &'static str, &'static str, Value, u16, Value);

/// Whether an answer has everything that is expected; texts may have more behind them.
pub(super) fn has(answer: &Value, expected: &Value) -> bool {
    match (answer, expected) {
        (Value::Object(answer), Value::Object(expected)) => expected
            .iter()
            .all(|(key, expected)| answer.get(key).is_some_and(|answer| has(answer, expected))),
        (Value::String(answer), Value::String(expected)) => answer.starts_with(expected.as_str()),
        (answer, expected) => answer == expected,
    }
}

pub(super) async fn hold(server: &Server, cases: Vec<Case>) {
    for (says, method, path, body, code, expected) in cases {
        let (answered, answer) = ask(server, method, path, body).await;
        assert_eq!(answered, code, "{says}: {method} {path}: {answer}");
        assert!(has(&answer, &expected), "{says}: {method} {path}: {answer}");
    }
}

pub(super) fn error(code: u16, message: &str) -> Value {
    json!({"error_code": code, "message": message})
}

pub(super) fn create(name: &str, more: Value) -> Value {
    let mut body = json!({"name": name, "config": config()});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}
