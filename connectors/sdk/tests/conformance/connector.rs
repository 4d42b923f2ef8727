//! A connector to the shop that can be wrong in one way.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use jiff::tz::TimeZone;
use serde_json::Value;
use talon_schemas::Contract;
use talon_schemas::command::CommandContract;
use talon_sdk::config::{Key, Secret, Settings};
use talon_sdk::entity::{Codec, Entity, Record};
use talon_sdk::privacy::Privacy;
use talon_sdk::record::{Extra, Text};
use talon_sdk::{
    Applier, Class, CommandSpec, Commands, Connector, Context, Coverage, Cursor, Fault, Feed,
    FeedPlan, FeedSpec, Observation, Row, RowCodec, RowFault, Rows,
};
use tokio::task::yield_now;

use crate::applier::{ACTIONS, Careless};
use crate::shop::{HALLS, Shared, Shop};

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wrong {
    Nothing,
    CursorAhead,
    TakenBeforeAwait,
    LockKept,
    SessionLeft,
    ShortList,
    Overlap,
    FullThough,
    NeverAbsent,
    OtherKey,
    FollowsBytes,
    DropsUnknown,
    LogsSecret,
    QuotesRow,
    QuotesReply,
    MakesUpParams,
    AlwaysAbsent,
    SendsTwice,
    NeedsNoLeave,
}

#[derive(Record)]
#[record(namespace = "talon.shop")]
struct Item<'a> {
    #[from("id")]
    id: i64,
    #[from("hall")]
    hall: Option<Text<'a>>,
    #[from("name")]
    #[record(pii)]
    name: Option<Text<'a>>,
    extra: Extra<'a>,
}

#[derive(Record)]
#[record(namespace = "talon.shop")]
struct Entry<'a> {
    #[from("id")]
    id: i64,
    #[from("text")]
    text: Option<Text<'a>>,
    extra: Extra<'a>,
}

macro_rules! by_id {
    ($($entity:ident),*) => {$(
        impl Entity for $entity<'_> {
            const KEY: &'static str = "id";

            fn key(of: &$entity<'_>, key: &mut String) -> Result<(), RowFault> {
                key.push_str(&of.id.to_string());
                Ok(())
            }
        }
    )*};
}
by_id!(Item, Entry);

static ITEM: LazyLock<Contract> = LazyLock::new(|| {
    Contract::of("shop", "item", &talon_sdk::entity::schema_of::<Item<'_>>().to_string())
});
static ENTRY: LazyLock<Contract> = LazyLock::new(|| {
    Contract::of("shop", "entry", &talon_sdk::entity::schema_of::<Entry<'_>>().to_string())
});
static COMMANDS: LazyLock<CommandContract> = LazyLock::new(|| {
    CommandContract::of(
        r#"[{"type": "record", "name": "Rename", "namespace": "talon.shop.commands", "fields": [
            {"name": "id", "type": "long"}, {"name": "name", "type": "string"}]}]"#,
    )
});

pub(crate) struct ShopClass {
    wrong: Wrong,
    /// The one that is connected to next.
    pub(crate) shop: Mutex<Shared>,
}

impl ShopClass {
    pub(crate) fn new(wrong: Wrong) -> ShopClass {
        ShopClass { wrong, shop: Mutex::new(Shop::furnished()) }
    }
}

impl Class for ShopClass {
    fn name(&self) -> &'static str {
        "shop"
    }

    fn doc(&self) -> &'static str {
        "A shop."
    }

    fn feeds(&self) -> Vec<FeedSpec> {
        vec![FeedSpec::table("item", &ITEM), FeedSpec::log("entry", &ENTRY)]
    }

    fn commands(&self) -> Option<Commands> {
        Some(Commands { specs: ACTIONS.specs(), contract: || &COMMANDS })
    }

    fn keys(&self) -> Vec<Key> {
        vec![Key::secret("auth.password").required()]
    }

    fn configure(&self, settings: &mut Settings<'_>, _: Context) -> Option<Arc<dyn Connector>> {
        Some(Arc::new(Instance {
            wrong: self.wrong,
            shop: self.shop.lock().unwrap().clone(),
            password: settings.secret("auth.password")?,
            busy: Arc::default(),
            queue: Arc::default(),
            reached: Arc::default(),
        }))
    }
}

