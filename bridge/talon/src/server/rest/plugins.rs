//! `/connector-plugins`: what there is to configure.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use serde_json::Value;

use axum::http::StatusCode;

use super::bodies;
use super::errors::Error;
use super::request::{flat, json_of};
use super::state::Rest;
use crate::instances::{CLASS, NAME, keys};

pub(super) async fn list() -> Json<Value> {
    // There are no converters and no transformations, so `connectorsOnly` changes nothing.
    Json(bodies::plugins())
}

pub(super) async fn definitions(Path(class): Path<String>) -> Result<Json<Value>, Error> {
    let keys = keys(&class).ok_or_else(|| unknown(&class))?;
    Ok(Json(bodies::definitions(&keys)))
}

pub(super) async fn validate(
    State(rest): State<Rest>,
    Path(class): Path<String>,
    body: Bytes,
) -> Result<Json<Value>, Error> {
    let config = flat(&json_of(&body)?)?;
    match config.get(CLASS) {
        Some(of_config) if *of_config == class => {}
        Some(of_config) => {
            return Err(Error::bad(format!(
                "Included connector type {of_config} does not match request type {class}"
            )));
        }
        None => {
            return Err(Error::bad(format!(
                "Connector config {{}} contains no connector type: set `{CLASS}`"
            )));
        }
    }
    let keys = keys(&class).ok_or_else(|| {
        Error::bad(format!(
            "Failed to find any class that implements Connector and which name matches {class}"
        ))
    })?;
    let mut problems = match config.get(NAME) {
        Some(name) => rest.instances.problems(name, &config),
        // Some name, so that the rest is checked.
        None => rest.instances.problems("validated", &config),
    };
    if !config.contains_key(NAME) {
        let message = "is not set".to_owned();
        problems.push(talon_sdk::config::Problem { key: NAME.to_owned(), message });
    }
    Ok(Json(bodies::validation(&class, &keys, &config, &problems)))
}

fn unknown(class: &str) -> Error {
    Error::new(StatusCode::NOT_FOUND, format!("Unknown plugin {class}."))
}
