//! `/connectors/NAME/offsets` (KIP-875).

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::response::IntoResponse;
use serde_json::{Value, json};

use super::errors::{Answer, Error};
use super::request::{is_set, json_of};
use super::state::{Rest, ready};
use crate::instances::Alter;
use crate::offsets::change::parse;

/// What a change of offsets is answered with.
pub(super) const ALTERED: &str = "The offsets for this connector have been altered successfully";
const RESET: &str = "The offsets for this connector have been reset successfully";

pub(super) async fn show(State(rest): State<Rest>, Path(name): Path<String>) -> Answer {
    let offsets = ready(&rest)?.offsets(&name).await;
    let mut offsets = offsets.map_err(|refusal| Error::of(refusal, &name))?;
    // Connect has none of what was reset.
    if let Some(all) = offsets["offsets"].as_array_mut() {
        all.retain(|one| !one["offset"].is_null());
    }
    Ok(Json(offsets).into_response())
}

pub(super) async fn alter(
    State(rest): State<Rest>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    body: Bytes,
) -> Answer {
    let request = json_of(&body)?;
    let asked = match &request["offsets"] {
        Value::Array(all) if !all.is_empty() => parse(all).map_err(Error::bad)?,
        _ => {
            let message = "Partitions / offsets need to be provided for an alter offsets request";
            return Err(Error::bad(message));
        }
    };
    altered(&rest, &name, Alter::Set(asked), query.as_deref(), ALTERED).await
}

pub(super) async fn reset(
    State(rest): State<Rest>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
) -> Answer {
    altered(&rest, &name, Alter::Reset, query.as_deref(), RESET).await
}

async fn altered(
    rest: &Rest,
    name: &str,
    alter: Alter,
    query: Option<&str>,
    message: &str,
) -> Answer {
    let altered = ready(rest)?.alter(name, alter, is_set(query, "force")).await;
    altered.map_err(|refusal| Error::of(refusal, name))?;
    Ok(Json(json!({ "message": message })).into_response())
}
