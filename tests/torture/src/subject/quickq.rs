//! QuickQ.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde_json::{Map, Value, json};
use talon_quickq::contracts;
use talon_simulators::quickq::{Book, Fault, FaultKind, Kind, Settings, Simulator};

use super::codecs::Codecs;
use super::upstream::{Feed, Subject, Truth};
use crate::scenario::Upstream;

const PASSWORD: &str = "canary-password-5d2c";
/// As the protocol carries it: as good as the password.
const PASSWORD_MD5: &str = "5d4ec46be0d8933ae294644fe9820749";
/// Stands in the token of every session.
const TOKEN: &str = "-0000-4000-8000-";
/// Stands in the comment of every command.
const TEXT: &str = "кенар";
/// Visitors at the start, and as many as shall wait at least: what a short list withholds must be most
/// of them.
const VISITORS: usize = 60;
/// Workplaces with commands, which nobody else uses.
const BUSY: [i64; 2] = [3, 4];
/// Workplaces whose queues are followed.
const QUEUES: [i64; 2] = [1, 4];
/// Of all edits that are asked for, so much is made: each pushes whole lists.
const SHARE: f64 = 0.3;
/// Between two visitors who are called to a busy workplace.
const CALL: Duration = Duration::from_millis(300);

pub(super) struct QuickQ {
    upstream: Simulator,
    codecs: Codecs,
    /// The keys of each feed that were there before anything was read.
    initial: BTreeMap<&'static str, Vec<String>>,
    /// When somebody was called to each busy workplace.
    called: Mutex<BTreeMap<i64, Instant>>,
}

const BOOKS: [(&str, Book); 5] = [
    ("operation", Book::Operation),
    ("service", Book::Service),
    ("workplace", Book::Workplace),
    ("qboard", Book::QBoard),
    ("consumer", Book::Consumer),
];

impl QuickQ {
    pub(super) async fn start(seed: u64) -> anyhow::Result<QuickQ> {
        let upstream = Simulator::start(Settings {
            seed,
            visitors: VISITORS,
            keep_history: true,
            quiet_from: BUSY[0],
            // Without comments in its lists nobody could tell what became of a lost reply.
            newer_fields: true,
            // Builds differ in how an answer is told from a push.
            echo_id: seed.is_multiple_of(2),
            password: PASSWORD.to_owned(),
            ..Settings::noisy()
        })
        .await?;
        let codecs = Codecs::of(&talon_quickq::QuickQ, settings(address(&upstream)))?;
        let mut subject =
            QuickQ { upstream, codecs, initial: BTreeMap::new(), called: Mutex::default() };
        for Feed { name, .. } in subject.feeds() {
            let keys = subject.truth(name)?.into_keys().collect();
            subject.initial.insert(name, keys);
        }
        Ok(subject)
    }

    /// The states of a kind under the keys of a scope.
    fn list(&self, feed: &str, kind: Kind, scope: &str, truth: &mut Truth) -> anyhow::Result<()> {
        for (id, states) in self.upstream.history().states(kind) {
            let key = if scope.is_empty() { id.to_string() } else { format!("{scope}/{id}") };
            let datum = |row: Option<Value>| {
                row.map(|row| self.codecs.datum(feed, row.to_string().as_bytes(), scope))
                    .transpose()
            };
            truth.insert(key, states.into_iter().map(datum).collect::<anyhow::Result<_>>()?);
        }
        Ok(())
    }

    /// The states of the operations of all visits.
    fn operation_states(&self, feed: &str) -> anyhow::Result<Truth> {
        let mut truth = Truth::new();
        for visits in self.upstream.history().states(Kind::Visits).into_values() {
            for visit in visits.into_iter().flatten() {
                for (key, row) in operation_states(&visit) {
                    let datum = Some(self.codecs.datum(feed, row.to_string().as_bytes(), "")?);
                    // A fact is told once, whatever changes around it.
                    truth.entry(key).or_insert_with(|| vec![datum]);
                }
            }
        }
        Ok(truth)
    }

    /// Who is at a busy workplace; somebody is called where nobody is, now and then.
    fn visitor(&self, workplace: i64) -> Option<i64> {
        let there = self.upstream.book(Book::Workplace).remove(&workplace)?;
        if let Some(id) = there["consumer_id"].as_i64().filter(|id| *id >= 0) {
            return Some(id);
        }
        let mut called = self.called.lock().unwrap_or_else(PoisonError::into_inner);
        if called.get(&workplace).is_some_and(|at| at.elapsed() < CALL) {
            return None;
        }
        called.insert(workplace, Instant::now());
        let visitor = self.upstream.act("nextConsumer", json!({ "workplace": workplace }));
        visitor.ok()?["id"].as_i64()
    }
}

