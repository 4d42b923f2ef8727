//! What is shown of components: the bus, the registry, connectors and their parts.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus::IntGaugeVec;

use super::register::Register;

/// The metrics of all components of a process. Cheap to clone.
#[derive(Clone)]
pub(super) struct Components {
    up: IntGaugeVec,
    state: IntGaugeVec,
    /// The state that is shown of each component.
    shown: Arc<Mutex<BTreeMap<String, &'static str>>>,
}

impl Components {
    pub(super) fn register(register: &Register<'_>) -> prometheus::Result<Components> {
        Ok(Components {
            up: register.numbers(
                "talon_component_up",
                "1 where the component works: bus, registry, a connector's upstream; none where it does not run here.",
                &["component"],
            )?,
            state: register.numbers(
                "talon_component_state",
                "1 for the state that the component is in, as /health/ready has it; the other states have no series.",
                &["component", "state"],
            )?,
            shown: Arc::default(),
        })
    }

    /// `up` is none where the component does not run here, and whoever runs it says whether it works.
    pub(super) fn show(&self, component: &str, state: &'static str, up: Option<bool>) {
        match up {
            Some(up) => self.up.with_label_values(&[component]).set(up.into()),
            // What is not there need not be removed.
            None => {
                self.up.remove_label_values(&[component]).ok();
            }
        }
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let before = shown.insert(component.to_owned(), state);
        if let Some(before) = before.filter(|before| *before != state) {
            self.state.remove_label_values(&[component, before]).ok();
        }
        self.state.with_label_values(&[component, state]).set(1);
    }

    pub(super) fn forget(&self, component: &str) {
        // What is not there need not be removed.
        self.up.remove_label_values(&[component]).ok();
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(state) = shown.remove(component) {
            self.state.remove_label_values(&[component, state]).ok();
        }
    }
}
