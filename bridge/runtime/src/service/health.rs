//! What works and what does not: the source of `/health/ready`, the status page and one log line per
//! change of state.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use talon_sdk::{Clock, Fault};

use super::metrics::Metrics;
use crate::bus::BusFault;

/// State of a component.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Not yet known.
    Starting,
    /// Reading back what was published.
    Recovering,
    /// Works.
    Up,
    /// Another process of the group runs it.
    Standby,
    /// No process of the group runs it.
    Unowned,
    /// Does not answer; retried.
    Unavailable,
    /// Answers, and does not let us; needs a person.
    Misconfigured,
    /// Another process took over; this one publishes nothing more.
    Fenced,
    /// A defect of Talon.
    Internal,
}

impl State {
    /// What a fault of the bus, or of the registry, comes to.
    pub fn of_bus(fault: &BusFault) -> State {
        match fault {
            BusFault::Unavailable(_) => State::Unavailable,
            // What was read is read again: nothing is lost, and nothing needs a person.
            BusFault::Aborted(_) | BusFault::TooLarge(_) | BusFault::Revoked => State::Recovering,
            BusFault::Misconfigured(_) => State::Misconfigured,
            BusFault::Fenced(_) => State::Fenced,
        }
    }

    /// What a fault of an upstream comes to.
    pub fn of_upstream(fault: &Fault) -> State {
        match fault {
            Fault::Unavailable { .. } => State::Unavailable,
            Fault::Rejected { .. } | Fault::Misconfigured { .. } => State::Misconfigured,
            Fault::Internal { .. } => State::Internal,
        }
    }

    /// Whether all is as it should be.
    pub fn is_well(self) -> bool {
        matches!(self, State::Up | State::Standby)
    }
}

/// How much depends on a component.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Without it the process can do nothing: it is not ready.
    Vital,
    /// Without it one feed stands still: the process is ready, but degraded.
    Feed,
}

/// A component at a glance.
#[derive(Debug, Clone, Serialize)]
pub struct Component {
    /// Its state.
    pub state: State,
    /// How much depends on it.
    pub severity: Severity,
    /// Since when, milliseconds since 1970 UTC.
    pub since_ms: i64,
    /// What is the matter.
    pub message: String,
}

/// All components of a process. Cheap to clone.
#[derive(Clone)]
pub struct Health {
    components: Arc<Mutex<BTreeMap<String, Component>>>,
    clock: Clock,
    metrics: Metrics,
}

impl Health {
    /// With no components yet.
    pub fn new(clock: Clock, metrics: Metrics) -> Health {
        Health { components: Arc::default(), clock, metrics }
    }

    /// Notes the state of a component; logs if it changed.
    ///
    /// `message` is shown to people and must not carry secrets.
    pub fn set(&self, name: &str, severity: Severity, state: State, message: &str) {
        let mut components = self.components.lock().unwrap_or_else(PoisonError::into_inner);
        let known = components.get_mut(name);
        let changed = known.as_ref().is_none_or(|known| known.state != state);
        match known {
            Some(known) if !changed => {
                if known.message != message {
                    message.clone_into(&mut known.message);
                }
            }
            _ => {
                let since_ms = self.clock.now_ms();
                let component =
                    Component { state, severity, since_ms, message: message.to_owned() };
                components.insert(name.to_owned(), component);
            }
        }
        drop(components);
        if changed {
            self.metrics.up(name, state.is_well());
            match state {
                State::Starting => tracing::debug!(component = name, "starting"),
                State::Recovering => tracing::info!(component = name, "{message}"),
                State::Up => tracing::info!(component = name, "up"),
                State::Standby => tracing::info!(component = name, "standing by: {message}"),
                State::Unowned => tracing::warn!(component = name, "{message}"),
                State::Unavailable => {
                    tracing::warn!(component = name, "unavailable, retrying: {message}");
                }
                State::Misconfigured | State::Fenced | State::Internal => {
                    tracing::error!(component = name, ?state, "{message}");
                }
            }
        }
    }

    /// Forgets a component that does not run here any more.
    pub fn remove(&self, name: &str) {
        self.components.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
    }

    /// All components by name.
    pub fn components(&self) -> BTreeMap<String, Component> {
        self.components.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether everything vital works.
    pub fn ready(&self) -> bool {
        let components = self.components.lock().unwrap_or_else(PoisonError::into_inner);
        !components.is_empty()
            && components.values().all(|c| c.severity != Severity::Vital || c.state.is_well())
    }
}
