//! The control of the simulator over HTTP, under `/_sim`, without authorization:
//!
//! | Request | Meaning |
//! | --- | --- |
//! | `GET`, `POST`, `DELETE /_sim/faults` | the faults in force; add a [`Fault`]; clear all |
//! | `POST /_sim/edit` `{"edits": n}` | n random edits now |
//! | `POST /_sim/arrive` `{"visitors": n}` | n visitors come at once |
//! | `POST /_sim/act` `{"command": c, "data": d}` | a command, as a workplace's own program |
//! | `GET`, `POST /_sim/settings` | the settings; change some of them |
//! | `GET /_sim/journal` | the effects, in order |
//! | `GET /_sim/book/{book}` | the items of a book |
//! | `GET /_sim/stats` | counts of requests, effects, sockets, sessions and states |
//! | `POST /_sim/forget` | forgets all sessions |
//! | `POST /_sim/cut` | cuts all sockets |

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::book::Book;
use super::faults::Fault;
use super::journal::Effect;
use super::settings::Settings;
use super::simulator::Shared;

type Sim = State<Arc<Shared>>;

pub(super) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/_sim/faults", get(faults).post(add_fault).delete(clear_faults))
        .route("/_sim/edit", post(edit))
        .route("/_sim/arrive", post(arrive))
        .route("/_sim/act", post(act))
        .route("/_sim/settings", get(settings).post(change_settings))
        .route("/_sim/journal", get(journal))
        .route("/_sim/book/{book}", get(book))
        .route("/_sim/stats", get(stats))
        .route("/_sim/forget", post(forget))
        .route("/_sim/cut", post(cut))
}

async fn faults(State(shared): Sim) -> Json<Vec<Fault>> {
    Json(shared.faults.list())
}

async fn add_fault(State(shared): Sim, Json(fault): Json<Value>) -> Response {
    match fault_of(&fault) {
        Ok(fault) => {
            shared.faults.add(fault);
            StatusCode::NO_CONTENT.into_response()
        }
        Err(error) => (StatusCode::BAD_REQUEST, format!("{error:#}")).into_response(),
    }
}

/// The fault, with no field that it does not have: serde cannot deny those of a flattened enum.
fn fault_of(json: &Value) -> anyhow::Result<Fault> {
    let fault = Fault::deserialize(json)?;
    let known = serde_json::to_value(&fault)?;
    for name in json.as_object().into_iter().flat_map(|fields| fields.keys()) {
        anyhow::ensure!(known.get(name).is_some(), "a fault of this kind has no `{name}`");
    }
    Ok(fault)
}

async fn clear_faults(State(shared): Sim) -> StatusCode {
    shared.faults.clear();
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
struct Edit {
    edits: usize,
}

async fn edit(State(shared): Sim, Json(Edit { edits }): Json<Edit>) -> StatusCode {
    shared.edit(edits);
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
struct Arrive {
    visitors: usize,
}

async fn arrive(State(shared): Sim, Json(Arrive { visitors }): Json<Arrive>) -> StatusCode {
    shared.arrive(visitors);
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
struct Act {
    command: String,
    data: Value,
}

async fn act(State(shared): Sim, Json(Act { command, data }): Json<Act>) -> Response {
    match shared.act(&command, data) {
        Ok(data) => Json(data).into_response(),
        Err(code) => (StatusCode::CONFLICT, Json(json!({ "codeError": code }))).into_response(),
    }
}

async fn settings(State(shared): Sim) -> Json<Settings> {
    Json(shared.world().store.settings.clone())
}

async fn change_settings(State(shared): Sim, Json(patch): Json<Value>) -> Response {
    match shared.change_settings(&patch) {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => (StatusCode::BAD_REQUEST, format!("{error:#}")).into_response(),
    }
}

async fn journal(State(shared): Sim) -> Json<Vec<Effect>> {
    Json(shared.journal.effects())
}

async fn book(State(shared): Sim, Path(book): Path<Book>) -> Json<BTreeMap<i64, Value>> {
    Json(shared.world().store.books.get(&book).cloned().unwrap_or_default())
}

async fn stats(State(shared): Sim) -> Json<Value> {
    let (requests, effects) = (shared.journal.requests(), shared.journal.effects().len());
    let world = shared.world();
    Json(json!({
        "requests": requests,
        "effects": effects,
        "sockets": world.peers.len(),
        "sessions": world.store.sessions.len(),
        "states": world.store.state_count(),
    }))
}

async fn forget(State(shared): Sim) -> StatusCode {
    shared.world().store.sessions.clear();
    StatusCode::NO_CONTENT
}

async fn cut(State(shared): Sim) -> StatusCode {
    shared.world().peers.cut();
    StatusCode::NO_CONTENT
}
