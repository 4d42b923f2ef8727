//! Who asks, and what they may see and do.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use crate::server::access::{self, Role, is_of_this_site};

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub(in crate::server) struct Caller {
    /// They may change connectors, and see personal data.
    pub(super) may_operate: bool,
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Infallible;

    /// A page of another site gets nothing that its reader may not see.
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Caller, Infallible> {
        let known = access::Caller::from_request_parts(parts, state).await?;
        let may_operate = known.role() == Role::Operate && is_of_this_site(&parts.headers).is_ok();
        Ok(Caller { may_operate })
    }
}
