//! The commands: what is read before, what is sent once, and how an unclear reply is read back.
//!
//! What concerns "the visitor at the workplace" is told by the workplace's `consumer_id` and by the
//! states of the visitor's operations: the overall state says `SERVED` also of what was rejected.
//! Replies are passed on as ids and states alone.

mod about;
pub(crate) mod config;
mod probe;
mod scene;
mod specs;

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Map, Value, json};
use talon_sdk::{Answer, Applier, ApplyFault, Command, Evidence, Fault, Finding, Permit};

use self::about::{About, marker};
use self::scene::{Scene, Seen};
pub(crate) use self::specs::SPECS;
use crate::books::Commands;
use crate::frame::{Frame, UpstreamError};
use crate::session::{Failure, Line, Live};

/// Sends the commands of one instance, over a socket of their own.
pub(crate) struct Sender {
    line: Arc<Line>,
    /// How the books' commands are called on this build, in the order of the books.
    books: Vec<Commands>,
}

impl Sender {
    pub(crate) fn new(line: Arc<Line>, books: Vec<Commands>) -> Sender {
        Sender { line, books }
    }

    /// The socket, in a session of which a refusal can be understood.
    async fn live(&self, command: &Command) -> Result<Arc<Live>, Fault> {
        let live = self.line.live().await?;
        Scene { live: &live, command, books: &self.books }.prime().await?;
        Ok(live)
    }

    /// Reads what a command is about.
    async fn see(&self, command: &Command, before: Option<&Seen>) -> Result<Seen, Fault> {
        let live = self.live(command).await?;
        let _asking = live.asking();
        Scene { live: &live, command, books: &self.books }.see(before).await
    }
}

#[async_trait]
impl Applier for Sender {
    async fn look(&self, command: &Command) -> Result<Evidence, ApplyFault> {
        let seen = self.see(command, None).await.map_err(ApplyFault::NotApplied)?;
        if let Some(error) = &seen.unknown {
            return Err(refused(error));
        }
        check(command, &seen)?;
        let text = serde_json::to_string(&seen).map_err(|_| {
            let reason = "what was seen cannot be written".to_owned();
            ApplyFault::NotApplied(Fault::Internal { reason })
        })?;
        Ok(Evidence(text))
    }

