//! `talon schemas`: the contract with consumers.

use std::path::Path;

use serde_json::{Value, json};
use talon_runtime::registry::Registry;
use talon_schemas::Contract;
use talon_sdk::config::Secrets;

use crate::End;
use crate::connectors::classes;
use crate::run::{complain, read, registry};

/// Prints the schemas as one JSON array, or registers them.
pub(crate) async fn schemas(file: Option<&Path>, register: bool) -> anyhow::Result<End> {
    let Some(file) = file else {
        let mut all = Vec::new();
        for class in classes() {
            for feed in class.feeds() {
                all.push(entry(
                    json!({"class": class.name(), "feed": feed.name}),
                    (feed.contract)(),
                )?);
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
        for plan in setup.connector.feeds() {
            let topic = talon_runtime::topic(&loaded.root.prefix, &setup.name, plan.spec.name);
            let contract = (plan.spec.contract)();
            if register {
                let Some(registry) = &registry else {
                    anyhow::bail!("`schema.registry.url` is not set in `{}`", file.display());
                };
                let id = registry.register(&topic, contract).await?;
                println!("{} is registered with id {id}", Registry::subject(&topic));
            } else {
                all.push(entry(json!({"subject": Registry::subject(&topic)}), contract)?);
            }
        }
    }
    if !register {
        println!("{:#}", Value::Array(all));
    }
    Ok(End::Done)
}

fn entry(mut about: Value, contract: &Contract) -> anyhow::Result<Value> {
    about["schema"] = serde_json::from_str(contract.text())?;
    Ok(about)
}