fn address(upstream: &Simulator) -> SocketAddr {
    let url = upstream.control_url();
    url.trim_start_matches("http://").parse().expect("the simulator listens on an address")
}

fn settings(upstream: SocketAddr) -> Vec<(String, String)> {
    let url = format!("ws://{upstream}/logic");
    [
        ("upstream.url", url.as_str()),
        ("upstream.connect.timeout.ms", "1000"),
        ("upstream.request.timeout.ms", "2000"),
        ("upstream.ping.interval.ms", "300"),
        ("upstream.idle.timeout.ms", "1500"),
        ("auth.login", "admin"),
        ("auth.password", PASSWORD),
        ("feeds", "operation,service,workplace,qboard,consumer,queue,operation_state"),
        ("queue.workplaces", "1,4"),
        ("refresh.interval.ms", "1000"),
        ("statistics.poll.interval.ms", "300"),
        ("deletes.guard.entities", "2"),
        // Visitors come and go while nobody looks; a short list has but three of them.
        ("deletes.guard.ratio", "0.9"),
        ("commands", "RegisterConsumer,RejectConsumer"),
        ("commands.settle.ms", "2500"),
        ("commands.retry.budget.ms", "60000"),
    ]
    .map(|(key, text)| (key.to_owned(), text.to_owned()))
    .to_vec()
}

/// The rows that the connector makes of a visit, by key: each state of each operation that is over, with
/// what is around it.
fn operation_states(visit: &Value) -> Vec<(String, Value)> {
    let mut rows = Vec::new();
    let (visitor, services) = level(visit, "services");
    for service in &services {
        let (service, stages) = level(service, "stages");
        for stage in &stages {
            let (stage, operations) = level(stage, "operations");
            for operation in &operations {
                let (operation, states) = level(operation, "states");
                for (index, state) in states.iter().enumerate() {
                    let is_end = matches!(state["state"].as_str(), Some("SERVED" | "REJECTED"));
                    if index + 1 == states.len() && !is_end && visitor["done"].is_null() {
                        continue;
                    }
                    let key = format!(
                        "{}/{}/{}/{}/{index}",
                        visitor["consumer_id"],
                        service["service_id"],
                        stage["priority"],
                        operation["operation_id"]
                    );
                    let row = json!({
                        "key": key, "index": index, "state": state, "next": states.get(index + 1),
                        "operation": operation, "stage": stage, "service": service,
                        "visit": visitor,
                    });
                    rows.push((key, row));
                }
            }
        }
    }
    rows
}

/// A level of the statistics without what is below it, and that.
fn level(of: &Value, below: &str) -> (Value, Vec<Value>) {
    let mut fields: Map<String, Value> = of.as_object().cloned().unwrap_or_default();
    let below = fields.shift_remove(below).unwrap_or_default();
    (Value::Object(fields), below.as_array().cloned().unwrap_or_default())
}

