//! The sections of a configuration: Talon's own settings, the bus, the registry, the connectors.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use talon_runtime::bus::Bus;
use talon_runtime::metrics::Metrics;
use talon_runtime::options::{self, Options};
use talon_runtime::relay::Relay;
use talon_runtime::{Setup, registry};
use talon_sdk::config::{Importance, Key, Problem, Secrets, Settings};
use talon_sdk::{Clock, Context};

use super::relays;
use crate::buses::{Buses, Sections};
use crate::connectors::{class, classes};
use crate::server::access::options as access;

/// Talon's own settings.
#[derive(Debug, Clone)]
pub(crate) struct Root {
    pub(crate) prefix: String,
    pub(crate) group: String,
    pub(crate) listen: SocketAddr,
    pub(crate) shutdown_timeout: Duration,
    pub(crate) registry: Option<registry::Options>,
    /// Where files lie to which configurations over REST may refer.
    pub(crate) directories: Vec<PathBuf>,
    /// Who may call over HTTP.
    pub(crate) access: access::Options,
    /// For tests alone: a file with what is added to the clock.
    pub(crate) clock_file: Option<PathBuf>,
}

/// A configuration without problems.
pub(crate) struct Loaded {
    pub(crate) root: Root,
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) connectors: Vec<Setup>,
    /// Their settings as they stand in the file, by connector.
    pub(crate) texts: BTreeMap<String, BTreeMap<String, String>>,
    pub(crate) buses: Buses,
    pub(crate) relays: Vec<Relay>,
    pub(crate) metrics: Metrics,
    pub(crate) clock: Clock,
}

/// Declares Talon's own settings.
pub(crate) fn keys() -> Vec<Key> {
    let mut keys = vec![
        Key::text("talon.prefix").default("talon").importance(Importance::High).doc("First part of all topic names."),
        Key::text("talon.group").default("talon").importance(Importance::Medium).doc("Processes with the same group share the work of their connectors; when one ends, the others take over."),
        Key::text("http.listen").default("127.0.0.1:8083").importance(Importance::Medium).doc("Where `/`, `/metrics` and `/health` are served. The default serves only this machine; `0.0.0.0:8083` opens it to the network; set `http.auth` then, without which everybody may read."),
        Key::words("config.file.directories").doc("Directories, by absolute paths: settings that come over REST may refer to files in them, `${file:/path}`. By default to none."),
        Key::whole("shutdown.timeout.ms", 100, 3_600_000).default("25000").doc("How long a stop may take, all of it: to commit what was read, to leave the group and the upstreams, to close the page. Less than the time after which the process is killed (Kubernetes: `terminationGracePeriodSeconds`, 30 s)."),
    ];
    keys.extend(access::keys());
    keys.extend(registry::keys());
    keys
}

/// Declares what is for tests alone, and on no page.
fn test_keys() -> Vec<Key> {
    vec![
        Key::text("talon.test.clock.file").doc("A file with a whole number of milliseconds, which is added to the clock; it is read again and again."),
    ]
}

/// Checks a flat configuration and makes what it describes.
pub(crate) fn load(
    texts: BTreeMap<String, String>,
    secrets: &Secrets,
    clock: Clock,
) -> Result<Loaded, Vec<Problem>> {
    let metrics = Metrics::new().map_err(|error| {
        vec![Problem { key: "(metrics)".to_owned(), message: error.to_string() }]
    })?;
    let (mut own, mut buses) = (BTreeMap::new(), Sections::default());
    let mut connectors = BTreeMap::<String, BTreeMap<String, String>>::new();
    let mut relays = BTreeMap::<String, BTreeMap<String, String>>::new();
    let mut problems = Vec::new();
    for (key, text) in texts {
        let Some((key, text)) = buses.take(key, text) else { continue };
        let instances = [("connectors.", &mut connectors), ("relays.", &mut relays)];
        let found = instances
            .into_iter()
            .find_map(|(section, all)| Some((key.strip_prefix(section)?.split_once('.'), all)));
        match found {
            Some((Some((name, setting)), all)) => {
                all.entry(name.to_owned()).or_default().insert(setting.to_owned(), text);
            }
            Some((None, _)) => {
                let message = "is no map of settings".to_owned();
                problems.push(Problem { key, message });
            }
            None => drop(own.insert(key, text)),
        }
    }

    let root_keys = [keys(), test_keys()].concat();
    let mut settings = Settings::new("", &root_keys, own, secrets);
    let root = root(&mut settings, matches!(secrets, Secrets::Resolve(_)));
    problems.extend(settings.into_problems());
    let clock = match root.as_ref().and_then(|root| root.clock_file.as_ref()) {
        Some(_) => Clock::Shifted(Arc::default()),
        None => clock,
    };
    let (prefix, group) = root.as_ref().map_or(("", ""), |root| (&root.prefix, &root.group));
    let names: Vec<&str> = connectors.keys().map(String::as_str).collect();
    let (bus, buses) = buses.configure(prefix, group, &names, secrets, &mut problems);
    for name in relays.keys() {
        let key = format!("relays.{name}");
        if !is_name(name, "") {
            let message = "is no name for a relay, expected letters, digits, `_`, `-`".to_owned();
            problems.push(Problem { key, message });
        } else if connectors.contains_key(name) {
            let message = "is the name of a connector, and both would have one topic of dead letters; choose another".to_owned();
            problems.push(Problem { key, message });
        }
    }
    let has_registry = root.as_ref().is_none_or(|root| root.registry.is_some());
    let relays = relays::read(relays, &buses, prefix, secrets, has_registry, &mut problems);
    let mut setups = Vec::new();
    for (name, texts) in &connectors {
        let prefix = format!("connectors.{name}.");
        let configuring =
            Configuring { prefix: &prefix, secrets, clock: &clock, metrics: &metrics };
        setups.extend(connector(name.clone(), texts.clone(), configuring, &mut problems));
    }
    problems.extend(held_twice(&setups));
    problems.sort();
    match (root, bus) {
        (Some(root), Some(bus)) if problems.is_empty() => {
            let texts = connectors;
            Ok(Loaded { root, bus, connectors: setups, texts, buses, relays, metrics, clock })
        }
        _ => Err(problems),
    }
}

