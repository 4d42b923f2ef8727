//! Which states of operations are over, by what `statistics` tells.

use std::collections::BTreeSet;

use serde_json::Value;
use talon_simulators::quickq::{Kind, Simulator};

/// The keys of the states that are over.
pub(crate) fn over(simulator: &Simulator) -> BTreeSet<String> {
    let visits = simulator.history().states(Kind::Visits);
    let mut keys = BTreeSet::new();
    for (consumer, states) in visits {
        let Some(visit) = states.into_iter().next_back().flatten() else { continue };
        let is_done = visit["done"].as_str().is_some_and(|done| !done.is_empty());
        for service in items(&visit, "services") {
            for stage in items(service, "stages") {
                for operation in items(stage, "operations") {
                    let ids =
                        [&service["service_id"], &stage["priority"], &operation["operation_id"]];
                    let ids = ids.map(Value::to_string).join("/");
                    let states = items(operation, "states");
                    for (index, state) in states.iter().enumerate() {
                        let is_last =
                            matches!(state["state"].as_str(), Some("SERVED" | "REJECTED"));
                        if is_done || is_last || index + 1 < states.len() {
                            keys.insert(format!("{consumer}/{ids}/{index}"));
                        }
                    }
                }
            }
        }
    }
    keys
}

fn items<'v>(of: &'v Value, name: &str) -> &'v [Value] {
    of[name].as_array().map(Vec::as_slice).unwrap_or_default()
}
