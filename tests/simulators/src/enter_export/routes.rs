//! The four methods of the document.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use jiff::civil::Date;
use serde_json::{Value, json};

use super::faults::FaultKind;
use super::settings::Settings;
use super::shared::{Asked, Shared};
use super::world::Branch;
use super::{control, life, write};
use crate::noise::{self, Noise};

/// How large the pieces are in which a day is written.
const PIECE: usize = 64 * 1024;

/// How long what was written has to leave the machine before a cut.
const BEFORE_CUT: Duration = Duration::from_millis(20);

type Sim = State<Arc<Shared>>;

pub(super) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/api/1/config/servers", get(servers))
        .route("/api/1/config/ticketSources", get(ticket_sources))
        .route("/api/1/queue/statistics/tickets", get(tickets))
        .route("/api/1/queue/statistics/tickets/history", get(history))
        .merge(control::routes())
        .with_state(shared)
}

async fn servers(State(shared): Sim, uri: Uri, headers: HeaderMap) -> Response {
    let faults = match enter(&shared, uri.path(), &headers, None).await {
        Ok(faults) => faults,
        Err(answer) => return answer,
    };
    let settings = shared.settings().clone();
    let rows: Vec<Value> = shared
        .world
        .branches
        .iter()
        .enumerate()
        .map(|(place, branch)| {
            let mut row = branch_json(branch);
            row["IsConnected"] = json!(!settings.offline.contains(&place));
            row["WrongProtocol"] = json!(settings.wrong_protocol.contains(&place));
            row["OrganizationPhone"] = Value::Null;
            row["OrganizationFax"] = json!("");
            row["OrganizationEmail"] = Value::Null;
            row
        })
        .collect();
    list(rows, &faults, &settings)
}

async fn ticket_sources(State(shared): Sim, uri: Uri, headers: HeaderMap) -> Response {
    let faults = match enter(&shared, uri.path(), &headers, None).await {
        Ok(faults) => faults,
        Err(answer) => return answer,
    };
    let rows = shared.world.sources.iter().map(|source| {
        let mut row =
            json!({ "Id": source.id.to_string(), "Name": source.name, "Type": source.kind });
        if (1..=3).contains(&source.kind) {
            row["ExternalSystemId"] = json!(source.external_system.to_string());
        }
        if source.kind == 2 {
            row["AdministratorId"] = json!(source.id.to_string());
        }
        row
    });
    list(rows.collect(), &faults, &shared.settings())
}

async fn tickets(shared: Sim, query: Query<Parameters>, uri: Uri, headers: HeaderMap) -> Response {
    day(shared, query, uri, headers, false).await
}

async fn history(shared: Sim, query: Query<Parameters>, uri: Uri, headers: HeaderMap) -> Response {
    day(shared, query, uri, headers, true).await
}

type Parameters = HashMap<String, String>;

async fn day(
    State(shared): Sim,
    Query(query): Query<Parameters>,
    uri: Uri,
    headers: HeaderMap,
    with_history: bool,
) -> Response {
    let parameter = |name: &str| query.get(name).map_or("", String::as_str);
    let branch = shared.world.find(parameter("serverId"));
    let date = date_of(parameter("date"));
    if let (Some(branch), Some(day)) = (branch, date) {
        *shared.counts().days.entry(Asked { branch, day }).or_default() += 1;
    }
    let faults = match enter(&shared, uri.path(), &headers, branch).await {
        Ok(faults) => faults,
        Err(answer) => return answer,
    };
    let settings = shared.settings().clone();
    if with_history && !settings.history_method {
        return StatusCode::NOT_FOUND.into_response();
    }
    let (Some(place), Some(date)) = (branch, date) else {
        let body = json!({ "UserMessage": "Неверные параметры запроса" }).to_string();
        return (StatusCode::BAD_REQUEST, body).into_response();
    };
    let branch = &shared.world.branches[place];
    let now = branch.local(shared.now_ms());
    let view = write::View {
        history: with_history,
        fields: parameter("includeDataFields") == "true",
        now,
        unknown_state: false,
        undecodable: false,
        extended: settings.noise > 0.0,
    };
    let start = if with_history {
        let department = spelled(department(branch, place, &settings).to_string(), &settings);
        format!("[{{\"Department\":{department},\"Tickets\":[")
    } else {
        let head = branch_json(branch);
        format!(
            "{{\"ServerId\":\"{}\",\"DateTime\":\"{}\",\"OrganizationName\":{},\
             \"OrganizationAddress\":{},\"Tickets\":[",
            branch.id,
            jiff::Timestamp::from_millisecond(shared.now_ms()).map_or_else(
                |_| String::new(),
                |now| now.to_zoned(branch.zone.clone()).datetime().to_string()
            ),
            head["OrganizationName"],
            head["OrganizationAddress"]
        )
    };
    let end = if with_history { "]}]" } else { "]}" };
    let unknown = settings.unknown_state;
    Pieces { shared: Arc::clone(&shared), place, date, view, next: 0, written: 0, faults, unknown }
        .response(start, end)
}

