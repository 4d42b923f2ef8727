//! The records of the two stores, in the form of Kafka Connect's topics of configurations and states.
//!
//! Two things are added. A configuration carries an id of its own, made when the connector is created, and what
//! is wanted of it at first; what is wanted of it later names that id. So a connector is created in one record,
//! and what was wanted of one that was deleted never concerns the next one of its name.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use talon_runtime::bus::write_id;

/// What people want of a connector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    Running,
    Paused,
    Stopped,
}

/// A flat configuration.
pub(crate) type Config = BTreeMap<String, String>;

/// A connector as it is configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Configured {
    pub(crate) config: Config,
    /// Of this connector, through all changes of its configuration.
    pub(crate) id: String,
    /// What is wanted while nobody has said anything else.
    pub(crate) initial: Target,
}

/// What is wanted of a connector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) target: Target,
    /// The id of the connector; what names none is of any.
    pub(crate) of: Option<String>,
}

/// Somebody asked for a restart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Restart {
    pub(crate) only_failed: bool,
}

/// The state of a connector, and of its one task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Status {
    pub(crate) connector: String,
    /// None where there is no task.
    pub(crate) task: Option<String>,
    pub(crate) worker: String,
    /// What is the matter; empty where nothing is.
    pub(crate) trace: String,
}

