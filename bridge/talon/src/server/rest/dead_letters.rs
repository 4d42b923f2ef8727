//! `/talon/connectors/{name}/dead-letters`, which Kafka Connect has not: listed by whoever may read, redriven and
//! discarded by whoever may change connectors. Bytes are always masked here; `talon dlq show --reveal` shows them to
//! whoever has the bus.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde_json::{Value, json};
use talon_runtime::Places;
use talon_runtime::engine::Action;

use super::errors::{Answer, Error};
use super::request::json_of;
use super::state::{Rest, ready};
use crate::dead_letters::{Choice, Letter, Trouble};

/// How long a request waits for whoever runs the connector.
const PATIENCE: Duration = Duration::from_secs(60);

/// Those that wait, without their bytes; `?all=true` also those that are settled, and `at`, `reason`, `feed` and
/// `stage` choose.
pub(super) async fn list(
    State(rest): State<Rest>,
    Path(name): Path<String>,
    Query(mut query): Query<BTreeMap<String, String>>,
) -> Answer {
    let at = query.remove("at").map_or(Value::Null, Value::String);
    let choice = Choice {
        places: places(&at)?,
        all: query.get("all").is_some_and(|all| all == "true"),
        reason: query.remove("reason"),
        feed: query.remove("feed"),
        stage: query.remove("stage"),
    };
    let found = letters(&rest, &name, choice).await?;
    let all: Vec<Value> = found.iter().map(Letter::to_value).collect();
    Ok(Json(json!({ "dead_letters": all })).into_response())
}

/// One, settled or not, with its headers and masked bytes.
pub(super) async fn one(State(rest): State<Rest>, Path((name, at)): Path<(String, u64)>) -> Answer {
    let places = Some(std::iter::once(at).collect());
    let found = letters(&rest, &name, Choice { places, all: true, ..Choice::default() }).await?;
    let one = found.first().ok_or_else(|| {
        Error::new(StatusCode::NOT_FOUND, format!("no dead letter {at} of `{name}`"))
    })?;
    Ok(Json(one.to_whole_value(false)).into_response())
}

pub(super) async fn redrive(
    State(rest): State<Rest>,
    Path(name): Path<String>,
    body: Bytes,
) -> Answer {
    let body = json_of(&body)?;
    let once_more = flag(&body, "once_more")?;
    settle(&rest, &name, &body, Action::Redrive { once_more }).await
}

pub(super) async fn discard(
    State(rest): State<Rest>,
    Path(name): Path<String>,
    body: Bytes,
) -> Answer {
    settle(&rest, &name, &json_of(&body)?, Action::Discard).await
}

async fn letters(rest: &Rest, name: &str, choice: Choice) -> Result<Vec<Letter>, Error> {
    let instances = ready(rest)?;
    instances.info(name).ok_or_else(|| Error::no_connector(name))?;
    match instances.dead_letters().list(name, choice).await {
        Ok(found) => Ok(found),
        // It has not started yet.
        Err(Trouble::NoTopic(_)) => Ok(Vec::new()),
        Err(trouble) => Err(error(&trouble)),
    }
}

async fn settle(rest: &Rest, name: &str, body: &Value, action: Action) -> Answer {
    let instances = ready(rest)?;
    instances.info(name).ok_or_else(|| Error::no_connector(name))?;
    let known = ["at", "reason", "feed", "stage", "every", "dry_run", "once_more"];
    let keys = body.as_object().ok_or_else(|| Error::bad("the body is no JSON object"))?;
    if let Some(key) = keys.keys().find(|key| !known.contains(&key.as_str())) {
        return Err(Error::bad(format!("`{key}` is not known; there are: {}", known.join(", "))));
    }
    let choice = Choice {
        places: places(&body["at"])?,
        reason: text(body, "reason")?,
        feed: text(body, "feed")?,
        stage: text(body, "stage")?,
        all: false,
    };
    let is_chosen = choice.places.is_some()
        || choice.reason.is_some()
        || choice.feed.is_some()
        || choice.stage.is_some();
    if !is_chosen && !flag(body, "every")? {
        return Err(Error::bad(
            "which? Give `at`, `reason`, `feed`, `stage`, or `\"every\": true`",
        ));
    }
    let dry_run = flag(body, "dry_run")?;
    let letters = instances.dead_letters();
    let report = letters.settle(name, choice, action, dry_run, PATIENCE).await;
    let mut value = report.map_err(|trouble| error(&trouble))?.to_value();
    value["dry_run"] = json!(dry_run);
    Ok(Json(value).into_response())
}

fn error(trouble: &Trouble) -> Error {
    let code = match trouble {
        Trouble::NoTopic(_) => StatusCode::NOT_FOUND,
        Trouble::NotCarriedOut(_) => StatusCode::CONFLICT,
        Trouble::Bus(_) => StatusCode::INTERNAL_SERVER_ERROR,
    };
    Error::new(code, trouble.to_string())
}

/// `3`, `[3, 4]` or `"3-7,9"`.
fn places(value: &Value) -> Result<Option<Places>, Error> {
    let wrong =
        || Error::bad("`at` is no place of a dead letter: expected `3`, `[3, 4]` or `\"3-7,9\"`");
    Ok(match value {
        Value::Null => None,
        Value::String(text) => Some(text.parse().map_err(|()| wrong())?),
        Value::Array(all) => {
            let all: Option<Vec<u64>> = all.iter().map(Value::as_u64).collect();
            Some(all.ok_or_else(wrong)?.into_iter().collect())
        }
        other => Some(std::iter::once(other.as_u64().ok_or_else(wrong)?).collect()),
    })
}

fn text(body: &Value, name: &str) -> Result<Option<String>, Error> {
    match &body[name] {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text.clone())),
        _ => Err(Error::bad(format!("`{name}` is no text"))),
    }
}

fn flag(body: &Value, name: &str) -> Result<bool, Error> {
    match &body[name] {
        Value::Null => Ok(false),
        Value::Bool(set) => Ok(*set),
        _ => Err(Error::bad(format!("`{name}` is neither `true` nor `false`"))),
    }
}
