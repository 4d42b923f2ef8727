//! The control of the simulator over HTTP, under `/_sim`, without authorization:
//!
//! | Request | Meaning |
//! | --- | --- |
//! | `GET`, `POST`, `DELETE /_sim/faults` | the faults in force; add one; clear all |
//! | `GET`, `POST /_sim/settings` | the settings; change some of them |
//! | `POST /_sim/time` `{"now_ms": n}` or `{"advance_ms": n}` | sets or moves the clock; 0 is the machine's |
//! | `POST /_sim/revoke` | no token is good any more |
//! | `GET /_sim/stats`, `GET /_sim/journal` | counts of requests; what took effect |

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::Value;

use super::faults::{FaultKind, Faults, Requests};
use super::journal::Effect;
use super::settings::Settings;
use super::shared::Shared;
use crate::control::Controlled;

pub(super) fn routes() -> Router<Arc<Shared>> {
    crate::control::routes()
        .route("/_sim/time", post(time))
        .route("/_sim/revoke", post(revoke))
        .route("/_sim/stats", get(stats))
        .route("/_sim/journal", get(journal))
}

impl Controlled for Shared {
    type Kind = FaultKind;
    type To = Requests;
    type Settings = Settings;

    fn faults(&self) -> &Faults {
        &self.faults
    }

    fn settings(&self) -> Settings {
        self.settings()
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

async fn revoke(State(shared): Sim) -> StatusCode {
    shared.store().tokens.clear();
    StatusCode::NO_CONTENT
}

async fn stats(State(shared): Sim) -> Json<Value> {
    Json(serde_json::to_value(&*shared.requests()).unwrap_or_default())
}

async fn journal(State(shared): Sim) -> Json<Vec<Effect>> {
    Json(shared.store().journal.clone())
}
