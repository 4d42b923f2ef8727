//! The control of the simulator over HTTP, under `/_sim`, without authorization:
//!
//! | Request | Meaning |
//! | --- | --- |
//! | `GET`, `POST`, `DELETE /_sim/faults` | the faults in force; add a [`Fault`]; clear all |
//! | `GET`, `POST /_sim/settings` | the settings; change some of them |
//! | `POST /_sim/time` `{"now_ms": n}` or `{"advance_ms": n}` | sets or moves the clock; 0 is the machine's |
//! | `GET /_sim/stats` | counts of requests and of branch-days |

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::faults::Fault;
use super::settings::Settings;
use super::simulator::Shared;

pub(super) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/_sim/faults", get(faults).post(add_fault).delete(clear_faults))
        .route("/_sim/settings", get(settings).post(change_settings))
        .route("/_sim/time", post(time))
        .route("/_sim/stats", get(stats))
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

async fn settings(State(shared): Sim) -> Json<Settings> {
    Json(shared.settings().clone())
}

async fn change_settings(State(shared): Sim, Json(patch): Json<Value>) -> Response {
    match shared.change_settings(&patch) {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => (StatusCode::BAD_REQUEST, format!("{error:#}")).into_response(),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Time {
    now_ms: Option<i64>,
    #[serde(default)]
    advance_ms: i64,
}

async fn time(State(shared): Sim, Json(Time { now_ms, advance_ms }): Json<Time>) -> StatusCode {
    let now = now_ms.unwrap_or_else(|| shared.now_ms());
    shared.clock.store(now + advance_ms, Ordering::SeqCst);
    StatusCode::NO_CONTENT
}

async fn stats(State(shared): Sim) -> Json<Value> {
    let counts = shared.counts();
    let days: Vec<Value> = counts
        .days
        .iter()
        .map(|(asked, count)| json!({ "branch": asked.branch, "day": asked.day.to_string(), "count": count }))
        .collect();
    Json(json!({ "requests": counts.requests, "days": days }))
}
