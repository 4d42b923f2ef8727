//! Items of the reference books: new ones, changed ones, and removed ones, which are gone for good.

use std::marker::PhantomData;

use serde::Deserialize;
use serde_json::{Map, Value, json};
use talon_sdk::action::{Action, Scene, Unseen, unseen};
use talon_sdk::{Answer, ApplyFault, CommandSpec, Finding, OrderingKey, Permit, Repeat};

use super::reading::{Reading, appeared, applied, ids};
use super::sender::{Order, Sender};
use crate::books::Commands;

/// A book, and what is done to it.
pub(super) trait Book: Send + Sync + 'static {
    const NAME: &'static str;
    const NEW: &'static CommandSpec;
    const SET: &'static CommandSpec;
    const REMOVE: &'static CommandSpec;
    const REMOVE_ALL: &'static CommandSpec;
}

const ITEM: OrderingKey = OrderingKey::Params(&["id"]);

macro_rules! books {
    ($($book:ident)*) => {$(
        pub(super) struct $book;

        impl Book for $book {
            const NAME: &'static str = stringify!($book);
            const NEW: &'static CommandSpec = &CommandSpec {
                call: concat!("new", stringify!($book)),
                probe: "an item with the same name that was not there before",
                ..CommandSpec::of(
                    concat!("New", stringify!($book)), OrderingKey::Own, Repeat::Never
                )
            };
            const SET: &'static CommandSpec = &CommandSpec {
                call: concat!("set", stringify!($book)),
                probe: "not needed",
                ..CommandSpec::of(concat!("Set", stringify!($book)), ITEM, Repeat::Always)
            };
            const REMOVE: &'static CommandSpec = &CommandSpec {
                call: concat!("remove", stringify!($book)),
                probe: "whether the item is there",
                is_dangerous: true,
                ..CommandSpec::of(concat!("Remove", stringify!($book)), ITEM, Repeat::Converges)
            };
            const REMOVE_ALL: &'static CommandSpec = &CommandSpec {
                call: concat!("removeAll", stringify!($book), "s"),
                probe: "whether the book is empty",
                is_dangerous: true,
                ..CommandSpec::of(
                    concat!("RemoveAll", stringify!($book), "s"),
                    OrderingKey::Fixed(stringify!($book)),
                    Repeat::Converges,
                )
            };
        }
    )*};
}

books! {
    Operation Service TicketRange Workplace UserRole User QBoard ScoreBoard Registrator Consumer
    ConsumerPreRegistered
}

#[derive(Deserialize)]
#[serde(bound = "")]
pub(super) struct New<B> {
    fields: Map<String, Value>,
    #[serde(skip)]
    book: PhantomData<fn() -> B>,
}

#[derive(Deserialize)]
#[serde(bound = "")]
pub(super) struct Set<B> {
    id: i64,
    fields: Map<String, Value>,
    #[serde(skip)]
    book: PhantomData<fn() -> B>,
}

#[derive(Deserialize)]
#[serde(bound = "")]
pub(super) struct Remove<B> {
    id: i64,
    #[serde(skip)]
    book: PhantomData<fn() -> B>,
}

#[derive(Deserialize)]
#[serde(bound = "")]
pub(super) struct RemoveAll<B> {
    #[serde(skip)]
    book: PhantomData<fn() -> B>,
}

/// The rows of a book.
async fn rows<B: Book>(scene: &Scene<'_, Sender>) -> Result<Vec<Value>, Unseen> {
    let live = scene.sender.live().await?;
    let _asking = live.asking();
    Ok(Reading { live: &live, books: &scene.sender.books }.list(B::NAME).await?)
}

async fn send(
    scene: &Scene<'_, Sender>,
    data: Value,
    permit: &Permit,
) -> Result<Answer, ApplyFault> {
    let spec = scene.command.spec;
    let call = Commands::spelled(&scene.sender.books, spec.name).unwrap_or(spec.call);
    let (_, answer) = scene.sender.send(Order { call, data, if_empty: None }, permit).await?;
    Ok(answer)
}

/// The id of an item is no field of it that can be given.
fn without_id(fields: &Map<String, Value>) -> Map<String, Value> {
    fields.iter().filter(|(name, _)| *name != "id").map(|(n, v)| (n.clone(), v.clone())).collect()
}

