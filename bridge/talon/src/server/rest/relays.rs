//! `/talon/relays`: not Connect's, whose clients know sources and sinks alone.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::errors::Error;
use super::state::{Rest, ready};
use crate::instances::{Change, Refusal, Shown, Target};

type Answer = Result<Response, Error>;

pub(super) async fn list(State(rest): State<Rest>) -> Answer {
    Ok(Json(ready(&rest)?.relays()).into_response())
}

pub(super) async fn status(State(rest): State<Rest>, Path(name): Path<String>) -> Answer {
    let relay = ready(&rest)?.relay(&name).ok_or_else(|| unknown(&name))?;
    let task = |(id, shown): (usize, &Shown)| {
        let state = shown.task.as_ref().unwrap_or(&shown.connector);
        let mut task = json!({"id": id, "state": state, "worker_id": shown.worker});
        if !shown.trace.is_empty() {
            task["trace"] = shown.trace.clone().into();
        }
        task
    };
    let tasks: Vec<Value> = relay.tasks.iter().enumerate().map(task).collect();
    let body = json!({"name": name, "state": relay.target.word(), "tasks": tasks});
    Ok(Json(body).into_response())
}

pub(super) async fn pause(State(rest): State<Rest>, Path(name): Path<String>) -> Answer {
    change(&rest, &name, Change::Target(Target::Paused), StatusCode::ACCEPTED).await
}

pub(super) async fn resume(State(rest): State<Rest>, Path(name): Path<String>) -> Answer {
    change(&rest, &name, Change::Target(Target::Running), StatusCode::ACCEPTED).await
}

pub(super) async fn stop(State(rest): State<Rest>, Path(name): Path<String>) -> Answer {
    change(&rest, &name, Change::Target(Target::Stopped), StatusCode::NO_CONTENT).await
}

pub(super) async fn restart(State(rest): State<Rest>, Path(name): Path<String>) -> Answer {
    let anew = Change::Restart { only_failed: false };
    change(&rest, &name, anew, StatusCode::NO_CONTENT).await
}

async fn change(rest: &Rest, name: &str, change: Change, code: StatusCode) -> Answer {
    match ready(rest)?.change_relay(name, change).await {
        Ok(()) => Ok(code.into_response()),
        Err(Refusal::NotFound) => Err(unknown(name)),
        Err(refusal) => Err(Error::of(refusal, name)),
    }
}

fn unknown(name: &str) -> Error {
    Error::new(StatusCode::NOT_FOUND, format!("Unknown relay {name}"))
}
