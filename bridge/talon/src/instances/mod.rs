//! The connectors of a process that are configured at run time, next to those of its file.
//!
//! Their configurations are records on the home bus ([`records`]), which every process of the group follows
//! ([`drive`]) and any changes ([`change`]). What became of them whoever runs them says on the bus ([`status`]), so
//! any process answers for all.
//!
//! How it can fail or race, and what holds then:
//!
//! * *Two change a connector at once.* Each write names the revision that it was made from; the later one is made
//!   anew from what the other wrote, or refused.
//! * *A process is killed in the middle of a change.* A change is one record, so it is there or not. What is left of
//!   a connector that was deleted (what was wanted of it, its state) names its id and concerns no other.
//! * *The bus is away.* What runs goes on with what is known; changes are refused with the bus's words.
//! * *A process comes late.* It reads all records before it acts on any.
//! * *A record cannot be read*, as one of a later version. It is no connector here and is told in the log.
//! * *A connector cannot be made here.* It is failed with a trace, where this process has its shard, and tried again.
//! * *A name is in the file too.* The file wins in the processes that have it, and they say so.

mod change;
mod drive;
mod letters;
mod offsets;
mod picture;
mod records;
mod relays;
mod settings;
mod shared;
mod status;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use talon_runtime::Setup;
use talon_runtime::bus::{Bus, BusFault, Look, Looked, TopicSpec};
use talon_runtime::engine::{Connectors, Relays, View};
use talon_runtime::metrics::Metrics;
use talon_sdk::Clock;
use talon_sdk::config::{Problem, Secrets, Type};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;

pub(crate) use change::{Change, Changed, Refusal};
pub(crate) use offsets::Alter;
pub(crate) use records::{Config, Target};
pub(crate) use settings::{CLASS, NAME, keys};
pub(crate) use status::Shown;

use crate::dead_letters::DeadLetters;
use crate::offsets::change::Asked;
use drive::Driver;
use records::of_relay;
use relays::RelayInfo;
use settings::{Checks, is_reference};
use shared::{OfFile, Shared};

/// Looks at topics that may go on at a time.
const LOOKS: usize = 2;

/// What the connectors of a process need.
pub(crate) struct Parts {
    pub(crate) prefix: String,
    /// What this process is called: its host and the port of its REST.
    pub(crate) worker: String,
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) replication: u16,
    /// Connectors of the file, with their settings as they stand there.
    pub(crate) file: BTreeMap<String, (Setup, BTreeMap<String, String>)>,
    pub(crate) directories: Vec<PathBuf>,
    pub(crate) secrets: Secrets,
    pub(crate) clock: Clock,
    pub(crate) metrics: Metrics,
    pub(crate) connectors: Connectors,
    pub(crate) relays: Relays,
    pub(crate) view: View,
}

/// A connector as it is told.
pub(crate) struct Info {
    pub(crate) config: Config,
    pub(crate) target: Target,
    /// It is of the file, so it cannot be changed over REST.
    pub(crate) of_file: bool,
}

/// The connectors of all processes of the group, as this one knows them. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Instances(Arc<Shared>);

impl Instances {
    /// Follows the stores for as long as the process lives. Must be called inside a Tokio runtime.
    pub(crate) fn start(parts: Parts) -> Instances {
        let Parts { prefix, worker, bus, replication, file, relays, directories, .. } = parts;
        let shown = |(name, (setup, texts)): (String, (Setup, BTreeMap<String, String>))| {
            let config = shown(&name, texts);
            (name, OfFile { setup, config })
        };
        let configs = bus.store(&TopicSpec::configs(&prefix, replication));
        let states = bus.store(&TopicSpec::status(&prefix, replication));
        let letters = DeadLetters {
            bus: bus.clone(),
            prefix: prefix.clone(),
            configs: configs.clone(),
            states: states.clone(),
            runtime: Handle::current(),
        };
        let shared = Arc::new(Shared {
            checks: Checks {
                clock: parts.clock,
                metrics: parts.metrics,
                secrets: parts.secrets,
                directories,
                relays: relays.shards().into_keys().collect(),
            },
            worker,
            file: file.into_iter().map(shown).collect(),
            prefix,
            bus,
            at_offsets: tokio::sync::Mutex::default(),
            looks: Semaphore::new(LOOKS),
            configs,
            states,
            letters,
            picture: Mutex::default(),
            version: watch::Sender::new(0),
            troubles: Mutex::default(),
            connectors: parts.connectors.clone(),
            relays,
            view: parts.view,
            runtime: Handle::current(),
        });
        let holds =
            shared.file.iter().map(|(name, file)| (name.clone(), drive::holds(&file.setup)));
        let driver = Driver {
            holds: holds.collect(),
            shared: shared.clone(),
            connectors: parts.connectors,
            told: BTreeMap::new(),
            told_relays: BTreeMap::new(),
        };
        tokio::spawn(driver.run(shared.configs.follow()));
        tokio::spawn(letters::carry_out(shared.clone()));
        tokio::spawn(status::tell(shared.clone(), shared.states.follow()));
        Instances(shared)
    }

