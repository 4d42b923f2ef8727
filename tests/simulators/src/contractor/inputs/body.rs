//! Bodies, and how they are read.

use axum::http::{HeaderMap, header};
use serde::de::DeserializeOwned;

use crate::contractor::reply::Refusal;

/// A body that its definition accepts.
pub(in crate::contractor) trait Input: DeserializeOwned {
    /// Whether the values keep the bounds that the document sets for them.
    fn is_valid(&self) -> bool;
}

/// The body as an `I`, or `invalid` when it is absent, no JSON, incomplete or out of its bounds.
pub(in crate::contractor) fn read<I: Input>(
    headers: &HeaderMap,
    body: &[u8],
    invalid: Refusal,
) -> Result<I, Refusal> {
    let kind =
        headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    let consumed = ["application/json", "text/json", "application/json-patch+json"]
        .contains(&essence)
        || (essence.starts_with("application/") && essence.ends_with("+json"));
    if !consumed && !body.is_empty() {
        return Err(Refusal::empty(415));
    }
    serde_json::from_slice::<I>(body).ok().filter(Input::is_valid).ok_or(invalid)
}
