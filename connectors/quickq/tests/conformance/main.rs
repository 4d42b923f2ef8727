//! The connector keeps what connectors promise: `talon_sdk::conformance` against the simulator.
#![allow(clippy::unwrap_used)]

mod commands;
mod visits;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use serde_json::{Value, json};
use talon_quickq::QuickQ;
use talon_sdk::conformance::{Ailment, Loss, Simulation, check};
use talon_sdk::{Class, CommandSpec};
use talon_simulators::quickq::{Book, Fault, FaultKind, Settings, Simulator};

const PASSWORD: &str = "canary-pa55word";
/// Its MD5 is as good as the password.
const HASHED: &str = "d55d3ace5894aeec34446b93d943d3f2";
/// In all that must not be seen.
pub(crate) const CANARY: &str = "сказано по секрету";

const BOOKS: [(&str, Book, &str); 11] = [
    ("operation", Book::Operation, "Operation"),
    ("service", Book::Service, "Service"),
    ("ticket_range", Book::TicketRange, "TicketRange"),
    ("workplace", Book::Workplace, "Workplace"),
    ("user_role", Book::UserRole, "UserRole"),
    ("user", Book::User, "User"),
    ("qboard", Book::QBoard, "QBoard"),
    ("scoreboard", Book::ScoreBoard, "ScoreBoard"),
    ("registrator", Book::Registrator, "Registrator"),
    ("consumer", Book::Consumer, "Consumer"),
    ("consumer_preregistered", Book::ConsumerPreRegistered, "ConsumerPreRegistered"),
];

const WORKPLACES: [i64; 2] = [1, 2];

pub(crate) struct Hall {
    pub(crate) simulator: Simulator,
    edits: AtomicU64,
}

impl Hall {
    async fn start() -> Hall {
        let settings = Settings {
            password: PASSWORD.to_owned(),
            newer_fields: true,
            keep_history: true,
            // So little that nothing is spelled anew yet, but the field that no document has is there.
            noise: 1e-9,
            ..Settings::default()
        };
        let simulator = Simulator::start(settings).await.unwrap();
        serve(&simulator);
        Hall { simulator, edits: AtomicU64::default() }
    }

    fn book(feed: &str) -> Option<(Book, &'static str)> {
        BOOKS.iter().find(|(own, ..)| *own == feed).map(|(_, book, name)| (*book, *name))
    }
}

/// Somebody is served at each workplace, which `statistics` tells.
fn serve(simulator: &Simulator) {
    for place in WORKPLACES {
        let place = json!({ "workplace": place });
        simulator.act("nextConsumer", place.clone()).unwrap();
        simulator.act("serveConsumer", place).unwrap();
    }
}

#[async_trait]
impl Simulation for Hall {
    fn settings(&self) -> Vec<(String, String)> {
        let commands = QuickQ.commands().unwrap().specs;
        let commands: Vec<&str> = commands.iter().map(|spec| spec.name).collect();
        let feeds = QuickQ.feeds();
        let feeds: Vec<&str> = feeds.iter().map(|spec| &*spec.name).collect();
        [
            ("upstream.url", self.simulator.url()),
            ("upstream.requests.per.second", "100000".to_owned()),
            ("upstream.request.timeout.ms", "10000".to_owned()),
            ("auth.login", "admin".to_owned()),
            ("auth.password", PASSWORD.to_owned()),
            ("feeds", feeds.join(",")),
            ("commands", commands.join(",")),
            ("queue.workplaces", "1,2".to_owned()),
            ("refresh.interval.ms", "1000".to_owned()),
            ("statistics.poll.interval.ms", "10".to_owned()),
            ("server_info.poll.interval.ms", "10".to_owned()),
        ]
        .map(|(key, text)| (key.to_owned(), text))
        .to_vec()
    }

    async fn keys(&self, feed: &str) -> BTreeSet<String> {
        if let Some((book, _)) = Hall::book(feed) {
            return self.simulator.book(book).into_keys().map(|id| id.to_string()).collect();
        }
        match feed {
            "queue" => {
                let queue = |place: i64| self.simulator.queue(place).into_iter();
                let keys =
                    WORKPLACES.map(|place| queue(place).map(move |id| format!("{place}/{id}")));
                keys.into_iter().flatten().collect()
            }
            "operation_state" => visits::over(&self.simulator),
            _ => BTreeSet::from(["server".to_owned()]),
        }
    }