    /// Whether all configurations have been read; else why not.
    pub(crate) fn ready(&self) -> Result<(), String> {
        let picture = self.0.picture();
        match (picture.is_current, &picture.trouble) {
            (true, _) => Ok(()),
            (false, Some(trouble)) => Err(trouble.clone()),
            (false, None) => Err("the configurations are being read".to_owned()),
        }
    }

    /// Names of all connectors.
    pub(crate) fn names(&self) -> Vec<String> {
        let mut names: BTreeSet<String> = self.0.picture().names().cloned().collect();
        names.extend(self.0.file.keys().cloned());
        names.into_iter().collect()
    }

    /// What is configured under a name.
    pub(crate) fn info(&self, name: &str) -> Option<Info> {
        if let Some(file) = self.0.file.get(name) {
            let config = file.config.clone();
            return Some(Info { config, target: Target::Running, of_file: true });
        }
        let (configured, target, _) = self.0.now(name)?;
        Some(Info { config: configured.config, target, of_file: false })
    }

    /// The state of a connector, wherever it runs.
    pub(crate) fn status(&self, name: &str) -> Option<Shown> {
        let target = self.info(name)?.target;
        Some(self.0.status(name, target, &self.0.view.health.components()))
    }

    /// All connectors with their states, by name.
    pub(crate) fn all(&self) -> Vec<(String, Info, Shown)> {
        let components = self.0.view.health.components();
        let one = |name: String| {
            // One that was deleted meanwhile is left out.
            let info = self.info(&name)?;
            let shown = self.0.status(&name, info.target, &components);
            Some((name, info, shown))
        };
        self.names().into_iter().filter_map(one).collect()
    }

    /// Names of all relays of this process.
    pub(crate) fn relays(&self) -> Vec<String> {
        self.0.relays.shards().into_keys().collect()
    }

    /// A relay and the states of its tasks.
    pub(crate) fn relay(&self, name: &str) -> Option<RelayInfo> {
        self.0.relay(name)
    }

    /// Says what is wanted of a relay, or that it is to start anew; returns when it stands on the bus.
    pub(crate) async fn change_relay(&self, name: &str, change: Change) -> Result<(), Refusal> {
        self.0.change(&of_relay(name), change).await.map(drop)
    }

    /// Every problem of a configuration, by its keys.
    pub(crate) fn problems(&self, name: &str, config: &Config) -> Vec<Problem> {
        self.0.checks.problems(name, config)
    }

    /// Makes a change; returns when it stands on the bus, and this process has read it back.
    pub(crate) async fn change(&self, name: &str, change: Change) -> Result<Changed, Refusal> {
        self.0.change(name, change).await
    }

    /// Asks all processes to set the level of a logger.
    pub(crate) async fn set_level(&self, logger: &str, level: &str) -> Result<(), Refusal> {
        self.0.set_level(logger, level).await
    }

    /// The time, in milliseconds since 1970 UTC.
    pub(crate) fn now_ms(&self) -> i64 {
        self.0.checks.clock.now_ms()
    }

    /// The offsets of a connector, in the form of Kafka Connect. Reads back all that it has published.
    pub(crate) async fn offsets(&self, name: &str) -> Result<Value, Refusal> {
        self.0.offsets(name).await
    }

    /// Changes the offsets of a connector that is stopped; those of logs only where that is forced.
    pub(crate) async fn alter(
        &self,
        name: &str,
        alter: Alter,
        is_forced: bool,
    ) -> Result<(), Refusal> {
        self.0.alter(name, alter, is_forced).await
    }

    /// Creates a connector that begins with these offsets.
    pub(crate) async fn create_from(
        &self,
        name: &str,
        of: (Config, Target),
        asked: Vec<Asked>,
        is_forced: bool,
    ) -> Result<Changed, Refusal> {
        let (shared, name) = (self.0.clone(), name.to_owned());
        // Goes on also where the client does not wait for it.
        let creating = self
            .0
            .runtime
            .spawn(async move { shared.create_from(&name, of, asked, is_forced).await });
        creating.await.unwrap_or_else(|error| Err(Refusal::Bus(error.to_string())))
    }

