//! The connector keeps what connectors promise: `talon_sdk::conformance` against the simulator.
#![allow(clippy::unwrap_used)]

#[path = "../commands/cases.rs"]
mod cases;
mod world;

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use serde_json::{Value, json};
use talon_contractor::Contractor;
use talon_sdk::CommandSpec;
use talon_sdk::conformance::{Ailment, Loss, Simulation, check};
use talon_simulators::contractor::{Fault, FaultKind, Kind};

use self::world::{CANARY, World};

#[async_trait]
impl Simulation for World {
    fn settings(&self) -> Vec<(String, String)> {
        self.settings()
    }

    async fn keys(&self, feed: &str) -> BTreeSet<String> {
        let rows = self.sim.history().current(kind(feed));
        rows.into_keys().map(|id| id.to_string()).collect()
    }

    async fn change(&self, feed: &str) -> BTreeSet<String> {
        let before = contents(self, feed);
        loop {
            self.sim.edit(1);
            let now = contents(self, feed);
            let is_new = |(id, content): &(&i64, &Value)| before.get(id) != Some(content);
            let new = now.iter().filter(is_new).map(|(id, _)| id.to_string());
            let new: BTreeSet<String> = new.collect();
            if !new.is_empty() {
                return new;
            }
        }
    }

    async fn respell(&self) -> bool {
        self.sim.change_settings(&json!({"noise": 1.0})).is_ok()
    }

    async fn ail(&self, how: Option<Ailment>) -> bool {
        let status = |code| FaultKind::Status {
            code,
            retry_after_seconds: None,
            body: Some(format!("{{\"message\":\"{CANARY} в ответе\"}}")),
        };
        self.sim.faults().clear();
        match how {
            None => {}
            Some(Ailment::Refuses) => self.sim.fault(status(401)),
            Some(Ailment::Fails) => self.sim.fault(status(500)),
            Some(Ailment::Babbles) => self.sim.fault(FaultKind::HtmlError),
            Some(Ailment::OddRows) => {
                self.sim.fault(FaultKind::UndecodableRow);
                self.sim.fault(FaultKind::OddRow { value: format!("{CANARY} NaN") });
            }
        }
        true
    }

    fn canaries(&self) -> Vec<String> {
        vec![CANARY.to_owned(), "79001234567".to_owned()]
    }

    async fn prepare(&self, command: &CommandSpec) -> Option<Value> {
        let case = cases::case_of(command.name);
        Some((case.params)(&cases::bring(self, case.stage).await))
    }

    async fn lose(&self, command: &CommandSpec, loss: Loss) {
        let kind = match loss {
            Loss::Before => FaultKind::LostRequest,
            Loss::After => FaultKind::LostReply,
        };
        let (method, path) = command.call.split_once(' ').unwrap();
        let path = path.split("/{").next().unwrap();
        self.sim.fault(Fault::from(kind).at(path).method(method).times(1));
    }

    fn sent(&self, command: &CommandSpec) -> u64 {
        self.sim.journal().count(in_journal(command.call))
    }

    fn done(&self, command: &CommandSpec) -> u64 {
        self.sim.journal().effects_of(in_journal(command.call)).len() as u64
    }
}

fn kind(feed: &str) -> Kind {
    match feed {
        "call" => Kind::Calls,
        "call_message" => Kind::Messages,
        "call_jeopardy" => Kind::Jeopardies,
        "call_task" => Kind::Tasks,
        _ => Kind::Costs,
    }
}

/// What there is, without marks: a new mark alone is no change.
fn contents(world: &World, feed: &str) -> BTreeMap<i64, Value> {
    let rows = world.sim.history().current(kind(feed)).into_iter();
    let content = |(id, json): (i64, String)| {
        let mut content = serde_json::from_str(&json).unwrap();
        without_marks(&mut content);
        (id, content)
    };
    rows.map(content).collect()
}

fn without_marks(json: &mut Value) {
    match json {
        Value::Object(fields) => {
            fields.remove("timestamp");
            fields.values_mut().for_each(without_marks);
        }
        Value::Array(items) => items.iter_mut().for_each(without_marks),
        _ => {}
    }
}

/// An endpoint of the document as the simulator's journal has it.
fn in_journal(endpoint: &str) -> &str {
    match endpoint {
        "POST /call/{callId}/templink" => "POST /call/{id}/templink",
        endpoint => endpoint,
    }
}

#[tokio::test]
async fn the_connector_conforms() {
    let report = check(&Contractor, World::start).await;
    report.assert();
}
