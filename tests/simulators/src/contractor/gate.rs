//! What every request of the document passes: counting, faults, authorization, and on the way back
//! the faults in the answer.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{ConnectInfo, FromRequestParts, MatchedPath, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Response};

use super::auth::{Caller, caller};
use super::faults::FaultKind;
use super::inputs::{self, Input};
use super::journal::redacted;
use super::misbehave::spoil;
use super::reply::{Refusal, Reply};
use super::scheme::{Scheme, scheme_of};
use super::shared::Shared;
use super::store::Store;
use crate::connection::Line;
use crate::noise::Noise;

/// The largest body that is read, in bytes.
const LARGEST_BODY: usize = 64 * 1024 * 1024;

const LOGIN_PAGE: &str = "<!DOCTYPE html>\n<html lang=\"ru\"><head><title>Вход в систему</title></head>\
    <body><form method=\"post\"><input name=\"login\"><input name=\"password\" type=\"password\">\
    </form></body></html>\n";

/// What is known of a request that may go on.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    endpoint: String,
    path: String,
    pub(super) caller: Caller,
    headers: HeaderMap,
    body: Bytes,
}

impl Asked {
    /// The body, or `invalid`.
    pub(super) fn body<I: Input>(&self, invalid: Refusal) -> Result<I, Refusal> {
        inputs::read(&self.headers, &self.body, invalid)
    }

    /// The user who asks.
    pub(super) fn user(&self) -> Result<i64, Refusal> {
        self.caller.user()
    }
}

/// A request in a route: the way to the store and back.
pub(super) struct Act {
    pub(super) shared: Arc<Shared>,
    asked: Arc<Asked>,
}

impl Act {
    /// Runs an operation under the lock, with its entry in the journal if it had an effect.
    pub(super) fn run(
        &self,
        operation: impl FnOnce(&mut Store, &Asked) -> Result<Reply, Refusal>,
    ) -> Response {
        let mut store = self.shared.store();
        let store = &mut *store;
        match operation(store, &self.asked) {
            Err(refusal) => refusal.response(&store.settings),
            Ok(reply) => {
                if let Some(entity) = reply.effect {
                    store.pass(1);
                    self.note(entity);
                }
                let accept = self.header(&header::ACCEPT).unwrap_or_default();
                reply.response(&store.settings, &accept, &mut store.turns)
            }
        }
    }

    fn note(&self, entity: i64) {
        let asked = &self.asked;
        let id = self.header("x-request-id");
        let body = redacted(&asked.body);
        self.shared.journal.append(&asked.endpoint, entity, &asked.path, body, id);
    }

    fn header(&self, name: impl header::AsHeaderName) -> Option<String> {
        let value = self.asked.headers.get(name)?.to_str().ok()?;
        Some(value.to_owned())
    }
}

impl FromRequestParts<Arc<Shared>> for Act {
    type Rejection = StatusCode;

    async fn from_request_parts(
        parts: &mut Parts,
        shared: &Arc<Shared>,
    ) -> Result<Self, StatusCode> {
        let asked = parts.extensions.get::<Arc<Asked>>().cloned();
        Ok(Self {
            shared: Arc::clone(shared),
            asked: asked.ok_or(StatusCode::INTERNAL_SERVER_ERROR)?,
        })
    }
}

/// The middleware around all routes of the document.
pub(super) async fn pass(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(line): ConnectInfo<Line>,
    matched: MatchedPath,
    request: Request,
    next: Next,
) -> Response {
    let endpoint = format!("{} {}", request.method(), matched.as_str());
    let scheme = scheme_of(&endpoint);
    let path = request.uri().path().to_owned();
    shared.journal.asked(&endpoint);
    let faults = shared.faults.strike(request.method(), &path, scheme);
    if let Some(answer) = instead(&faults, &line).await {
        return answer;
    }
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, LARGEST_BODY).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let known = {
        let store = shared.store();
        caller(&store, scheme, &parts.headers).map_err(|refusal| refusal.response(&store.settings))
    };
    let response = match known {
        Err(refused) => refused,
        Ok(caller) => {
            let headers = parts.headers.clone();
            let asked = Asked { endpoint, path, caller, headers, body: body.clone() };
            let mut request = Request::from_parts(parts, Body::from(body));
            request.extensions_mut().insert(Arc::new(asked));
            next.run(request).await
        }
    };
    if faults.contains(&FaultKind::LostReply) {
        line.cut();
    }
    let noise = {
        let store = shared.store();
        Noise { seed: store.settings.seed, share: store.settings.noise }
    };
    spoil(response, &faults, noise).await
}

/// The answer of a fault that keeps the request from having any effect.
async fn instead(faults: &[FaultKind], line: &Line) -> Option<Response> {
    for fault in faults {
        match fault {
            FaultKind::Slow { ms } => tokio::time::sleep(Duration::from_millis(*ms)).await,
            FaultKind::LostRequest => {
                line.cut();
                return Some(StatusCode::OK.into_response());
            }
            FaultKind::TokenExpired { scheme } if *scheme != Scheme::Open => {
                return Some(StatusCode::UNAUTHORIZED.into_response());
            }
            FaultKind::HtmlError => return Some(Html(LOGIN_PAGE).into_response()),
            FaultKind::Status { code, retry_after_seconds, body } => {
                let code = StatusCode::from_u16(*code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                let mut response = match body {
                    Some(body) => (code, body.clone()).into_response(),
                    None => code.into_response(),
                };
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
