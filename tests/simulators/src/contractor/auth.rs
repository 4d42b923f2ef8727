//! Who calls, by the three authentication schemes of the document.

use axum::http::{HeaderMap, HeaderName, header};

use super::reply::Refusal;
use super::scheme::Scheme;
use super::settings::Settings;
use super::store::Store;

/// Who calls.
#[derive(Clone, Debug)]
pub(super) enum Caller {
    Anybody,
    External,
    User(i64),
    Service { user: i64, token: String },
}

impl Caller {
    /// The user, for the endpoints of UserAuth and ServiceUserAuth.
    pub(super) fn user(&self) -> Result<i64, Refusal> {
        match self {
            Self::User(user) | Self::Service { user, .. } => Ok(*user),
            Self::Anybody | Self::External => Err(Refusal::empty(401)),
        }
    }
}

/// The caller of an endpoint with the given scheme: 401 without a valid credential, 403 with a
/// valid one of another scheme. Both bodies are empty.
pub(super) fn caller(
    store: &Store,
    scheme: Scheme,
    headers: &HeaderMap,
) -> Result<Caller, Refusal> {
    if scheme == Scheme::Open {
        return Ok(Caller::Anybody);
    }
    let settings = &store.settings;
    let known = [
        external(settings, headers),
        token(store, &settings.user_prefix, headers, Scheme::User),
        token(store, &settings.service_prefix, headers, Scheme::Service),
    ];
    let fits = |caller: &Caller| match caller {
        Caller::Anybody => false,
        Caller::External => scheme == Scheme::External,
        Caller::User(_) => scheme == Scheme::User,
        Caller::Service { .. } => scheme == Scheme::Service,
    };
    let mut known = known.into_iter().flatten().peekable();
    let is_known = known.peek().is_some();
    known.find(fits).ok_or(Refusal::empty(if is_known { 403 } else { 401 }))
}

fn external(settings: &Settings, headers: &HeaderMap) -> Option<Caller> {
    let name: HeaderName = settings.external_header.parse().ok()?;
    let value = headers.get(name)?.to_str().ok()?;
    let token = value.strip_prefix(&settings.external_prefix)?;
    (token == settings.external_token).then_some(Caller::External)
}

fn token(store: &Store, prefix: &str, headers: &HeaderMap, scheme: Scheme) -> Option<Caller> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let token = value.strip_prefix(prefix)?;
    let (user, of) = store.users.who(token)?;
    match of {
        _ if of != scheme => None,
        Scheme::User => Some(Caller::User(user)),
        Scheme::Service => Some(Caller::Service { user, token: token.to_owned() }),
        Scheme::Open | Scheme::External => None,
    }
}
