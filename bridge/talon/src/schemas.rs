//! `talon schemas`: the contract with consumers.

use std::path::{Path, PathBuf};

use anyhow::Context;
use serde_json::{Value, json};
use talon_runtime::registry::Registry;
use talon_runtime::{Setup, lane_spec, topic};
use talon_schemas::result::RESULT;
use talon_schemas::{Contract, Message};
use talon_sdk::config::Secrets;

use crate::config::Loaded;
use crate::connectors::classes;
use crate::end::End;
use crate::print::out;
use crate::run::{complain, read};

/// A schema, and what it is of.
struct Entry {
    /// In one word.
    name: String,
    /// The same as the leading members of a JSON object.
    about: Value,
    message: &'static Message,
}

/// Prints the schemas, of all classes or of a configuration: as one JSON array, or a line each with the
/// text as registered.
pub(crate) fn show(file: Option<&Path>, compact: bool) -> anyhow::Result<End> {
    let entries = match file {
        None => of_classes(),
        Some(file) => match read(file, &Secrets::Unresolved)? {
            Ok(loaded) => of_configuration(&loaded),
            Err(problems) => return Ok(complain(file, &problems)),
        },
    };
    if compact {
        entries.iter().for_each(|entry| out!("{}\t{}", entry.name, entry.message.text()));
        return Ok(End::Done);
    }
    let all = entries.into_iter().map(|Entry { mut about, message, .. }| {
        about["schema"] = serde_json::from_str(message.text())?;
        Ok(about)
    });
    out!("{:#}", Value::Array(all.collect::<anyhow::Result<_>>()?));
    Ok(End::Done)
}

/// Registers the schemas of a configuration; the command line demands one.
pub(crate) async fn register(file: Option<PathBuf>) -> anyhow::Result<End> {
    let file = file.context("`--register` needs `--config`")?;
    let loaded = match read(&file, &Secrets::of_process())? {
        Ok(loaded) => loaded,
        Err(problems) => return Ok(complain(&file, &problems)),
    };
    let Some(mut options) = loaded.root.registry.clone() else {
        anyhow::bail!("`schema.registry.url` is not set in `{}`", file.display());
    };
    // It is what this is run for.
    (options.auto_register, options.use_latest) = (true, false);
    let registry = Registry::new(options)?;
    for setup in &loaded.connectors {
        for (topic, message) in topics(&loaded.root.prefix, setup) {
            let id = registry.register(&topic, message).await?;
            out!("{} is registered with id {id}", Registry::subject(&topic));
        }
    }
    Ok(End::Done)
}

fn of_classes() -> Vec<Entry> {
    let mut all = Vec::new();
    for class in classes() {
        let mut add = |kind: &str, name: &str, message| {
            let about = json!({"class": class.name(), kind: name});
            all.push(Entry { name: format!("{}.{name}", class.name()), about, message });
        };
        for feed in class.feeds() {
            let contract: &'static Contract = feed.contract();
            add("feed", &feed.name, contract.as_ref());
        }
        if let Some(commands) = class.commands() {
            add("topic", "commands", (commands.contract)().as_ref());
            add("topic", "results", &RESULT);
        }
    }
    all
}

fn of_configuration(loaded: &Loaded) -> Vec<Entry> {
    let topics = loaded.connectors.iter().flat_map(|setup| topics(&loaded.root.prefix, setup));
    let entries = topics.map(|(topic, message)| {
        let name = Registry::subject(&topic);
        Entry { about: json!({"subject": name}), name, message }
    });
    entries.collect()
}

/// The topics of a connector, and what stands on them.
pub(crate) fn topics(prefix: &str, setup: &Setup) -> Vec<(String, &'static Message)> {
    let feeds = setup.connector.feeds().into_iter().map(|plan| {
        let contract: &'static Contract = setup.contract(&plan);
        (topic(prefix, &setup.name, &plan.spec.name), contract.as_ref())
    });
    let mut topics: Vec<(String, &'static Message)> = feeds.collect();
    if let Some(commands) =
        setup.commands.as_ref().filter(|_| !setup.connector.commands().is_empty())
    {
        let lane = lane_spec(prefix, setup);
        topics.push((lane.commands.name, (commands.contract)().as_ref()));
        topics.push((lane.results.name, &RESULT));
    }
    topics
}