/// Rows with their marks.
type Queue = Arc<Mutex<VecDeque<(usize, String)>>>;

struct Instance {
    wrong: Wrong,
    shop: Shared,
    password: Secret,
    busy: Arc<AtomicBool>,
    queue: Queue,
    reached: Arc<AtomicUsize>,
}

#[async_trait]
impl Connector for Instance {
    fn feeds(&self) -> Vec<FeedPlan> {
        let privacy = Privacy::keep_all(&[&ITEM, &ENTRY]);
        let wrong = self.wrong;
        let item = Codec::<Item<'_>>::new(TimeZone::UTC, privacy.clone());
        let entry = Codec::<Entry<'_>>::new(TimeZone::UTC, privacy);
        let plan = |spec: FeedSpec, codec: Box<dyn RowCodec>, tells: bool| FeedPlan {
            spec: Arc::new(spec),
            interval: Duration::from_millis(1),
            codec: Arc::new(Read { wrong, codec, tells }),
        };
        vec![
            plan(FeedSpec::table("item", &ITEM), Box::new(item), true),
            plan(FeedSpec::log("entry", &ENTRY), Box::new(entry), false),
        ]
    }

    fn open(&self, feed: &str) -> Result<Box<dyn Feed>, Fault> {
        if self.wrong == Wrong::LogsSecret {
            tracing::debug!(password = self.password.expose(), "signing in");
        }
        let (wrong, shop) = (self.wrong, self.shop.clone());
        Ok(match feed {
            "item" => Box::new(Items { wrong, shop, busy: self.busy.clone(), turn: 0 }),
            _ => {
                let (queue, reached) = (self.queue.clone(), self.reached.clone());
                Box::new(Entries { wrong, shop, queue, reached })
            }
        })
    }

    fn commands(&self) -> Vec<&'static CommandSpec> {
        ACTIONS.specs()
    }

    fn applier(&self) -> Result<Arc<dyn Applier>, Fault> {
        let applier = ACTIONS.applier(Arc::new(self.shop.clone()));
        Ok(Arc::new(Careless { wrong: self.wrong, shop: self.shop.clone(), applier }))
    }

    async fn probe(&self) -> Result<String, Fault> {
        Ok("answers".to_owned())
    }
}

/// What the upstream failed with, as a fault.
fn fault(wrong: Wrong, reply: &str) -> Fault {
    match wrong {
        Wrong::QuotesReply => Fault::unavailable(format!("it says: {reply}")),
        _ => Fault::unavailable("it failed"),
    }
}

fn rows(texts: &[String]) -> Rows {
    let bodies = texts.iter().map(|text| Bytes::from(text.clone()));
    Rows::of_bodies(&bodies.collect::<Vec<_>>())
}

/// Items, hall after hall.
struct Items {
    wrong: Wrong,
    shop: Shared,
    busy: Arc<AtomicBool>,
    turn: usize,
}

/// Ends a session when it is dropped.
struct Session(Shared);

impl Drop for Session {
    fn drop(&mut self) {
        self.0.lock().unwrap().sessions -= 1;
    }
}

