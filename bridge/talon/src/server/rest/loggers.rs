//! `/admin/loggers` (KIP-495, KIP-976).

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde_json::{Map, Value, json};

use super::errors::{Answer, Error};
use super::request::{json_of, values};
use super::state::{Rest, ready};
use crate::log::levels::{self, Shown};

pub(super) async fn list() -> Json<Value> {
    let all = levels::all().into_iter();
    Json(Value::Object(all.map(|(name, shown)| (name, body(&shown))).collect::<Map<_, _>>()))
}

pub(super) async fn show(Path(logger): Path<String>) -> Answer {
    let shown = levels::of(&logger)
        .ok_or_else(|| Error::new(StatusCode::NOT_FOUND, format!("Logger {logger} not found.")))?;
    Ok(Json(body(&shown)).into_response())
}

pub(super) async fn set(
    State(rest): State<Rest>,
    Path(logger): Path<String>,
    RawQuery(query): RawQuery,
    request: Bytes,
) -> Answer {
    let request = json_of(&request)?;
    let word = request["level"]
        .as_str()
        .ok_or_else(|| Error::bad("Desired 'level' parameter was not specified in request."))?;
    let level = levels::level(word)
        .ok_or_else(|| Error::new(StatusCode::NOT_FOUND, format!("invalid log level '{word}'.")))?;
    levels::check(&logger).map_err(Error::bad)?;
    let scope = values(query.as_deref(), "scope").next();
    if scope.is_some_and(|scope| scope.eq_ignore_ascii_case("cluster")) {
        let set = ready(&rest)?.set_level(&logger, word).await;
        set.map_err(|refusal| Error::of(refusal, &logger))?;
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let changed = levels::set(&logger, level, rest.instances.now_ms()).map_err(Error::bad)?;
    Ok(Json(json!(changed)).into_response())
}

fn body(Shown { level, at_ms }: &Shown) -> Value {
    json!({"level": level, "last_modified": at_ms})
}
