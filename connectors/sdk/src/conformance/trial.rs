//! A simulation, and connectors to it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use prometheus::Registry;

use super::report::{Property, Report};
use super::simulation::Simulation;
use crate::config::{Secrets, Settings, Type};
use crate::{Class, Connector, Context, FeedPlan, UpstreamMetrics};

/// Shorter texts stand in others by chance.
pub(super) const SHORTEST_CANARY: usize = 6;

/// A row as a feed gave it.
pub(super) struct Sample {
    pub(super) plan: FeedPlan,
    pub(super) scope: String,
    pub(super) bytes: Vec<u8>,
}

/// What all checks share.
pub(super) struct Trials<'t, F> {
    pub(super) class: &'t dyn Class,
    start: &'t F,
    pub(super) report: Report,
    /// Feeds that do not even give what is there: nothing more is asked of them.
    pub(super) broken: BTreeSet<String>,
    /// Rows that were read.
    pub(super) samples: Vec<Sample>,
}

/// One simulation.
pub(super) struct Trial<'t, S> {
    class: &'t dyn Class,
    pub(super) simulation: S,
}

impl<'t, S: Simulation, F: AsyncFn() -> S> Trials<'t, F> {
    pub(super) fn new(class: &'t dyn Class, start: &'t F) -> Trials<'t, F> {
        Trials {
            class,
            start,
            report: Report::default(),
            broken: BTreeSet::new(),
            samples: Vec::new(),
        }
    }

    /// A simulation of its own.
    pub(super) async fn begin(&mut self) -> Trial<'t, S> {
        let trial = Trial { class: self.class, simulation: (self.start)().await };
        let keys = self.class.keys();
        let canaries = &mut self.report.canaries;
        for (name, text) in trial.simulation.settings() {
            let key = keys.iter().find(|key| key.is_of(&name));
            if key.is_some_and(|key| key.kind == Type::Secret) && text.len() >= SHORTEST_CANARY {
                canaries.insert((text, "a secret of the settings"));
            }
        }
        let named = trial.simulation.canaries().into_iter();
        canaries.extend(named.map(|text| (text, "a text that the simulation names")));
        trial
    }

    /// The feeds that are read and give at least what is there.
    pub(super) async fn feeds(&mut self) -> Vec<String> {
        let trial = self.begin().await;
        let Some(connector) = trial.connector(&mut self.report) else { return Vec::new() };
        let plans = connector.feeds().into_iter().filter(|plan| plan.codec.facts().is_none());
        let names = plans.map(|plan| plan.spec.name.to_string());
        names.filter(|name| !self.broken.contains(name)).collect()
    }
}

impl<S: Simulation> Trial<'_, S> {
    /// A connector as a new process has it.
    pub(super) fn connector(&self, report: &mut Report) -> Option<Arc<dyn Connector>> {
        let texts: BTreeMap<String, String> = self.simulation.settings().into_iter().collect();
        let (keys, secrets) = (self.class.keys(), Secrets::Resolve(Arc::default()));
        let mut settings = Settings::new("", &keys, texts, &secrets);
        let metrics = match UpstreamMetrics::register(&Registry::new()) {
            Ok(metrics) => metrics,
            Err(error) => {
                report.breach(Property::Works, "metrics", error.to_string());
                return None;
            }
        };
        let clock = self.simulation.clock();
        let context = Context { name: "conformance".to_owned(), clock, metrics };
        let connector = self.class.configure(&mut settings, context);
        for problem in settings.problems() {
            report.breach(Property::Works, "settings", problem.to_string());
        }
        connector
    }

    /// How a feed of a connector is read.
    pub(super) fn plan(connector: &dyn Connector, feed: &str) -> Option<FeedPlan> {
        connector.feeds().into_iter().find(|plan| *plan.spec.name == *feed)
    }
}
