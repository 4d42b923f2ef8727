//! Asking a request's permit when its connection has been made, right before its first byte leaves.
//!
//! The library dials in the request's own task, and writes as soon as there is a connection. So the
//! connector of the client that sends what changes something has one step more at its end
//! ([`asked_last`]). That client keeps no connections, because a request that waits for one that is
//! kept would leave without that step, and so would one that HTTP/2 holds back for want of a stream.
//! It also never meets a kept connection that the upstream is about to close, after which nobody
//! knows whether the request was taken.

use std::error::Error;

use talon_sdk::Permit;

tokio::task_local! {
    /// The permit of the request that the task is about to send.
    static PERMIT: Permit;
}

/// The permit had ended when the connection was there.
#[derive(Debug, thiserror::Error)]
#[error("this process may no longer act for the connector")]
pub(crate) struct Ended;

/// Sends, under a permit.
pub(crate) async fn under<F: Future>(permit: Permit, send: F) -> F::Output {
    PERMIT.scope(permit, send).await
}

/// Hands a new connection on if the permit still holds. Where none is known, the request is not sent:
/// then the library dials in a task of its own, and this module has to find another way.
pub(crate) async fn asked_last<C>(connection: C) -> Result<C, Box<dyn Error + Send + Sync>> {
    match PERMIT.try_with(Permit::check) {
        Ok(Ok(())) => Ok(connection),
        Ok(Err(_)) | Err(_) => Err(Ended.into()),
    }
}
