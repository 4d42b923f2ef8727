//! A connector with a feed for every contract, in the version that wrote the topics and in the one after
//! it, which adds a field to each. Used on the bus in memory, and on real ones by `tests/scenarios`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value as Json, json};
use talon_runtime::Setup;
use talon_runtime::options::Options;
use talon_schemas::wire::{Payload, Wire};
use talon_schemas::{Contract, Op};
use talon_sdk::{
    Connector, Coverage, Cursor, Fault, Feed, FeedPlan, FeedSpec, Kind, Observation, Row, RowCodec,
    RowFault, Rows,
};

mod contractor {
    talon_schemas::contracts! {
        "contractor":
        CALL = "call",
        CALL_COST = "call_cost",
        CALL_JEOPARDY = "call_jeopardy",
        CALL_MESSAGE = "call_message",
        CALL_TASK = "call_task",
    }
}

mod enter {
    talon_schemas::contracts! {
        "enter-export":
        BRANCH = "branch",
        TICKET = "ticket",
        TICKET_OPERATION = "ticket_operation",
        TICKET_SOURCE = "ticket_source",
    }
}

mod quickq {
    talon_schemas::contracts! {
        "quickq":
        CONSUMER = "consumer",
        CONSUMER_PREREGISTERED = "consumer_preregistered",
        OPERATION = "operation",
        OPERATION_STATE = "operation_state",
        QBOARD = "qboard",
        QUEUE = "queue",
        REGISTRATOR = "registrator",
        SCOREBOARD = "scoreboard",
        SERVER_INFO = "server_info",
        SERVICE = "service",
        TICKET_RANGE = "ticket_range",
        USER = "user",
        USER_ROLE = "user_role",
        WORKPLACE = "workplace",
    }
}

/// Which version of the contracts a process has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    /// As they are.
    Before,
    /// With a field more, and the schemas of the version before shipped.
    After,
    /// With a field more, and those schemas forgotten.
    Forgetful,
}

type Get = fn() -> &'static Contract;

/// Of each feed its contract in each version.
static CONTRACTS: LazyLock<Vec<[&'static Contract; 3]>> = LazyLock::new(|| {
    let all: [&'static Contract; FEEDS.len()] = [
        &contractor::CALL,
        &contractor::CALL_MESSAGE,
        &contractor::CALL_JEOPARDY,
        &contractor::CALL_TASK,
        &contractor::CALL_COST,
        &enter::BRANCH,
        &enter::TICKET_SOURCE,
        &enter::TICKET,
        &enter::TICKET_OPERATION,
        &quickq::OPERATION,
        &quickq::SERVICE,
        &quickq::TICKET_RANGE,
        &quickq::WORKPLACE,
        &quickq::USER_ROLE,
        &quickq::USER,
        &quickq::QBOARD,
        &quickq::SCOREBOARD,
        &quickq::REGISTRATOR,
        &quickq::CONSUMER,
        &quickq::CONSUMER_PREREGISTERED,
        &quickq::QUEUE,
        &quickq::OPERATION_STATE,
        &quickq::SERVER_INFO,
    ];
    let leak = |contract| -> &'static Contract { Box::leak(Box::new(contract)) };
    let versions = all.map(|before| {
        let file = with_a_field(before);
        let [_, class, feed, _] = before.full_name().split('.').collect::<Vec<_>>()[..] else {
            panic!("`{}` is of another form", before.full_name())
        };
        let after = leak(Contract::with_earlier(class, feed, &file, &[before.text()]));
        [before, after, leak(Contract::of(class, feed, &file))]
    });
    versions.into()
});

fn contract<const FEED: usize, const VERSION: usize>() -> &'static Contract {
    CONTRACTS[FEED][VERSION]
}

macro_rules! feeds {
    ($($feed:literal)*) => {
        [$([contract::<$feed, 0> as Get, contract::<$feed, 1>, contract::<$feed, 2>]),*]
    };
}

/// How each is asked for.
static FEEDS: [[Get; 3]; 23] = feeds!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22);

/// Names of the feeds.
pub(crate) fn feeds() -> Vec<&'static str> {
    static NAMES: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
        let name = |[before, ..]: &[Get; 3]| -> &'static str {
            let name = before().full_name().trim_start_matches("talon.").replace('.', "_");
            name.to_lowercase().leak()
        };
        FEEDS.iter().map(name).collect()
    });
    NAMES.clone()
}

/// The feeds and their contracts in a version.
pub(crate) fn contracts(version: Version) -> Vec<(&'static str, &'static Contract)> {
    let contract = |contracts: &[Get; 3]| contracts[version as usize]();
    feeds().into_iter().zip(FEEDS.iter().map(contract)).collect()
}

/// The file of an entity's schema, with a field more, in front of the volatile ones.
fn with_a_field(contract: &Contract) -> String {
    let mut entity = entity_schema(contract);
    let fields = entity["fields"].as_array_mut().unwrap();
    let place = fields.iter().position(|field| field["talon.volatile"] == true);
    let field = json!({"name": "planted", "type": ["null", "string"], "default": null});
    fields.insert(place.unwrap_or(fields.len()), field);
    entity.to_string()
}

