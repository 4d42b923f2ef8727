//! The one path of the document, and its description.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::call::{self, Asked, Operation};
use super::control;
use super::faults::FaultKind;
use super::journal::{Call, Outcome};
use super::limits::check_window;
use super::reply::Reply;
use super::settings::SoapVersion;
use super::shared::Shared;
use super::table::Table;
use crate::connection::Line;

/// Where the operations are.
pub(super) const PATH: &str = "/cus/ws/PartnerWebAPI2";

const DESCRIPTION: &str = include_str!("partner.wsdl");

type Sim = State<Arc<Shared>>;

pub(super) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route(PATH, get(describe).post(called))
        .merge(control::routes())
        .with_state(shared)
}

/// `?wsdl`, which is behind the login too.
async fn describe(
    State(shared): Sim,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    if account(&shared, &headers).is_none() {
        return unknown();
    }
    if query.as_deref().is_none_or(|query| !query.eq_ignore_ascii_case("wsdl")) {
        return StatusCode::BAD_REQUEST.into_response();
    }
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let text = DESCRIPTION.replace("{location}", &format!("http://{host}{}", uri.path()));
    let kind = HeaderValue::from_static("text/xml; charset=utf-8");
    ([(header::CONTENT_TYPE, kind)], text).into_response()
}

async fn called(
    State(shared): Sim,
    ConnectInfo(line): ConnectInfo<Line>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let asked = call::read(&body);
    let faults = shared.faults.strike(asked.as_ref().ok().map(|asked| asked.operation));
    if let Some(answer) = instead(&faults, &line).await {
        return answer;
    }
    let Some(account) = account(&shared, &headers) else { return unknown() };
    match asked {
        Ok(asked) => answer(&shared, &line, account, asked, faults),
        Err(why) => {
            let version = shared.settings().answers_as.unwrap_or(SoapVersion::V12);
            let of = Operation::GetHistoryOfServiceTreatments;
            fault(&Table::new(of, version, shared.spelling()), version, &why)
        }
    }
}

/// A call that reached its operation: it is counted before anything else.
fn answer(
    shared: &Arc<Shared>,
    line: &Line,
    account: String,
    asked: Asked,
    faults: Vec<FaultKind>,
) -> Response {
    let now = shared.now_ms();
    let settings = shared.settings().clone();
    let Asked { operation, filter, version, closed } = asked;
    let counted = shared.counted().call(&account, operation, now, &settings);
    let local = shared.world.local(now);
    let is_closed = operation == Operation::GetHistoryOfServiceTreatments;
    // The other operation has no such rule.
    let refused = match is_closed {
        true => counted.and_then(|()| check_window(&filter, now, local, &settings)),
        false => counted,
    };
    let made_up = faults.iter().find_map(|fault| match fault {
        FaultKind::Refused { code, text } => Some((code.clone(), text.clone())),
        _ => None,
    });
    let refusal = refused.err().map(|refusal| (refusal.code.to_owned(), refusal.text)).or(made_up);
    let failure = faults.iter().find(|fault| {
        matches!(
            fault,
            FaultKind::SoapFault { .. } | FaultKind::OtherAnswer { .. } | FaultKind::LostReply
        )
    });
    let outcome = match &refusal {
        Some((code, _)) if code == "OUT_OF_LIMIT" => Outcome::OutOfLimit,
        None if failure.is_none() => Outcome::Answered,
        _ => Outcome::Refused,
    };
    shared.journal.append(Call { account, operation, at_ms: now, outcome, closed });
    let version = settings.answers_as.unwrap_or(version);
    match failure {
        Some(FaultKind::SoapFault { text, version: other }) => {
            let version = other.unwrap_or(version);
            return fault(&Table::new(operation, version, shared.spelling()), version, text);
        }
        Some(FaultKind::OtherAnswer { body }) => return xml(version, body.clone()),
        Some(FaultKind::LostReply) => {
            line.cut();
            return StatusCode::OK.into_response();
        }
        _ => {}
    }
    let table = Table::new(operation, version, shared.spelling());
    if let Some((code, text)) = refusal {
        let mut out = String::new();
        table.head(&code, &mut out);
        table.text_and_end(Some(&text), &mut out);
        return xml(version, out);
    }
    let selection = shared.world.select(&filter, is_closed, now);
    let shared = Arc::clone(shared);
    Reply { shared, table, selection, faults, written: 0, is_begun: false }
        .response(version.content_type())
}

/// The answer of a fault that keeps the request from being a call.
async fn instead(faults: &[FaultKind], line: &Line) -> Option<Response> {
    for fault in faults {
        match fault {
            FaultKind::Slow { ms } => tokio::time::sleep(Duration::from_millis(*ms)).await,
            FaultKind::LostRequest => {
                line.cut();
                return Some(StatusCode::OK.into_response());
            }
            FaultKind::HtmlError => {
                return Some(Html("<!DOCTYPE html><title>Вход</title>").into_response());
            }
            FaultKind::Status { code, retry_after_seconds } => {
                let code = StatusCode::from_u16(*code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                let mut response = code.into_response();
                if let Some(seconds) = retry_after_seconds {
                    let value = HeaderValue::from(*seconds);
                    response.headers_mut().insert(header::RETRY_AFTER, value);
                }
                return Some(response);
            }
            _ => {}
        }
    }
    None
}

fn fault(table: &Table, version: SoapVersion, why: &str) -> Response {
    let mut out = String::new();
    table.fault(why, &mut out);
    let mut response = xml(version, out);
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response
}

fn xml(version: SoapVersion, text: String) -> Response {
    let kind = HeaderValue::from_static(version.content_type());
    ([(header::CONTENT_TYPE, kind)], text).into_response()
}

fn unknown() -> Response {
    let challenge = HeaderValue::from_static("Basic realm=\"cus\"");
    (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, challenge)]).into_response()
}

/// Whose credentials a request shows.
fn account(shared: &Shared, headers: &HeaderMap) -> Option<String> {
    let shown = headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Basic ")?;
    let shown = String::from_utf8(STANDARD.decode(shown.trim()).ok()?).ok()?;
    let (login, password) = shown.split_once(':')?;
    let settings = shared.settings();
    (settings.accounts.get(login)? == password).then(|| login.to_owned())
}
