//! The endpoints of the document, one file for each of its tags.

mod call_costs;
mod call_tasks;
mod calls;
mod notifications;
mod shared;
mod users;

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Multipart};
use axum::{Router, middleware};

use super::auth::Scheme;
use super::gate;
use super::reply::Refusal;
use super::simulator::Shared;
use super::store::Upload;

/// All endpoints of the document, behind the gate.
pub(super) fn routes(shared: &Arc<Shared>) -> Router<Arc<Shared>> {
    Router::new()
        .merge(calls::routes())
        .merge(call_costs::routes())
        .merge(call_tasks::routes())
        .merge(notifications::routes())
        .merge(shared::routes())
        .merge(users::routes())
        .layer(DefaultBodyLimit::disable())
        .layer(middleware::from_fn_with_state(Arc::clone(shared), gate::pass))
}

/// The endpoints of ExternalSystemAuth.
const EXTERNAL: [&str; 17] = [
    "POST /call",
    "GET /call/modifications/{timestamp}",
    "GET /call/messages/modifications/{timestamp}",
    "GET /call/jeopardies/modifications/{timestamp}",
    "GET /call/{id}",
    "PATCH /call/{id}",
    "POST /call/{id}/close",
    "POST /call/{id}/dispatcher/message",
    "POST /call/{id}/unjeopardy",
    "GET /callCost/call/{callId}",
    "PATCH /callCost/call/{callId}/changeApprovalStatus",
    "GET /calltask",
    "GET /calltask/{id}",
    "GET /calltask/{id}/attachment/{attachmentId}",
    "PATCH /systemSettings",
    "POST /user/register",
    "POST /user/{id}/changePassword",
];

/// Who may call an endpoint, given as `POST /call/{id}/message`.
pub(super) fn scheme_of(endpoint: &str) -> Scheme {
    match endpoint {
        "POST /user/{id}/lock" => Scheme::External,
        "POST /user/token" => Scheme::Service,
        "POST /user/signin" => Scheme::Open,
        _ if endpoint.contains(" /shared/") => Scheme::Open,
        _ if EXTERNAL.contains(&endpoint) => Scheme::External,
        _ => Scheme::User,
    }
}

/// The field `Attachment`; 400 without it.
async fn upload(mut form: Multipart) -> Result<Upload, Refusal> {
    let invalid = Refusal::empty(400);
    while let Some(field) = form.next_field().await.map_err(|_| invalid)? {
        if field.name() == Some("Attachment") {
            let name = field.file_name().unwrap_or_default().to_owned();
            let bytes = field.bytes().await.map_err(|_| invalid)?;
            return Ok(Upload { name, bytes });
        }
    }
    Err(invalid)
}
