//! Which buses there are: the one place that names them.

use std::collections::BTreeMap;
use std::sync::Arc;

use talon_kafka::{Kafka, Properties};
use talon_nats::Nats;
use talon_runtime::bus::Bus;
use talon_sdk::config::{Problem, Secrets, Settings};

/// What stands before the settings of each.
const KAFKA: &str = "bus.kafka.";

/// The settings of the buses, taken out of a flat configuration.
#[derive(Default)]
pub(crate) struct Sections {
    kafka: BTreeMap<String, String>,
    nats: BTreeMap<String, String>,
}

impl Sections {
    /// Takes a setting that is a bus's; gives it back if it is not.
    pub(crate) fn take(&mut self, key: String, text: String) -> Option<(String, String)> {
        if let Some(property) = key.strip_prefix(KAFKA) {
            self.kafka.insert(property.to_owned(), text);
        } else if let Some(setting) = key.strip_prefix(talon_nats::SECTION) {
            self.nats.insert(setting.to_owned(), text);
        } else {
            return Some((key, text));
        }
        None
    }

    /// The bus that is configured, for connectors of these names. Does no I/O unless secrets are resolved.
    pub(crate) fn configure(
        self,
        prefix: &str,
        group: &str,
        connectors: &[&str],
        secrets: &Secrets,
        problems: &mut Vec<Problem>,
    ) -> Option<Arc<dyn Bus>> {
        let wrong = |message: &str| Problem { key: "bus".to_owned(), message: message.to_owned() };
        match (self.kafka.is_empty(), self.nats.is_empty()) {
            (true, true) => {
                problems.push(wrong(
                    "names no bus; set `bus.kafka.bootstrap.servers` or `bus.nats.servers`",
                ));
                None
            }
            (false, false) => {
                problems.push(wrong("names two buses; set `bus.kafka` or `bus.nats`"));
                None
            }
            (false, true) => {
                let properties = kafka(self.kafka, secrets, problems);
                Some(Arc::new(Kafka::following(properties, prefix, group)))
            }
            (true, false) => {
                let keys = talon_nats::keys();
                let mut settings = Settings::new(talon_nats::SECTION, &keys, self.nats, secrets);
                let bus = Nats::new(&mut settings, prefix);
                problems.extend(settings.into_problems());
                for collision in talon_nats::collisions(connectors) {
                    let message = collision.to_string();
                    let key = format!("connectors.{}", collision.second);
                    problems.push(Problem { key, message });
                }
                bus.map(|bus| Arc::new(bus) as Arc<dyn Bus>)
            }
        }
    }
}

/// The properties, whose references are resolved again for each client. One that is not resolved cannot be
/// checked.
fn kafka(
    mut texts: BTreeMap<String, String>,
    secrets: &Secrets,
    problems: &mut Vec<Problem>,
) -> Properties {
    let (mut known, mut unresolved) = (BTreeMap::new(), false);
    for (name, text) in &texts {
        match secrets.expand(text) {
            Ok(Some(value)) => {
                known.insert(name.clone(), value);
            }
            Ok(None) => unresolved |= name == "bootstrap.servers",
            Err(error) => {
                problems
                    .push(Problem { key: format!("{KAFKA}{name}"), message: error.to_string() });
            }
        }
    }
    for (name, message) in talon_kafka::problems(&known) {
        if !(unresolved && name == "bootstrap.servers") {
            problems.push(Problem { key: format!("{KAFKA}{name}"), message });
        }
    }
    texts.retain(|name, _| known.contains_key(name));
    Properties::resolved(&texts, secrets)
}
