//! Who sends a request, as all handlers get it.

use std::convert::Infallible;
use std::net::SocketAddr;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;

/// What somebody may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    /// See everything but personal data.
    Read,
    /// Also change connectors, and see personal data.
    Operate,
}

/// Who sends a request. An argument of any handler.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    /// Of the user, the token or the certificate; none where nobody has to say who they are.
    pub(crate) name: Option<String>,
    /// Where they call from.
    pub(crate) from: Option<SocketAddr>,
    /// What their client calls itself, short and without control characters.
    pub(crate) agent: String,
    may_operate: Result<(), &'static str>,
}

impl Caller {
    pub(super) fn named(
        name: String,
        from: SocketAddr,
        headers: &HeaderMap,
        may_operate: Result<(), &'static str>,
    ) -> Caller {
        Caller { name: Some(name), from: Some(from), agent: agent(headers), may_operate }
    }

    pub(super) fn unnamed(
        from: SocketAddr,
        headers: &HeaderMap,
        may_operate: Result<(), &'static str>,
    ) -> Caller {
        Caller { name: None, from: Some(from), agent: agent(headers), may_operate }
    }

    pub(crate) fn role(&self) -> Role {
        if self.may_operate.is_ok() { Role::Operate } else { Role::Read }
    }

    /// Why they may not change anything, if so, with the remedy.
    pub(crate) fn may_operate(&self) -> Result<(), &'static str> {
        self.may_operate
    }

    /// Who it is, for the log.
    pub(crate) fn who(&self) -> &str {
        self.name.as_deref().unwrap_or("nobody known")
    }

    /// From where, for the log.
    pub(crate) fn origin(&self) -> String {
        self.from.map_or_else(|| "unknown".to_owned(), |from| from.to_string())
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Infallible;

    /// A request that nobody was asked about may read alone.
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Caller, Infallible> {
        let known = parts.extensions.get::<Caller>().cloned();
        let agent = agent(&parts.headers);
        let may_operate = Err("it is not known who calls");
        Ok(known.unwrap_or(Caller { name: None, from: None, agent, may_operate }))
    }
}

fn agent(headers: &HeaderMap) -> String {
    let agent = headers.get("user-agent").and_then(|agent| agent.to_str().ok());
    agent.unwrap_or("unknown").chars().filter(|c| !c.is_control()).take(100).collect()
}
