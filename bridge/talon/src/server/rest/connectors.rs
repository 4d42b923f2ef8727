//! `/connectors`.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::http::header::{self, HeaderName};
use axum::response::IntoResponse;
use serde_json::{Map, Value, json};

use super::bodies;
use super::errors::{Answer, Error};
use super::offsets::ALTERED;
use super::request::{flat, is_set, json_of, no_map, text, values};
use super::state::{Rest, ready};
use crate::instances::{Change, Changed, Config, Instances, NAME, Refusal, Target};
use crate::offsets::change::parse;

pub(super) async fn list(State(rest): State<Rest>, RawQuery(query): RawQuery) -> Answer {
    let instances = ready(&rest)?;
    let expanded: Vec<String> = values(query.as_deref(), "expand").collect();
    let has = |what: &str| expanded.iter().any(|value| value == what);
    let (status, info) = (has("status"), has("info"));
    if !status && !info {
        return Ok(Json(instances.names()).into_response());
    }
    let mut all = Map::new();
    for (name, of, shown) in instances.all() {
        let mut one = Map::new();
        if status {
            one.insert("status".to_owned(), bodies::status(&name, &shown));
        }
        if info {
            let has_task = of.target != Target::Stopped;
            one.insert("info".to_owned(), bodies::info(&name, &of, has_task));
        }
        all.insert(name, Value::Object(one));
    }
    Ok(Json(all).into_response())
}

pub(super) async fn create(
    State(rest): State<Rest>,
    RawQuery(query): RawQuery,
    body: Bytes,
) -> Answer {
    let instances = ready(&rest)?;
    let request = json_of(&body)?;
    let name = request["name"].as_str().unwrap_or_default().trim().to_owned();
    let config = match &request["config"] {
        Value::Null => Config::new(),
        config => flat(config)?,
    };
    let name = if name.is_empty() { config.get(NAME).cloned().unwrap_or_default() } else { name };
    let config = named(config, &name)?;
    let initial = match &request["initial_state"] {
        Value::Null => Target::Running,
        state => {
            let word = state.as_str().unwrap_or_default().to_uppercase();
            Target::of(&word).ok_or_else(|| {
                Error::bad("`initial_state` is none of `RUNNING`, `PAUSED`, `STOPPED`")
            })?
        }
    };
    let from = match &request["initial_offsets"] {
        Value::Null => None,
        Value::Array(all) => Some(parse(all).map_err(Error::bad)?),
        _ => return Err(Error::bad("`initial_offsets` is no list of partitions and offsets")),
    };
    let Some(from) = from else {
        let changed = change(instances, &name, Change::Create(config, initial)).await?;
        return written(instances, &name, changed);
    };
    let is_forced = is_set(query.as_deref(), "force");
    let created = instances.create_from(&name, (config, initial), from, is_forced).await;
    created.map_err(|refusal| Error::of(refusal, &name))?;
    let mut body = info_of(instances, &name)?;
    body["offsets_status"] = json!(ALTERED);
    Ok((StatusCode::CREATED, location(&name), Json(body)).into_response())
}

pub(super) async fn info(State(rest): State<Rest>, Path(name): Path<String>) -> Answer {
    Ok(Json(info_of(ready(&rest)?, &name)?).into_response())
}

pub(super) async fn config(State(rest): State<Rest>, Path(name): Path<String>) -> Answer {
    let info = ready(&rest)?.info(&name).ok_or_else(|| Error::no_connector(&name))?;
    Ok(Json(info.config).into_response())
}

pub(super) async fn put(State(rest): State<Rest>, Path(name): Path<String>, body: Bytes) -> Answer {
    let instances = ready(&rest)?;
    let config = named(flat(&json_of(&body)?)?, &name)?;
    let changed = change(instances, &name, Change::Put(config)).await?;
    written(instances, &name, changed)
}

pub(super) async fn patch(
    State(rest): State<Rest>,
    Path(name): Path<String>,
    body: Bytes,
) -> Answer {
    let instances = ready(&rest)?;
    let patch = json_of(&body)?;
    let Value::Object(patch) = patch else { return Err(no_map()) };
    let setting = |(key, value): (String, Value)| match value {
        Value::Null => Ok((key, None)),
        value => text(&value).map(|text| (key, Some(text))).ok_or_else(no_map),
    };
    let settings: Vec<_> = patch.into_iter().map(setting).collect::<Result<_, _>>()?;
    for (key, value) in &settings {
        if key == NAME && value.as_deref() != Some(&name) {
            return Err(other_name(value.as_deref().unwrap_or("null"), &name));
        }
    }
    let changed = change(instances, &name, Change::Patch(settings)).await?;
    written(instances, &name, changed)
}

