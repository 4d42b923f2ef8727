//! Faults in the answer to a request that had its effect.

use std::io;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};

use super::faults::FaultKind;
use super::reply::text;
use crate::noise::{self, Noise};

/// How long the first half of a cut body has to leave the machine before the cut.
const BEFORE_CUT: Duration = Duration::from_millis(20);

/// What stands for a value that is no JSON until the answer is written.
const PLACE: &str = "{odd}";

/// The answer with the faults in it, as it is spelled this time.
pub(super) async fn spoil(response: Response, faults: &[FaultKind], noise: Noise) -> Response {
    if faults.is_empty() && !noise.is_any() {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let Ok(mut body) = to_bytes(body, usize::MAX).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    parts.headers.remove(header::CONTENT_LENGTH);
    let is_json = parts.headers.get(header::CONTENT_TYPE).is_some_and(is_json_type);
    if is_json && noise.is_any() {
        body = noise::extended(&String::from_utf8_lossy(&body)).into();
    }
    if is_json && parts.status.is_success() {
        body = faults.iter().fold(body, spoil_json);
    }
    if is_json && noise.is_any() {
        body = noise.respelled(String::from_utf8_lossy(&body).into_owned()).into();
    }
    for fault in faults {
        if let FaultKind::Cut { chunked } = fault {
            if !chunked {
                let length = body.len().max(2);
                parts.headers.insert(header::CONTENT_LENGTH, length.into());
            }
            return Response::from_parts(parts, cut(&body));
        }
    }
    Response::from_parts(parts, Body::from(body))
}

fn is_json_type(kind: &HeaderValue) -> bool {
    kind.as_bytes().starts_with(b"application/json")
}

/// The first half of the body, and then the end of the connection.
fn cut(body: &Bytes) -> Body {
    let half = body.slice(..body.len() / 2);
    let broken = stream::once(async {
        tokio::time::sleep(BEFORE_CUT).await;
        Err(io::Error::from(io::ErrorKind::ConnectionAborted))
    });
    Body::from_stream(stream::iter([Ok(half)]).chain(broken))
}

fn spoil_json(body: Bytes, fault: &FaultKind) -> Bytes {
    match fault {
        FaultKind::InvalidJson => body.slice(..body.len() * 2 / 3),
        FaultKind::EmptyList => with_list(body, |_| Vec::new()),
        FaultKind::ShortList { keep } => with_list(body, |mut rows| {
            rows.sort_by_key(id_of);
            rows.truncate(*keep);
            rows
        }),
        FaultKind::DoubleRows => {
            with_list(body, |rows| rows.into_iter().flat_map(|row| [row.clone(), row]).collect())
        }
        FaultKind::UnknownField => with_rows(body, |rows| {
            for row in rows {
                row["slaClass"] = json!("gold");
            }
        }),
        FaultKind::UndecodableRow => with_row(body, |row| row["id"] = json!("не число")),
        FaultKind::RowWithoutId => with_row(body, |row| {
            if let Some(fields) = row.as_object_mut() {
                fields.shift_remove("id");
            }
        }),
        FaultKind::UnknownStatus => with_row(body, |row| row["status"] = json!("Paused")),
        FaultKind::WrongType => with_row(body, mistype),
        FaultKind::OddRow { value } => {
            let marked = with_row(body, |row| row["odd"] = json!(PLACE));
            let text = String::from_utf8_lossy(&marked);
            text.replace(&format!("\"{PLACE}\""), value).into()
        }
        FaultKind::LeapingMark { mark } => with_row(body, |row| row["timestamp"] = json!(mark)),
        FaultKind::OtherAnswer { body } => Bytes::copy_from_slice(body.as_bytes()),
        _ => body,
    }
}

/// Optional fields, each with a value of a type that the document does not give it.
fn mistype(row: &mut Value) {
    let wrong = [
        ("critical", json!("да")),
        ("comment", json!(17)),
        ("message", json!({ "text": "сообщение" })),
        ("title", json!(["задача"])),
        ("expenses", json!("нет")),
    ];
    let known = wrong.into_iter().find(|(name, _)| row.get(name).is_some());
    if let Some((name, value)) = known {
        row[name] = value;
    }
}

fn with_row(body: Bytes, change: impl FnOnce(&mut Value)) -> Bytes {
    with_rows(body, |rows| {
        if let Some(row) = rows.iter_mut().min_by_key(|row| id_of(row)) {
            change(row);
        }
    })
}

/// Changes the rows of a list, or an object as the only row.
fn with_rows(body: Bytes, change: impl FnOnce(&mut [Value])) -> Bytes {
    match serde_json::from_slice::<Value>(&body) {
        Ok(Value::Array(mut rows)) if rows.iter().all(Value::is_object) => {
            change(&mut rows);
            text(&rows)
        }
        Ok(mut row @ Value::Object(_)) => {
            change(std::slice::from_mut(&mut row));
            text(&row)
        }
        _ => body,
    }
}

fn with_list(body: Bytes, change: impl FnOnce(Vec<Value>) -> Vec<Value>) -> Bytes {
    match serde_json::from_slice(&body) {
        Ok(Value::Array(rows)) => text(&change(rows)),
        _ => body,
    }
}

fn id_of(row: &Value) -> i64 {
    row.get("id").and_then(Value::as_i64).unwrap_or(i64::MAX)
}
