//! Parameters of commands.

use serde_json::{Map, Value as Json, json};

use super::command::command;
use super::report::Property;
use super::simulation::Simulation;
use super::trial::Trials;
use crate::{ApplyFault, CommandSpec, OrderingKey, Permit};

pub(super) async fn check<S: Simulation, F: AsyncFn() -> S>(trials: &mut Trials<'_, F>) {
    for spec in specs(trials).await {
        let place = format!("command `{}`", spec.name);
        let trial = trials.begin().await;
        let Some(params) = trial.simulation.prepare(spec).await else {
            let what = "the simulation prepares no parameters for it";
            trials.report.breach(Property::Works, place, what);
            continue;
        };
        let whole = match command(trials.class, spec, &params) {
            Ok(command) => command,
            Err(problems) => {
                let what = format!("parameters that can be done are refused: {problems}");
                trials.report.breach(Property::Parameters, place, what);
                continue;
            }
        };
        let Some(connector) = trial.connector(&mut trials.report) else { return };
        let Ok(applier) = connector.applier() else {
            trials.report.breach(Property::Works, place, "the connector carries no commands");
            continue;
        };
        let mut tried = 0;
        for Bad { name, how, value } in bad_ones(&params) {
            tried += 1;
            let place = format!("{place}, parameter `{name}` {how:?}");
            let mut sender = params.as_object().cloned().unwrap_or_default();
            put(&mut sender, &name, value.as_ref());
            match (command(trials.class, spec, &Json::Object(sender)), how) {
                // It need not be given.
                (Ok(_), How::Missing) => continue,
                (Ok(_), _) => {
                    trials.report.breach(Property::Parameters, place, "the schema takes it");
                    continue;
                }
                // What nobody knows, nobody reads.
                (Err(_), How::Unknown) => continue,
                (Err(_), _) => {}
            }
            // Given to the applier all the same: commands outlive the version that checked them.
            let mut command = whole.clone();
            put(&mut command.params, &name, value.as_ref());
            let sent = trial.simulation.sent(spec);
            let outcome = async {
                let before = applier.look(&command).await?;
                applier.apply(&command, &before, &Permit::always()).await
            };
            let outcome = outcome.await;
            if let Err(fault) = &outcome {
                trials.report.tell(&*place, format!("{fault:?}"));
            }
            let sent = trial.simulation.sent(spec) - sent;
            if sent > 0 || !matches!(outcome, Err(ApplyFault::Refused(_))) {
                let what = format!(
                    "the applier does not refuse it before anything is sent (sent {sent} times)"
                );
                trials.report.breach(Property::Parameters, place, what);
            }
        }
        trials.report.checked.push(format!("{place}: {tried} bad parameters"));
        connector.close().await;
    }
}

/// The commands that are switched on; those that are not, or that no schema describes, are breaches.
pub(super) async fn specs<S: Simulation, F: AsyncFn() -> S>(
    trials: &mut Trials<'_, F>,
) -> Vec<&'static CommandSpec> {
    let Some(commands) = trials.class.commands() else { return Vec::new() };
    let trial = trials.begin().await;
    let Some(connector) = trial.connector(&mut trials.report) else { return Vec::new() };
    let on = connector.commands();
    let contract = (commands.contract)();
    for spec in &commands.specs {
        let place = format!("command `{}`", spec.name);
        let is_on = on.iter().any(|one| one.name == spec.name);
        if is_on != trial.simulation.carries(spec) {
            let what = match is_on {
                true => "it is on, and the upstream has nothing that does it",
                false => "the settings of the simulation do not switch it on",
            };
            trials.report.breach(Property::Works, &*place, what);
        }
        let Some(params) = contract.params(spec.name) else {
            let what = "no schema describes its parameters";
            trials.report.breach(Property::Parameters, place, what);
            continue;
        };
        if let OrderingKey::Params(names) = spec.key {
            let list = params.list();
            let has = |name: &&&str| list.iter().any(|one| one.name == **name && one.required);
            for name in names.iter().filter(|name| !has(name)) {
                let what = format!("it is ordered by `{name}`, which need not be given");
                trials.report.breach(Property::Parameters, &*place, what);
            }
        }
    }
    on.into_iter().filter(|spec| contract.params(spec.name).is_some()).collect()
}

/// A parameter that is bad.
struct Bad {
    name: String,
    how: How,
    /// What stands there; nothing where it is missing.
    value: Option<Json>,
}

#[derive(Debug, Clone, Copy)]
enum How {
    Missing,
    OfAnotherType,
    Unknown,
}

fn bad_ones(params: &Json) -> Vec<Bad> {
    let given = params.as_object().cloned().unwrap_or_default();
    let each = given.into_iter().flat_map(|(name, value)| {
        let other = match value {
            Json::Array(_) | Json::Object(_) => json!(7),
            _ => json!([{ "other": true }]),
        };
        let missing = Bad { name: name.clone(), how: How::Missing, value: None };
        [missing, Bad { name, how: How::OfAnotherType, value: Some(other) }]
    });
    let name = "conformance_unknown".to_owned();
    each.chain([Bad { name, how: How::Unknown, value: Some(json!(1)) }]).collect()
}

fn put(params: &mut Map<String, Json>, name: &str, value: Option<&Json>) {
    match value {
        Some(value) => _ = params.insert(name.to_owned(), value.clone()),
        None => _ = params.remove(name),
    }
}
