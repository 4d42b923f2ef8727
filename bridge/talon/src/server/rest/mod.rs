//! REST as Kafka Connect's tools speak it, for the connectors of all processes of the group.
//!
//! Any process answers for all: configurations and states are on the bus ([`crate::instances`]). Each change leaves
//! one line in the log: who, what, from where.

mod bodies;
mod connectors;
#[cfg(test)]
mod contract;
mod dead_letters;
pub(super) mod errors;
mod loggers;
mod offsets;
mod plugins;
mod relays;
mod request;
mod state;
#[cfg(test)]
mod tests;

use axum::body::to_bytes;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::{Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use serde_json::json;

use super::access::{Caller, is_json, is_of_this_site, may_change};
use errors::Error;
pub(super) use state::Rest;

/// The version of Kafka Connect whose REST this is: its clients ask for it, and use what it has.
const SPEAKS: &str = "4.1.0";

/// Largest body of a request.
const BODY: usize = 1024 * 1024;

/// Largest text of an error that is not of ours.
const TEXT: usize = 64 * 1024;

/// All paths of the REST but `/`.
pub(super) fn routes(rest: Rest) -> Router {
    let known = Router::new()
        .route("/connectors", get(connectors::list).post(connectors::create))
        .route("/connectors/{name}", get(connectors::info).delete(connectors::delete))
        .route(
            "/connectors/{name}/config",
            get(connectors::config).put(connectors::put).patch(connectors::patch),
        )
        .route("/connectors/{name}/status", get(connectors::status))
        .route("/connectors/{name}/tasks", get(connectors::tasks))
        .route("/connectors/{name}/tasks/{task}/status", get(connectors::task_status))
        .route("/connectors/{name}/tasks/{task}/restart", post(connectors::restart_task))
        .route("/connectors/{name}/restart", post(connectors::restart))
        .route("/connectors/{name}/pause", put(connectors::pause))
        .route("/connectors/{name}/resume", put(connectors::resume))
        .route("/connectors/{name}/stop", put(connectors::stop))
        .route("/connectors/{name}/topics", get(connectors::topics))
        .route("/connectors/{name}/topics/reset", put(connectors::reset_topics))
        .route(
            "/connectors/{name}/offsets",
            get(offsets::show).patch(offsets::alter).delete(offsets::reset),
        )
        .route("/talon/relays", get(relays::list))
        .route("/talon/relays/{name}/status", get(relays::status))
        .route("/talon/relays/{name}/pause", put(relays::pause))
        .route("/talon/relays/{name}/resume", put(relays::resume))
        .route("/talon/relays/{name}/stop", put(relays::stop))
        .route("/talon/relays/{name}/restart", post(relays::restart))
        .route("/talon/connectors/{name}/dead-letters", get(dead_letters::list))
        .route("/talon/connectors/{name}/dead-letters/{at}", get(dead_letters::one))
        .route("/talon/connectors/{name}/dead-letters/redrive", post(dead_letters::redrive))
        .route("/talon/connectors/{name}/dead-letters/discard", post(dead_letters::discard))
        .route("/connector-plugins", get(plugins::list))
        .route("/connector-plugins/{class}/config", get(plugins::definitions))
        .route("/connector-plugins/{class}/config/validate", put(plugins::validate))
        .route("/admin/loggers", get(loggers::list))
        .route("/admin/loggers/{logger}", get(loggers::show).put(loggers::set));
    known
        .method_not_allowed_fallback(no_method)
        .layer(middleware::from_fn(guard))
        .layer(DefaultBodyLimit::max(BODY))
        .layer(middleware::map_response(in_connects_form))
        .with_state(rest)
}

/// `GET /` for clients.
pub(super) fn root(rest: &Rest) -> Response {
    let body = json!({
        "version": SPEAKS, "commit": env!("CARGO_PKG_VERSION"), "kafka_cluster_id": rest.cluster,
        "talon_version": env!("CARGO_PKG_VERSION"),
    });
    Json(body).into_response()
}

/// `GET /health` (KIP-1017).
pub(super) fn health(rest: &Rest) -> Response {
    let (code, status, message) = match rest.instances.ready() {
        Ok(()) => (
            StatusCode::OK,
            "healthy",
            "Worker has completed startup and is ready to handle requests.".to_owned(),
        ),
        Err(why) => (
            StatusCode::SERVICE_UNAVAILABLE,
            "starting",
            format!("Worker is still starting up: {why}"),
        ),
    };
    (code, Json(json!({"status": status, "message": message}))).into_response()
}

/// Nothing is at a path.
pub(super) fn unknown(message: &str) -> Response {
    Error::new(StatusCode::NOT_FOUND, message).into_response()
}

/// Refuses changes by whoever may make none, and logs those that were made.
async fn guard(caller: Caller, request: Request, next: Next) -> Response {
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    if matches!(method, Method::GET | Method::HEAD) {
        return next.run(request).await;
    }
    let headers = request.headers();
    // To validate a configuration changes nothing.
    let changes = !path.ends_with("/validate");
    let allowed = match changes {
        true => may_change(&caller, headers),
        false => is_of_this_site(headers),
    };
    let (who, agent, from) = (caller.who(), &caller.agent, caller.origin());
    if let Err(error) = allowed.and_then(|()| is_json(&method, headers)) {
        tracing::warn!(%method, path, who, agent, from, "a change over REST was refused");
        return error.into_response();
    }
    let response = next.run(request).await;
    if changes {
        let code = response.status().as_u16();
        tracing::info!(%method, path, code, who, agent, from, "a change over REST");
    }
    response
}

/// Gives errors that are not of ours, as of a body that is too large, the form that clients read.
async fn in_connects_form(response: Response) -> Response {
    let code = response.status();
    let media = response.headers().get(header::CONTENT_TYPE);
    let is_json = media.is_some_and(|media| media.as_bytes().starts_with(b"application/json"));
    if is_json || !(code.is_client_error() || code.is_server_error()) {
        return response;
    }
    let text = to_bytes(response.into_body(), TEXT).await.unwrap_or_default();
    let reason = code.canonical_reason().unwrap_or_default();
    let message = format!("HTTP {} {reason}: {}", code.as_u16(), String::from_utf8_lossy(&text));
    Error::new(code, message.trim_end_matches([':', ' '])).into_response()
}

async fn no_method() -> Error {
    Error::new(StatusCode::METHOD_NOT_ALLOWED, "HTTP 405 Method Not Allowed")
}
