//! Which authentication scheme of the document an endpoint has.

use serde::{Deserialize, Serialize};

/// Who may call an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scheme {
    /// Everybody.
    Open,
    /// ExternalSystemAuth: the dispatcher system.
    External,
    /// UserAuth (`x-user`): an access token in `Authorization`.
    User,
    /// ServiceUserAuth (`x-user-service`): a service token in `Authorization`.
    Service,
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