impl Subject for QuickQ {
    fn class(&self) -> &'static str {
        "quickq"
    }

    fn address(&self) -> SocketAddr {
        address(&self.upstream)
    }

    fn settings(&self, upstream: SocketAddr) -> Vec<(String, String)> {
        settings(upstream)
    }

    fn rolled(&self, roll: u64) -> Vec<(String, String)> {
        vec![
            ("refresh.interval.ms".to_owned(), (1_000 + roll % 3 * 500).to_string()),
            ("statistics.poll.interval.ms".to_owned(), (200 + roll % 4 * 100).to_string()),
            ("commands.max.in.flight".to_owned(), (8 + roll % 3).to_string()),
        ]
    }

    fn feeds(&self) -> Vec<Feed> {
        [
            ("operation", &*contracts::OPERATION),
            ("service", &*contracts::SERVICE),
            ("workplace", &*contracts::WORKPLACE),
            ("qboard", &*contracts::QBOARD),
            ("consumer", &*contracts::CONSUMER),
            ("queue", &*contracts::QUEUE),
            ("operation_state", &*contracts::OPERATION_STATE),
        ]
        .map(|(name, contract)| Feed { name, contract })
        .into()
    }

    fn live(&self, edits_per_second: f64) {
        let patch = json!({ "edits_per_second": edits_per_second * SHARE });
        self.upstream.change_settings(&patch).expect("a setting that there is");
    }

    fn quiet(&self) {
        self.live(0.0);
        self.upstream.faults().clear();
    }

    fn fault(&self, kind: Upstream, times: u64) {
        const COMMANDS: [&str; 2] = ["registrateConsumer", "rejectConsumer"];
        let all = |kind: FaultKind| self.upstream.fault(Fault::from(kind).times(times));
        let commands = |kind: &FaultKind| {
            for command in COMMANDS {
                self.upstream.fault(Fault::from(kind.clone()).at(command).times(times));
            }
        };
        let visitors = |kind: FaultKind, times| {
            self.upstream.fault(Fault::from(kind).at("consumerList").times(times));
        };
        match kind {
            Upstream::Unavailable => all(FaultKind::CutBefore),
            Upstream::TooMany if times.is_multiple_of(2) => all(FaultKind::Silence),
            Upstream::TooMany => all(FaultKind::NoReply),
            Upstream::Unauthorized => self.upstream.forget_sessions(),
            Upstream::Slow => all(FaultKind::Late { messages: 3 }),
            Upstream::Cut if times.is_multiple_of(2) => self.upstream.cut(),
            Upstream::Cut => visitors(FaultKind::Malformed, times),
            Upstream::LostReply => commands(&FaultKind::CutAfter),
            Upstream::LostRequest => commands(&FaultKind::NoReply),
            // The first one after the sockets are connected anew.
            Upstream::EmptyList => {
                self.upstream.cut();
                visitors(FaultKind::EmptyList, 1);
            }
            Upstream::ShortList => visitors(FaultKind::ShortList { keep: 3 }, times),
        }
    }

    fn truth(&self, feed: &str) -> anyhow::Result<Truth> {
        if feed == "operation_state" {
            return self.operation_states(feed);
        }
        let mut truth = Truth::new();
        if feed == "queue" {
            for workplace in QUEUES {
                self.list(feed, Kind::Queue(workplace), &workplace.to_string(), &mut truth)?;
            }
        }
        if let Some((_, book)) = BOOKS.iter().find(|(name, _)| *name == feed) {
            self.list(feed, Kind::Book(*book), "", &mut truth)?;
        }
        Ok(truth)
    }

    fn claimed(&self, feed: &str, _cursor: &str) -> BTreeMap<String, usize> {
        // Any cursor says that a whole list was read.
        let keys = self.initial.get(feed).cloned().unwrap_or_default();
        keys.into_iter().map(|key| (key, 1)).collect()
    }

    fn pause(&self) -> Duration {
        // Each reads whole lists.
        Duration::from_millis(250)
    }

    fn command(&self, id: &str, random: &mut ChaCha8Rng) -> Option<(String, Value)> {
        let text = format!("{TEXT} {id}");
        let place = BUSY[random.random_range(0..BUSY.len())];
        let (registers, is_odd) = (random.random_range(0..4) == 0, random.random_range(0..12) == 0);
        let service = if is_odd { 999 } else { random.random_range(1..=4) };
        let is_few = self.upstream.book(Book::Consumer).len() < VISITORS;
        let there = if registers || is_few { None } else { self.visitor(place) };
        let (key, mut command) = match there {
            None => {
                let params = json!({ "service_ids": [service], "comment": text });
                let command = json!({"id": id, "type": "RegisterConsumer", "params": params});
                (id.to_owned(), command)
            }
            Some(visitor) => {
                // Somebody else: refused.
                let expected = if is_odd { -1 } else { visitor };
                let params = json!({ "workplace_id": place, "comment": text });
                let command = json!({
                    "id": id, "type": "RejectConsumer", "params": params,
                    "expect": { "consumer_id": expected },
                });
                (place.to_string(), command)
            }
        };
        if random.random_range(0..15) == 0 {
            command["expires_at"] = json!("2026-01-01T00:00:00Z");
        }
        Some((key, command))
    }

    fn effects(&self) -> Vec<String> {
        let effects = self.upstream.journal().effects();
        let id = |data: &Value| {
            let text = data["comment"].as_str()?.strip_prefix(TEXT)?.trim_start();
            // A marker stands behind it.
            Some(text.split(' ').next()?.to_owned())
        };
        effects.iter().filter_map(|effect| id(&effect.data)).collect()
    }

    fn canaries(&self) -> Vec<String> {
        [PASSWORD, PASSWORD_MD5, TOKEN, TEXT].map(str::to_owned).to_vec()
    }
}
