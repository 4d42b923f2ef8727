//! What is read of the upstream before a command is sent, and after an unclear reply.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use talon_sdk::spelling::respelled;
use talon_sdk::{Answer, Fault, Finding};

use crate::books::{BOOKS, Commands};
use crate::frame::{Frame, UpstreamError};
use crate::session::{Failure, Live};

/// What there is to know of a visitor. It goes to the results topic: ids, states and times.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Visitor {
    pub(super) id: i64,
    pub(super) workplace: Option<i64>,
    pub(super) called: Option<String>,
    pub(super) postponed: Option<String>,
    /// `service/stage/operation` → state.
    pub(super) operations: BTreeMap<String, String>,
}

impl Visitor {
    fn of(id: i64, frame: &Frame) -> Visitor {
        let entity = Value::Object(frame.entity().unwrap_or_default());
        let text = |name: &str| entity[name].as_str().map(str::to_owned);
        Visitor {
            id,
            workplace: number(&entity["workplace_id"]).filter(|id| *id >= 0),
            called: text("last_call"),
            postponed: text("postpone_to"),
            operations: operations(&entity),
        }
    }
}

/// Reads in one session.
pub(super) struct Reading<'a> {
    pub(super) live: &'a Live,
    /// How the books' commands are called on this build.
    pub(super) books: &'a [Commands],
}

impl Reading<'_> {
    /// Who is at a workplace.
    pub(super) async fn at(
        &self,
        workplace: i64,
    ) -> Result<Result<Option<i64>, UpstreamError>, Fault> {
        let item = self.item(&self.book("Workplace")?.get, workplace).await?;
        Ok(item.map(|frame| {
            let place = Value::Object(frame.entity().unwrap_or_default());
            number(&place["consumer_id"]).filter(|id| *id >= 0)
        }))
    }

    /// A visitor.
    pub(super) async fn visitor(&self, id: i64) -> Result<Result<Visitor, UpstreamError>, Fault> {
        let item = self.item(&self.book("Consumer")?.get, id).await?;
        Ok(item.map(|frame| Visitor::of(id, &frame)))
    }

    /// One item, or how the upstream says that it does not know it. An answer that is not that item tells
    /// nothing: without its fields, it would say that nobody is at the workplace.
    async fn item(
        &self,
        command: &str,
        id: i64,
    ) -> Result<Result<Arc<Frame>, UpstreamError>, Fault> {
        match self.live.ask(command, &json!({ "id": id })).await {
            Ok(frame) if frame.entity().is_some_and(|item| id_in(&item) == Some(id)) => {
                Ok(Ok(frame))
            }
            Ok(_) => Err(Failure::Strange(command.to_owned()).fault()),
            Err(Failure::Refused { error, .. }) => self.confirm().await.map(|()| Err(error)),
            Err(failure) => Err(failure.fault()),
        }
    }

    /// Fails where a refusal may only mean that the session is forgotten. `info` tells, but for builds
    /// that answer it to everybody; there [`Reading::prime`] has seen to it that the list does.
    pub(super) async fn confirm(&self) -> Result<(), Fault> {
        self.works("info").await?;
        self.works(&self.book("Workplace")?.list).await
    }

    /// Sees that a short list works in this session, so that its refusal tells that the session is over.
    pub(super) async fn prime(&self) -> Result<(), Fault> {
        let list = &self.book("Workplace")?.list;
        if self.live.has_worked(list) { Ok(()) } else { self.works(list).await }
    }

    async fn works(&self, command: &str) -> Result<(), Fault> {
        match self.live.read(command, &json!({})).await {
            // Believed: a fresh login was refused it, too.
            Ok(_) | Err(Fault::Rejected { .. }) => Ok(()),
            Err(fault) => Err(fault),
        }
    }

    /// A whole book. Slow for a large one, but commands on books are rare.
    pub(super) async fn list(&self, book: &str) -> Result<Vec<Value>, Fault> {
        let command = &self.book(book)?.list;
        let frame = self.live.read(command, &json!({})).await?;
        let rows = frame
            .rows()
            .ok_or_else(|| Fault::unavailable(format!("`{command}` was answered with no list")))?;
        Ok(rows.iter().filter_map(|row| serde_json::from_slice(&respelled(row)).ok()).collect())
    }

    fn book(&self, name: &str) -> Result<&Commands, Fault> {
        let place = BOOKS.iter().position(|known| known.name == name);
        place.and_then(|place| self.books.get(place)).ok_or_else(|| Fault::Internal {
            reason: "a command of a book that there is not".to_owned(),
        })
    }
}

/// What became of something new: items that were not there before.
pub(super) fn appeared(before: &[i64], now: &[i64]) -> Finding {
    let new: Vec<i64> = now.iter().copied().filter(|id| !before.contains(id)).collect();
    match new.as_slice() {
        [] => Finding::Absent,
        [id] => applied(format!("it has the id {id}")),
        _ => Finding::Unclear("several new items are alike".to_owned()),
    }
}

pub(super) fn applied(words: impl Into<String>) -> Finding {
    Finding::Applied(Answer::saying(words))
}

/// `service/stage/operation` → state.
pub(super) fn operations(entity: &Value) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for (service, stages) in entity["services"].as_object().into_iter().flatten() {
        for (stage, operations) in stages.as_object().into_iter().flatten() {
            for (operation, now) in operations.as_object().into_iter().flatten() {
                let state = now["state"].as_str().unwrap_or_default().to_owned();
                all.insert(format!("{service}/{stage}/{operation}"), state);
            }
        }
    }
    all
}

/// The ids of rows.
pub(super) fn ids<'r>(rows: impl IntoIterator<Item = &'r Value>) -> Vec<i64> {
    rows.into_iter().filter_map(|row| number(&row["id"])).collect()
}

/// The id of an entity.
pub(super) fn id_in(entity: &Map<String, Value>) -> Option<i64> {
    number(entity.get("id")?)
}

fn number(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}
