//! What the program shows over HTTP: metrics, health, the [`console`], and the REST of Kafka Connect ([`rest`]).
//!
//! Who may see and change it, [`access`] says. Names and messages of upstreams are untrusted and leave escaped.

mod about;
pub(crate) mod access;
mod connections;
mod console;
mod rest;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use axum::extract::{Query, Request, State};
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::middleware::{from_fn_with_state, map_request, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use talon_runtime::engine::View;
use tokio::net::TcpListener;
use tokio::runtime;
use tokio::sync::{oneshot, watch};
use tokio::time::sleep;

use crate::instances::Instances;
pub(crate) use about::{About, Recent};
use access::Access;
use connections::{Limited, PATIENCE, Peer};
use console::{Caller, Console};
use rest::Rest;

/// How long replies may take that are under way when the server is to stop.
const GRACE: Duration = Duration::from_secs(2);

/// Takes the address.
///
/// # Errors
/// It cannot be had; the message names `http.listen` and says what to do.
pub(crate) async fn bind(listen: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(listen).await.map_err(|error| {
        let remedy = match error.kind() {
            io::ErrorKind::AddrInUse => "another process has this port: end it, or set another one",
            io::ErrorKind::PermissionDenied => "ports below 1024 need a right: set a higher one",
            io::ErrorKind::AddrNotAvailable => {
                "this machine does not have the address: set one that it has, or `0.0.0.0` for all"
            }
            _ => "set an address of this machine and a free port",
        };
        anyhow::Error::new(error)
            .context(format!("cannot listen on `http.listen` = `{listen}`: {remedy}"))
    })
}

/// Serves until `stop` resolves, and then for at most two seconds to finish what is under way.
///
/// On a thread and a runtime of its own: a probe waits for a second, and must not wait behind what the feeds do
/// on the workers of the process, of which there may be one.
///
/// # Errors
/// There is no thread to be had; failures to accept are retried.
pub(crate) async fn serve(
    listener: TcpListener,
    access: Access,
    (view, about, instances): (View, About, Instances),
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let listener = listener.into_std()?;
    let (done, ended) = oneshot::channel();
    thread::Builder::new().name("server".to_owned()).spawn(move || {
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        let served = runtime.and_then(|runtime| {
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener)?;
                let parts = (view, about, instances);
                serve_patiently(listener, PATIENCE, access, parts, stop).await
            })
        });
        // Who waited may be gone.
        done.send(served).ok();
    })?;
    ended.await.unwrap_or_else(|_| Err(io::Error::other("the thread of the page ended")))
}

async fn serve_patiently(
    listener: TcpListener,
    patience: Duration,
    access: Access,
    (view, about, instances): (View, About, Instances),
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let (stopping, mut stopped) = watch::channel(false);
    let stop = async move {
        stop.await;
        stopping.send_replace(true);
    };
    let limited = Limited::new(listener, patience);
    let service =
        router(access, view, about, instances).into_make_service_with_connect_info::<Peer>();
    let serving = axum::serve(limited, service).with_graceful_shutdown(stop);
    let too_long = async move {
        if stopped.wait_for(|stopped| *stopped).await.is_ok() {
            sleep(GRACE).await;
        }
    };
    tokio::select! {
        served = serving.into_future() => served,
        () = too_long => Ok(()),
    }
}

#[derive(Clone)]
struct Shown {
    view: View,
    console: Console,
    rest: Rest,
}

// `get` answers HEAD too, and refuses every other method.
fn router(access: Access, view: View, about: About, instances: Instances) -> Router {
    let cluster = about.prefix.clone();
    let console =
        Console { view: view.clone(), about: Arc::new(about), instances: instances.clone() };
    let rest = Rest { instances, cluster };
    let shown = Shown { view, console: console.clone(), rest: rest.clone() };
    let known = Router::new()
        .route("/", get(root))
        .route("/health", get(health))
        .route("/metrics", get(metrics))
        .route("/health/live", get(live))
        .route("/health/ready", get(readiness))
        .with_state(shown)
        .merge(console::routes(console))
        .merge(rest::routes(rest))
        .fallback(unknown)
        .layer(from_fn_with_state(access, access::known))
        .layer(map_response(guarded));
    // A layer of a router comes after it has chosen a route, so this one is around it.
    Router::new().fallback_service(known).layer(map_request(without_slash))
}

/// A slash at the end of a path means nothing, as in Kafka Connect: kcctl asks for `/connectors/`.
async fn without_slash(mut request: Request) -> Request {
    let path = request.uri().path();
    let shorter = path.trim_end_matches('/');
    if shorter.len() < path.len() && !shorter.is_empty() {
        let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
        if let Ok(shorter) = format!("{shorter}{query}").parse::<PathAndQuery>() {
            let mut parts = request.uri().clone().into_parts();
            parts.path_and_query = Some(shorter);
            if let Ok(uri) = Uri::from_parts(parts) {
                *request.uri_mut() = uri;
            }
        }
    }
    request
}

/// The console for browsers; for clients of Kafka Connect what it answers.
async fn root(
    State(shown): State<Shown>,
    caller: Caller,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    let accepts = headers.get(header::ACCEPT).and_then(|accepts| accepts.to_str().ok());
    if accepts.is_some_and(|accepts| accepts.contains("text/html")) {
        console::overview(&shown.console, caller, &query)
    } else {
        rest::root(&shown.rest)
    }
}

async fn health(State(shown): State<Shown>) -> Response {
    rest::health(&shown.rest)
}

async fn metrics(State(shown): State<Shown>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], shown.view.scrape())
}

async fn live() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], r#"{"status":"up"}"#)
}

async fn readiness(State(shown): State<Shown>) -> impl IntoResponse {
    let glance = shown.view.glance();
    // From the same look as the body, so that the two never contradict each other.
    let code = match glance.status {
        "unavailable" => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::OK,
    };
    (code, Json(glance))
}

async fn unknown() -> Response {
    let paths = "HTTP 404 Not Found: there is something at `/` (the console), `/connectors`, `/connector-plugins`, `/metrics` (for Prometheus), `/health`, `/health/live` (whether the process runs) and `/health/ready` (whether it works, and what is the matter)";
    rest::unknown(paths)
}

async fn guarded(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, console::POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        // To other sites nothing; with `no-referrer` a form of the console would not say where it is from.
        (header::REFERRER_POLICY, "same-origin"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
