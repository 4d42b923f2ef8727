//! REST as Kafka Connect's tools speak it, for the connectors of all processes of the group.
//!
//! Any process answers for all: configurations and states are on the bus ([`crate::instances`]). Each change leaves
//! one line in the log: who, what, from where.

pub(super) mod access;
mod bodies;
mod connectors;
mod dead_letters;
mod errors;
mod plugins;
mod relays;
mod request;
mod state;
#[cfg(test)]
mod tests;

use super::connections::Peer;
use axum::extract::{ConnectInfo, DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use serde_json::json;

use errors::Error;
pub(super) use state::Rest;

/// The version of Kafka Connect whose REST this is: its clients ask for it, and use what it has.
const SPEAKS: &str = "4.1.0";

/// Largest body of a request.
const BODY: usize = 1024 * 1024;

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
            get(connectors::offsets).patch(connectors::offsets).delete(connectors::offsets),
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
        .route("/admin/loggers", get(loggers))
        .route("/admin/loggers/{logger}", get(loggers).put(loggers));
    known
        .method_not_allowed_fallback(no_method)
        .layer(middleware::from_fn(guard))
        .layer(DefaultBodyLimit::max(BODY))
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

/// Refuses changes by whoever may not make any, and logs those that were made.
async fn guard(
    ConnectInfo(Peer(peer)): ConnectInfo<Peer>,
    request: Request,
    next: Next,
) -> Response {
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let changes = !matches!(method, Method::GET | Method::HEAD) && !path.ends_with("/validate");
    if method != Method::GET
        && method != Method::HEAD
        && let Err(error) = access::may_write(&method, peer, request.headers())
    {
        tracing::warn!(%method, path, from = %peer, "a change over REST was refused");
        return error.into_response();
    }
    let agent = agent(request.headers());
    let response = next.run(request).await;
    if changes {
        let code = response.status().as_u16();
        tracing::info!(%method, path, code, who = agent, from = %peer, "a change over REST");
    }
    response
}

/// What a client calls itself, short and without control characters.
fn agent(headers: &HeaderMap) -> String {
    let agent = headers.get("user-agent").and_then(|agent| agent.to_str().ok());
    agent.unwrap_or("unknown").chars().filter(|c| !c.is_control()).take(100).collect()
}

async fn no_method() -> Error {
    Error::new(StatusCode::METHOD_NOT_ALLOWED, "HTTP 405 Method Not Allowed")
}

async fn loggers(State(_): State<Rest>) -> Error {
    Error::missing("loggers")
}
