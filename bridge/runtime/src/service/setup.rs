//! What a service is made of: a configured connector, and what all connectors of a process share.

use std::sync::Arc;

use talon_schemas::Contract;
use talon_sdk::{Clock, Commands, Connector, FeedPlan};

use super::health::{Health, State};
use super::metrics::Metrics;
use super::options::Options;
use super::registry::Registry;
use crate::bus::{Bus, BusFault, Ownership};

/// A configured connector.
#[derive(Clone)]
pub struct Setup {
    /// Name of the instance.
    pub name: String,
    /// Its class.
    pub class: &'static str,
    /// The settings that are the runtime's.
    pub options: Options,
    /// The connector.
    pub connector: Arc<dyn Connector>,
    /// The commands of its class.
    pub commands: Option<Commands>,
}

impl Setup {
    /// The contract of one of its feeds, with instants in the unit that is configured.
    pub fn contract(&self, plan: &FeedPlan) -> &'static Contract {
        plan.spec.contract().with_instants(self.options.instants)
    }
}

/// What all connectors of a process share.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) prefix: String,
    pub(crate) bus: Arc<dyn Bus>,
    pub(crate) registry: Option<Registry>,
    pub(crate) clock: Clock,
    pub(crate) metrics: Metrics,
    pub(crate) health: Health,
    pub(crate) ownership: Ownership,
    /// Replicas of what all connectors share.
    pub(crate) replication: u16,
}

/// Name of a topic of a connector.
pub fn topic(prefix: &str, connector: &str, what: &str) -> String {
    format!("{prefix}.{connector}.{what}")
}

impl Shared {
    /// Notes what a connector found of what all of them use: `bus`, `registry`.
    pub(crate) fn report(&self, component: &str, connector: &str, fault: Option<&BusFault>) {
        report_by(&self.health, component, connector, fault);
    }
}

/// Notes what the process found of what all connectors use.
pub(crate) fn report(health: &Health, component: &str, fault: Option<&BusFault>) {
    report_by(health, component, "", fault);
}

fn report_by(health: &Health, component: &str, reporter: &str, fault: Option<&BusFault>) {
    match fault {
        None => health.report(component, reporter, State::Up, ""),
        // It says nothing of the bus.
        Some(BusFault::Revoked) => {}
        Some(fault) => {
            health.report(component, reporter, State::of_bus(fault), &fault.to_string());
        }
    }
}
