//! What an operation answers, before the settings decide its exact form.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::Serialize;
use serde_json::json;

use super::settings::{PlainSuccess, Settings};

/// A success: what to send and what it changed.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) form: Form,
    /// The entity that a write request had an effect on; `None` for reads and for requests that
    /// changed nothing.
    pub(super) effect: Option<i64>,
}

#[derive(Debug)]
pub(super) enum Form {
    /// 200 with JSON.
    Json(Bytes),
    /// 200 with a string: JSON where the client accepts it by name, plain text otherwise, as
    /// ASP.NET formats strings.
    String(String),
    /// 200 with a file.
    File { name: String, kind: &'static str, bytes: Bytes },
    /// 204.
    NoContent,
    /// 200, with the body if there is one, or 204: the document lists both.
    Plain(Option<Bytes>),
}

impl Reply {
    pub(super) fn read(body: Bytes) -> Self {
        Self { form: Form::Json(body), effect: None }
    }

    pub(super) fn wrote(entity: i64, body: &impl Serialize) -> Self {
        Self { form: Form::Json(text(body)), effect: Some(entity) }
    }

    pub(super) fn done(entity: i64) -> Self {
        Self { form: Form::NoContent, effect: Some(entity) }
    }

    pub(super) fn plain(entity: i64) -> Self {
        Self { form: Form::Plain(None), effect: Some(entity) }
    }

    /// The answer; `turn` counts the answers of the form [`Form::Plain`].
    pub(super) fn response(self, settings: &Settings, accept: &str, turn: &mut u64) -> Response {
        match self.form {
            Form::Json(body) => json_response(StatusCode::OK, body),
            Form::NoContent => StatusCode::NO_CONTENT.into_response(),
            Form::String(value) if accept.contains("application/json") => {
                json_response(StatusCode::OK, text(&value))
            }
            Form::String(value) => value.into_response(),
            Form::File { name, kind, bytes } => file_response(&name, kind, bytes),
            Form::Plain(body) => {
                *turn += 1;
                let empty = match settings.plain_success {
                    PlainSuccess::Ok => false,
                    PlainSuccess::NoContent => true,
                    PlainSuccess::Mixed => turn.is_multiple_of(2),
                };
                match body {
                    _ if empty => StatusCode::NO_CONTENT.into_response(),
                    Some(body) => json_response(StatusCode::OK, body),
                    None => StatusCode::OK.into_response(),
                }
            }
        }
    }
}

/// A refusal: a code of the document and the form of its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    status: u16,
    /// The `errorCode`, where the text lists one.
    code: Option<i32>,
    /// Whether the schema column says `ErrorDTO`.
    has_body: bool,
}

impl Refusal {
    /// The schema column says `No Content` and the text lists no code.
    pub(super) const fn empty(status: u16) -> Self {
        Self { status, code: None, has_body: false }
    }

    /// The schema column says `ErrorDTO`. Where the text lists no code, 1 stands for the entity of
    /// the path that is not found, as in the listed ones, and 0 for all else.
    pub(super) const fn error(status: u16, code: i32) -> Self {
        Self { status, code: Some(code), has_body: true }
    }

    /// The text lists a code although the schema column says `No Content`.
    pub(super) const fn listed(status: u16, code: i32) -> Self {
        Self { status, code: Some(code), has_body: false }
    }

    pub(super) fn response(self, settings: &Settings) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        match self.code {
            Some(code) if self.has_body || settings.listed_error_codes => {
                json_response(status, text(&json!({ "errorCode": code })))
            }
            _ => status.into_response(),
        }
    }
}

/// The JSON text of `value`.
pub(super) fn text(value: &impl Serialize) -> Bytes {
    serde_json::to_vec(value).expect("the DTOs have string keys and no failing fields").into()
}

/// The JSON array of rows that are JSON already.
pub(super) fn list(rows: &[Bytes]) -> Bytes {
    let size = rows.iter().map(|row| row.len() + 1).sum::<usize>() + 2;
    let mut body = Vec::with_capacity(size);
    body.push(b'[');
    for (at, row) in rows.iter().enumerate() {
        if at > 0 {
            body.push(b',');
        }
        body.extend_from_slice(row);
    }
    body.push(b']');
    body.into()
}

pub(super) fn json_response(status: StatusCode, body: Bytes) -> Response {
    let kind = HeaderValue::from_static("application/json; charset=utf-8");
    (status, [(header::CONTENT_TYPE, kind)], body).into_response()
}

fn file_response(name: &str, kind: &'static str, bytes: Bytes) -> Response {
    // RFC 6266: a name outside ASCII goes percent-encoded into `filename*`.
    let encoded: String = name
        .bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect();
    let mut response = Response::new(Body::from(bytes));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    if let Ok(value) = format!("attachment; filename*=UTF-8''{encoded}").parse() {
        headers.insert(header::CONTENT_DISPOSITION, value);
    }
    response
}