    async fn change(&self, feed: &str) -> BTreeSet<String> {
        if let Some((book, name)) = Hall::book(feed) {
            let id = *self.simulator.book(book).keys().next().unwrap();
            let edit = self.edits.fetch_add(1, Ordering::Relaxed);
            let data = json!({"id": id, "description": format!("Правка {edit}")});
            self.simulator.act(&format!("set{name}"), data).unwrap();
            return BTreeSet::from([id.to_string()]);
        }
        let before = self.keys(feed).await;
        match feed {
            "server_info" => return BTreeSet::new(),
            "queue" => self.simulator.arrive(3),
            _ => serve(&self.simulator),
        }
        self.keys(feed).await.difference(&before).cloned().collect()
    }

    async fn remove(&self, feed: &str) -> Option<String> {
        match feed {
            "qboard" | "scoreboard" | "registrator" | "consumer_preregistered" => {
                let (book, name) = Hall::book(feed).unwrap();
                let id = *self.simulator.book(book).keys().next_back().unwrap();
                self.simulator.act(&format!("remove{name}"), json!({ "id": id })).unwrap();
                Some(id.to_string())
            }
            "queue" => {
                let id = self.simulator.queue(1)[0];
                self.simulator.act("removeConsumer", json!({ "id": id })).unwrap();
                Some(format!("1/{id}"))
            }
            _ => None,
        }
    }

    async fn respell(&self) -> bool {
        self.simulator.change_settings(&json!({"noise": 1.0})).is_ok()
    }

    async fn ail(&self, how: Option<Ailment>) -> bool {
        self.simulator.faults().clear();
        match how {
            None => {}
            Some(Ailment::Refuses) => self.simulator.fault(FaultKind::Refused { code: 130 }),
            Some(Ailment::Fails) => self.simulator.fault(FaultKind::Malformed),
            Some(Ailment::Babbles) => {
                let json = format!("{{\"title\":\"{CANARY}\"}}");
                self.simulator.fault(FaultKind::OtherData { json });
            }
            Some(Ailment::OddRows) => {
                let json =
                    format!("[{{\"id\":\"{CANARY}\"}},{{\"name\":\"{CANARY}\"}},\"{CANARY}\"]");
                self.simulator.fault(FaultKind::OtherData { json });
            }
        }
        true
    }

    fn canaries(&self) -> Vec<String> {
        vec![HASHED.to_owned(), CANARY.to_owned()]
    }

    fn dropped(&self, feed: &str) -> Vec<&'static str> {
        match feed {
            // Hashes of passwords, and the number of the licence.
            "user" => vec!["password*"],
            "server_info" => vec!["hasp*"],
            // The row is the connector's own; what is around the upstream's objects is no content.
            "operation_state" => vec!["conformanceUnknown", "next*", "key*", "index*"],
            _ => Vec::new(),
        }
    }

    async fn left_open(&self) -> Option<String> {
        // Closing is not answered, so it may be on its way.
        let deadline = Instant::now() + Duration::from_secs(10);
        while self.simulator.counts().sessions > 0 && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let sessions = self.simulator.counts().sessions;
        (sessions > 0).then(|| format!("{sessions} sessions"))
    }

    async fn prepare(&self, command: &CommandSpec) -> Option<Value> {
        Some(commands::prepared(&self.simulator, command.name))
    }

    async fn lose(&self, command: &CommandSpec, loss: Loss) {
        let kind = match loss {
            Loss::Before => FaultKind::CutBefore,
            Loss::After => FaultKind::CutAfter,
        };
        self.simulator.fault(Fault::from(kind).at(command.call).times(1));
    }

    fn sent(&self, command: &CommandSpec) -> u64 {
        self.simulator.journal().count(command.call)
    }

    fn done(&self, command: &CommandSpec) -> u64 {
        self.simulator.journal().effects_of(command.call).len() as u64
    }
}

#[tokio::test]
async fn the_connector_conforms() {
    let report = check(&QuickQ, Hall::start).await;
    report.assert();
}
