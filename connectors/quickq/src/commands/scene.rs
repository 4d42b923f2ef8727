//! What is read of the upstream before a command is sent, and after an unclear reply.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use talon_sdk::spelling::respelled;
use talon_sdk::{Command, Fault};

use super::about::{About, marker};
use crate::books::{BOOKS, Commands};
use crate::frame::{Frame, UpstreamError};
use crate::session::{Failure, Live};

/// Ids, states and times; it goes to the results topic.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Seen {
    /// Who is at the workplace.
    pub(super) current: Option<i64>,
    /// The visitor that the command is about, as far as the upstream tells.
    pub(super) visitor: Option<Visitor>,
    /// Items of the book with the new item's name; those with the marker; the item itself; all.
    pub(super) ids: Vec<i64>,
    /// Why it cannot be told, should that be so.
    pub(super) blind: Option<String>,
    /// What the upstream said of a workplace or a visitor that it does not know.
    #[serde(skip)]
    pub(super) unknown: Option<UpstreamError>,
}

/// What there is to know of a visitor.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Visitor {
    pub(super) id: i64,
    pub(super) workplace: Option<i64>,
    pub(super) called: Option<String>,
    pub(super) postponed: Option<String>,
    /// `service/stage/operation` → state.
    pub(super) operations: BTreeMap<String, String>,
}

pub(super) struct Scene<'a> {
    pub(super) live: &'a Live,
    pub(super) command: &'a Command,
    /// How the books' commands are called on this build.
    pub(super) books: &'a [Commands],
}

impl Scene<'_> {
    /// Reads what the command is about; after it was sent, of the visitor who was there before.
    pub(super) async fn see(&self, before: Option<&Seen>) -> Result<Seen, Fault> {
        let name = self.command.spec.name;
        if name == "RegisterConsumer" {
            return self.marked().await;
        }
        if let Some(book) = name.strip_prefix("RemoveAll").map(|books| books.trim_end_matches('s'))
        {
            let rows = self.list(book).await?;
            return Ok(Seen {
                ids: rows.iter().filter_map(id_of).take(1000).collect(),
                ..Seen::default()
            });
        }
        if let Some(book) = name.strip_prefix("Remove") {
            let wanted = self.command.number("id");
            let rows = self.list(book).await?;
            let ids = rows.iter().filter_map(id_of).filter(|id| Some(*id) == wanted).collect();
            return Ok(Seen { ids, ..Seen::default() });
        }
        if let Some(book) = name.strip_prefix("New") {
            return self.namesakes(book).await;
        }
        self.at_workplace(before).await
    }

    async fn at_workplace(&self, before: Option<&Seen>) -> Result<Seen, Fault> {
        let Some(workplace) = self.command.number("workplace_id") else {
            return Ok(Seen::default());
        };
        let place = match self.item(&self.book("Workplace")?.get, workplace).await? {
            Ok(frame) => Value::Object(frame.entity().unwrap_or_default()),
            Err(unknown) => {
                let blind = Some("the workplace is not known".to_owned());
                return Ok(Seen { blind, unknown: Some(unknown), ..Seen::default() });
            }
        };
        let current = number(&place["consumer_id"]).filter(|id| *id >= 0);
        let earlier = before.and_then(|before| before.visitor.as_ref()).map(|visitor| visitor.id);
        let whom = self.command.number("consumer_id").or(earlier).or(current);
        let mut seen = Seen { current, ..Seen::default() };
        if let Some(id) = whom {
            match self.item(&self.book("Consumer")?.get, id).await? {
                Ok(frame) => seen.visitor = Some(visitor(id, &frame)),
                Err(unknown) => seen.unknown = Some(unknown),
            }
        }
        Ok(seen)
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
    /// that answer it to everybody; there [`Scene::prime`] has seen to it that the list does.
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

    async fn marked(&self) -> Result<Seen, Fault> {
        let rows = self.list("Consumer").await?;
        let marker = marker(&self.command.id);
        let has = |row: &&Value| row["comment"].as_str().is_some_and(|text| text.contains(&marker));
        let shows_comments = rows.iter().all(|row| row.get("comment").is_some());
        let blind =
            (!shows_comments).then(|| "this build shows no comments in its list".to_owned());
        Ok(Seen {
            ids: rows.iter().filter(has).filter_map(id_of).collect(),
            blind,
            ..Seen::default()
        })
    }

    async fn namesakes(&self, book: &str) -> Result<Seen, Fault> {
        let fields = self.command.params.get("fields");
        let name = fields.and_then(|fields| fields.get("name")).filter(|name| name.is_string());
        let Some(name) = name else {
            let blind = Some("the new item has no name to be found by".to_owned());
            return Ok(Seen { blind, ..Seen::default() });
        };
        let rows = self.list(book).await?;
        let ids = rows.iter().filter(|row| row["name"] == *name).filter_map(id_of).collect();
        Ok(Seen { ids, ..Seen::default() })
    }

    /// A whole book. Slow for a large one, but commands on books are rare.
    async fn list(&self, book: &str) -> Result<Vec<Value>, Fault> {
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

fn visitor(id: i64, frame: &Frame) -> Visitor {
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

fn id_of(row: &Value) -> Option<i64> {
    number(&row["id"])
}

/// The id of an entity.
pub(super) fn id_in(entity: &Map<String, Value>) -> Option<i64> {
    number(entity.get("id")?)
}

fn number(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}
