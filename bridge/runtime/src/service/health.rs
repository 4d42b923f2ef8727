//! What works and what does not: the source of `/health/ready`, the console and one log line per
//! change of state.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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
    /// Works, but something about it needs a person.
    Degraded,
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

    /// As in `/health/ready` and in the metric.
    pub fn word(self) -> &'static str {
        match self {
            State::Starting => "starting",
            State::Recovering => "recovering",
            State::Up => "up",
            State::Degraded => "degraded",
            State::Standby => "standby",
            State::Unowned => "unowned",
            State::Unavailable => "unavailable",
            State::Misconfigured => "misconfigured",
            State::Fenced => "fenced",
            State::Internal => "internal",
        }
    }

    /// Whether all is as it should be.
    pub fn is_well(self) -> bool {
        matches!(self, State::Up | State::Standby)
    }

    /// Whether it does what it is there for.
    fn works(self) -> bool {
        self.is_well() || self == State::Degraded
    }

    /// Of several reports on one component, which is shown: what needs a person before what passes.
    fn urgency(self) -> u8 {
        match self {
            State::Standby | State::Up => 0,
            State::Starting => 1,
            State::Recovering => 2,
            State::Degraded => 3,
            State::Unavailable | State::Unowned => 4,
            State::Misconfigured | State::Fenced | State::Internal => 5,
        }
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
    known: Arc<Mutex<Known>>,
    clock: Clock,
    metrics: Metrics,
}

#[derive(Default)]
struct Known {
    components: BTreeMap<String, Component>,
    /// What was reported of components that several use: by component, then by reporter.
    reports: BTreeMap<String, BTreeMap<String, (State, String)>>,
    /// Connectors without which the process is as ready as with them.
    optional: BTreeSet<String>,
}

impl Health {
    /// With no components yet.
    pub fn new(clock: Clock, metrics: Metrics) -> Health {
        Health { known: Arc::default(), clock, metrics }
    }

    /// Notes the state of a component; logs if it changed.
    ///
    /// `message` is shown to people and must not carry secrets.
    pub fn set(&self, name: &str, severity: Severity, state: State, message: &str) {
        let changed = self.note(&mut self.known(), name, severity, state, message);
        if changed {
            log(name, state, message);
        }
    }

    /// Notes what one of its users found of a component that several use, as the bus is. It is shown by
    /// the worst that was reported, and works when all reporters say so. Vital.
    ///
    /// A reporter speaks for itself alone: it reports again when the component works for it, and
    /// [`Health::withdraw`]s when it does not run here any more.
    pub fn report(&self, name: &str, reporter: &str, state: State, message: &str) {
        let mut known = self.known();
        let reports = known.reports.entry(name.to_owned()).or_default();
        reports.insert(reporter.to_owned(), (state, message.to_owned()));
        let changed = self.show_worst(&mut known, name);
        drop(known);
        if let Some((state, message)) = changed {
            log(name, state, &message);
        }
    }

    /// Forgets what a reporter found, of all components.
    pub fn withdraw(&self, reporter: &str) {
        let mut known = self.known();
        let mut names = Vec::new();
        for (name, reports) in &mut known.reports {
            if reports.remove(reporter).is_some() {
                names.push(name.clone());
            }
        }
        known.reports.retain(|_, reports| !reports.is_empty());
        let mut changes = Vec::new();
        for name in names {
            if known.reports.contains_key(&name) {
                let changed = self.show_worst(&mut known, &name);
                changes.extend(changed.map(|(state, message)| (name, state, message)));
            } else {
                // Nobody knows anything of it any more.
                self.drop_component(&mut known, &name);
            }
        }
        drop(known);
        changes.iter().for_each(|(name, state, message)| log(name, *state, message));
    }

    /// Nothing of this connector is vital: it came at run time, and whether it works must not decide whether the
    /// process is reachable, by whose REST it is mended.
    pub(crate) fn make_optional(&self, connector: &str) {
        self.known().optional.insert(connector.to_owned());
    }

    /// Forgets a component that does not run here any more.
    pub fn remove(&self, name: &str) {
        self.drop_component(&mut self.known(), name);
    }

