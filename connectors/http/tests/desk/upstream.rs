//! The help desk that the example asks.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use talon_sdk::conformance::Ailment;

/// What there is.
#[derive(Default)]
pub(crate) struct World {
    pub(crate) agents: Vec<Value>,
    pub(crate) notes: Vec<Value>,
    /// State of ticket 7.
    pub(crate) ticket: String,
    pub(crate) closed: usize,
    /// Of closing, before or after it is done, there is no reply.
    pub(crate) loses: Option<Loss>,
    /// How it fails.
    pub(crate) ails: Option<Ailment>,
    pub(crate) asked_to_close: u64,
    pub(crate) logins: usize,
    /// The tokens that are taken; those before are not.
    pub(crate) first_good_token: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loss {
    Before,
    After,
}

#[derive(Clone, Default)]
pub(crate) struct Upstream(Arc<Mutex<World>>);

impl Upstream {
    pub(crate) async fn start() -> (Upstream, SocketAddr) {
        let upstream = Upstream::default();
        upstream.with(|world| world.ticket = "open".to_owned());
        let router = Router::new()
            .route("/login", post(login))
            .route("/agents", get(agents))
            .route("/notes", get(notes))
            .route("/tickets/{id}", get(ticket))
            .route("/tickets/{id}/close", post(close))
            .layer(middleware::from_fn_with_state(upstream.clone(), ail))
            .with_state(upstream.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        (upstream, address)
    }

    pub(crate) fn with<R>(&self, look: impl FnOnce(&mut World) -> R) -> R {
        look(&mut self.0.lock().unwrap())
    }

    fn lets_in(&self, headers: &HeaderMap) -> bool {
        let shown = headers.get("authorization").and_then(|value| value.to_str().ok());
        let number = shown.and_then(|text| text.strip_prefix("Bearer token-")?.parse().ok());
        self.with(|world| number.is_some_and(|number: usize| number >= world.first_good_token))
    }
}

/// What it answers while something is wrong with it.
async fn ail(State(upstream): State<Upstream>, request: Request, next: Next) -> Response {
    match upstream.with(|world| world.ails) {
        None => next.run(request).await,
        Some(Ailment::Refuses) => StatusCode::UNAUTHORIZED.into_response(),
        Some(Ailment::Fails) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Some(Ailment::Babbles) => Html("<p>Something private</p>").into_response(),
        Some(Ailment::OddRows) if request.uri().path() == "/login" => next.run(request).await,
        Some(Ailment::OddRows) => Json(json!([{"text": "Something private"}])).into_response(),
    }
}

async fn login(State(upstream): State<Upstream>, Json(body): Json<Value>) -> Response {
    if body != json!({"name": "talon", "password": "canary-pa55"}) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let number = upstream.with(|world| {
        world.logins += 1;
        world.logins
    });
    Json(json!({"token": format!("token-{number}"), "seconds": 600})).into_response()
}

async fn agents(State(upstream): State<Upstream>, headers: HeaderMap) -> Response {
    if !upstream.lets_in(&headers) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    Json(upstream.with(|world| world.agents.clone())).into_response()
}

async fn notes(
    State(upstream): State<Upstream>,
    Query(query): Query<Value>,
    headers: HeaderMap,
) -> Response {
    if !upstream.lets_in(&headers) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let since: i64 = query["since"].as_str().unwrap().parse().unwrap();
    let is_new = |note: &&Value| note["mark"].as_i64().unwrap() > since;
    let new: Vec<Value> =
        upstream.with(|world| world.notes.iter().filter(is_new).cloned().collect());
    Json(new).into_response()
}

async fn ticket(
    State(upstream): State<Upstream>,
    Path(id): Path<i64>,
    headers: HeaderMap,
) -> Response {
    if !upstream.lets_in(&headers) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    match id {
        7 => Json(json!({"state": upstream.with(|world| world.ticket.clone())})).into_response(),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn close(
    State(upstream): State<Upstream>,
    Path(id): Path<i64>,
    headers: HeaderMap,
) -> Response {
    if !upstream.lets_in(&headers) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let loses = upstream.with(|world| {
        world.asked_to_close += 1;
        let loses = world.loses.take();
        if id == 7 && world.ticket != "closed" && loses != Some(Loss::Before) {
            world.ticket = "closed".to_owned();
            world.closed += 1;
            return Ok(loses);
        }
        Err(loses)
    });
    match (id, loses) {
        (_, Ok(Some(_)) | Err(Some(_))) => {
            // The connection ends without a reply.
            std::future::pending::<()>().await;
            StatusCode::OK.into_response()
        }
        (7, Ok(None)) => Json(json!({"id": 7})).into_response(),
        (7, Err(None)) => StatusCode::CONFLICT.into_response(),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}
