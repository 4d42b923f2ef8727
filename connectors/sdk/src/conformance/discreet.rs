//! What is logged and told has no secret and nothing personal in it.

use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex, PoisonError};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::DefaultGuard;
use tracing::{Event, Metadata, Subscriber};

use super::report::{Property, Report};
use super::trial::SHORTEST_CANARY;

/// The log of this thread, at the finest level.
pub(super) struct Log {
    lines: Lines,
    _watched: DefaultGuard,
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

/// Keeps what is logged on this thread from now on.
pub(super) fn watch() -> Log {
    let lines = Lines::default();
    let _watched = tracing::subscriber::set_default(lines.clone());
    Log { lines, _watched }
}

impl Log {
    /// Looks for what must not be seen in the log, and in what was told.
    pub(super) fn judge(&self, report: &mut Report) {
        let lines = std::mem::take(&mut *self.lines.lock());
        let logged = lines.iter().map(|line| ("the log", line));
        let told = std::mem::take(&mut report.told);
        let told_lines = told.iter().map(|(place, text)| (place.as_str(), text));
        let mut found = Vec::new();
        for (place, text) in logged.chain(told_lines) {
            let seen = |(canary, _): &&(String, &str)| {
                canary.len() >= SHORTEST_CANARY && text.contains(canary.as_str())
            };
            if let Some((_, what)) = report.canaries.iter().find(seen) {
                found.push((place.to_owned(), format!("{what} stands in: {text}")));
            }
        }
        for (place, what) in found {
            report.breach(Property::Discretion, place, what);
        }
        let (logged, told, canaries) = (lines.len(), told.len(), report.canaries.len());
        let checked = format!(
            "{logged} lines of the log and {told} texts, for {canaries} that must not stand there"
        );
        report.checked.push(checked);
    }
}

impl Lines {
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The fields of an event or a span, as text.
struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, " {field}={value:?}").ok();
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        // As it is: escapes would hide it.
        write!(self.0, " {field}={value}").ok();
    }
}

impl Subscriber for Lines {
    /// The simulator's own log is its own affair.
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        !metadata.target().starts_with("talon_simulators")
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut text = Text(span.metadata().target().to_owned());
        span.record(&mut text);
        self.lock().push(text.0);
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        let mut text = Text(String::new());
        values.record(&mut text);
        self.lock().push(text.0);
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut text = Text(event.metadata().target().to_owned());
        event.record(&mut text);
        self.lock().push(text.0);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}