/// What a reply with history says of the branch.
pub(super) fn department(branch: &Branch, place: usize, settings: &Settings) -> Value {
    let mut head = branch_json(branch);
    head["IsConnected"] = json!(!settings.offline.contains(&place));
    head["WrongProtocol"] = json!(settings.wrong_protocol.contains(&place));
    head["ClientId"] = json!(format!("department{:02}", place + 1));
    if settings.tells_zone {
        head["TimeZone"] =
            json!({ "Id": branch.zone_id, "Name": branch.zone_id, "UtcOffset": "UTC+03:00" });
    }
    if settings.noise > 0.0 {
        noise::extend(&mut head);
    }
    head
}

/// A day on its way to the client, written as it is taken.
struct Pieces {
    shared: Arc<Shared>,
    place: usize,
    date: Date,
    view: write::View,
    next: usize,
    written: usize,
    faults: Vec<FaultKind>,
    unknown: bool,
}

impl Pieces {
    fn response(self, start: String, end: &'static str) -> Response {
        let state = Some((self, start, end));
        let body = stream::unfold(state, |state| async {
            let (mut pieces, mut text, end) = state?;
            match pieces.fill(&mut text, end) {
                Ending::More => Some((Ok(Bytes::from(text)), Some((pieces, String::new(), end)))),
                Ending::Whole => Some((Ok(Bytes::from(text)), None)),
                Ending::Cut if text.is_empty() => {
                    tokio::time::sleep(BEFORE_CUT).await;
                    Some((Err(io::Error::from(io::ErrorKind::ConnectionAborted)), None))
                }
                Ending::Cut => Some((Ok(Bytes::from(text)), Some((pieces, String::new(), end)))),
            }
        });
        let kind = HeaderValue::from_static("application/json; charset=utf-8");
        ([(header::CONTENT_TYPE, kind)], Body::from_stream(body)).into_response()
    }

    fn fill(&mut self, text: &mut String, end: &str) -> Ending {
        let world = &self.shared.world;
        let settings = self.shared.settings().clone();
        let branch = &world.branches[self.place];
        let count = if self.date < world.since { 0 } else { world.tickets_per_day };
        let cut = self.faults.iter().find_map(|fault| match fault {
            FaultKind::Cut { tickets } | FaultKind::Unfinished { tickets } => Some(*tickets),
            _ => None,
        });
        let missing = self.faults.iter().find_map(|fault| match fault {
            FaultKind::Missing { tickets } => Some(*tickets),
            _ => None,
        });
        while self.next < count && text.len() < PIECE {
            if cut == Some(self.written) {
                // The cut itself comes when this is called again.
                if text.is_empty() {
                    return self.cut();
                }
                text.push_str(if self.written > 0 { ",{\"Id\":\"" } else { "{\"Id\":\"" });
                return self.cut();
            }
            let ticket = life::ticket(world, self.place, self.date, self.next);
            let is_missing = missing.is_some_and(|missing| self.next < missing);
            let view = write::View {
                unknown_state: self.unknown && self.next == 0,
                undecodable: self.next == 0 && self.faults.contains(&FaultKind::UndecodableRow),
                ..self.view
            };
            self.next += 1;
            let length = text.len();
            if self.written > 0 {
                text.push(',');
            }
            if !is_missing && write::ticket(world, branch, &ticket, view, text) {
                let start = length + usize::from(self.written > 0);
                let spelled = spelled(text.split_off(start), &settings);
                text.push_str(&spelled);
                self.written += 1;
            } else {
                text.truncate(length);
            }
        }
        if self.next < count {
            return Ending::More;
        }
        text.push_str(end);
        Ending::Whole
    }

