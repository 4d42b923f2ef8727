//! Which buses there are: the one place that names them.

use std::collections::BTreeMap;
use std::sync::Arc;

use talon_kafka::{Kafka, Properties};
use talon_nats::Nats;
use talon_runtime::bus::Bus;
use talon_runtime::relay::RelayBus;
use talon_sdk::config::{Problem, Secrets, Settings};

/// The bus that carries connectors, and says who runs what.
pub(crate) const HOME: &str = "home";

/// What stands before the settings of further buses.
const FURTHER: &str = "buses.";

/// The settings of the buses, taken out of a flat configuration.
#[derive(Default)]
pub(crate) struct Sections {
    home: Section,
    further: BTreeMap<String, Section>,
}

/// The settings of one bus, of both kinds.
#[derive(Default)]
struct Section {
    kafka: BTreeMap<String, String>,
    nats: BTreeMap<String, String>,
}

/// What a bus has: topics with keys, or subjects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Kafka,
    Nats,
}

impl Kind {
    /// For people.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Kind::Kafka => "a Kafka",
            Kind::Nats => "a NATS",
        }
    }
}

/// A configured bus.
#[derive(Clone)]
enum Configured {
    Kafka(Arc<Kafka>),
    Nats(Arc<Nats>),
}

/// All buses of a configuration.
#[derive(Default)]
pub(crate) struct Buses(BTreeMap<String, Configured>);

impl Section {
    /// Takes `kafka.…` or `nats.…`; `false` for anything else.
    fn take(&mut self, key: &str, text: &str) -> bool {
        if let Some(property) = key.strip_prefix("kafka.") {
            self.kafka.insert(property.to_owned(), text.to_owned());
        } else if let Some(setting) = key.strip_prefix("nats.") {
            self.nats.insert(setting.to_owned(), text.to_owned());
        } else {
            return false;
        }
        true
    }

    /// The bus whose settings stand below `section`. Does no I/O unless secrets are resolved.
    fn configure(
        self,
        section: &str,
        prefix: &str,
        group: &str,
        secrets: &Secrets,
        problems: &mut Vec<Problem>,
    ) -> Option<Configured> {
        let mut wrong = |message: String| {
            problems.push(Problem { key: section.to_owned(), message });
        };
        match (self.kafka.is_empty(), self.nats.is_empty()) {
            (true, true) => {
                wrong(format!(
                    "names no bus; set `{section}.kafka.bootstrap.servers` or `{section}.nats.servers`"
                ));
                None
            }
            (false, false) => {
                wrong(format!("names two buses; set `{section}.kafka` or `{section}.nats`"));
                None
            }
            (false, true) => {
                let properties = kafka(self.kafka, &format!("{section}.kafka."), secrets, problems);
                Some(Configured::Kafka(Arc::new(Kafka::following(properties, prefix, group))))
            }
            (true, false) => {
                let (keys, section) = (talon_nats::keys(), format!("{section}.nats."));
                let mut settings = Settings::new(&section, &keys, self.nats, secrets);
                let bus = Nats::new(&mut settings, prefix);
                problems.extend(settings.into_problems());
                Some(Configured::Nats(Arc::new(bus?)))
            }
        }
    }
}

impl Sections {
    /// Takes a setting that is a bus's; gives it back if it is not.
    pub(crate) fn take(&mut self, key: String, text: String) -> Option<(String, String)> {
        let taken = if let Some(rest) = key.strip_prefix("bus.") {
            self.home.take(rest, &text)
        } else if let Some((name, rest)) =
            key.strip_prefix(FURTHER).and_then(|rest| rest.split_once('.'))
        {
            self.further.entry(name.to_owned()).or_default().take(rest, &text)
        } else {
            false
        };
        (!taken).then_some((key, text))
    }

    /// The bus of connectors of these names, and all buses. Does no I/O unless secrets are resolved.
    pub(crate) fn configure(
        self,
        prefix: &str,
        group: &str,
        connectors: &[&str],
        secrets: &Secrets,
        problems: &mut Vec<Problem>,
    ) -> (Option<Arc<dyn Bus>>, Buses) {
        let mut buses = Buses::default();
        let home = self.home.configure("bus", prefix, group, secrets, problems);
        if let Some(Configured::Nats(_)) = home {
            for collision in talon_nats::collisions(connectors) {
                let message = collision.to_string();
                let key = format!("connectors.{}", collision.second);
                problems.push(Problem { key, message });
            }
        }
        for (name, section) in self.further {
            let key = format!("{FURTHER}{name}");
            if name == HOME {
                let message = "is the name of the bus in the section `bus`; choose another";
                problems.push(Problem { key, message: message.to_owned() });
                continue;
            }
            let bus = section.configure(&key, prefix, group, secrets, problems);
            buses.0.extend(bus.map(|bus| (name, bus)));
        }
        let bus = home.as_ref().map(Configured::bus);
        buses.0.extend(home.map(|home| (HOME.to_owned(), home)));
        (bus, buses)
    }
}

impl Configured {
    fn bus(&self) -> Arc<dyn Bus> {
        match self {
            Configured::Kafka(kafka) => kafka.clone(),
            Configured::Nats(nats) => nats.clone(),
        }
    }
}

impl Buses {
    /// What a bus has; none where there is no bus of this name.
    pub(crate) fn kind(&self, name: &str) -> Option<Kind> {
        Some(match self.0.get(name)? {
            Configured::Kafka(_) => Kind::Kafka,
            Configured::Nats(_) => Kind::Nats,
        })
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// All, by name.
    pub(crate) fn further(&self) -> impl Iterator<Item = (&str, Arc<dyn Bus>)> {
        let further = self.0.iter().filter(|(name, _)| name.as_str() != HOME);
        further.map(|(name, bus)| (name.as_str(), bus.bus()))
    }

    /// A bus as relays see it.
    pub(crate) fn relay_bus(&self, name: &str) -> Option<Arc<dyn RelayBus>> {
        Some(match self.0.get(name)? {
            Configured::Kafka(kafka) => kafka.clone(),
            Configured::Nats(nats) => nats.clone(),
        })
    }

    /// Whether both are one bus of this configuration.
    pub(crate) fn are_same(&self, one: &Arc<dyn RelayBus>, other: &Arc<dyn RelayBus>) -> bool {
        std::ptr::addr_eq(Arc::as_ptr(one), Arc::as_ptr(other))
    }
}

/// The properties below `section`, whose references are resolved again for each client. One that is not resolved
/// cannot be checked.
fn kafka(
    mut texts: BTreeMap<String, String>,
    section: &str,
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
                    .push(Problem { key: format!("{section}{name}"), message: error.to_string() });
            }
        }
    }
    for (name, message) in talon_kafka::problems(&known) {
        if !(unresolved && name == "bootstrap.servers") {
            problems.push(Problem { key: format!("{section}{name}"), message });
        }
    }
    texts.retain(|name, _| known.contains_key(name));
    Properties::resolved(&texts, secrets)
}
