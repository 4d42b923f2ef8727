//! What every simulator can be told over HTTP, under `/_sim`, without authorization: its faults and its
//! settings. A simulator has requests of its own beside these.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::faults::{Fault, Faults};

/// A simulator that can be told so.
pub(crate) trait Controlled: Send + Sync + 'static {
    /// What can go wrong.
    type Kind: Clone + Serialize + DeserializeOwned + Send + 'static;
    /// What a fault is restricted to.
    type To: Clone + Serialize + DeserializeOwned + Send + 'static;
    /// Its settings.
    type Settings: Serialize;

    fn faults(&self) -> &Faults<Self::Kind, Self::To>;
    fn settings(&self) -> Self::Settings;
    fn change_settings(&self, patch: &Value) -> anyhow::Result<()>;
}

pub(crate) fn routes<S: Controlled>() -> Router<Arc<S>> {
    Router::new()
        .route("/_sim/faults", get(faults::<S>).post(add_fault::<S>).delete(clear_faults::<S>))
        .route("/_sim/settings", get(settings::<S>).post(change_settings::<S>))
}

/// Settings with the fields of `patch`, a JSON object, put over them.
///
/// # Errors
///
/// An unknown field, a value of a wrong type, or one of the fields that count only at the start.
pub(crate) fn patched<S>(settings: &S, patch: &Value, start: &[&str]) -> anyhow::Result<S>
where
    S: Serialize + DeserializeOwned,
{
    let fields = patch.as_object().ok_or_else(|| anyhow::anyhow!("settings are a JSON object"))?;
    let mut merged = serde_json::to_value(settings)?;
    for (name, value) in fields {
        anyhow::ensure!(!start.contains(&name.as_str()), "`{name}` counts only at the start");
        merged[name] = value.clone();
    }
    Ok(serde_json::from_value(merged)?)
}

async fn faults<S: Controlled>(State(sim): State<Arc<S>>) -> Json<Vec<Fault<S::Kind, S::To>>> {
    Json(sim.faults().list())
}

async fn add_fault<S: Controlled>(State(sim): State<Arc<S>>, Json(fault): Json<Value>) -> Response {
    done(fault_of::<S>(&fault).map(|fault| sim.faults().add(fault)))
}

/// The fault, with no field that it does not have: serde cannot deny those of a flattened enum.
fn fault_of<S: Controlled>(json: &Value) -> anyhow::Result<Fault<S::Kind, S::To>> {
    let fault = serde_json::from_value(json.clone())?;
    let known = serde_json::to_value(&fault)?;
    for name in json.as_object().into_iter().flat_map(|fields| fields.keys()) {
        anyhow::ensure!(known.get(name).is_some(), "a fault of this kind has no `{name}`");
    }
    Ok(fault)
}

async fn clear_faults<S: Controlled>(State(sim): State<Arc<S>>) -> StatusCode {
    sim.faults().clear();
    StatusCode::NO_CONTENT
}

async fn settings<S: Controlled>(State(sim): State<Arc<S>>) -> Json<Value> {
    Json(serde_json::to_value(sim.settings()).unwrap_or_default())
}

async fn change_settings<S: Controlled>(
    State(sim): State<Arc<S>>,
    Json(patch): Json<Value>,
) -> Response {
    done(sim.change_settings(&patch))
}

fn done(result: anyhow::Result<()>) -> Response {
    match result {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => (StatusCode::BAD_REQUEST, format!("{error:#}")).into_response(),
    }
}
