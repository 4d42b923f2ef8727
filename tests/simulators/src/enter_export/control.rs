//! The control of the simulator over HTTP, under `/_sim`, without authorization:
//!
//! | Request | Meaning |
//! | --- | --- |
//! | `GET`, `POST`, `DELETE /_sim/faults` | the faults in force; add one; clear all |
//! | `GET`, `POST /_sim/settings` | the settings; change some of them |
//! | `POST /_sim/time` `{"now_ms": n}` or `{"advance_ms": n}` | sets or moves the clock; 0 is the machine's |
//! | `GET /_sim/stats` | counts of requests and of branch-days |

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::control::Controlled;

use super::faults::{FaultKind, Faults, Requests};
use super::settings::Settings;
use super::shared::Shared;

pub(super) fn routes() -> Router<Arc<Shared>> {
    crate::control::routes().route("/_sim/time", post(time)).route("/_sim/stats", get(stats))
}

impl Controlled for Shared {
    type Kind = FaultKind;
    type To = Requests;
    type Settings = Settings;

    fn faults(&self) -> &Faults {
        &self.faults
    }

    fn settings(&self) -> Settings {
        self.settings().clone()
    }

    fn change_settings(&self, patch: &Value) -> anyhow::Result<()> {
        self.change_settings(patch)
    }
}

type Sim = State<Arc<Shared>>;

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
