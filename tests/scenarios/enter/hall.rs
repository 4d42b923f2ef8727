//! A simulated central server, a connector that reads it, and what came of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use jiff::civil::Date;
use serde_json::{Value, json};
use talon_enter::EnterExport;
use talon_enter::contracts;
use talon_runtime::metrics::Metrics;
use talon_runtime::options::{self, Options};
use talon_runtime::{Engine, Parts, Setup};
use talon_schemas::Contract;
use talon_sdk::config::{Secrets, Settings as Texts};
use talon_sdk::{Class, Clock, Context};
use talon_simulators::enter_export::{Settings, Simulator};

use crate::bus::MemoryBus;

/// Longest wait for anything that should happen.
const PATIENCE: Duration = Duration::from_secs(180);

/// 2024-07-10 12:00 in Moscow.
pub(crate) const NOON: i64 = 1_720_602_000_000;
pub(crate) const HOUR: i64 = 3_600_000;
pub(crate) const DAY: i64 = 24 * HOUR;

/// Polls until `met`, or fails saying what was waited for.
pub(crate) async fn until(what: &str, mut met: impl FnMut() -> bool) {
    let since = Instant::now();
    while !met() {
        assert!(since.elapsed() < PATIENCE, "waited {PATIENCE:?} until {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

pub(crate) struct Hall {
    pub(crate) upstream: Simulator,
    pub(crate) bus: MemoryBus,
    clock: Arc<AtomicI64>,
    texts: BTreeMap<String, String>,
    pub(crate) metrics: Metrics,
    /// Events that are decoded already, by feed.
    decoded: Mutex<BTreeMap<String, Vec<Event>>>,
}

/// An event as a consumer sees it.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) key: String,
    pub(crate) op: String,
    pub(crate) before: Value,
    pub(crate) after: Value,
    pub(crate) id: Vec<u8>,
}

impl Hall {
    pub(crate) async fn open(settings: Settings, texts: &[(&str, &str)]) -> Hall {
        let upstream = Simulator::start(settings).await.unwrap();
        let clock = upstream.clock();
        clock.store(NOON, Ordering::SeqCst);
        let mut all = BTreeMap::from(
            [
                ("class", "enter-export"),
                ("poll.interval.ms", "20"),
                ("late.poll.interval.ms", "50"),
                ("catalogue.poll.interval.ms", "50"),
                ("upstream.requests.per.second", "100000"),
            ]
            .map(|(key, text)| (key.to_owned(), text.to_owned())),
        );
        all.insert("upstream.url".to_owned(), upstream.url());
        all.extend(texts.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())));
        let metrics = Metrics::new().unwrap();
        let (bus, decoded) = (MemoryBus::default(), Mutex::default());
        Hall { upstream, bus, clock, texts: all, metrics, decoded }
    }

    /// A process that reads it.
    pub(crate) fn start(&mut self) -> Engine {
        self.metrics = Metrics::new().unwrap();
        let mut keys = options::keys();
        keys.extend(EnterExport.keys());
        let secrets = Secrets::Unresolved;
        let mut settings = Texts::new("", &keys, self.texts.clone(), &secrets);
        let options = Options::read(&settings);
        let clock = Clock::Manual(self.clock.clone());
        let (name, upstream) = ("queue".to_owned(), self.metrics.upstream.clone());
        let context = Context { name: name.clone(), clock: clock.clone(), metrics: upstream };
        let connector = EnterExport.configure(&mut settings, context);
        assert_eq!(settings.problems(), []);
        Engine::start(Parts {
            prefix: "t".to_owned(),
            bus: Arc::new(self.bus.clone()),
            registry: None,
            connectors: vec![Setup {
                name,
                class: "enter-export",
                options,
                connector: connector.unwrap(),
                commands: None,
            }],
            clock,
            metrics: self.metrics.clone(),
        })
    }

    pub(crate) fn set(&mut self, key: &str, text: &str) {
        self.texts.insert(key.to_owned(), text.to_owned());
    }

    pub(crate) fn pass(&self, ms: i64) {
        self.clock.fetch_add(ms, Ordering::SeqCst);
    }

    pub(crate) fn events(&self, feed: &str) -> Vec<Event> {
        let contract: &Contract = match feed {
            "branch" => &contracts::BRANCH,
            "ticket_source" => &contracts::TICKET_SOURCE,
            "ticket" => &contracts::TICKET,
            _ => &contracts::TICKET_OPERATION,
        };
        let topic = format!("t.queue.{feed}");
        let mut decoded = self.decoded.lock().unwrap();
        let events = decoded.entry(feed.to_owned()).or_default();
        let records = self.bus.records_from(&topic, events.len()).unwrap_or_else(|| {
            // The topic has let go of some.
            events.clear();
            self.bus.records(&topic)
        });
        for record in records.iter() {
            // Single-object encoding: a mark of two bytes, a fingerprint of eight.
            let message =
                record.value.as_ref().map(|value| contract.to_json(&value[10..]).unwrap());
            let event = message.unwrap_or_default();
            events.push(Event {
                key: record.key.clone(),
                op: event["op"].as_str().unwrap_or_default().to_owned(),
                before: event["before"].clone(),
                after: event["after"].clone(),
                id: record.id.clone(),
            });
        }
        // A tombstone is no event.
        events.iter().filter(|event| !event.op.is_empty()).cloned().collect()
    }

    /// The newest value of each ticket that is there.
    pub(crate) fn tickets(&self) -> BTreeMap<String, Value> {
        let mut tickets = BTreeMap::new();
        for event in self.events("ticket") {
            match event.after {
                Value::Null => tickets.remove(&event.key),
                after => tickets.insert(event.key, after),
            };
        }
        tickets
    }

    /// What the upstream says now of the days of branches: keys and what is compared of each ticket.
    pub(crate) fn truth(
        &self,
        branches: &[usize],
        from: Date,
        to: Date,
    ) -> BTreeMap<String, Value> {
        let ids = self.upstream.branches();
        let mut truth = BTreeMap::new();
        for &branch in branches {
            let mut day = from;
            while day <= to {
                for ticket in self.upstream.day(branch, day) {
                    let key = format!("{}/{}", ids[branch], ticket["Id"].as_str().unwrap());
                    truth.insert(key, of_upstream(&ticket));
                }
                day = day.tomorrow().unwrap();
            }
        }
        truth
    }

    /// Whether what was published is what the upstream says of these days, no more and no less.
    pub(crate) fn is_settled(&self, branches: &[usize], from: Date, to: Date) -> bool {
        let published: BTreeMap<String, Value> =
            self.tickets().iter().map(|(key, ticket)| (key.clone(), of_event(ticket))).collect();
        published == self.truth(branches, from, to)
    }

    /// Invariant 1: each change once, each fact once, and facts of exactly the tickets that there are.
    pub(crate) fn check_exactly_once(&self) {
        let mut last: BTreeMap<String, Value> = BTreeMap::new();
        let mut ids = BTreeSet::new();
        for event in self.events("ticket") {
            assert!(ids.insert(event.id.clone()), "an event of {} twice", event.key);
            let before = last.remove(&event.key).unwrap_or(Value::Null);
            if self.texts.get("before.image").is_none_or(|image| image == "full") {
                assert_eq!(event.before, before, "{}", event.key);
            }
            assert_ne!(of_event(&event.after), of_event(&before), "nothing changed: {}", event.key);
            last.insert(event.key, event.after);
        }
        let listed: Vec<&str> = last
            .values()
            .flat_map(|ticket| ticket["operations"].as_array().into_iter().flatten())
            .filter_map(Value::as_str)
            .collect();
        let mut facts = BTreeSet::new();
        for event in self.events("ticket_operation") {
            assert!(facts.insert(event.key.clone()), "the fact {} twice", event.key);
        }
        assert_eq!(facts, listed.iter().map(|id| (*id).to_owned()).collect(), "facts and tickets");
    }
}

/// What is compared of a ticket, as the upstream shows it.
pub(crate) fn of_upstream(ticket: &Value) -> Value {
    let products = ticket["Products"].as_array().unwrap();
    let mut shown: Vec<Value> =
        products.iter().map(|product| json!([product["Id"], product["State"]])).collect();
    shown.sort_by_key(Value::to_string);
    let histories = products.iter().filter_map(|product| product["History"].as_array());
    let operations: usize = histories.map(Vec::len).sum();
    json!([ticket["Number"], ticket["State"], shown, operations])
}

/// What is compared of a ticket, as it was published.
pub(crate) fn of_event(ticket: &Value) -> Value {
    if ticket.is_null() {
        return Value::Null;
    }
    let operations = ticket["operations"].as_array().unwrap().len();
    let products = ticket["products"].as_array().unwrap();
    let mut shown: Vec<Value> =
        products.iter().map(|product| json!([product["id"], product["state_code"]])).collect();
    shown.sort_by_key(Value::to_string);
    json!([ticket["number"], ticket["state_code"], shown, operations])
}
