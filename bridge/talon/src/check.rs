//! `talon check`: every problem at once.

use std::path::Path;

use talon_runtime::bus::Delivery;
use talon_runtime::registry::{Seen, Standing};
use talon_sdk::config::Secrets;

use crate::end::End;
use crate::print::out;
use crate::run::{complain, read, registry};
use crate::schemas::topics;

/// Checks a configuration; with `probe`, also connects.
pub(crate) async fn check(file: &Path, probe: bool) -> anyhow::Result<End> {
    let secrets = if probe { Secrets::of_process() } else { Secrets::Unresolved };
    let loaded = match read(file, &secrets)? {
        Ok(loaded) => loaded,
        Err(problems) => return Ok(complain(file, &problems)),
    };
    let feeds: usize = loaded.connectors.iter().map(|setup| setup.connector.feeds().len()).sum();
    let commands: usize = loaded.connectors.iter().map(|s| s.connector.commands().len()).sum();
    let relays = match loaded.relays.len() {
        0 => String::new(),
        count => format!("{count} relays, "),
    };
    out!(
        "{}: {} connectors, {feeds} feeds, {commands} commands, {relays}no problem",
        file.display(),
        loaded.connectors.len()
    );
    if !probe {
        return Ok(End::Done);
    }

    let mut all_well = true;
    let mut say = |name: &str, seen: Result<String, String>| match seen {
        Ok(seen) => out!("  ok      {name}: {seen}"),
        Err(why) => {
            all_well = false;
            out!("  failed  {name}: {why}");
        }
    };
    let bus = loaded.bus.clone();
    let name = bus.describe();
    let seen = tokio::task::spawn_blocking(move || bus.probe()).await?;
    let answers = seen.is_ok();
    say(&name, seen.map_err(|fault| fault.to_string()));
    let exactly_once = loaded
        .connectors
        .iter()
        .any(|setup| setup.options.delivery == Delivery::ExactlyOnce || setup.commands.is_some());
    if answers && exactly_once {
        let bus = loaded.bus.clone();
        let tried = tokio::task::spawn_blocking(move || bus.probe_transactions()).await?;
        if let Err(fault) = tried {
            say(&format!("transactions of {name}"), Err(fault.to_string()));
        }
    }
    for (name, bus) in loaded.buses.further() {
        let described = bus.describe();
        let seen = tokio::task::spawn_blocking(move || bus.probe()).await?;
        say(&format!("bus `{name}`, {described}"), seen.map_err(|fault| fault.to_string()));
    }
    for relay in loaded.relays.clone() {
        let name = format!("target of the relay `{}`", relay.name);
        match tokio::task::spawn_blocking(move || relay.losses()).await? {
            Ok(losses) if losses.is_empty() => say(&name, Ok("keeps what is written".to_owned())),
            Ok(losses) => losses.iter().for_each(|loss| out!("  warning {name}: {loss}")),
            Err(fault) => say(&name, Err(fault.to_string())),
        }
    }
    match registry(&loaded) {
        Err(error) => say("schema registry", Err(error.to_string())),
        Ok(None) => {
            out!("  -       no schema registry: events are written in single-object encoding")
        }
        Ok(Some(registry)) => {
            for Seen { url, result } in registry.probe().await {
                let seen = result.map(|()| format!("answers at `{url}`"));
                say("schema registry", seen.map_err(|fault| fault.to_string()));
            }
            for setup in &loaded.connectors {
                for (topic, message) in topics(&loaded.root.prefix, setup) {
                    let seen =
                        registry.check(&topic, message).await.map(|standing| match standing {
                            Standing::New => "not registered yet".to_owned(),
                            Standing::Compatible { .. } => "compatible".to_owned(),
                            Standing::Registered(id) => format!("registered with id {id}"),
                        });
                    say(&format!("schema of `{topic}`"), seen.map_err(|fault| fault.to_string()));
                }
            }
        }
    }
    for setup in &loaded.connectors {
        let seen = setup.connector.probe().await;
        say(&format!("upstream of `{}`", setup.name), seen.map_err(|fault| fault.to_string()));
    }
    Ok(if all_well { End::Done } else { End::Failed })
}
