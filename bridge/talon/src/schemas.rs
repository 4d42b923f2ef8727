//! `talon schemas`: the contract with consumers.

use std::path::Path;

use serde_json::{Value, json};
use talon_runtime::registry::Registry;
use talon_runtime::{Setup, lane_spec, topic};
use talon_schemas::result::RESULT;
use talon_schemas::{Contract, Message};
use talon_sdk::config::Secrets;

use crate::connectors::classes;
use crate::end::End;
use crate::run::{complain, read, registry};

/// Prints the schemas as one JSON array, or registers them.
pub(crate) async fn schemas(file: Option<&Path>, register: bool) -> anyhow::Result<End> {
    let Some(file) = file else {
        let mut all = Vec::new();
        for class in classes() {
            for feed in class.feeds() {
                all.push(entry(
                    json!({"class": class.name(), "feed": feed.name}),
                    (feed.contract)().as_ref(),
                )?);
            }
            if let Some(commands) = class.commands() {
                let about = json!({"class": class.name(), "topic": "commands"});
                all.push(entry(about, (commands.contract)().as_ref())?);
                let about = json!({"class": class.name(), "topic": "results"});
                all.push(entry(about, &RESULT)?);
            }
        }
        println!("{:#}", Value::Array(all));
        return Ok(End::Done);
    };
    let secrets = if register { Secrets::of_process() } else { Secrets::Unresolved };
    let loaded = match read(file, &secrets)? {
        Ok(loaded) => loaded,
        Err(problems) => return Ok(complain(file, &problems)),
    };
    let registry = registry(&loaded)?;
    let mut all = Vec::new();
    for setup in &loaded.connectors {
        for (topic, message) in topics(&loaded.root.prefix, setup) {
            if register {
                let Some(registry) = &registry else {
                    anyhow::bail!("`schema.registry.url` is not set in `{}`", file.display());
                };
                let id = registry.register(&topic, message).await?;
                println!("{} is registered with id {id}", Registry::subject(&topic));
            } else {
                all.push(entry(json!({"subject": Registry::subject(&topic)}), message)?);
            }
        }
    }
    if !register {
        println!("{:#}", Value::Array(all));
    }
    Ok(End::Done)
}

/// The topics of a connector, and what stands on them.
pub(crate) fn topics(prefix: &str, setup: &Setup) -> Vec<(String, &'static Message)> {
    let feeds = setup.connector.feeds().into_iter().map(|plan| {
        let contract: &'static Contract = setup.contract(&plan);
        (topic(prefix, &setup.name, plan.spec.name), contract.as_ref())
    });
    let mut topics: Vec<(String, &'static Message)> = feeds.collect();
    if let Some(commands) = setup.commands.filter(|_| !setup.connector.commands().is_empty()) {
        let lane = lane_spec(prefix, setup);
        topics.push((lane.commands.name, (commands.contract)().as_ref()));
        topics.push((lane.results.name, &RESULT));
    }
    topics
}

fn entry(mut about: Value, message: &Message) -> anyhow::Result<Value> {
    about["schema"] = serde_json::from_str(message.text())?;
    Ok(about)
}