fn entity_schema(contract: &Contract) -> Json {
    let envelope: Json = serde_json::from_str(contract.text()).unwrap();
    envelope["fields"][0]["type"][1].clone()
}

/// Some value of a schema, filled wherever it can be. `whole` has the records that it names.
fn some(whole: &Json, schema: &Json, n: i64) -> Json {
    match schema {
        Json::String(name) => match name.as_str() {
            "null" => Json::Null,
            "boolean" => json!(n % 2 == 0),
            "int" | "long" => json!(n),
            "double" => json!(n as f64 + 0.5),
            "string" => json!(format!("text {n}")),
            name => some(whole, named(whole, name).unwrap(), n),
        },
        Json::Array(branches) => some(whole, branches.last().unwrap(), n),
        Json::Object(map) => match map["type"].as_str().unwrap() {
            "record" => {
                let fields = map["fields"].as_array().unwrap().iter();
                let pair = |field: &Json| {
                    (field["name"].as_str().unwrap().to_owned(), some(whole, &field["type"], n))
                };
                Json::Object(fields.map(pair).collect())
            }
            "array" => json!([some(whole, &map["items"], n), some(whole, &map["items"], n + 1)]),
            // JSON texts, as an upstream may spell them.
            "map" => json!({
                "k": format!("{{ \"b\" : {n}.50, \"a\":[ 1e2,\"\\u0041\\/\" ] }}"),
                "j": "-0.0", "l": "no JSON",
            }),
            plain => some(whole, &json!(plain), n),
        },
        other => panic!("{other} is no schema"),
    }
}

fn named<'a>(within: &'a Json, name: &str) -> Option<&'a Json> {
    match within {
        Json::Object(map) => {
            if map.get("type").is_some_and(|kind| kind == "record") && map["name"] == name {
                return Some(within);
            }
            map.values().find_map(|value| named(value, name))
        }
        Json::Array(items) => items.iter().find_map(|item| named(item, name)),
        _ => None,
    }
}

/// An entity and when it changed last.
type Entity = (u64, Json);

#[derive(Default)]
struct State {
    feeds: BTreeMap<&'static str, BTreeMap<String, Entity>>,
    turn: u64,
    /// Feeds that were read from the beginning, each time.
    begun: Vec<&'static str>,
}

/// The upstream and its connector. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Upstream {
    state: Arc<Mutex<State>>,
    version: Version,
    /// Whether only changes are read, from a cursor on.
    by_cursor: bool,
    /// Whether JSON texts are published as they came.
    as_it_came: bool,
    only: Option<BTreeSet<&'static str>>,
}

impl Upstream {
    /// With these entities in each feed.
    pub(crate) fn new(keys: &[&str]) -> Upstream {
        let upstream = Upstream {
            state: Arc::default(),
            version: Version::Before,
            by_cursor: false,
            as_it_came: false,
            only: None,
        };
        keys.iter().for_each(|key| upstream.edit(key));
        upstream
    }

    /// The same upstream, read by this version.
    pub(crate) fn read_by(&self, version: Version) -> Upstream {
        Upstream { version, ..self.clone() }
    }

    /// The same upstream, of which changes are read from a cursor on, or whole lists.
    pub(crate) fn by_cursor(&self, by_cursor: bool) -> Upstream {
        Upstream { by_cursor, ..self.clone() }
    }

    /// The same upstream, of which JSON texts are published as they came, as versions did before they had
    /// one spelling.
    pub(crate) fn as_it_came(&self) -> Upstream {
        Upstream { as_it_came: true, ..self.clone() }
    }

