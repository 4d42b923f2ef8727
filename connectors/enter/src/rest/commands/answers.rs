//! What of a reply stands in the outcome: identifiers under our own names, and the printable ticket.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value as Json};
use talon_http::order::{Asks, NoReply, Order};
use talon_sdk::{Answer, ApplyFault};

use super::sender::Asker;

/// The answer with fields of the reply under our own names; the first that is there counts.
pub(super) fn with_ids(answer: Answer, names: &[(&str, &str)]) -> Answer {
    let fields = response(&answer);
    let mut out = Map::new();
    for (theirs, ours) in names {
        if let Some(value) = fields.get(*theirs) {
            out.entry((*ours).to_owned()).or_insert_with(|| value.clone());
        }
    }
    let response = (!out.is_empty()).then(|| Json::Object(out).to_string());
    Answer { response, ..answer }
}

/// What is known of the response.
pub(super) fn response(answer: &Answer) -> Map<String, Json> {
    let text = answer.response.as_deref().unwrap_or_default();
    serde_json::from_str(text).unwrap_or_default()
}

/// An answer of a call that gives what it made, if it does: else it is read back what became of it.
pub(super) fn needed(answer: Answer, endpoint: &str) -> Result<Answer, ApplyFault> {
    if answer.response.is_some() {
        return Ok(answer);
    }
    let message = format!("`{endpoint}` was answered with success, and not with what was made");
    Err(ApplyFault::Unclear(Answer { message, ..answer }))
}

/// The answer with the printable ticket, as base64, or with why it is not there. The command is done either
/// way.
pub(super) async fn with_image(
    asker: &Asker<'_>,
    answer: Answer,
    ticket: &str,
    max_bytes: usize,
) -> Answer {
    match image(asker, ticket, max_bytes).await {
        Ok(image) => {
            let mut fields = response(&answer);
            fields.insert("image".to_owned(), Json::from(image));
            Answer { response: Some(Json::Object(fields).to_string()), ..answer }
        }
        Err(why) => {
            let message = format!("{}; without the printable ticket: {why}", answer.message);
            Answer { message, ..answer }
        }
    }
}

async fn image(asker: &Asker<'_>, ticket: &str, max_bytes: usize) -> Result<String, String> {
    const IMAGE: &str = "GET /tickets/ticketpng/{ticketId}/";
    let reply = match asker.exchange(&Order::new(IMAGE, &[ticket]), None).await {
        Ok(reply) => reply,
        Err(NoReply::Unsent(fault)) => return Err(fault.to_string()),
        Err(NoReply::Failure(failure)) => return Err(failure.reason),
    };
    if !reply.is_success() {
        return Err(format!("`{IMAGE}` was answered with {}", reply.status));
    }
    // A page or JSON in its place.
    if reply.body.is_empty() || reply.body.trim_ascii_start().starts_with(b"<") {
        return Err(format!("`{IMAGE}` was answered with no picture"));
    }
    if reply.body.len() > max_bytes {
        return Err(format!("it has {} bytes; see `ticket.image.max.bytes`", reply.body.len()));
    }
    Ok(BASE64_STANDARD.encode(&reply.body))
}
