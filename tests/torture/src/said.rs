//! What processes say of their connectors, as read from their logs.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::facts::{Recovery, Said, What};

/// Begins the line about a connector that was read back.
const RECOVERED: &str = "recovered connector=";
/// Begins the line about a connector that another process has.
const STANDING_BY: &str = "standing by: ";
/// Begins the line about a connector that is opened, or whose process joins the group.
const STARTING: &str = "starting component=";
/// Is in the line about a component that another process has taken over.
const FENCED: &str = "state=Fenced";
/// Are in lines of a process that believes that it was paused.
const STOOD_STILL: [&str; 2] = ["stood still", "was silent for longer than"];
/// Is in the line of a process that did not let go in time.
const HELD_TOO_LONG: &str = "did not stop in time";

/// What a process said, from the lines of its log.
pub fn said<'l>(process: usize, life: usize, lines: impl Iterator<Item = &'l str>) -> Vec<Said> {
    let said = lines.filter_map(|line| {
        let (at_ms, text) = timed(line)?;
        let what = what(text)?;
        Some(Said { process, life, at_ms, what })
    });
    said.collect()
}

/// The recoveries of a connector among all that was said.
pub fn recoveries(said: &[Said], of: &str) -> Vec<Recovery> {
    let recoveries = said.iter().filter_map(|Said { process, at_ms, what, .. }| match what {
        What::Recovered { connector, entities, took_ms } if connector == of => Some(Recovery {
            process: *process,
            at_ms: *at_ms,
            took_ms: *took_ms,
            entities: *entities,
        }),
        _ => None,
    });
    recoveries.collect()
}

/// True if a process that said this opens a connector, or is about to join the group.
pub fn is_opening(said: &[Said]) -> bool {
    let mut opening = BTreeSet::new();
    for Said { what, .. } in said {
        match what {
            What::Starting(connector) => {
                opening.insert(connector);
            }
            What::StandingBy(connector) | What::Recovered { connector, .. } => {
                opening.remove(connector);
            }
            What::Fenced(_) | What::StoodStill(_) | What::HeldTooLong(_) => {}
        }
    }
    !opening.is_empty()
}

fn what(text: &str) -> Option<What> {
    if text.starts_with(RECOVERED) {
        return Some(What::Recovered {
            connector: value(text, "connector")?,
            entities: value(text, "entities")?.parse().ok()?,
            took_ms: value(text, "ms")?.parse().ok()?,
        });
    }
    // The components of feeds and commands have names of their own.
    let connector = || value(text, "component").filter(|component| !component.contains('/'));
    if text.starts_with(STARTING) {
        return connector().map(What::Starting);
    }
    if text.starts_with(STANDING_BY) {
        return connector().map(What::StandingBy);
    }
    let has = |part: &str| text.contains(part);
    if STOOD_STILL.into_iter().any(has) {
        return Some(What::StoodStill(text.to_owned()));
    }
    if has(FENCED) {
        return Some(What::Fenced(text.to_owned()));
    }
    has(HELD_TOO_LONG).then(|| What::HeldTooLong(text.to_owned()))
}

/// When a line was written, and what it says behind its level.
fn timed(line: &str) -> Option<(i64, &str)> {
    let (at, rest) = line.split_once(' ')?;
    let (_level, text) = rest.trim_start().split_once(' ')?;
    Some((at.parse::<Timestamp>().ok()?.as_millisecond(), text))
}

/// The value of a field, without its quotes.
fn value(text: &str, field: &str) -> Option<String> {
    let start = text.find(&format!("{field}="))? + field.len() + 1;
    Some(text[start..].split_whitespace().next()?.trim_matches('"').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = r#"2026-11-27T18:18:12.230Z  INFO started version="0.1.0" listen=127.0.0.1:1
2026-11-27T18:18:12.231Z DEBUG starting component="field1"
2026-11-27T18:18:12.231Z DEBUG starting component="field1/commands"
2026-11-27T18:18:12.232Z  INFO recovered connector="field1" entities=603 ms=12
2026-11-27T18:18:12.233Z  INFO commands recovered connector="field1" commands=3 unsettled=0 ms=1
2026-11-27T18:18:12.234Z  INFO standing by: another process of the group runs it component="field2"
2026-11-27T18:18:12.235Z ERROR another process has taken this connector over component="field1" state=Fenced
2026-11-27T18:18:12.236Z  WARN fenced: this process stood still for nearly as long as `x` or longer seconds=7
no line of the program"#;

    #[test]
    fn what_is_said_of_connectors_is_read_from_a_log() {
        let found = said(1, 2, LOG.lines());
        let what: Vec<_> = found.iter().map(|said| &said.what).collect();
        let connector = "field1".to_owned();
        assert_eq!(what[0], &What::Starting(connector.clone()));
        assert_eq!(what[1], &What::Recovered { connector, entities: 603, took_ms: 12 });
        assert_eq!(what[2], &What::StandingBy("field2".to_owned()));
        assert!(matches!(what[3], What::Fenced(_)));
        assert!(matches!(what[4], What::StoodStill(_)));
        assert_eq!(found.len(), 5);
        assert_eq!((found[0].process, found[0].life), (1, 2));
        assert_eq!(found[2].at_ms - found[1].at_ms, 2);
        assert_eq!(recoveries(&found, "field1")[0].entities, 603);
        assert_eq!(recoveries(&found, "field2"), []);
    }

    #[test]
    fn a_connector_is_being_opened_until_it_is_read_back() {
        let after = |lines| is_opening(&said(0, 0, LOG.lines().take(lines)));
        assert!(!after(1) && after(2) && after(3) && !after(4));
    }
}
