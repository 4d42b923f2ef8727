//! The control of the simulator over HTTP, under `/_sim`, without authorization:
//!
//! | Request | Meaning |
//! | --- | --- |
//! | `GET`, `POST`, `DELETE /_sim/faults` | the faults in force; add one; clear all |
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
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::control::Controlled;

use super::faults::{FaultKind, Faults, Requests};
use super::history::History;
use super::journal::Effect;
use super::log::{Kind, PastState};
use super::scheme::Scheme;
use super::settings::Settings;
use super::shared::Shared;

pub(super) fn routes() -> Router<Arc<Shared>> {
    crate::control::routes()
        .route("/_sim/edit", post(edit))
        .route("/_sim/settle", post(settle))
        .route("/_sim/journal", get(journal))
        .route("/_sim/history/{kind}", get(current))
        .route("/_sim/history/{kind}/{id}", get(states))
        .route("/_sim/stats", get(stats))
        .route("/_sim/tokens/expire", post(expire))
        .route("/_sim/time", post(advance))
        .route("/_sim/away", post(away))
}

impl Controlled for Shared {
    type Kind = FaultKind;
    type To = Requests;
    type Settings = Settings;

    fn faults(&self) -> &Faults {
        &self.faults
    }

    fn settings(&self) -> Settings {
        self.store().settings.clone()
    }

    fn change_settings(&self, patch: &Value) -> anyhow::Result<()> {
        self.change_settings(patch)
    }
}

type Sim = State<Arc<Shared>>;

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