pub(super) async fn delete(State(rest): State<Rest>, Path(name): Path<String>) -> Answer {
    change(ready(&rest)?, &name, Change::Delete).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(super) async fn status(State(rest): State<Rest>, Path(name): Path<String>) -> Answer {
    let shown = ready(&rest)?.status(&name).ok_or_else(|| no_status(&name))?;
    Ok(Json(bodies::status(&name, &shown)).into_response())
}

pub(super) async fn tasks(State(rest): State<Rest>, Path(name): Path<String>) -> Answer {
    let instances = ready(&rest)?;
    let info = instances.info(&name).ok_or_else(|| Error::no_connector(&name))?;
    let tasks = match info.target {
        Target::Stopped => json!([]),
        _ => json!([{"id": {"connector": name, "task": 0}, "config": info.config}]),
    };
    Ok(Json(tasks).into_response())
}

pub(super) async fn task_status(
    State(rest): State<Rest>,
    Path((name, task)): Path<(String, String)>,
) -> Answer {
    let shown = ready(&rest)?.status(&name);
    let status = shown.filter(|_| task == "0").and_then(|shown| bodies::task_status(&shown));
    let status = status.ok_or_else(|| {
        Error::new(StatusCode::NOT_FOUND, format!("No status found for task {name}-{task}"))
    })?;
    Ok(Json(status).into_response())
}

pub(super) async fn restart_task(
    State(rest): State<Rest>,
    Path((name, task)): Path<(String, String)>,
) -> Answer {
    let instances = ready(&rest)?;
    let info = instances.info(&name).ok_or_else(|| unknown_connector(":", &name))?;
    if task != "0" || info.target == Target::Stopped {
        return Err(Error::new(StatusCode::NOT_FOUND, format!("Unknown task: {name}-{task}")));
    }
    change(instances, &name, Change::Restart { only_failed: false }).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(super) async fn restart(
    State(rest): State<Rest>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
) -> Answer {
    let instances = ready(&rest)?;
    let query = query.as_deref();
    let (tasks, only_failed) = (is_set(query, "includeTasks"), is_set(query, "onlyFailed"));
    match instances.change(&name, Change::Restart { only_failed }).await {
        Ok(_) => {}
        Err(Refusal::NotFound) => return Err(unknown_connector(":", &name)),
        Err(refusal) => return Err(Error::of(refusal, &name)),
    }
    if !tasks && !only_failed {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let shown = instances.status(&name).ok_or_else(|| no_status(&name))?;
    Ok((StatusCode::ACCEPTED, Json(bodies::status(&name, &shown))).into_response())
}

pub(super) async fn pause(State(rest): State<Rest>, Path(name): Path<String>) -> Answer {
    target(&rest, &name, Target::Paused, StatusCode::ACCEPTED).await
}

pub(super) async fn resume(State(rest): State<Rest>, Path(name): Path<String>) -> Answer {
    target(&rest, &name, Target::Running, StatusCode::ACCEPTED).await
}

pub(super) async fn stop(State(rest): State<Rest>, Path(name): Path<String>) -> Answer {
    target(&rest, &name, Target::Stopped, StatusCode::NO_CONTENT).await
}

pub(super) async fn topics(State(rest): State<Rest>, Path(name): Path<String>) -> Answer {
    let instances = ready(&rest)?;
    instances.info(&name).ok_or_else(|| Error::no_connector(&name))?;
    Ok(Json(json!({name.as_str(): {"topics": instances.topics(&name)}})).into_response())
}

pub(super) async fn reset_topics() -> Error {
    // They follow from the configuration, and are not tracked.
    Error::new(StatusCode::FORBIDDEN, "Topic tracking reset is disabled.")
}

async fn target(rest: &Rest, name: &str, target: Target, code: StatusCode) -> Answer {
    match ready(rest)?.change(name, Change::Target(target)).await {
        Ok(_) => Ok(code.into_response()),
        Err(Refusal::NotFound) => Err(unknown_connector("", name)),
        Err(refusal) => Err(Error::of(refusal, name)),
    }
}

async fn change(instances: &Instances, name: &str, change: Change) -> Result<Changed, Error> {
    instances.change(name, change).await.map_err(|refusal| Error::of(refusal, name))
}

fn written(instances: &Instances, name: &str, changed: Changed) -> Answer {
    let body = Json(info_of(instances, name)?);
    Ok(match changed {
        Changed::Created => (StatusCode::CREATED, location(name), body).into_response(),
        Changed::Updated => body.into_response(),
    })
}

fn location(name: &str) -> [(HeaderName, String); 1] {
    [(header::LOCATION, format!("/connectors/{name}"))]
}

fn info_of(instances: &Instances, name: &str) -> Result<Value, Error> {
    let info = instances.info(name).ok_or_else(|| Error::no_connector(name))?;
    Ok(bodies::info(name, &info, info.target != Target::Stopped))
}

/// The configuration with its name, which must be this one.
fn named(mut config: Config, name: &str) -> Result<Config, Error> {
    match config.get(NAME) {
        Some(other) if other != name => return Err(other_name(other, name)),
        Some(_) => {}
        None => drop(config.insert(NAME.to_owned(), name.to_owned())),
    }
    Ok(config)
}

fn other_name(included: &str, name: &str) -> Error {
    Error::bad(format!(
        "Connector name configuration ({included}) doesn't match connector name in the URL ({name})"
    ))
}

fn no_status(name: &str) -> Error {
    Error::new(StatusCode::NOT_FOUND, format!("No status found for connector {name}"))
}

fn unknown_connector(mark: &str, name: &str) -> Error {
    Error::new(StatusCode::NOT_FOUND, format!("Unknown connector{mark} {name}"))
}