/// What a key is about.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum About<'k> {
    Connector(&'k str),
    Target(&'k str),
    Restart(&'k str),
    Status(&'k str),
    /// The level of a logger in all processes.
    Level(&'k str),
}

const CONNECTOR: &str = "connector-";
const TARGET: &str = "target-state-";
const RESTART: &str = "restart-connector-";
const STATUS: &str = "status-connector-";
const LEVEL: &str = "logger-cluster-";
const RELAY: &str = "relay/";

/// What a key is about; none where that is nothing of ours.
pub(crate) fn about(key: &str) -> Option<About<'_>> {
    let of = |prefix| key.strip_prefix(prefix);
    of(CONNECTOR)
        .map(About::Connector)
        .or_else(|| of(TARGET).map(About::Target))
        .or_else(|| of(RESTART).map(About::Restart))
        .or_else(|| of(STATUS).map(About::Status))
        .or_else(|| of(LEVEL).map(About::Level))
}

pub(crate) fn connector_key(name: &str) -> String {
    format!("{CONNECTOR}{name}")
}

pub(crate) fn target_key(name: &str) -> String {
    format!("{TARGET}{name}")
}

pub(crate) fn restart_key(name: &str) -> String {
    format!("{RESTART}{name}")
}

/// What a relay is called among connectors, of which none has a `/` in its name; its tasks are called so with a `/`
/// and their numbers, as their shards are.
pub(crate) fn of_relay(name: &str) -> String {
    format!("{RELAY}{name}")
}

/// The name of a relay that is called so.
pub(crate) fn relay(called: &str) -> Option<&str> {
    called.strip_prefix(RELAY)
}

pub(crate) fn status_key(name: &str) -> String {
    format!("{STATUS}{name}")
}

pub(crate) fn level_key(logger: &str) -> String {
    format!("{LEVEL}{logger}")
}

/// A record of a level.
pub(crate) fn level_json(level: &str) -> Vec<u8> {
    json!({ "level": level }).to_string().into_bytes()
}

/// The level of a record.
pub(crate) fn level_of_json(json: &[u8]) -> Option<String> {
    let value: Value = serde_json::from_slice(json).ok()?;
    Some(value["level"].as_str()?.to_owned())
}

impl Target {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Target::Running => "RUNNING",
            Target::Paused => "PAUSED",
            Target::Stopped => "STOPPED",
        }
    }

    pub(crate) fn of(word: &str) -> Option<Target> {
        let all = [Target::Running, Target::Paused, Target::Stopped];
        all.into_iter().find(|target| target.word() == word)
    }
}

impl Configured {
    pub(crate) fn new(config: Config, initial: Target) -> Configured {
        Configured { config, id: write_id(), initial }
    }

    pub(crate) fn to_json(&self) -> Vec<u8> {
        let Configured { config, id, initial } = self;
        let initial = initial.word();
        json!({"properties": config, "id": id, "initial_state": initial}).to_string().into_bytes()
    }

    /// None where it cannot be read.
    pub(crate) fn of_json(json: &[u8]) -> Option<Configured> {
        let value: Value = serde_json::from_slice(json).ok()?;
        let text =
            |(key, value): (&String, &Value)| Some((key.clone(), value.as_str()?.to_owned()));
        let config = value["properties"].as_object()?.iter().map(text).collect::<Option<_>>()?;
        let id = value["id"].as_str().unwrap_or_default().to_owned();
        let initial = value["initial_state"].as_str().map_or(Some(Target::Running), Target::of)?;
        Some(Configured { config, id, initial })
    }
}

impl Wanted {
    pub(crate) fn to_json(&self) -> Vec<u8> {
        // As Connect writes it: `state` for versions that know no `STOPPED`.
        let state = match self.target {
            Target::Running => "STARTED",
            Target::Paused | Target::Stopped => "PAUSED",
        };
        let v2 = match self.target {
            Target::Running => "STARTED",
            other => other.word(),
        };
        json!({"state": state, "state.v2": v2, "id": self.of}).to_string().into_bytes()
    }

    pub(crate) fn of_json(json: &[u8]) -> Option<Wanted> {
        let value: Value = serde_json::from_slice(json).ok()?;
        let word = value["state.v2"].as_str().or_else(|| value["state"].as_str())?;
        let target = if word == "STARTED" { Target::Running } else { Target::of(word)? };
        Some(Wanted { target, of: value["id"].as_str().map(str::to_owned) })
    }
}

impl Restart {
    pub(crate) fn to_json(&self) -> Vec<u8> {
        json!({"include-tasks": true, "only-failed": self.only_failed}).to_string().into_bytes()
    }

    pub(crate) fn of_json(json: &[u8]) -> Option<Restart> {
        let value: Value = serde_json::from_slice(json).ok()?;
        Some(Restart { only_failed: value["only-failed"].as_bool().unwrap_or(false) })
    }
}

impl Status {
    pub(crate) fn to_json(&self) -> Vec<u8> {
        let Status { connector, task, worker, trace } = self;
        let value = json!({
            "state": connector, "task": task, "worker_id": worker, "trace": trace,
            "version": env!("CARGO_PKG_VERSION"),
        });
        value.to_string().into_bytes()
    }

    pub(crate) fn of_json(json: &[u8]) -> Option<Status> {
        let value: Value = serde_json::from_slice(json).ok()?;
        let text = |name: &str| value[name].as_str().map(str::to_owned);
        Some(Status {
            connector: text("state")?,
            task: text("task"),
            worker: text("worker_id")?,
            trace: text("trace").unwrap_or_default(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read_as_they_were_written() {
        let config = Config::from([("name".to_owned(), "a".to_owned())]);
        let configured = Configured::new(config, Target::Stopped);
        assert_eq!(Configured::of_json(&configured.to_json()), Some(configured.clone()));
        for target in [Target::Running, Target::Paused, Target::Stopped] {
            let wanted = Wanted { target, of: Some(configured.id.clone()) };
            assert_eq!(Wanted::of_json(&wanted.to_json()), Some(wanted));
        }
        let status = Status {
            connector: "RUNNING".to_owned(),
            task: Some("FAILED".to_owned()),
            worker: "host:8083".to_owned(),
            trace: "no answer".to_owned(),
        };
        assert_eq!(Status::of_json(&status.to_json()), Some(status));
    }

    #[test]
    fn what_connect_wrote_is_read_and_what_cannot_be_read_is_none() {
        let of_connect = Configured::of_json(br#"{"properties":{"name":"a"}}"#).unwrap();
        assert_eq!((of_connect.initial, of_connect.id.as_str()), (Target::Running, ""));
        let paused = Wanted { target: Target::Paused, of: None };
        assert_eq!(Wanted::of_json(br#"{"state":"PAUSED"}"#), Some(paused));
        for odd in ["", "{", "[]", r#"{"properties":{"a":1}}"#, r#"{"properties":null}"#] {
            assert_eq!(Configured::of_json(odd.as_bytes()), None, "{odd}");
        }
    }

    #[test]
    fn keys_tell_what_they_are_about_whatever_the_name() {
        for name in ["a", "connector-a", "restart-connector-a", "target-state-a"] {
            assert_eq!(about(&connector_key(name)), Some(About::Connector(name)));
            assert_eq!(about(&target_key(name)), Some(About::Target(name)));
            assert_eq!(about(&restart_key(name)), Some(About::Restart(name)));
            assert_eq!(about(&status_key(name)), Some(About::Status(name)));
        }
        assert_eq!(about("task-a-0"), None);
    }
}
