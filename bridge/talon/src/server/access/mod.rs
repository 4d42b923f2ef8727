//! Who calls, and what they may do.
//!
//! With `http.auth.*` whoever calls says who they are: by a password ([`users`]), by a bearer token, or by a client
//! certificate. Those whose names `http.auth.operators` lists may operate, the others may read. Without it everybody
//! may read, and whoever is on this machine may operate ([`local`]).
//!
//! How it can fail, and what holds then:
//!
//! * *Somebody guesses.* What fails is counted by address and name, and tried more and more slowly
//!   ([`attempts`]); whoever comes from elsewhere, is called otherwise, or was verified lately does not notice.
//! * *Passwords cost a processor.* They are hashed on threads of their own, two at a time.
//! * *A file is being changed, or gone for a moment.* The last content that could be read counts.
//! * *Somebody is taken out of a file.* From their next request on they are unknown: what is kept of a password
//!   that was verified names the hash that stands in the file.
//! * *A page in a browser sends what the browser knows.* It may read nothing of the answer, and changes are
//!   refused ([`pages`]).

mod attempts;
mod caller;
mod credentials;
mod local;
pub(crate) mod options;
mod pages;
mod users;
mod verified;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use talon_sdk::config::Secret;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::connections::Peer;
use super::rest::errors::Error;
use attempts::{Attempts, Origin};
pub(crate) use caller::{Caller, Role};
use credentials::Credentials;
use options::Options;
pub(super) use pages::{is_json, is_of_this_site, may_change, may_send_form};
use verified::Verified;

/// Passwords that are verified at a time.
const AT_A_TIME: usize = 2;

/// How long a password waits for its turn.
const TURN: Duration = Duration::from_secs(10);

/// Who may call. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Access(Arc<Inner>);

struct Inner {
    options: Options,
    verified: Verified,
    attempts: Attempts,
    turns: Semaphore,
}

/// Why somebody is not let in.
enum Refusal {
    /// They say nothing, or nothing that is known.
    Unknown,
    /// They have failed too often, and may try again then.
    Slowed(Duration),
    /// Too many passwords wait to be verified.
    Busy,
}

impl Access {
    pub(crate) fn new(options: Options) -> Access {
        Access(Arc::new(Inner {
            options,
            verified: Verified::default(),
            attempts: Attempts::default(),
            turns: Semaphore::new(AT_A_TIME),
        }))
    }

    /// Who may change connectors, in a sentence for the log.
    pub(crate) fn summary(&self) -> String {
        let Options { operators, .. } = &self.0.options;
        if !self.0.options.asks() {
            return "connectors are changed over REST from this machine alone: there is no `http.auth`"
                .to_owned();
        }
        let names: Vec<String> = operators.iter().map(|name| format!("`{name}`")).collect();
        match names.as_slice() {
            [] => "nobody may change connectors over REST: `http.auth.operators` names none"
                .to_owned(),
            names => format!("connectors are changed over REST by {}", names.join(", ")),
        }
    }

    /// Who sends a request.
    async fn caller(
        &self,
        peer: SocketAddr,
        path: &str,
        headers: &HeaderMap,
    ) -> Result<Caller, Refusal> {
        let options = &self.0.options;
        if !options.asks() {
            return Ok(Caller::unnamed(peer, headers, local::may_operate(peer, headers)));
        }
        if options.is_open(path) {
            return Ok(Caller::unnamed(
                peer,
                headers,
                Err("whoever gives no credentials may read"),
            ));
        }
        let name = match Credentials::of(headers) {
            None => return Err(Refusal::Unknown),
            Some(Credentials::Bearer(token)) => self.token(peer, token).await?,
            Some(Credentials::Basic { name, password }) => self.user(peer, name, password).await?,
        };
        let may_operate = match options.operators.contains(&name) {
            true => Ok(()),
            false => Err("may read alone: `http.auth.operators` names who may change connectors"),
        };
        Ok(Caller::named(name, peer, headers, may_operate))
    }

