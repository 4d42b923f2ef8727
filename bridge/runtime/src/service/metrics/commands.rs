//! What is counted of commands.

use prometheus::{GaugeVec, HistogramVec, IntCounterVec, IntGaugeVec};

use super::register::Register;

/// The metrics of the commands of all connectors of a process. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Commands {
    pub(crate) outcomes: IntCounterVec,
    pub(crate) lag: IntGaugeVec,
    pub(crate) oldest: GaugeVec,
    pub(crate) idle: GaugeVec,
    pub(crate) duration: HistogramVec,
}

impl Commands {
    pub(super) fn register(register: &Register<'_>) -> prometheus::Result<Commands> {
        Ok(Commands {
            outcomes: register.counters(
                "talon_commands_total",
                "Commands that got an outcome, by type and outcome.",
                &["connector", "type", "outcome"],
            )?,
            lag: register.numbers(
                "talon_command_lag_records",
                "Commands on the topic that have no outcome yet.",
                &["connector"],
            )?,
            oldest: register.gauges(
                "talon_command_oldest_seconds",
                "How long the oldest command that was read and has no outcome has been on the topic; 0 where none waits.",
                &["connector"],
            )?,
            idle: register.gauges(
                "talon_command_idle_seconds",
                "While commands wait: time since one of them got an outcome, or since the first look at them; 0 where none waits.",
                &["connector"],
            )?,
            duration: register.histograms(
                "talon_command_duration_seconds",
                "From reading a command until its outcome is committed, its wait for others with the same key included.",
                &["connector", "type"],
                &[
                    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
                    300.0,
                ],
            )?,
        })
    }
}