    /// The same upstream with these feeds only.
    pub(crate) fn only(&self, feeds: &[&'static str]) -> Upstream {
        Upstream { only: Some(feeds.iter().copied().collect()), ..self.clone() }
    }

    /// An entity of each feed changes, or comes.
    pub(crate) fn edit(&self, key: &str) {
        let mut state = self.state();
        state.turn += 1;
        let turn = state.turn;
        for (feed, [before, ..]) in feeds().into_iter().zip(&FEEDS) {
            let schema = entity_schema(before());
            let value = some(&schema, &schema, turn as i64);
            state.feeds.entry(feed).or_default().insert(key.to_owned(), (turn, value));
        }
    }

    /// An entity of each feed is gone.
    pub(crate) fn remove(&self, key: &str) {
        self.state().feeds.values_mut().for_each(|feed| drop(feed.remove(key)));
    }

    /// How often feeds were read from the beginning since this was asked last.
    pub(crate) fn begun(&self) -> usize {
        std::mem::take(&mut self.state().begun).len()
    }

    /// As a connector `c`.
    pub(crate) fn setup(&self, change: impl FnOnce(&mut Options)) -> Setup {
        let mut options = Options::default();
        change(&mut options);
        Setup {
            name: "c".to_owned(),
            class: "test",
            options,
            connector: Arc::new(self.clone()),
            commands: None,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

#[async_trait]
impl Connector for Upstream {
    fn feeds(&self) -> Vec<FeedPlan> {
        let all = feeds().into_iter().zip(&FEEDS);
        let all = all.filter(|(name, _)| self.only.as_ref().is_none_or(|only| only.contains(name)));
        all.map(|(name, contracts)| {
            let contract = contracts[self.version as usize];
            FeedPlan {
                spec: FeedSpec::new(Kind::Table, name, contract).into(),
                interval: Duration::from_millis(20),
                codec: Arc::new(Codec { contract, came: self.as_it_came.then(Mutex::default) }),
            }
        })
        .collect()
    }

    fn open(&self, feed: &str) -> Result<Box<dyn Feed>, Fault> {
        let feed = feeds().into_iter().find(|name| *name == feed).unwrap();
        Ok(Box::new(Reads { upstream: self.clone(), feed }))
    }

    async fn probe(&self) -> Result<String, Fault> {
        Ok(String::new())
    }
}

struct Reads {
    upstream: Upstream,
    feed: &'static str,
}

#[async_trait]
impl Feed for Reads {
    async fn next(&mut self, from: Option<&Cursor>) -> Result<Observation, Fault> {
        let mut state = self.upstream.state();
        let since = from.map_or(0, |cursor| cursor.0.parse().unwrap());
        let by_cursor = self.upstream.by_cursor;
        if by_cursor && from.is_none() {
            state.begun.push(self.feed);
        }
        let rows =
            state.feeds[self.feed].iter().filter(|(_, (turn, _))| !by_cursor || *turn > since);
        let rows: Vec<Json> =
            rows.map(|(key, (_, value))| json!({"key": key, "value": value})).collect();
        let (coverage, cursor) = match by_cursor {
            true => (Coverage::Delta, Some(Cursor(state.turn.to_string()))),
            false => (Coverage::Full, None),
        };
        Ok(Observation {
            scope: String::new(),
            coverage,
            rows: Rows::of_array(Json::from(rows).to_string().into()).unwrap(),
            cursor,
            snapshot: by_cursor && from.is_none(),
            as_of_ms: 1_700_000_000_000,
        })
    }
}

/// Rows `{"key": …, "value": …}`.
struct Codec {
    contract: Get,
    /// Values by their rows, where texts are published as they came: the order of a map's keys is another
    /// one each time that it is made of JSON, and was the same each time in versions that did so.
    came: Option<Mutex<BTreeMap<Vec<u8>, Vec<u8>>>>,
}

impl RowCodec for Codec {
    fn peek_key(&self, _: &[u8], _: &str, _: &mut String) -> bool {
        false
    }

    fn decode(&self, text: &[u8], _: &str, out: &mut Row) -> Result<(), RowFault> {
        let row: Json = serde_json::from_slice(text).unwrap();
        row["key"].as_str().unwrap().clone_into(&mut out.key);
        let event = json!({"before": null, "after": row["value"], "op": "r", "ts_ms": 0,
            "source": {"version": "", "connector": "", "name": "", "feed": "", "scope": "", "ts_ms": 0}});
        let contract = (self.contract)();
        let event = contract.from_json(&serde_json::to_vec(&event).unwrap()).unwrap();
        let value = contract.cut(&event).unwrap().after.unwrap();
        match &self.came {
            Some(came) => {
                let mut came = came.lock().unwrap();
                out.value
                    .extend(came.entry(text.to_vec()).or_insert_with(|| value.to_vec()).iter());
            }
            None => out.value.extend_from_slice(contract.content(value).unwrap().datum()),
        }
        Ok(())
    }
}

/// The events of a feed's topic as `op key`, with `*` where there is a before image; `tombstone` as such.
pub(crate) fn events<'a>(
    feed: &str,
    version: Version,
    records: impl Iterator<Item = (&'a str, Option<&'a [u8]>)>,
) -> Vec<String> {
    let (_, contract) = contracts(version).into_iter().find(|(name, _)| *name == feed).unwrap();
    let event = |(key, value): (&str, Option<&[u8]>)| {
        let Some(value) = value else { return format!("tombstone {key}") };
        let (op, before) = match Wire::SingleObject.open(contract, value) {
            Payload::Json(json) => {
                let event: Json = serde_json::from_slice(json).unwrap();
                (Op::in_json(json).unwrap().0, !event["before"].is_null())
            }
            Payload::Own(datum)
            | Payload::Registered(_, datum)
            | Payload::Fingerprinted(_, datum) => {
                let before = datum[0] != 0;
                (Op::at_end_of(datum).unwrap().0, before)
            }
            Payload::Foreign => return format!("foreign {key}"),
        };
        format!("{} {key}{}", op.letter(), if before { "*" } else { "" })
    };
    records.map(event).collect()
}