    /// The dead letters of all connectors.
    pub(crate) fn dead_letters(&self) -> &DeadLetters {
        &self.0.letters
    }

    /// Topics that a connector writes to, where that can be said without its secrets.
    pub(crate) fn topics(&self, name: &str) -> Vec<String> {
        let glance = self.0.view.glance();
        let of = glance.feeds.into_iter().filter(|(row, _)| row.connector == name);
        of.map(|(row, _)| row.topic).collect()
    }

    /// What this process is called in states.
    pub(crate) fn worker(&self) -> &str {
        &self.0.worker
    }

    /// Looks at a topic, on a thread that may block. A few at a time: the others wait for as long as they may take.
    pub(crate) async fn look(&self, look: Look) -> Result<Looked, BusFault> {
        let Ok(Ok(_turn)) = timeout(look.left(), self.0.looks.acquire()).await else {
            let why = "others are looking at topics now; try again";
            return Err(BusFault::Unavailable(why.to_owned()));
        };
        let bus = self.0.bus.clone();
        // Connections that it makes belong to the runtime of the process.
        let looking = self.0.runtime.spawn_blocking(move || bus.look(&look));
        let defect = |_| Err(BusFault::Unavailable("a defect of Talon: looking ended".to_owned()));
        looking.await.unwrap_or_else(defect)
    }

    /// Waits until what was put is on the bus, at the end of the process.
    pub(crate) async fn leave(&self, at_most: Duration) {
        let states = self.0.states.clone();
        self.0.runtime.spawn_blocking(move || states.flush(at_most)).await.ok();
    }
}

/// The settings of a connector of the file as they are shown: no secret in the open.
fn shown(name: &str, mut texts: BTreeMap<String, String>) -> Config {
    let class = texts.remove("class").unwrap_or_default();
    texts.insert(CLASS.to_owned(), class);
    texts.insert(NAME.to_owned(), name.to_owned());
    without_secrets(&texts)
}

/// Settings without what is a secret in the open, or may be one: those of a class that is not known here, and what
/// stands before the host in an address.
pub(crate) fn without_secrets(config: &Config) -> Config {
    const HIDDEN: &str = "[hidden]";
    let declared = config.get(CLASS).and_then(|class| keys(class));
    let is_open = |key: &str| match &declared {
        Some(declared) => {
            let exact = declared.iter().find(|known| known.name == *key);
            let known = exact.or_else(|| declared.iter().find(|known| known.is_of(key)));
            known.is_none_or(|known| known.kind != Type::Secret)
        }
        None => key == CLASS || key == NAME,
    };
    let shown = |(key, text): (&String, &String)| {
        let text = match text {
            text if is_open(key) => without_user(text, HIDDEN),
            text if text.is_empty() || is_reference(text) => text.clone(),
            _ => HIDDEN.to_owned(),
        };
        (key.clone(), text)
    };
    config.iter().map(shown).collect()
}

/// A text in which no address has a user or a password.
fn without_user(text: &str, instead: &str) -> String {
    let mut parts = text.split("://");
    let mut shown = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        shown += "://";
        let end = part.find(['/', '?', '#', ',', ' ']).unwrap_or(part.len());
        match part[..end].rfind('@') {
            Some(at) => {
                shown += instead;
                shown += &part[at..];
            }
            None => shown += part,
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown_of(class: &str, key: &str, text: &str) -> String {
        let config =
            Config::from([(CLASS.to_owned(), class.to_owned()), (key.to_owned(), text.to_owned())]);
        without_secrets(&config)[key].clone()
    }

    #[test]
    fn no_secret_in_the_open_is_shown_and_references_are() {
        for (class, key, text, expected) in [
            ("contractor", "auth.external.token", "hunter2", "[hidden]"),
            ("contractor", "auth.external.token", "${env:A}hunter2", "[hidden]"),
            ("contractor", "auth.external.token", "${env:A}", "${env:A}"),
            ("contractor", "auth.external.token", "", ""),
            ("contractor", "upstream.url", "https://desk.example/a@b", "https://desk.example/a@b"),
            ("contractor", "upstream.url", "https://u:hunter2@desk/", "https://[hidden]@desk/"),
            ("of-a-later-version", "anything", "hunter2", "[hidden]"),
        ] {
            assert_eq!(shown_of(class, key, text), expected, "{class} {key} {text}");
        }
    }
}
