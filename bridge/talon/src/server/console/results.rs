//! Commands by what the topic of results says of them, read within bounds.

use std::collections::HashSet;

use maud::Markup;
use talon_runtime::bus::{Found, Look, Looked, Which};
use talon_runtime::commands::ResultRecord;
use talon_schemas::result::RESULT;

use super::state::Console;
use super::text::state;
use super::topics::{self, Topics};

/// Instead of an outcome, where there is none.
pub(super) const NONE: &str = "NONE";

/// A command by its newest result.
pub(super) struct Row {
    pub(super) record: ResultRecord,
    pub(super) found: Found,
}

impl Row {
    /// The word of the outcome; `NONE` of a command that has none.
    pub(super) fn outcome(&self) -> &str {
        self.record.outcome.as_deref().unwrap_or(NONE)
    }
}

/// The words of outcomes, in the order in which they concern people, with how they look.
pub(super) const OUTCOMES: [(&str, &str, &str); 7] = [
    ("UNKNOWN", "bad", "▲"),
    (NONE, "wait", "◌"),
    ("FAILED", "bad", "✕"),
    ("EXPIRED", "warn", "▲"),
    ("REJECTED", "warn", "✕"),
    ("DUPLICATE", "wait", "○"),
    ("APPLIED", "up", "●"),
];

/// An outcome with its sign.
pub(super) fn badge(outcome: &str) -> Markup {
    let known = OUTCOMES.iter().find(|(word, ..)| *word == outcome);
    let (_, class, sign) = known.copied().unwrap_or((outcome, "warn", "▲"));
    state(class, sign, if outcome == NONE { "no outcome yet" } else { outcome })
}

/// Commands by their newest results, from results that stand newest first.
pub(super) fn rows(looked: Looked) -> Vec<Row> {
    let mut seen = HashSet::new();
    let read = |found: Found| {
        let record: ResultRecord = serde_json::from_value(topics::json(&RESULT, &found)?).ok()?;
        Some(Row { record, found })
    };
    let rows = looked.records.into_iter().filter_map(read);
    // A second command with an id that is known stands elsewhere.
    rows.filter(|row| seen.insert((row.record.command_id.clone(), row.record.position.clone())))
        .collect()
}

/// Results of a connector as commands, and whether all of them were read; or why not.
pub(super) async fn read(
    console: &Console,
    name: &str,
    which: Which,
    most: usize,
) -> Result<(Vec<Row>, bool), String> {
    let info = console.instances.info(name).ok_or("there is no such connector")?;
    let topics = Topics::of(console, name, &info.config).ok_or("its class is not known here")?;
    let [_, results] = topics.lane.ok_or("its class carries no commands")?;
    let looked = console.instances.look(Look::new(results, which, most)).await;
    let looked = looked.map_err(|fault| format!("the results cannot be read: {fault}"))?;
    let is_complete = looked.is_complete;
    Ok((rows(looked), is_complete))
}
