//! The table of the document, and what every request of it passes: counting, faults, the token, and on the
//! way back the faults in the answer.

mod booking;
mod call;
mod central;
mod hall;
mod lists;
mod operator;
mod table;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::control;
use super::faults::FaultKind;
use super::forms::{formed, refused};
use super::settings::Settings;
use super::shared::Shared;
use super::store::Store;
use super::store::model::{Holder, Refusal};
use crate::connection::Line;
use crate::noise::{self, Noise};

use call::{Answer, Call};
pub use table::TABLE;

/// The largest body that is read, in bytes.
const LARGEST_BODY: usize = 1024 * 1024;

/// How long what was written has to leave the machine before a cut.
const BEFORE_CUT: Duration = Duration::from_millis(20);

pub(super) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .fallback(serve)
        .merge(control::routes())
        .merge(central::routes())
        .with_state(shared)
}

fn answer(store: &mut Store, call: &Call) -> Result<Answer, Refusal> {
    if !table::is_of(store.settings.kind, call.endpoint) {
        return Err(Refusal::new(404, "Не найдено"));
    }
    let start = call.endpoint.split(['/', ' ']).nth(1).unwrap_or_default();
    match start {
        "operation" => operator::answer(store, call),
        "booking" => booking::answer(store, call),
        _ if call.endpoint.contains("queue/admin/") => hall::answer(store, call),
        _ => lists::answer(store, call),
    }
}

/// What a request of the table gives now, without noise and without being counted: as an operator at that
/// workplace, as somebody who books under that name, or as the hall's administrator. What it does, the life
/// does.
pub(super) fn act(
    store: &mut Store,
    (method, path): (&str, &str),
    body: Value,
    who: Option<&str>,
) -> anyhow::Result<Value> {
    let (endpoint, of, query) =
        table::find(method, path).ok_or_else(|| anyhow::anyhow!("`{path}` is not in the table"))?;
    let place = |id: &str| store.workplaces.iter().position(|place| place.client_id == id);
    let holder = match who {
        None => Holder::Hall,
        Some(id) => place(id).map_or_else(|| Holder::Visitor(id.to_owned()), Holder::Workplace),
    };
    let call = Call { endpoint, of, query, body, holder: Some(holder), token: String::new() };
    match answer(store, &call) {
        Ok(Answer::Json(reply)) => Ok(formed(&store.settings, reply)),
        Ok(Answer::Done) => Ok(Value::Null),
        Ok(_) => anyhow::bail!("`{path}` gives no JSON"),
        Err(refusal) => anyhow::bail!("`{path}` is refused with {}", refusal.status),
    }
}

/// A reply with the server's time, as HTTP has it.
async fn serve(state: State<Arc<Shared>>, line: ConnectInfo<Line>, request: Request) -> Response {
    let shared = Arc::clone(&state.0);
    let mut response = respond(state, line, request).await;
    let now = Timestamp::from_millisecond(shared.now_ms()).unwrap_or_default();
    let date = now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    if let Ok(date) = HeaderValue::try_from(date) {
        response.headers_mut().insert(header::DATE, date);
    }
    response
}

async fn respond(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(line): ConnectInfo<Line>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().map_or("", |path| path.as_str());
    let path = path.strip_prefix("/api/1").unwrap_or(path);
    let Some((endpoint, of, query)) = table::find(parts.method.as_str(), path) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    *shared.requests().entry(endpoint.to_owned()).or_default() += 1;
    let faults = shared.faults.strike(endpoint);
    for fault in &faults {
        match fault {
            FaultKind::Slow { ms } => tokio::time::sleep(Duration::from_millis(*ms)).await,
            FaultKind::HtmlError => {
                return Html("<!DOCTYPE html><title>Вход</title>").into_response();
            }
            FaultKind::Status { code, retry_after_seconds } => {
                let code = StatusCode::from_u16(*code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                let mut response = code.into_response();
                if let Some(seconds) = retry_after_seconds {
                    response.headers_mut().insert(header::RETRY_AFTER, (*seconds).into());
                }
                return response;
            }
            FaultKind::Dropped => line.cut(),
            _ => {}
        }
    }
    if faults.contains(&FaultKind::Dropped) {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    let body = to_bytes(body, LARGEST_BODY).await.unwrap_or_default();
    let body = serde_json::from_slice(&body).unwrap_or_default();
    let settings = shared.settings();
    let shown = parts.headers.get(settings.token_header.as_str());
    let token = shown.and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let mut call = Call { endpoint, of, query, body, holder: None, token };
    // Before it takes effect: whoever sees the effect may release it.
    let held = shared.held.notified();
    let outcome = take_effect(&mut shared.store(), &mut call, &faults);
    if faults.contains(&FaultKind::LostReply) {
        line.cut();
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    if faults.contains(&FaultKind::HeldReply) {
        held.await;
    }
    reply(&settings, outcome, &faults)
}

/// What a request does to the hall.
fn take_effect(
    store: &mut Store,
    call: &mut Call,
    faults: &[FaultKind],
) -> Result<Answer, Refusal> {
    if faults.contains(&FaultKind::TakenOver) {
        store.tokens.remove(&call.token);
    }
    call.holder = store.tokens.get(&call.token).cloned();
    if faults.contains(&FaultKind::Intruder)
        && let Some(Holder::Workplace(place)) = call.holder
    {
        let before = store.journal.len();
        for _ in 0..100 {
            if store.journal.len() == before {
                store.work(place);
            }
        }
    }
    store.is_asked = true;
    let outcome = answer(store, call);
    store.is_asked = false;
    outcome
}

fn reply(settings: &Settings, outcome: Result<Answer, Refusal>, faults: &[FaultKind]) -> Response {
    let answer = match outcome {
        Ok(answer) => answer,
        Err(refusal) => {
            let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::BAD_REQUEST);
            let (body, kind) = refused(settings, &refusal);
            return (status, [(header::CONTENT_TYPE, kind)], body).into_response();
        }
    };
    let kind = [(header::CONTENT_TYPE, "application/json; charset=utf-8")];
    let mut value = match answer {
        Answer::Done => return StatusCode::OK.into_response(),
        Answer::Image(image) => {
            return ([(header::CONTENT_TYPE, "image/png")], image).into_response();
        }
        Answer::Token(token) if settings.quoted_token => {
            return (kind, json!(token).to_string()).into_response();
        }
        Answer::Token(token) => return token.into_response(),
        Answer::Json(value) => formed(settings, value),
    };
    if settings.noise > 0.0 {
        noise::extend(&mut value);
    }
    for fault in faults {
        match fault {
            FaultKind::EmptyList if value.is_array() => value = json!([]),
            FaultKind::UndecodableRow if value[0].is_object() => {
                value[0]["Id"] = json!({ "no": 1 })
            }
            FaultKind::OtherAnswer { body } => return (kind, body.clone()).into_response(),
            _ => {}
        }
    }
    let body = Noise { seed: settings.seed, share: settings.noise }.respelled(value.to_string());
    if !faults.contains(&FaultKind::Cut) {
        return (kind, body).into_response();
    }
    let body = Bytes::from(body);
    let half = body.slice(..body.len() / 2);
    let broken = stream::once(async {
        tokio::time::sleep(BEFORE_CUT).await;
        Err(std::io::Error::from(std::io::ErrorKind::ConnectionAborted))
    });
    (kind, Body::from_stream(stream::iter([Ok(half)]).chain(broken))).into_response()
}