impl<B: Book> Action for New<B> {
    type Sender = Sender;
    const SPEC: &'static CommandSpec = B::NEW;
    /// Items with the new item's name.
    type Seen = Vec<i64>;
    type Mark = Vec<i64>;

    async fn see(
        &self,
        scene: &Scene<'_, Sender>,
        _: Option<&Vec<i64>>,
    ) -> Result<Vec<i64>, Unseen> {
        let Some(name) = self.fields.get("name").filter(|name| name.is_string()) else {
            return Err(Unseen::Blind("the new item has no name to be found by".to_owned()));
        };
        let rows = rows::<B>(scene).await?;
        // Visitors have none. That the name is not found says nothing then.
        if !rows.is_empty() && !rows.iter().any(|row| row["name"].is_string()) {
            return Err(Unseen::Blind("the items of the book show no names".to_owned()));
        }
        Ok(ids(rows.iter().filter(|row| row["name"] == *name)))
    }

    fn mark(&self, _: &Scene<'_, Sender>, seen: Vec<i64>) -> Vec<i64> {
        seen
    }

    fn judge(&self, _: &Scene<'_, Sender>, before: &Vec<i64>, now: Vec<i64>) -> Finding {
        appeared(before, &now)
    }

    async fn send(&self, scene: &Scene<'_, Sender>, permit: &Permit) -> Result<Answer, ApplyFault> {
        send(scene, without_id(&self.fields).into(), permit).await
    }
}

impl<B: Book> Action for Set<B> {
    type Sender = Sender;
    const SPEC: &'static CommandSpec = B::SET;
    unseen!("an item is set again rather than read back");

    async fn send(&self, scene: &Scene<'_, Sender>, permit: &Permit) -> Result<Answer, ApplyFault> {
        let mut data = without_id(&self.fields);
        data.insert("id".to_owned(), self.id.into());
        send(scene, data.into(), permit).await
    }
}

impl<B: Book> Action for Remove<B> {
    type Sender = Sender;
    const SPEC: &'static CommandSpec = B::REMOVE;
    /// Whether the item is there.
    type Seen = bool;
    type Mark = bool;

    async fn see(&self, scene: &Scene<'_, Sender>, _: Option<&bool>) -> Result<bool, Unseen> {
        Ok(ids(&rows::<B>(scene).await?).contains(&self.id))
    }

    fn mark(&self, _: &Scene<'_, Sender>, seen: bool) -> bool {
        seen
    }

    fn judge(&self, _: &Scene<'_, Sender>, _: &bool, is_there: bool) -> Finding {
        if is_there { Finding::Absent } else { applied("the item is gone") }
    }

    async fn send(&self, scene: &Scene<'_, Sender>, permit: &Permit) -> Result<Answer, ApplyFault> {
        send(scene, json!({ "id": self.id }), permit).await
    }
}

/// Ids of a book that are kept of a look at all of it.
const KEPT: usize = 1000;

impl<B: Book> Action for RemoveAll<B> {
    type Sender = Sender;
    const SPEC: &'static CommandSpec = B::REMOVE_ALL;
    type Seen = Vec<i64>;
    type Mark = Vec<i64>;

    async fn see(
        &self,
        scene: &Scene<'_, Sender>,
        _: Option<&Vec<i64>>,
    ) -> Result<Vec<i64>, Unseen> {
        let mut all = ids(&rows::<B>(scene).await?);
        all.truncate(KEPT);
        Ok(all)
    }

    fn mark(&self, _: &Scene<'_, Sender>, seen: Vec<i64>) -> Vec<i64> {
        seen
    }

    fn judge(&self, _: &Scene<'_, Sender>, before: &Vec<i64>, now: Vec<i64>) -> Finding {
        match (before.is_empty(), now.is_empty()) {
            (_, true) => applied("the book is empty"),
            (false, false) if now == *before => Finding::Absent,
            _ => Finding::Unclear("some items are left".to_owned()),
        }
    }

    async fn send(&self, scene: &Scene<'_, Sender>, permit: &Permit) -> Result<Answer, ApplyFault> {
        send(scene, json!({}), permit).await
    }
}
