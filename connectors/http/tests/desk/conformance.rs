//! What is said for the upstream to `talon_sdk::conformance`.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use async_trait::async_trait;
use serde_json::{Value, json};
use talon_sdk::CommandSpec;
use talon_sdk::conformance::{self, Ailment, Simulation};

use super::desk::DeskClass;
use super::upstream::{Loss, Upstream};

struct Simulated {
    upstream: Upstream,
    address: SocketAddr,
}

impl Simulated {
    async fn start() -> Simulated {
        rustls::crypto::ring::default_provider().install_default().ok();
        let (upstream, address) = Upstream::start().await;
        upstream.with(|world| {
            world.agents = (1..=5).map(agent).collect();
            world.notes = (1..=5).map(note).collect();
        });
        Simulated { upstream, address }
    }
}

fn agent(id: usize) -> Value {
    json!({"id": id, "name": format!("Agent-{id}"), "team": "A", "shift": {"from": 8.5}})
}

fn note(id: usize) -> Value {
    json!({"id": id, "ticketId": 7, "writtenAt": "2026-01-02T03:04:05Z",
           "text": format!("Something private {id}"), "mark": id * 10})
}

#[async_trait]
impl Simulation for Simulated {
    fn settings(&self) -> Vec<(String, String)> {
        let own = |(key, text): (&str, &str)| (key.to_owned(), text.to_owned());
        [
            ("upstream.url", &*format!("http://{}", self.address)),
            ("upstream.requests.per.second", "10000"),
            ("upstream.request.timeout.ms", "2000"),
            ("auth.name", "talon"),
            ("auth.password", "canary-pa55"),
            ("poll.interval.ms", "10"),
        ]
        .map(own)
        .to_vec()
    }

    async fn keys(&self, feed: &str) -> BTreeSet<String> {
        self.upstream.with(|world| {
            let rows = if feed == "agent" { &world.agents } else { &world.notes };
            rows.iter().map(|row| row["id"].to_string()).collect()
        })
    }

    async fn change(&self, feed: &str) -> BTreeSet<String> {
        let key = self.upstream.with(|world| match feed {
            "agent" => {
                let team = world.agents[1]["team"].as_str().unwrap().to_owned();
                world.agents[1]["team"] = json!(team + "+");
                world.agents[1]["id"].to_string()
            }
            _ => {
                let id = world.notes.len() + 1;
                world.notes.push(note(id));
                id.to_string()
            }
        });
        BTreeSet::from([key])
    }

    async fn remove(&self, feed: &str) -> Option<String> {
        (feed == "agent").then(|| {
            let gone = self.upstream.with(|world| world.agents.pop());
            gone.unwrap()["id"].to_string()
        })
    }

    async fn ail(&self, how: Option<Ailment>) -> bool {
        self.upstream.with(|world| world.ails = how);
        true
    }

    async fn prepare(&self, _: &CommandSpec) -> Option<Value> {
        Some(json!({"ticket_id": 7, "reason": "Something private too"}))
    }

    fn canaries(&self) -> Vec<String> {
        vec!["Something private".to_owned()]
    }

    async fn lose(&self, _: &CommandSpec, loss: conformance::Loss) {
        let loss = match loss {
            conformance::Loss::Before => Loss::Before,
            conformance::Loss::After => Loss::After,
        };
        self.upstream.with(|world| world.loses = Some(loss));
    }

    fn sent(&self, _: &CommandSpec) -> u64 {
        self.upstream.with(|world| world.asked_to_close)
    }

    fn done(&self, _: &CommandSpec) -> u64 {
        self.upstream.with(|world| world.closed as u64)
    }
}

#[tokio::test]
async fn the_connector_conforms() {
    let report = conformance::check(&DeskClass, Simulated::start).await;
    report.assert();
}
