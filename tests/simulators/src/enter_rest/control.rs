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
use std::sync::atomic::AtomicI64;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::Value;

use super::faults::{FaultKind, Faults, Requests};
use super::journal::Effect;
use super::settings::Settings;
use super::shared::Shared;
use crate::clock::{self, Clocked};
use crate::control::Controlled;

pub(super) fn routes() -> Router<Arc<Shared>> {
    crate::control::routes()
        .merge(clock::routes())
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

impl Clocked for Shared {
    fn clock(&self) -> &AtomicI64 {
        &self.clock
    }
}

type Sim = State<Arc<Shared>>;

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
