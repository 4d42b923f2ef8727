//! The control of the simulator over HTTP, under `/_sim`, without authorization:
//!
//! | Request | Meaning |
//! | --- | --- |
//! | `GET`, `POST`, `DELETE /_sim/faults` | the faults in force; add one; clear all |
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

use crate::control::Controlled;

use super::book::Book;
use super::faults::{FaultKind, Faults, Messages};
use super::journal::Effect;
use super::settings::Settings;
use super::shared::Shared;

impl Controlled for Shared {
    type Kind = FaultKind;
    type To = Messages;
    type Settings = Settings;

    fn faults(&self) -> &Faults {
        &self.faults
    }

    fn settings(&self) -> Settings {
        self.world().store.settings.clone()
    }

    fn change_settings(&self, patch: &Value) -> anyhow::Result<()> {
        self.change_settings(patch)
    }
}

type Sim = State<Arc<Shared>>;

pub(super) fn routes() -> Router<Arc<Shared>> {
    crate::control::routes()
        .route("/_sim/edit", post(edit))
        .route("/_sim/arrive", post(arrive))
        .route("/_sim/act", post(act))
        .route("/_sim/journal", get(journal))
        .route("/_sim/book/{book}", get(book))
        .route("/_sim/stats", get(stats))
        .route("/_sim/forget", post(forget))
        .route("/_sim/cut", post(cut))
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
