//! Who asks, and what they may see and do.

use std::convert::Infallible;

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;

use crate::server::connections::Peer;
use crate::server::rest::access;

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub(in crate::server) struct Caller {
    /// They may change connectors, and see personal data.
    pub(super) may_operate: bool,
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Caller, Infallible> {
        let peer = parts.extensions.get::<ConnectInfo<Peer>>();
        let may_operate = peer.is_some_and(|ConnectInfo(Peer(peer))| {
            access::may_operate(*peer, &parts.headers).is_ok()
        });
        Ok(Caller { may_operate })
    }
}
