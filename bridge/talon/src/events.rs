//! Events as readable lines, for `talon dev`: read back from the topics as any consumer would.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Map, Value};
use talon_runtime::bus::{Bus, Start, Stop, Tailed};
use talon_runtime::commands::ResultRecord;
use talon_runtime::{Setup, lane_spec, topic};
use talon_schemas::Contract;
use talon_schemas::wire::{Payload, Wire};

use crate::print::out;
use crate::send::decode as decode_result;
use crate::server::Recent;

/// Events of the first read that are shown one by one, for each feed.
const SHOWN_READS: usize = 3;

/// The topics, and what stands on them.
pub(crate) struct Events {
    feeds: HashMap<String, (Arc<str>, &'static Contract)>,
    results: Vec<String>,
    recent: Recent,
}

/// Events of a first read that were not shown, by feed.
struct Reads {
    seen: HashMap<Arc<str>, usize>,
    said: Instant,
}

impl Events {
    pub(crate) fn new(setups: &[Setup], prefix: &str, recent: Recent) -> Events {
        let feeds = setups.iter().flat_map(|setup| {
            setup.connector.feeds().into_iter().map(|plan| {
                let name = topic(prefix, &setup.name, &plan.spec.name);
                (name, (plan.spec.name.clone(), setup.contract(&plan)))
            })
        });
        let results = setups.iter().filter(|setup| !setup.connector.commands().is_empty());
        let results = results.map(|setup| lane_spec(prefix, setup).results.name).collect();
        Events { feeds: feeds.collect(), results, recent }
    }

    /// Prints events until told to stop. Blocks.
    pub(crate) fn run(&self, bus: &dyn Bus, stop: &Stop) {
        let topics: Vec<String> = self.feeds.keys().chain(&self.results).cloned().collect();
        let mut reads = Reads { seen: HashMap::new(), said: Instant::now() };
        let mut each = |Tailed { topic, key, value }: Tailed<'_>| {
            let Some(value) = value else { return };
            if self.results.iter().any(|results| results == topic) {
                if let Some(line) = decode_result(value).and_then(|result| outcome(&result)) {
                    out!("{line}");
                    self.recent.push(line);
                }
                return;
            }
            let Some((feed, contract)) = self.feeds.get(topic) else { return };
            if let Some(event) = decode(contract, value)
                && let Some(line) = self.line(feed, contract, key, &event, &mut reads)
            {
                out!("{line}");
                self.recent.push(line);
            }
        };
        if let Err(fault) = bus.tail(&topics, Start::Beginning, stop, &mut each) {
            tracing::warn!("events are not shown: {fault}");
        }
    }

    fn line(
        &self,
        feed: &Arc<str>,
        contract: &Contract,
        key: &str,
        event: &Value,
        reads: &mut Reads,
    ) -> Option<String> {
        let op = event["op"].as_str().unwrap_or("?");
        if op == "r" {
            let seen = reads.seen.entry(feed.clone()).or_default();
            *seen += 1;
            if *seen > SHOWN_READS {
                return reads.summary();
            }
        }
        let text = match (&event["before"], &event["after"]) {
            (Value::Object(before), Value::Object(after)) => differences(contract, before, after),
            (_, Value::Object(after)) => brief(contract, after),
            (Value::Object(before), _) => format!("gone; was {}", brief(contract, before)),
            _ => String::new(),
        };
        Some(format!("{op} {feed:13} {key:>6}  {text}"))
    }
}

impl Reads {
    /// How far the first read is, once in a while.
    fn summary(&mut self) -> Option<String> {
        if self.said.elapsed() < Duration::from_millis(500) {
            return None;
        }
        self.said = Instant::now();
        let mut counts: Vec<String> =
            self.seen.iter().map(|(feed, count)| format!("{count} {feed}")).collect();
        counts.sort();
        Some(format!("r … first read so far: {}", counts.join(", ")))
    }
}

fn decode(contract: &Contract, message: &[u8]) -> Option<Value> {
    // Any id will do: the topics hold nothing but this contract.
    match Wire::SingleObject.open(contract, message) {
        Payload::Own(datum) | Payload::Registered(_, datum) => contract.to_json(datum).ok(),
        Payload::Json(json) => serde_json::from_slice(json).ok(),
        Payload::Fingerprinted(..) | Payload::Foreign => None,
    }
}

/// A command that is settled, in a line.
fn outcome(result: &ResultRecord) -> Option<String> {
    let outcome = result.outcome()?.word();
    let message = result.message.as_deref().unwrap_or_default();
    Some(format!("! {:13} {:>6}  {outcome} {message}", result.r#type, result.key))
}

/// What changed, field by field.
fn differences(
    contract: &Contract,
    before: &Map<String, Value>,
    after: &Map<String, Value>,
) -> String {
    let changed =
        after.iter().filter(|(name, value)| *name != "mark" && before.get(*name) != Some(value));
    let texts: Vec<String> = changed
        .map(|(name, value)| {
            let old = show(contract, name, before.get(name).unwrap_or(&Value::Null));
            let new = show(contract, name, value);
            // What is shown of them may be the same: so many items, or nothing.
            if old == new {
                format!("{name}: {new}, changed")
            } else {
                format!("{name}: {old} → {new}")
            }
        })
        .collect();
    texts.join(", ")
}

/// The fields that fit into a line.
fn brief(contract: &Contract, entity: &Map<String, Value>) -> String {
    let filled = entity.iter().filter(|(name, value)| {
        !matches!(name.as_str(), "id" | "mark") && !value.is_null() && !is_empty(value)
    });
    let texts: Vec<String> = filled
        .take(6)
        .map(|(name, value)| format!("{name}: {}", show(contract, name, value)))
        .collect();
    texts.join(", ")
}

fn is_empty(value: &Value) -> bool {
    value.as_array().is_some_and(Vec::is_empty) || value.as_object().is_some_and(Map::is_empty)
}

/// A value in a few characters; personal data is never shown.
fn show(contract: &Contract, name: &str, value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        _ if contract.pii().iter().any(|field| field == name) => "****".to_owned(),
        Value::Array(items) => format!("{} items", items.len()),
        Value::Object(map) => format!("{} fields", map.len()),
        Value::Number(number) if name.ends_with("_at") => number
            .as_i64()
            .and_then(|micros| jiff::Timestamp::from_microsecond(micros).ok())
            .map_or_else(|| number.to_string(), |instant| instant.strftime("%F %T").to_string()),
        Value::String(text) => {
            let short: String = text.chars().take(40).collect();
            if short.len() < text.len() { format!("{short}…") } else { short }
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use talon_contractor::contracts::CALL;

    use super::*;

    #[test]
    fn what_changed_is_shown_even_where_it_looks_the_same() {
        for (name, before, after, shown) in [
            ("status", json!("New"), json!("Done"), "status: New → Done"),
            ("jeopardies", json!([1]), json!([2]), "jeopardies: 1 items, changed"),
            ("contact_person_name", json!("a"), json!("b"), "contact_person_name: ****, changed"),
        ] {
            let call = |value: Value| Map::from_iter([(name.to_owned(), value)]);
            assert_eq!(differences(&CALL, &call(before), &call(after)), shown);
        }
    }
}
