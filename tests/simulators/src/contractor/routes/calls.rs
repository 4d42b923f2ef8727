use std::sync::Arc;

use axum::Router;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};

use crate::contractor::gate::Act;
use crate::contractor::log::Kind;
use crate::contractor::reply::{Refusal, json_response, list};
use crate::contractor::shared::Shared;

/// A body that its definition does not accept, where the schema column says `ErrorDTO`.
const INVALID: Refusal = Refusal::error(400, 0);
const INVALID_EMPTY: Refusal = Refusal::empty(400);

pub(super) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/call", post(create))
        .route("/call/modifications/{timestamp}", get(modifications))
        .route("/call/messages/modifications/{timestamp}", get(message_modifications))
        .route("/call/jeopardies/modifications/{timestamp}", get(jeopardy_modifications))
        .route("/call/{id}", get(read).patch(patch))
        .route("/call/{id}/close", post(close))
        .route("/call/{id}/dispatcher/message", post(dispatcher_message))
        .route("/call/{id}/unjeopardy", post(unjeopardy))
        .route("/call/{id}/templink", post(templink))
        .route("/call/{id}/jeopardy", post(jeopardy))
        .route("/call/{id}/message", post(message))
        .route("/call/{id}/status", post(status))
}

async fn modifications(act: Act, Path(mark): Path<i64>) -> Response {
    feed(&act, Kind::Calls, mark)
}

async fn message_modifications(act: Act, Path(mark): Path<i64>) -> Response {
    feed(&act, Kind::Messages, mark)
}

async fn jeopardy_modifications(act: Act, Path(mark): Path<i64>) -> Response {
    feed(&act, Kind::Jeopardies, mark)
}

/// The rows are taken under the lock and joined outside of it.
fn feed(act: &Act, kind: Kind, mark: i64) -> Response {
    let rows = act.shared.store().modifications(kind, mark);
    json_response(StatusCode::OK, list(&rows))
}

async fn create(act: Act) -> Response {
    act.run(|store, asked| store.create_call(asked.body(INVALID)?))
}

async fn read(act: Act, Path(id): Path<i64>) -> Response {
    act.run(|store, _| store.read_call(id))
}

async fn patch(act: Act, Path(id): Path<i64>) -> Response {
    act.run(|store, asked| store.patch_call(id, asked.body(INVALID)?))
}

async fn close(act: Act, Path(id): Path<i64>) -> Response {
    act.run(|store, _| store.close_call(id))
}

async fn dispatcher_message(act: Act, Path(id): Path<i64>) -> Response {
    act.run(|store, asked| store.dispatcher_message(id, asked.body(INVALID)?))
}

async fn unjeopardy(act: Act, Path(id): Path<i64>) -> Response {
    act.run(|store, asked| store.answer_jeopardy(id, asked.body(INVALID_EMPTY)?))
}

async fn templink(act: Act, Path(id): Path<i64>) -> Response {
    act.run(|store, asked| store.link_call(id, asked.user()?))
}

async fn jeopardy(act: Act, Path(id): Path<i64>) -> Response {
    act.run(|store, asked| store.raise_jeopardy(id, asked.user()?, asked.body(INVALID_EMPTY)?))
}

async fn message(act: Act, Path(id): Path<i64>) -> Response {
    act.run(|store, asked| store.user_message(id, asked.user()?, asked.body(INVALID)?))
}

async fn status(act: Act, Path(id): Path<i64>) -> Response {
    act.run(|store, asked| store.set_call_status(id, asked.user()?, asked.body(INVALID_EMPTY)?))
}