    fn cut(&self) -> Ending {
        let unfinished =
            self.faults.iter().any(|fault| matches!(fault, FaultKind::Unfinished { .. }));
        if unfinished { Ending::Whole } else { Ending::Cut }
    }
}

enum Ending {
    More,
    Whole,
    Cut,
}

/// What every request of the document passes: counting, faults, the token.
async fn enter(
    shared: &Shared,
    path: &str,
    headers: &HeaderMap,
    branch: Option<usize>,
) -> Result<Vec<FaultKind>, Response> {
    *shared.counts().requests.entry(path.to_owned()).or_default() += 1;
    let faults = shared.faults.strike(path, branch);
    for fault in &faults {
        match fault {
            FaultKind::Slow { ms } => tokio::time::sleep(Duration::from_millis(*ms)).await,
            FaultKind::HtmlError => {
                return Err(Html("<!DOCTYPE html><title>Вход</title>").into_response());
            }
            FaultKind::Status { code, retry_after_seconds } => {
                let code = StatusCode::from_u16(*code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                let mut response = code.into_response();
                if let Some(seconds) = retry_after_seconds {
                    let value = HeaderValue::from(*seconds);
                    response.headers_mut().insert(header::RETRY_AFTER, value);
                }
                return Err(response);
            }
            _ => {}
        }
    }
    let token = shared.settings().token.clone();
    let shown = headers.get("Token").and_then(|value| value.to_str().ok());
    if token.is_some() && token.as_deref() != shown {
        return Err(StatusCode::UNAUTHORIZED.into_response());
    }
    Ok(faults)
}

/// A text as it is sent this time.
fn spelled(text: String, settings: &Settings) -> String {
    Noise { seed: settings.seed, share: settings.noise }.respelled(text)
}

fn list(rows: Vec<Value>, faults: &[FaultKind], settings: &Settings) -> Response {
    let cut = faults.iter().any(|fault| matches!(fault, FaultKind::Cut { .. }));
    let mut rows = Value::from(rows);
    if settings.noise > 0.0 {
        noise::extend(&mut rows);
    }
    let body = Bytes::from(spelled(rows.to_string(), settings));
    let kind = HeaderValue::from_static("application/json; charset=utf-8");
    if !cut {
        return ([(header::CONTENT_TYPE, kind)], body).into_response();
    }
    let half = body.slice(..body.len() / 2);
    let broken = stream::once(async {
        tokio::time::sleep(BEFORE_CUT).await;
        Err(io::Error::from(io::ErrorKind::ConnectionAborted))
    });
    let body = Body::from_stream(stream::iter([Ok(half)]).chain(broken));
    ([(header::CONTENT_TYPE, kind)], body).into_response()
}

fn branch_json(branch: &Branch) -> Value {
    let mut row = json!({
        "Id": branch.id.to_string(),
        "Name": branch.name,
        "OrganizationName": "ГАУ ТО \"МФЦ\"",
        "OrganizationFullName": null,
        "OrganizationAddress": " ",
    });
    if let Some(id) = &branch.integration_id {
        row["IntegrationId"] = json!(id);
    }
    row
}

/// `dd.mm.yyyy`.
fn date_of(text: &str) -> Option<Date> {
    let mut parts = text.split('.');
    let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
    let is_whole = parts.next().is_none() && day.len() == 2 && month.len() == 2 && year.len() == 4;
    if !is_whole {
        return None;
    }
    Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).ok()
}