#[async_trait]
impl Feed for Items {
    async fn next(&mut self, _: Option<&Cursor>) -> Result<Observation, Fault> {
        if self.wrong == Wrong::LockKept {
            while self.busy.swap(true, Ordering::Relaxed) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        self.shop.lock().unwrap().sessions += 1;
        let session = Session(self.shop.clone());
        if self.wrong == Wrong::SessionLeft {
            std::mem::forget(session);
            yield_now().await;
            self.shop.lock().unwrap().sessions -= 1;
        } else {
            yield_now().await;
            drop(session);
        }
        let hall = HALLS[self.turn % 2];
        let read = self.shop.lock().unwrap().hall(hall);
        let mut texts = read.map_err(|reply| fault(self.wrong, &reply))?;
        if self.wrong == Wrong::ShortList && self.turn == 3 {
            texts.truncate(1);
        }
        if self.wrong == Wrong::Overlap && hall == "b" {
            texts.extend(self.shop.lock().unwrap().hall("a").into_iter().flatten().take(1));
        }
        self.turn += 1;
        self.busy.store(false, Ordering::Relaxed);
        let is_delta = self.wrong == Wrong::NeverAbsent;
        Ok(Observation {
            scope: hall.to_owned(),
            coverage: if is_delta { Coverage::Delta } else { Coverage::Full },
            rows: rows(&texts),
            cursor: (hall == "b").then(|| Cursor("read".to_owned())),
            snapshot: false,
            as_of_ms: 0,
        })
    }
}

/// Entries, two at a time.
struct Entries {
    wrong: Wrong,
    shop: Shared,
    queue: Queue,
    reached: Arc<AtomicUsize>,
}

impl Entries {
    /// The mark to read from, as if what is behind it were read already.
    fn takes(&self, mark: usize) -> usize {
        let start = mark.max(self.reached.load(Ordering::Relaxed));
        let all = self.shop.lock().unwrap().entries.len();
        self.reached.store(all.min(start + 2), Ordering::Relaxed);
        start
    }
}

#[async_trait]
impl Feed for Entries {
    async fn next(&mut self, from: Option<&Cursor>) -> Result<Observation, Fault> {
        let mark = from.map_or(0, |cursor| cursor.0.parse().unwrap());
        let start = match self.wrong {
            Wrong::TakenBeforeAwait => self.takes(mark),
            _ => mark,
        };
        yield_now().await;
        let keeps = self.wrong == Wrong::CursorAhead;
        let mut queue: Vec<_> = self.queue.lock().unwrap().drain(..).collect();
        if queue.is_empty() {
            let read = self.shop.lock().unwrap().since(start);
            queue = read.map_err(|reply| fault(self.wrong, &reply))?;
        }
        let last = queue.last().map_or(mark, |(mark, _)| *mark);
        let rest = queue.split_off(queue.len().min(2));
        let given = queue.last().map_or(mark, |(mark, _)| *mark);
        if keeps {
            self.queue.lock().unwrap().extend(rest);
        }
        let cursor = if keeps { last } else { given };
        let is_full = self.wrong == Wrong::FullThough;
        let texts: Vec<String> = queue.into_iter().map(|(_, text)| text).collect();
        Ok(Observation {
            scope: String::new(),
            coverage: if is_full { Coverage::Full } else { Coverage::Delta },
            rows: rows(&texts),
            cursor: Some(Cursor(cursor.to_string())),
            snapshot: from.is_none(),
            as_of_ms: 0,
        })
    }
}

/// Reads rows, wrongly if it must.
struct Read {
    wrong: Wrong,
    codec: Box<dyn RowCodec>,
    tells: bool,
}

impl RowCodec for Read {
    fn peek_key(&self, row: &[u8], scope: &str, key: &mut String) -> bool {
        let is_peeked = self.codec.peek_key(row, scope, key);
        if self.wrong == Wrong::OtherKey {
            key.insert(0, '0');
        }
        is_peeked
    }

    fn decode(&self, row: &[u8], scope: &str, out: &mut Row) -> Result<(), RowFault> {
        let Ok(Value::Object(mut fields)) = serde_json::from_slice(row) else {
            return match self.wrong {
                Wrong::QuotesRow => Err(RowFault(String::from_utf8_lossy(row).into_owned())),
                _ => self.codec.decode(row, scope, out),
            };
        };
        match self.wrong {
            Wrong::FollowsBytes => {
                if let Some(Value::String(name)) = fields.get_mut("name") {
                    name.push_str(&row.len().to_string());
                }
            }
            Wrong::DropsUnknown => {
                let known = ["id", "hall", "name", "text"];
                fields.retain(|name, field| known.contains(&&**name) && !field.is_object());
            }
            _ => return self.codec.decode(row, scope, out),
        }
        self.codec.decode(Value::Object(fields).to_string().as_bytes(), scope, out)
    }

    fn tells_absence(&self) -> bool {
        self.tells
    }
}