    /// Forgets a connector with all of its components, and what it reported.
    pub(crate) fn forget(&self, connector: &str) {
        let mut known = self.known();
        let is_its = |name: &&String| name.split('/').next() == Some(connector);
        let names: Vec<String> = known.components.keys().filter(is_its).cloned().collect();
        names.iter().for_each(|name| self.drop_component(&mut known, name));
        drop(known);
        self.withdraw(connector);
    }

    /// All components by name.
    pub fn components(&self) -> BTreeMap<String, Component> {
        self.known().components.clone()
    }

    /// Whether everything vital works; what is degraded does.
    pub fn ready(&self) -> bool {
        let components = &self.known().components;
        !components.is_empty()
            && components.values().all(|c| c.severity != Severity::Vital || c.state.works())
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes over what is new. Says whether the state is.
    fn note(
        &self,
        known: &mut Known,
        name: &str,
        severity: Severity,
        state: State,
        message: &str,
    ) -> bool {
        let owner = name.split_once('/').map_or(name, |(owner, _)| owner);
        let severity = if known.optional.contains(owner) { Severity::Feed } else { severity };
        if let Some(component) = known.components.get_mut(name)
            && component.state == state
        {
            component.severity = severity;
            if component.message != message {
                message.clone_into(&mut component.message);
            }
            return false;
        }
        let since_ms = self.clock.now_ms();
        let component = Component { state, severity, since_ms, message: message.to_owned() };
        known.components.insert(name.to_owned(), component);
        // Under the lock, so that what is shown last is what is true.
        match state {
            // It does not run here; whoever runs it says whether it works.
            State::Standby => self.metrics.component(name, state.word(), None),
            _ => self.metrics.component(name, state.word(), Some(state.is_well())),
        }
        true
    }

    /// Shows the worst report of a component; gives it if the state is new.
    fn show_worst(&self, known: &mut Known, name: &str) -> Option<(State, String)> {
        let reports = known.reports.get(name)?;
        let worst = reports.values().min_by_key(|(state, _)| Reverse(state.urgency()))?;
        let (state, message) = worst.clone();
        let fails_vital = |(reporter, (state, _)): (&String, &(State, String))| {
            !state.works() && !known.optional.contains(reporter)
        };
        let is_vital = state.works() || reports.iter().any(fails_vital);
        let severity = if is_vital { Severity::Vital } else { Severity::Feed };
        let changed = self.note(known, name, severity, state, &message);
        changed.then_some((state, message))
    }

    fn drop_component(&self, known: &mut Known, name: &str) {
        known.components.remove(name);
        self.metrics.forget_component(name);
    }
}

fn log(name: &str, state: State, message: &str) {
    match state {
        State::Starting => tracing::debug!(component = name, "starting"),
        State::Recovering => tracing::info!(component = name, "{message}"),
        State::Up => tracing::info!(component = name, "up"),
        State::Standby => tracing::info!(component = name, "standing by: {message}"),
        State::Degraded => tracing::warn!(component = name, "works, but: {message}"),
        State::Unowned => tracing::warn!(component = name, "{message}"),
        State::Unavailable => {
            tracing::warn!(component = name, "unavailable, retrying: {message}");
        }
        State::Misconfigured | State::Fenced | State::Internal => {
            tracing::error!(component = name, ?state, "{message}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn health() -> (Health, Metrics) {
        let metrics = Metrics::new().unwrap();
        (Health::new(Clock::System, metrics.clone()), metrics)
    }

    fn up(metrics: &Metrics, name: &str) -> Option<char> {
        let series = format!("talon_component_up{{component=\"{name}\"}} ");
        metrics.text().lines().find_map(|line| line.strip_prefix(&series)?.chars().next())
    }

    #[test]
    fn trouble_goes_with_the_connector_that_reported_it() {
        let (health, metrics) = health();
        health.set("a", Severity::Vital, State::Up, "");
        health.report("bus", "a", State::Up, "");
        health.report("bus", "b", State::Unavailable, "no answer");
        health.report("registry", "b", State::Misconfigured, "refused");
        assert!(!health.ready());
        health.report("bus", "a", State::Up, "");
        assert!(!health.ready(), "it works for one, and not for the other");
        health.withdraw("b");
        assert!(health.ready());
        assert_eq!(health.components()["bus"].state, State::Up);
        assert!(!health.components().contains_key("registry"), "nobody knows of it");
        assert_eq!((up(&metrics, "bus"), up(&metrics, "registry")), (Some('1'), None));
    }

    #[test]
    fn a_connector_that_came_at_run_time_never_makes_the_process_unready() {
        let (health, _) = health();
        health.make_optional("late");
        health.report("bus", "", State::Up, "");
        health.set("late", Severity::Vital, State::Misconfigured, "refused");
        health.set("late/commands", Severity::Vital, State::Starting, "");
        health.report("bus", "late", State::Misconfigured, "no right to its topic");
        assert!(health.ready());
        assert_eq!(
            health.components()["bus"].state,
            State::Misconfigured,
            "it is told all the same"
        );
        health.set("later", Severity::Vital, State::Up, "");
        health.report("bus", "later", State::Unavailable, "no answer");
        assert!(!health.ready(), "another one finds so too");
    }

    #[test]
    fn of_several_reports_the_worst_is_shown_until_its_reporter_takes_it_back() {
        let (health, metrics) = health();
        health.report("bus", "", State::Unavailable, "no answer");
        health.report("bus", "a", State::Misconfigured, "no right to write");
        health.report("bus", "b", State::Recovering, "reads again");
        let shown = || {
            let bus = health.components().remove("bus").unwrap();
            (bus.state, bus.message, bus.severity)
        };
        let vital = Severity::Vital;
        assert_eq!(shown(), (State::Misconfigured, "no right to write".to_owned(), vital));
        health.report("bus", "a", State::Up, "");
        assert_eq!(shown(), (State::Unavailable, "no answer".to_owned(), vital));
        health.report("bus", "", State::Up, "");
        assert_eq!(shown(), (State::Recovering, "reads again".to_owned(), vital));
        assert_eq!(up(&metrics, "bus"), Some('0'));
        health.report("bus", "b", State::Up, "");
        assert_eq!(shown(), (State::Up, String::new(), vital));
        assert_eq!(up(&metrics, "bus"), Some('1'));
    }

    #[test]
    fn what_is_degraded_is_told_and_leaves_the_process_ready() {
        let (health, metrics) = health();
        health.report("registry", "a", State::Up, "");
        health.report("registry", "", State::Degraded, "no answer");
        assert!(health.ready());
        assert_eq!(up(&metrics, "registry"), Some('0'));
        health.report("registry", "a", State::Unavailable, "no answer");
        assert!(!health.ready(), "now somebody waits for it");
    }

    #[test]
    fn a_severity_is_taken_over_while_the_state_is_the_same() {
        let (health, _) = health();
        health.set("a", Severity::Feed, State::Unavailable, "x");
        let since = health.components()["a"].since_ms;
        assert!(health.ready());
        health.set("a", Severity::Vital, State::Unavailable, "x");
        assert!(!health.ready());
        assert_eq!(health.components()["a"].since_ms, since);
    }

    #[test]
    fn what_does_not_run_here_has_no_series() {
        let (health, metrics) = health();
        health.set("a/feed", Severity::Feed, State::Up, "");
        health.set("a", Severity::Vital, State::Up, "");
        assert_eq!((up(&metrics, "a/feed"), up(&metrics, "a")), (Some('1'), Some('1')));
        health.remove("a/feed");
        health.set("a", Severity::Vital, State::Standby, "`other` runs it");
        assert_eq!((up(&metrics, "a/feed"), up(&metrics, "a")), (None, None));
        health.set("a", Severity::Vital, State::Unavailable, "no answer");
        assert_eq!(up(&metrics, "a"), Some('0'));
    }

    #[test]
    fn the_metric_of_the_state_has_one_series_a_component_with_the_word_of_the_health_page() {
        let (health, metrics) = health();
        let shown = || -> Vec<String> {
            let text = metrics.text();
            let series = text.lines().filter_map(|line| line.strip_prefix("talon_component_state"));
            series.map(str::to_owned).collect()
        };
        for state in [State::Starting, State::Up, State::Misconfigured, State::Standby] {
            health.set("a", Severity::Vital, state, "");
            let word = serde_json::to_value(state).unwrap();
            assert_eq!(shown(), [format!("{{component=\"a\",state={word}}} 1")]);
        }
        health.remove("a");
        assert_eq!(shown(), [""; 0]);
    }
}
