//! What an upstream that ails makes a connector say.

use std::time::Duration;

use tokio::time::timeout;

use super::command::command;
use super::report::{Property, Report};
use super::simulation::{Ailment, Simulation};
use super::trial::{Trial, Trials};
use crate::{Connector, Permit};

/// Reads of a feed under each ailment: a feed may give something before it fails.
const READS: usize = 3;

/// Commands that are tried under each ailment: one shows how all speak.
const COMMANDS: usize = 3;

pub(super) async fn check<S: Simulation, F: AsyncFn() -> S>(trials: &mut Trials<'_, F>) {
    for ailment in Ailment::ALL {
        let trial = trials.begin().await;
        let report = &mut trials.report;
        let Some(connector) = trial.connector(report) else { return };
        let mut prepared = Vec::new();
        for spec in connector.commands().into_iter().take(COMMANDS) {
            prepared.push((spec, trial.simulation.prepare(spec).await));
        }
        if !trial.simulation.ail(Some(ailment)).await {
            report.checked.push(format!("{ailment:?}: the simulation cannot"));
            continue;
        }
        read(&trial, &*connector, ailment, report).await;
        if let Ok(Ok(text)) = timeout(trial.simulation.patience(), connector.probe()).await {
            report.tell(format!("`probe`, {ailment:?}"), text);
        }
        for (spec, params) in prepared {
            let Some(params) = params else { continue };
            let place = format!("command `{}`, {ailment:?}", spec.name);
            let (Ok(command), Ok(applier)) =
                (command(trials.class, spec, &params), connector.applier())
            else {
                continue;
            };
            let run = async {
                let before = applier.look(&command).await?;
                applier.apply(&command, &before, &Permit::always()).await
            };
            match timeout(trial.simulation.patience(), run).await {
                Ok(Ok(answer)) => trials.report.tell(place, format!("{answer:?}")),
                Ok(Err(fault)) => trials.report.tell(place, format!("{fault:?}")),
                Err(_) => trials.report.breach(Property::Works, place, "it never ends"),
            }
        }
        trials.report.checked.push(format!("{ailment:?}: what feeds and commands say of it"));
        connector.close().await;
    }
}

/// Reads every feed while the upstream ails.
async fn read<S: Simulation>(
    trial: &Trial<'_, S>,
    connector: &dyn Connector,
    ailment: Ailment,
    report: &mut Report,
) {
    for plan in connector.feeds() {
        if plan.codec.facts().is_some() {
            continue;
        }
        let place = format!("feed `{}`, {ailment:?}", plan.spec.name);
        let mut feed = match connector.open(&plan.spec.name) {
            Ok(feed) => feed,
            Err(fault) => {
                report.tell(&*place, fault.to_string());
                continue;
            }
        };
        for _ in 0..READS {
            // A feed that is pushed to may well wait here.
            let short = Duration::from_millis(500).min(trial.simulation.patience());
            match timeout(short, feed.next(None)).await {
                Ok(Ok(seen)) => {
                    for row in seen.rows.iter() {
                        let mut out = crate::Row::default();
                        if let Err(fault) = plan.codec.decode(row, &seen.scope, &mut out) {
                            report.tell(format!("{place}, a row fault"), fault.0);
                        }
                    }
                    if let Some(doubt) = feed.doubt() {
                        report.tell(format!("{place}, its doubt"), doubt);
                    }
                }
                Ok(Err(fault)) => {
                    report.tell(&*place, fault.to_string());
                    break;
                }
                Err(_) => break,
            }
        }
    }
}
