//! Sends commands over a socket of their own, and says what a reply is.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use talon_sdk::{Answer, ApplyFault, Fault, Permit};

use super::reading::{Reading, id_in, operations};
use crate::books::Commands;
use crate::frame::{Frame, UpstreamError};
use crate::session::{Failure, Line, Live};

/// Sends the commands of one instance.
pub(crate) struct Sender {
    line: Arc<Line>,
    /// How the books' commands are called on this build, in the order of the books.
    pub(super) books: Vec<Commands>,
}

/// What is sent.
pub(super) struct Order<'o> {
    /// The upstream's command.
    pub(super) call: &'o str,
    pub(super) data: Value,
    /// What empty data in reply says, if it is an answer.
    pub(super) if_empty: Option<&'static str>,
}

impl Sender {
    pub(crate) fn new(line: Arc<Line>, books: Vec<Commands>) -> Sender {
        Sender { line, books }
    }

    /// The socket, in a session of which a refusal can be understood.
    pub(super) async fn live(&self) -> Result<Arc<Live>, Fault> {
        let live = self.line.live().await?;
        Reading { live: &live, books: &self.books }.prime().await?;
        Ok(live)
    }

    /// Sends an order once. Gives the reply with what of it may be passed on: ids, the ticket, states.
    pub(super) async fn send(
        &self,
        order: Order<'_>,
        permit: &Permit,
    ) -> Result<(Arc<Frame>, Answer), ApplyFault> {
        let live = self.live().await.map_err(ApplyFault::NotApplied)?;
        let _asking = live.asking();
        let sent = live.change(order.call, &order.data, permit).await;
        match sent.and_then(|frame| judged(&order, frame)) {
            Ok(frame) => {
                let answer = answer(&order, &frame);
                Ok((frame, answer))
            }
            Err(Failure::Refused { error, .. }) => {
                // A session that the server has forgotten is refused everything. Where that cannot be
                // told, the command is sent again: a refusal has no effect.
                let reading = Reading { live: &live, books: &self.books };
                reading.confirm().await.map_err(ApplyFault::NotApplied)?;
                Err(ApplyFault::Refused(refusal(&error)))
            }
            Err(
                failure @ (Failure::Connect(_) | Failure::NoPermit | Failure::Misconfigured(_)),
            ) => Err(ApplyFault::NotApplied(failure.fault())),
            Err(failure) => {
                // A late answer must not be taken for that of the next command of this name.
                live.end(&failure.to_string());
                Err(ApplyFault::Unclear(Answer::saying(failure.to_string())))
            }
        }
    }
}

/// What the upstream's refusal says.
pub(super) fn refusal(error: &UpstreamError) -> Answer {
    Answer { code: Some(error.code), ..Answer::saying(error.to_string()) }
}

/// A reply, if it is one: a result object, or the entity that the command was about, known by its id or by a
/// visitor's services, or empty data where that says something.
/// What else comes under the command's name, such as an error in another form, is told by nobody.
fn judged(order: &Order<'_>, frame: Arc<Frame>) -> Result<Arc<Frame>, Failure> {
    let is_known = match frame.entity() {
        Some(entity) => {
            id_in(&entity).is_some() || entity.get("services").is_some_and(Value::is_object)
        }
        None => order.if_empty.is_some() && frame.has_empty_data(),
    };
    if frame.is_success || is_known {
        return Ok(frame);
    }
    Err(Failure::Strange(order.call.to_owned()))
}

fn answer(order: &Order<'_>, frame: &Frame) -> Answer {
    let entity = frame.entity().unwrap_or_default();
    let mut out = Map::new();
    for name in ["id", "ticket", "state", "workplace_id", "postpone_to"] {
        if let Some(value) = entity.get(name).filter(|value| !value.is_object()) {
            out.insert(name.to_owned(), value.clone());
        }
    }
    let operations = operations(&Value::Object(entity));
    if !operations.is_empty() {
        out.insert("operations".to_owned(), json!(operations));
    }
    let words = order.if_empty.filter(|_| out.is_empty()).unwrap_or("done");
    let response = (!out.is_empty()).then(|| Value::Object(out).to_string());
    Answer { response, ..Answer::saying(words) }
}