fn root(settings: &mut Settings<'_>, are_resolved: bool) -> Option<Root> {
    for name in ["talon.prefix", "talon.group"] {
        let text = settings.text(name);
        if !is_name(&text, ".") {
            let quoted = settings.quote(name);
            settings.problem(name, format!("{quoted}, expected letters, digits, `.`, `_`, `-`"));
        }
    }
    let listen = settings.text("http.listen");
    let parsed = listen.parse::<SocketAddr>();
    if parsed.is_err() {
        let quoted = settings.quote("http.listen");
        let remedy = format!("{quoted}, expected an address and a port such as `0.0.0.0:8083`");
        settings.problem("http.listen", remedy);
    }
    let registry = registry::Options::read(settings);
    let access = access::Options::read(settings, are_resolved);
    let directories: Vec<String> = settings.list("config.file.directories");
    if directories.iter().any(|at| !at.starts_with('/')) {
        let quoted = settings.quote("config.file.directories");
        let remedy = format!("{quoted}, expected absolute paths, separated by commas");
        settings.problem("config.file.directories", remedy);
    }
    let clock_file = settings.text("talon.test.clock.file");
    if !clock_file.is_empty() && !clock_file.starts_with('/') {
        let quoted = settings.quote("talon.test.clock.file");
        settings.problem("talon.test.clock.file", format!("{quoted}, expected an absolute path"));
    }
    Some(Root {
        prefix: settings.text("talon.prefix"),
        group: settings.text("talon.group"),
        listen: parsed.ok()?,
        shutdown_timeout: settings.millis("shutdown.timeout.ms"),
        registry,
        access,
        directories: directories.into_iter().map(PathBuf::from).collect(),
        clock_file: (!clock_file.is_empty()).then(|| PathBuf::from(clock_file)),
    })
}

/// Where the settings of a connector stand, and what it is made with.
#[derive(Clone, Copy)]
pub(crate) struct Configuring<'a> {
    /// Before the keys of its settings: `connectors.NAME.` in the file.
    pub(crate) prefix: &'a str,
    pub(crate) secrets: &'a Secrets,
    pub(crate) clock: &'a Clock,
    pub(crate) metrics: &'a Metrics,
}

/// Checks the settings of a connector and makes it.
pub(crate) fn connector(
    name: String,
    texts: BTreeMap<String, String>,
    configuring: Configuring<'_>,
    problems: &mut Vec<Problem>,
) -> Option<Setup> {
    let Configuring { prefix, secrets, clock, metrics } = configuring;
    if !is_name(&name, "") {
        problems.push(Problem {
            key: prefix.trim_end_matches('.').to_owned(),
            message: "is no name for a connector, expected letters, digits, `_`, `-`".to_owned(),
        });
    }
    let Some(class_name) = texts.get("class") else {
        let message = format!("is not set, expected one of {}", class_names());
        problems.push(Problem { key: format!("{prefix}class"), message });
        return None;
    };
    let Some(class) = class(class_name) else {
        let message = format!("is `{class_name}`, expected one of {}", class_names());
        problems.push(Problem { key: format!("{prefix}class"), message });
        return None;
    };
    let mut keys = options::keys();
    keys.extend(class.keys());
    let mut settings = Settings::new(prefix, &keys, texts, secrets);
    let options = Options::read(&settings);
    let context =
        Context { name: name.clone(), clock: clock.clone(), metrics: metrics.upstream.clone() };
    let connector = class.configure(&mut settings, context);
    if let Some(connector) = connector.as_ref().filter(|c| !c.commands().is_empty()) {
        options::check(&mut settings, &options, connector.request_timeout());
    }
    problems.extend(settings.into_problems());
    Some(Setup {
        name,
        class: class.name(),
        options,
        connector: connector?,
        commands: class.commands(),
    })
}

/// What two instances would take from each other.
fn held_twice(setups: &[Setup]) -> Vec<Problem> {
    let mut holders = BTreeMap::new();
    let mut problems = Vec::new();
    for setup in setups {
        for (setting, held) in setup.connector.holds() {
            match holders.insert((setup.class, held), &setup.name) {
                Some(other) if *other != setup.name => problems.push(Problem {
                    key: format!("connectors.{}.{setting}", setup.name),
                    message: format!(
                        "names what `connectors.{other}` has too; only one can hold it at a time"
                    ),
                }),
                _ => {}
            }
        }
    }
    problems
}

fn class_names() -> String {
    classes().iter().map(|class| format!("`{}`", class.name())).collect::<Vec<_>>().join(", ")
}

/// What Kafka and NATS both take in a name.
fn is_name(text: &str, also: &str) -> bool {
    !text.is_empty()
        && text.len() <= 100
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c) || also.contains(c))
}