    /// The name of a token.
    async fn token(&self, peer: SocketAddr, token: String) -> Result<String, Refusal> {
        let all = self.0.clone();
        let found = spawn_blocking(move || {
            let tokens: &BTreeMap<String, Secret> = &all.options.tokens;
            let mut found = None;
            // All of them, each as a whole: how long it takes tells nothing of any.
            for (name, known) in tokens {
                let known = known.expose();
                let is_whole = known.len() >= options::TOKEN;
                if all.verified.are_same(&known, &token) & is_whole {
                    found = Some(name.clone());
                }
            }
            found
        });
        // One that is known is never slowed: to compare it costs nothing.
        if let Ok(Some(name)) = found.await {
            return Ok(name);
        }
        let origin = Origin::new(peer.ip(), None);
        self.0.attempts.may_try(&origin, Instant::now()).map_err(Refusal::Slowed)?;
        self.0.attempts.failed(origin, Instant::now());
        Err(Refusal::Unknown)
    }

    /// The name of a user, if this is the password.
    async fn user(
        &self,
        peer: SocketAddr,
        name: String,
        password: String,
    ) -> Result<String, Refusal> {
        let Some(file) = self.0.options.users.clone() else { return Err(Refusal::Unknown) };
        let of_name = name.clone();
        let looked = spawn_blocking(move || users::find(&file.expose(), &of_name)).await;
        let Ok(found) = looked else { return Err(Refusal::Busy) };
        let key = self.0.verified.key(&found.hash, &password);
        if self.0.verified.has(&key, Instant::now()) {
            return Ok(name);
        }
        let turn = timeout(TURN, self.0.turns.acquire()).await;
        let Ok(Ok(_turn)) = turn else { return Err(Refusal::Busy) };
        // Another request may have brought the same meanwhile.
        if self.0.verified.has(&key, Instant::now()) {
            return Ok(name);
        }
        let origin = Origin::new(peer.ip(), found.is_known.then(|| name.clone()));
        self.0.attempts.may_try(&origin, Instant::now()).map_err(Refusal::Slowed)?;
        let is_known = found.is_known;
        let verifying = spawn_blocking(move || users::verify(&password, &found.hash));
        if verifying.await.unwrap_or(false) && is_known {
            self.0.verified.keep(key, Instant::now());
            self.0.attempts.succeeded(&origin);
            return Ok(name);
        }
        tracing::warn!(from = %peer, known = is_known, "a password was refused");
        self.0.attempts.failed(origin, Instant::now());
        Err(Refusal::Unknown)
    }

    fn refused(&self, refusal: Refusal) -> Response {
        match refusal {
            Refusal::Unknown => {
                let message = "User cannot access the resource: give a name and password, or a token, of `http.auth`";
                let mut response = Error::new(StatusCode::UNAUTHORIZED, message).into_response();
                let headers = response.headers_mut();
                if self.0.options.users.is_some() {
                    let basic = r#"Basic realm="talon", charset="UTF-8""#;
                    headers.append(header::WWW_AUTHENTICATE, HeaderValue::from_static(basic));
                }
                if !self.0.options.tokens.is_empty() {
                    let bearer = r#"Bearer realm="talon""#;
                    headers.append(header::WWW_AUTHENTICATE, HeaderValue::from_static(bearer));
                }
                response
            }
            Refusal::Slowed(wait) => {
                let seconds = wait.as_secs() + 1;
                let message = format!(
                    "too many wrong passwords or tokens from this address: try again in {seconds} s"
                );
                let mut response =
                    Error::new(StatusCode::TOO_MANY_REQUESTS, message).into_response();
                response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
                response
            }
            Refusal::Busy => {
                let message = "too many passwords wait to be verified: try again";
                Error::new(StatusCode::SERVICE_UNAVAILABLE, message).into_response()
            }
        }
    }
}

/// Lets in whoever may call, and tells all handlers who it is.
pub(super) async fn known(
    State(access): State<Access>,
    ConnectInfo(Peer(peer)): ConnectInfo<Peer>,
    mut request: Request,
    next: Next,
) -> Response {
    match access.caller(peer, request.uri().path(), request.headers()).await {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(refusal) => access.refused(refusal),
    }
}

#[cfg(test)]
mod tests;