    async fn apply(
        &self,
        command: &Command,
        _: &Evidence,
        permit: &Permit,
    ) -> Result<Answer, ApplyFault> {
        let data = data(command);
        let live = self.live(command).await.map_err(ApplyFault::NotApplied)?;
        let _asking = live.asking();
        let call = Commands::spelled(&self.books, command.spec.name).unwrap_or(command.spec.call);
        let sent = live.change(call, &data, permit).await;
        match sent.and_then(|frame| judged(command, frame)) {
            Ok(frame) => Ok(answer(command, &frame)),
            Err(Failure::Refused { error, .. }) => {
                // A session that the server has forgotten is refused everything. Where that cannot be
                // told, the command is sent again: a refusal has no effect.
                let scene = Scene { live: &live, command, books: &self.books };
                scene.confirm().await.map_err(ApplyFault::NotApplied)?;
                Err(refused(&error))
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

    async fn probe(
        &self,
        command: &Command,
        before: &Evidence,
        _sent_at_ms: i64,
    ) -> Result<Finding, Fault> {
        let before: Seen = serde_json::from_str(&before.0).map_err(|_| Fault::Internal {
            reason: "the evidence is not of this connector".to_owned(),
        })?;
        let now = self.see(command, Some(&before)).await?;
        Ok(probe::compare(command, &before, &now))
    }
}

fn refused(error: &UpstreamError) -> ApplyFault {
    ApplyFault::Refused(Answer {
        status: None,
        code: Some(error.code),
        message: error.to_string(),
        response: None,
    })
}

/// Checks `expect`, and that there is somebody where there must be.
fn check(command: &Command, seen: &Seen) -> Result<(), ApplyFault> {
    let refuse = |words: String| Err(ApplyFault::Refused(Answer::saying(words)));
    if let Some(expected) = command.expect.get("consumer_id") {
        let is_there = match expected {
            Value::Null => seen.current.is_none(),
            Value::String(text) => text.parse::<i64>().ok() == seen.current,
            id => id.as_i64().is_some() && id.as_i64() == seen.current,
        };
        if !is_there {
            let there = seen.current.map_or("nobody".to_owned(), |id| format!("visitor {id}"));
            return refuse(format!("expected another `consumer_id`; there is {there}"));
        }
    }
    let needs_visitor =
        command.key_is_place() && !matches!(command.spec.name, "NextConsumer" | "CallConsumer");
    if needs_visitor && seen.current.is_none() {
        return refuse("there is no visitor at the workplace".to_owned());
    }
    Ok(())
}

/// The upstream's `data`: its names, with texts where it wants numbers as texts.
fn data(command: &Command) -> Value {
    let mut data = Map::new();
    for (name, value) in &command.params {
        let text = || match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let (name, value) = match name.as_str() {
            "workplace_id" => ("workplace", value.clone()),
            "consumer_id" => ("id", value.clone()),
            "service_id" => ("service", value.clone()),
            "service_ids" => ("services", value.clone()),
            "stage" => ("priority", value.clone()),
            "operation_id" => ("operation", text().into()),
            "delay_minutes" => ("delay", text().into()),
            "return_to_me" => ("return2me", value.clone()),
            "print" => ("noprint", (value != &Value::Bool(true)).into()),
            "preview" => continue,
            "fields" => {
                let fields = value.as_object().into_iter().flatten();
                let fields = fields.filter(|(name, _)| *name != "id");
                data.extend(fields.map(|(name, value)| (name.clone(), value.clone())));
                continue;
            }
            other => (other, value.clone()),
        };
        data.insert(name.to_owned(), value);
    }
    if command.spec.name == "RegisterConsumer" {
        let comment = data.get("comment").and_then(Value::as_str).unwrap_or_default();
        let comment = format!("{comment} {}", marker(&command.id)).trim().to_owned();
        data.insert("comment".to_owned(), comment.into());
    }
    Value::Object(data)
}

/// A reply, if it is one: a result object, or the entity that the command was about, known by its id or by a
/// visitor's services. Empty data answers a call for the next visitor where nobody waits, and no other command.
/// What else comes under the command's name, such as an error in another form, is told by nobody.
fn judged(command: &Command, frame: Arc<Frame>) -> Result<Arc<Frame>, Failure> {
    let is_known = match frame.entity() {
        Some(entity) => {
            scene::id_in(&entity).is_some() || entity.get("services").is_some_and(Value::is_object)
        }
        None => command.spec.name == "NextConsumer" && frame.has_empty_data(),
    };
    if frame.is_success || is_known {
        return Ok(frame);
    }
    Err(Failure::Strange(command.spec.call.to_owned()))
}

/// What of a reply is passed on: ids, the ticket, states; the ticket's picture if asked for.
fn answer(command: &Command, frame: &Frame) -> Answer {
    let entity = frame.entity().unwrap_or_default();
    let mut out = Map::new();
    for name in ["id", "ticket", "state", "workplace_id", "postpone_to"] {
        if let Some(value) = entity.get(name).filter(|value| !value.is_object()) {
            out.insert(name.to_owned(), value.clone());
        }
    }
    let operations = scene::operations(&Value::Object(entity));
    if !operations.is_empty() {
        out.insert("operations".to_owned(), json!(operations));
    }
    if command.params.get("preview") == Some(&Value::Bool(true)) {
        let data: Value = serde_json::from_slice(&frame.data()).unwrap_or_default();
        out.extend(data.get("preview").map(|preview| ("preview".to_owned(), preview.clone())));
    }
    let nobody = command.spec.name == "NextConsumer" && out.is_empty();
    Answer {
        status: None,
        code: None,
        message: if nobody { "nobody waits" } else { "done" }.to_owned(),
        response: (!out.is_empty()).then(|| Value::Object(out).to_string()),
    }
}
