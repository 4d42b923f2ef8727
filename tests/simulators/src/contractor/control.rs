//! The control of the simulator over HTTP, under `/_sim`, without authorization:
//!
//! | Request | Meaning |
//! | --- | --- |
//! | `GET`, `POST`, `DELETE /_sim/faults` | the faults in force; add a [`Fault`]; clear all |
//! | `POST /_sim/edit` `{"edits": n}` | n random edits now |
//! | `POST /_sim/settle` | all late rows become visible |
//! | `GET`, `POST /_sim/settings` | the settings; change some of them |
//! | `GET /_sim/journal` | the effects, in order |
//! | `GET /_sim/history/{kind}/{id}` | the published states of an entity |
//! | `GET /_sim/history/{kind}` | what is published now, by id |
//! | `GET /_sim/stats` | counts of requests, effects, edits and states; marks |
//! | `POST /_sim/tokens/expire` `{"scheme": "user"}` | ends tokens |
//! | `POST /_sim/time` `{"advance_ms": n}` | moves the time of tokens |
//! | `POST /_sim/away` `{"ms": n}` | closes the port and all connections for so long |

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::auth::Scheme;
use super::faults::Fault;
use super::history::{History, Kind, PastState};
use super::journal::Effect;
use super::settings::Settings;
use super::simulator::Shared;

pub(super) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/_sim/faults", get(faults).post(add_fault).delete(clear_faults))
        .route("/_sim/edit", post(edit))
        .route("/_sim/settle", post(settle))
        .route("/_sim/settings", get(settings).post(change_settings))
        .route("/_sim/journal", get(journal))
        .route("/_sim/history/{kind}", get(current))
        .route("/_sim/history/{kind}/{id}", get(states))
        .route("/_sim/stats", get(stats))
        .route("/_sim/tokens/expire", post(expire))
        .route("/_sim/time", post(advance))
        .route("/_sim/away", post(away))
}

type Sim = State<Arc<Shared>>;

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

async fn settle(State(shared): Sim) -> StatusCode {
    shared.store().settle();
    StatusCode::NO_CONTENT
}

async fn settings(State(shared): Sim) -> Json<Settings> {
    Json(shared.store().settings.clone())
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

async fn current(State(shared): Sim, Path(kind): Path<Kind>) -> Json<BTreeMap<i64, String>> {
    Json(History { shared }.current(kind))
}

async fn states(State(shared): Sim, Path((kind, id)): Path<(Kind, i64)>) -> Json<Vec<PastState>> {
    Json(History { shared }.states(kind, id))
}

async fn stats(State(shared): Sim) -> Json<Value> {
    let (requests, effects) = (shared.journal.requests(), shared.journal.effects().len());
    let marks = shared.marks();
    let store = shared.store();
    Json(json!({
        "requests": requests,
        "effects": effects,
        "edits": store.edits,
        "states": store.log.published(),
        "calls": store.calls.len(),
        "marks": marks,
    }))
}

#[derive(Deserialize)]
struct Expire {
    scheme: Scheme,
}

async fn expire(State(shared): Sim, Json(Expire { scheme }): Json<Expire>) -> StatusCode {
    shared.store().users.expire(scheme);
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
struct Advance {
    advance_ms: u64,
}

async fn advance(State(shared): Sim, Json(Advance { advance_ms }): Json<Advance>) -> StatusCode {
    shared.store().users.advance(Duration::from_millis(advance_ms));
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
struct Away {
    ms: u64,
}

/// The answer to this request is usually lost with its connection.
async fn away(State(shared): Sim, Json(Away { ms }): Json<Away>) -> StatusCode {
    tokio::spawn(async move {
        shared.door.close().await;
        tokio::time::sleep(Duration::from_millis(ms)).await;
        shared.door.open().await;
    });
    StatusCode::ACCEPTED
}
