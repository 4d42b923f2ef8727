//! Who has a connector, as the processes themselves say.

use std::collections::HashMap;

use super::finding::{Finding, Property, finding};
use crate::facts::{Disturbance, Facts, Said, What};

/// How long after its end a disturbance may still show: a process that was fenced waits for 20 s before
/// it opens a connector again.
const AFTERMATH_MS: i64 = 25_000;

/// True if something was done to a process that may have cost it its connectors between two times.
fn was_disturbed(facts: &Facts, of: usize, from_ms: i64, until_ms: i64) -> bool {
    facts.disturbances.iter().any(|Disturbance { process, from_ms: began, until_ms: ended }| {
        process.is_none_or(|process| process == of)
            && *began <= until_ms
            && from_ms <= ended + AFTERMATH_MS
    })
}

/// Nobody is fenced whose process was neither paused nor cut off.
pub(super) fn owner_not_fenced(facts: &Facts) -> Vec<Finding> {
    let mut findings = Vec::new();
    for said in &facts.said {
        let What::Fenced(line) = &said.what else { continue };
        if !was_disturbed(facts, said.process, said.at_ms, said.at_ms) {
            findings.push(finding(Property::OwnerNotFenced, told(said, line)));
        }
    }
    findings
}

/// Nobody who was not disturbed says that it stood still, holds what others ask for, or opens a
/// connector again that it has.
pub(super) fn undisturbed(facts: &Facts) -> Vec<Finding> {
    let mut findings = Vec::new();
    // When each connector was opened in each process that still has it.
    let mut opened: HashMap<(usize, usize, &str), i64> = HashMap::new();
    for said in &facts.said {
        let Said { process, life, at_ms, what } = said;
        let breach = match what {
            What::StandingBy(connector) => {
                opened.remove(&(*process, *life, connector.as_str()));
                continue;
            }
            What::Recovered { connector, .. } => {
                let before = opened.insert((*process, *life, connector), *at_ms);
                let Some(before) = before else { continue };
                let again = format!("opened `{connector}` again without another having had it");
                (before, again)
            }
            What::StoodStill(line) | What::HeldTooLong(line) => (*at_ms, line.clone()),
            What::Starting(_) | What::Fenced(_) => continue,
        };
        let (since_ms, text) = breach;
        if !was_disturbed(facts, *process, since_ms, *at_ms) {
            findings.push(finding(Property::Undisturbed, told(said, &text)));
        }
    }
    findings
}

fn told(said: &Said, text: &str) -> String {
    format!("process {} (start {}): {text}", said.process, said.life + 1)
}
