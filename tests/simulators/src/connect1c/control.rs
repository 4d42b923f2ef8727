//! The control of the simulator over HTTP, under `/_sim`, without authorization:
//!
//! | Request | Meaning |
//! | --- | --- |
//! | `GET`, `POST`, `DELETE /_sim/faults` | the faults in force; add one; clear all |
//! | `GET`, `POST /_sim/settings` | the settings; change some of them |
//! | `POST /_sim/time` `{"now_ms": n}` or `{"advance_ms": n}` | sets or moves the clock; 0 is the machine's |
//! | `POST /_sim/spend` `{"account": a, "operation": o, "calls": n}` | calls of another program |
//! | `GET /_sim/journal` | every call |

use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::Value;

use super::call::Operation;
use super::faults::{FaultKind, Faults, Requests};
use super::journal::Call;
use super::settings::Settings;
use super::shared::Shared;
use crate::clock::{self, Clocked};
use crate::control::Controlled;

pub(super) fn routes() -> Router<Arc<Shared>> {
    crate::control::routes()
        .merge(clock::routes())
        .route("/_sim/spend", post(spend))
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
        self.settings().clone()
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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Spend {
    account: String,
    operation: Operation,
    calls: u32,
}

async fn spend(State(shared): Sim, Json(spend): Json<Spend>) -> StatusCode {
    let now = shared.now_ms();
    shared.counted().spend(&spend.account, spend.operation, spend.calls, now);
    StatusCode::NO_CONTENT
}

async fn journal(State(shared): Sim) -> Json<Vec<Call>> {
    Json(shared.journal.calls())
}
