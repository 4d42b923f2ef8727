//! A schema registry in memory that can lose everything: the part of Confluent's API that Talon uses.

use std::collections::BTreeMap;
use std::future::IntoFuture;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

/// Ids of a registry that lost everything begin so far behind those that it had given.
const GAP: u32 = 100;

/// The registry. Ends when dropped.
pub struct MemoryRegistry {
    address: SocketAddr,
    store: Arc<Mutex<Store>>,
    serving: JoinHandle<()>,
}

#[derive(Default)]
struct Store {
    schemas: BTreeMap<u32, String>,
    /// The ids of each subject's versions.
    subjects: BTreeMap<String, Vec<u32>>,
    last_id: u32,
    is_away: bool,
    delay: Duration,
}

type Shared = State<Arc<Mutex<Store>>>;

impl MemoryRegistry {
    /// Starts one on a free port.
    ///
    /// # Errors
    /// There is none.
    pub async fn start() -> anyhow::Result<MemoryRegistry> {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let store: Arc<Mutex<Store>> = Arc::default();
        let routes = Router::new()
            .route("/subjects", get(subjects))
            .route("/subjects/{subject}/versions", post(register))
            .route("/compatibility/subjects/{subject}/versions/latest", post(compatible))
            .route("/schemas/ids/{id}", get(schema))
            .layer(from_fn_with_state(store.clone(), misbehave))
            .with_state(store.clone());
        let serving = axum::serve(listener, routes).into_future();
        let serving = tokio::spawn(async move {
            // It serves until it is aborted.
            serving.await.ok();
        });
        Ok(MemoryRegistry { address, store, serving })
    }

    /// The base of the API.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// 503 to everything, or service again.
    pub fn set_away(&self, is_away: bool) {
        lock(&self.store).is_away = is_away;
    }

    /// From now on each request takes so long.
    pub fn set_delay(&self, delay: Duration) {
        lock(&self.store).delay = delay;
    }

    /// Forgets all schemas. No id that it had given is given again.
    pub fn empty(&self) {
        let mut store = lock(&self.store);
        store.schemas.clear();
        store.subjects.clear();
        store.last_id += GAP;
    }
}

impl Drop for MemoryRegistry {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn lock(store: &Mutex<Store>) -> MutexGuard<'_, Store> {
    store.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn misbehave(State(store): Shared, request: Request, next: Next) -> Response {
    let (is_away, delay) = {
        let store = lock(&store);
        (store.is_away, store.delay)
    };
    tokio::time::sleep(delay).await;
    if is_away {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    next.run(request).await
}

async fn subjects(State(store): Shared) -> Json<Vec<String>> {
    Json(lock(&store).subjects.keys().cloned().collect())
}

async fn register(
    State(store): Shared,
    Path(subject): Path<String>,
    Json(body): Json<Value>,
) -> Json<Value> {
    let text = body["schema"].as_str().unwrap_or_default();
    let mut store = lock(&store);
    let known = store.schemas.iter().find(|(_, known)| *known == text).map(|(id, _)| *id);
    let id = known.unwrap_or_else(|| {
        store.last_id += 1;
        let id = store.last_id;
        store.schemas.insert(id, text.to_owned());
        id
    });
    let versions = store.subjects.entry(subject).or_default();
    if !versions.contains(&id) {
        versions.push(id);
    }
    Json(json!({ "id": id }))
}

/// There is but one version of each schema, so whatever a subject has is compatible.
async fn compatible(State(store): Shared, Path(subject): Path<String>) -> Response {
    match lock(&store).subjects.contains_key(&subject) {
        true => Json(json!({ "is_compatible": true })).into_response(),
        false => missing(40401),
    }
}

async fn schema(State(store): Shared, Path(id): Path<u32>) -> Response {
    match lock(&store).schemas.get(&id) {
        Some(schema) => Json(json!({ "schema": schema })).into_response(),
        None => missing(40403),
    }
}

fn missing(code: u32) -> Response {
    let body = json!({ "error_code": code, "message": "not found" });
    (StatusCode::NOT_FOUND, Json(body)).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn ask(registry: &MemoryRegistry, path: &str, schema: Option<&str>) -> (u16, Value) {
        rustls::crypto::ring::default_provider().install_default().ok();
        let (client, url) = (reqwest::Client::new(), format!("{}{path}", registry.url()));
        let request = match schema {
            Some(schema) => client.post(url).json(&json!({ "schema": schema })),
            None => client.get(url),
        };
        let reply = request.send().await.unwrap();
        (reply.status().as_u16(), reply.json().await.unwrap_or_default())
    }

    #[tokio::test]
    async fn a_registry_that_lost_everything_gives_ids_that_it_never_gave() {
        let registry = MemoryRegistry::start().await.unwrap();
        let versions = "/subjects/s-value/versions";
        let compatibility = "/compatibility/subjects/s-value/versions/latest";
        assert_eq!(ask(&registry, compatibility, Some("a")).await.0, 404);
        assert_eq!(ask(&registry, versions, Some("a")).await.1["id"], 1);
        assert_eq!(ask(&registry, versions, Some("b")).await.1["id"], 2);
        assert_eq!(ask(&registry, versions, Some("a")).await.1["id"], 1);
        assert_eq!(ask(&registry, compatibility, Some("a")).await.1["is_compatible"], true);
        assert_eq!(ask(&registry, "/schemas/ids/2", None).await.1["schema"], "b");
        registry.empty();
        assert_eq!(ask(&registry, "/schemas/ids/2", None).await.0, 404);
        assert_eq!(ask(&registry, "/subjects", None).await.1, json!([]));
        assert_eq!(ask(&registry, versions, Some("a")).await.1["id"], 103);
    }

    #[tokio::test]
    async fn a_registry_that_is_away_answers_503() {
        let registry = MemoryRegistry::start().await.unwrap();
        registry.set_away(true);
        assert_eq!(ask(&registry, "/subjects", None).await.0, 503);
        registry.set_away(false);
        assert_eq!(ask(&registry, "/subjects", None).await.0, 200);
    }
}
