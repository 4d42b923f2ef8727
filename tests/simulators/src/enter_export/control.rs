//! The control of the simulator over HTTP, under `/_sim`, without authorization:
//!
//! | Request | Meaning |
//! | --- | --- |
//! | `GET`, `POST`, `DELETE /_sim/faults` | the faults in force; add one; clear all |
//! | `GET`, `POST /_sim/settings` | the settings; change some of them |
//! | `POST /_sim/time` `{"now_ms": n}` or `{"advance_ms": n}` | sets or moves the clock; 0 is the machine's |
//! | `GET /_sim/stats` | counts of requests and of branch-days |

use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::clock::{self, Clocked};
use crate::control::Controlled;

use super::faults::{FaultKind, Faults, Requests};
use super::settings::Settings;
use super::shared::Shared;

pub(super) fn routes() -> Router<Arc<Shared>> {
    crate::control::routes().merge(clock::routes()).route("/_sim/stats", get(stats))
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

async fn stats(State(shared): Sim) -> Json<Value> {
    let counts = shared.counts();
    let days: Vec<Value> = counts
        .days
        .iter()
        .map(|(asked, count)| json!({ "branch": asked.branch, "day": asked.day.to_string(), "count": count }))
        .collect();
    Json(json!({ "requests": counts.requests, "days": days }))
}
