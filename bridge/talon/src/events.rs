//! Events as readable lines, for `talon dev`: read back from the topics as any consumer would.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use talon_runtime::bus::{Bus, Start, Stop, Tailed};
use talon_runtime::commands::ResultRecord;
use talon_runtime::{Setup, lane_spec, topic};
use talon_schemas::Contract;

use crate::entity::{brief, decode, differences};
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
    prints: bool,
}

/// Events of a first read that were not shown, by feed.
struct Reads {
    seen: HashMap<Arc<str>, usize>,
    said: Instant,
}

impl Events {
    /// With `prints` the lines go to standard output too.
    pub(crate) fn new(setups: &[Setup], prefix: &str, recent: Recent, prints: bool) -> Events {
        let feeds = setups.iter().flat_map(|setup| {
            setup.connector.feeds().into_iter().map(|plan| {
                let name = topic(prefix, &setup.name, &plan.spec.name);
                let label = format!("{}.{}", setup.name, plan.spec.name).into();
                (name, (label, setup.contract(&plan)))
            })
        });
        let results = setups.iter().filter(|setup| !setup.connector.commands().is_empty());
        let results = results.map(|setup| lane_spec(prefix, setup).results.name).collect();
        Events { feeds: feeds.collect(), results, recent, prints }
    }

    /// Prints events until told to stop. Blocks.
    pub(crate) fn run(&self, bus: &dyn Bus, stop: &Stop) {
        let topics: Vec<String> = self.feeds.keys().chain(&self.results).cloned().collect();
        let mut reads = Reads { seen: HashMap::new(), said: Instant::now() };
        let mut each = |Tailed { topic, key, value }: Tailed<'_>| {
            let Some(value) = value else { return };
            if self.results.iter().any(|results| results == topic) {
                if let Some(line) = decode_result(value).and_then(|result| outcome(&result)) {
                    self.show(line);
                }
                return;
            }
            let Some((feed, contract)) = self.feeds.get(topic) else { return };
            if let Some(event) = decode(contract, value)
                && let Some(line) = self.line(feed, contract, key, &event, &mut reads)
            {
                self.show(line);
            }
        };
        if let Err(fault) = bus.tail(&topics, Start::Beginning, stop, &mut each) {
            tracing::warn!("events are not shown: {fault}");
        }
    }

    fn show(&self, line: String) {
        if self.prints {
            out!("{line}");
        }
        self.recent.push(line);
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
        Some(format!("{op} {feed:28} {key:>6}  {text}"))
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

fn outcome(result: &ResultRecord) -> Option<String> {
    let outcome = result.outcome()?.word();
    let message = result.message.as_deref().unwrap_or_default();
    Some(format!("! {:28} {:>6}  {outcome} {message}", result.r#type, result.key))
}
