//! What became of commands, beside what the upstream did.

use std::collections::{BTreeMap, HashMap};

use super::finding::{Finding, Property, finding};
use crate::facts::CommandFacts;

/// The outcomes of an id that are no `DUPLICATE`.
fn outcomes<'a>(facts: &'a CommandFacts, id: &str) -> Vec<&'a str> {
    let words = facts.outcomes.get(id).map_or(&[][..], Vec::as_slice);
    words.iter().map(String::as_str).filter(|word| *word != "DUPLICATE").collect()
}

fn effects(facts: &CommandFacts) -> HashMap<&str, usize> {
    let mut effects = HashMap::new();
    for id in &facts.effects {
        *effects.entry(id.as_str()).or_default() += 1;
    }
    effects
}

/// Every command has an outcome, and every further one of the same id is told to be a duplicate.
pub(super) fn an_outcome(facts: &CommandFacts) -> Vec<Finding> {
    let mut findings = Vec::new();
    for issued in &facts.issued {
        let all = facts.outcomes.get(&issued.id).map_or(0, Vec::len);
        if outcomes(facts, &issued.id).is_empty() || all < issued.times {
            let text = format!("{}: {all} outcomes, put {} times", issued.id, issued.times);
            findings.push(finding(Property::AnOutcome, text));
        }
    }
    findings
}

/// No command has two outcomes, nor an outcome without having been issued.
pub(super) fn one_outcome(facts: &CommandFacts) -> Vec<Finding> {
    let issued: HashMap<&str, usize> =
        facts.issued.iter().map(|issued| (issued.id.as_str(), issued.times)).collect();
    let mut findings = Vec::new();
    for (id, all) in &facts.outcomes {
        let own = outcomes(facts, id);
        let times = issued.get(id.as_str()).copied().unwrap_or(0);
        let too_many = all.len() > times && !facts.read_again;
        if own.len() > 1 || own.len() > times || too_many {
            let text = format!("{id}: {}, put {times} times", all.join(", "));
            findings.push(finding(Property::OneOutcome, text));
        }
    }
    findings
}

/// The journal has what is `APPLIED` once, what is `UNKNOWN` at most once, and nothing else.
pub(super) fn effect_as_said(facts: &CommandFacts) -> Vec<Finding> {
    let effects = effects(facts);
    let mut findings = Vec::new();
    let mut breach = |id: &str, done: usize, said: &str| {
        let text = format!("{id}: {said}, and done {done} times");
        findings.push(finding(Property::EffectAsSaid, text));
    };
    for issued in &facts.issued {
        let done = effects.get(issued.id.as_str()).copied().unwrap_or(0);
        let said = outcomes(facts, &issued.id).first().copied();
        let fits = match said {
            Some("APPLIED") => done == 1,
            Some("UNKNOWN") | None => done <= 1,
            Some(_) => done == 0,
        };
        if !fits {
            breach(&issued.id, done, said.unwrap_or("no outcome yet"));
        }
    }
    for (id, done) in &effects {
        if !facts.issued.iter().any(|issued| issued.id == *id) {
            breach(id, *done, "never asked for");
        }
    }
    findings
}

/// The first effects of the commands of one key come in the order of the commands.
pub(super) fn effects_in_order(facts: &CommandFacts) -> Vec<Finding> {
    let mut place: HashMap<&str, usize> = HashMap::new();
    for (index, id) in facts.effects.iter().enumerate() {
        place.entry(id).or_insert(index);
    }
    let mut last: BTreeMap<(&str, i32), (usize, &str)> = BTreeMap::new();
    let mut findings = Vec::new();
    for issued in &facts.issued {
        let Some(&at) = place.get(issued.id.as_str()) else { continue };
        let lane = (issued.key.as_str(), issued.partition);
        if let Some(&(before, id)) = last.get(&lane).filter(|(last, _)| *last > at) {
            let text = format!("{} was done before {id} (places {at}, {before})", issued.id);
            findings.push(finding(Property::EffectsInOrder, text));
        }
        last.insert(lane, (at, &issued.id));
    }
    findings
}
