//! A simulated server, a connector that reads it, and what came of it: with the runtime alone and a bus in
//! memory, by a clock that tests set.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use serde_json::Value;
use talon_enter::EnterRest;
use talon_runtime::metrics::Metrics;
use talon_runtime::options::{self, Options};
use talon_runtime::{Engine, Parts, Setup};
use talon_sdk::config::{Secrets, Settings as Texts};
use talon_sdk::{Class, Clock, Connector, Context};
use talon_simulators::enter_rest::{Kind, Settings, Simulator};

use super::truth::{contract, differs};
use crate::bus::MemoryBus;
use crate::hall::{NOON, until};

pub(super) struct Hall {
    pub(super) upstream: Simulator,
    pub(super) bus: MemoryBus,
    clock: Arc<AtomicI64>,
    texts: BTreeMap<String, String>,
    pub(super) metrics: Metrics,
}

/// What every configuration of a test has: `clock` is the branch's.
pub(super) fn usual(upstream: &Simulator) -> BTreeMap<String, String> {
    let settings = upstream.settings();
    let kind = if settings.kind == Kind::Central { "central" } else { "branch" };
    let mut texts = BTreeMap::from(
        [
            ("class", "enter-rest"),
            ("server.kind", kind),
            ("time.zone", &settings.zone),
            ("upstream.requests.per.second", "100000"),
            // Lists of a few may well become empty.
            ("deletes.guard.ratio", "1"),
        ]
        .map(|(key, text)| (key.to_owned(), text.to_owned())),
    );
    texts.insert("upstream.url".to_owned(), upstream.url());
    let feeds = EnterRest.feeds();
    texts.extend(
        feeds.iter().map(|spec| (format!("{}.poll.interval.ms", spec.name), "20".to_owned())),
    );
    if settings.kind == Kind::Branch {
        texts.insert("auth.admin.login".to_owned(), settings.hall.0.clone());
        texts.insert("auth.admin.password".to_owned(), settings.hall.1.clone());
        texts.insert("auth.booking.identity".to_owned(), "talon".to_owned());
        texts.insert("boards".to_owned(), "board01".to_owned());
        texts.insert("surveys".to_owned(), "survey01,survey02".to_owned());
        texts.insert("workplaces".to_owned(), upstream.workplaces().join(","));
        texts.insert("booking.products".to_owned(), "310".to_owned());
        for (place, id) in upstream.workplaces().into_iter().enumerate() {
            let login = format!("operator{:02}", place + 1);
            texts.insert(format!("auth.operator.{id}.login"), login);
            let password = settings.operator_password.clone();
            texts.insert(format!("auth.operator.{id}.password"), password);
        }
    }
    texts
}

impl Hall {
    pub(super) async fn open(settings: Settings, more: &[(&str, &str)]) -> Hall {
        let upstream = Simulator::start(settings).await.unwrap();
        let clock = upstream.clock();
        clock.store(NOON, Ordering::SeqCst);
        let mut texts = usual(&upstream);
        texts.extend(more.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())));
        let metrics = Metrics::new().unwrap();
        Hall { upstream, bus: MemoryBus::default(), clock, texts, metrics }
    }

    /// A process that reads it.
    pub(super) fn start(&mut self) -> Engine {
        self.metrics = Metrics::new().unwrap();
        let (options, connector) = self.configured();
        let (name, clock) = ("queue".to_owned(), Clock::Manual(self.clock.clone()));
        Engine::start(Parts {
            prefix: "t".to_owned(),
            bus: Arc::new(self.bus.clone()),
            registry: None,
            connectors: vec![Setup {
                name,
                class: "enter-rest",
                options,
                connector,
                commands: None,
            }],
            clock,
            metrics: self.metrics.clone(),
        })
    }

    /// The connector as a process has it.
    pub(super) fn configured(&self) -> (Options, Arc<dyn Connector>) {
        let mut keys = options::keys();
        keys.extend(EnterRest.keys());
        let secrets = Secrets::Unresolved;
        let mut settings = Texts::new("", &keys, self.texts.clone(), &secrets);
        let options = Options::read(&settings);
        let (clock, metrics) = (Clock::Manual(self.clock.clone()), self.metrics.upstream.clone());
        let context = Context { name: "queue".to_owned(), clock, metrics };
        let connector = EnterRest.configure(&mut settings, context);
        assert_eq!(settings.problems(), []);
        (options, connector.unwrap())
    }

    pub(super) fn pass(&self, ms: i64) {
        self.clock.fetch_add(ms, Ordering::SeqCst);
    }

    /// Waits until what is read at these rows of the table was read and used.
    pub(super) async fn read_again(&self, rows: &[&str]) {
        let count = |row: &str| self.upstream.requests().get(row).copied().unwrap_or(0);
        let before: Vec<u64> = rows.iter().map(|row| count(row)).collect();
        let is_read = |(row, before): (&&str, &u64)| count(row) > before + 2;
        until("the upstream is asked again", || rows.iter().zip(&before).all(is_read)).await;
    }

    /// The events of a feed, by key, oldest first. Each begins where the last one of its key ended.
    pub(super) fn histories(&self, feed: &str) -> BTreeMap<String, Vec<Value>> {
        let mut histories: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for record in self.bus.records(&format!("t.queue.{feed}")) {
            // A tombstone is no event.
            let Some(value) = record.value else { continue };
            // Single-object encoding: a mark of two bytes, a fingerprint of eight.
            let event = contract(feed).to_json(&value[10..]).unwrap();
            let history = histories.entry(record.key).or_default();
            let last = history.last().map_or(&Value::Null, |last| &last["after"]);
            assert_eq!(event["before"], *last, "{feed}");
            assert_ne!(event["before"], event["after"], "{feed}");
            history.push(event);
        }
        histories
    }

    /// The newest value of each entity that is there.
    pub(super) fn newest(&self, feed: &str) -> BTreeMap<String, Value> {
        let all = self.histories(feed).into_iter();
        all.map(|(key, history)| (key, history[history.len() - 1]["after"].clone()))
            .filter(|(_, after)| !after.is_null())
            .collect()
    }

    /// The keys of what was deleted.
    pub(super) fn deleted(&self, feed: &str) -> Vec<String> {
        let all = self.histories(feed).into_iter();
        all.filter(|(_, history)| history.iter().any(|event| event["op"] == "d"))
            .map(|(key, _)| key)
            .collect()
    }

    /// Waits until these topics tell what the upstream says.
    pub(super) async fn agrees(&self, feeds: &[&str]) {
        for feed in feeds {
            let mut why = String::new();
            until(&format!("`{feed}` tells what the upstream says"), || {
                match differs(&self.upstream, feed, &self.newest(feed)) {
                    None => true,
                    Some(now) => {
                        if now != why {
                            eprintln!("not yet: {now}");
                            why = now;
                        }
                        false
                    }
                }
            })
            .await;
        }
    }
}
