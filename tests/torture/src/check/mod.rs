//! The properties, each one function over recorded [`Facts`].

mod commands;
mod discreet;
mod ends;
mod events;
mod finding;
mod ownership;
mod recovered;
mod rolling;
mod stuck;
#[cfg(test)]
mod tests;

use crate::facts::Facts;

pub use finding::{Finding, Property};

/// All breaches of all properties.
pub fn check(facts: &Facts) -> Vec<Finding> {
    let mut findings = Vec::new();
    for feed in &facts.feeds {
        findings.extend(events::nothing_lost(feed));
        findings.extend(events::nothing_twice(feed));
        findings.extend(events::nothing_invented(feed));
        findings.extend(events::nothing_deleted(feed));
        findings.extend(recovered::nothing_forgotten(feed));
    }
    findings.extend(recovered::all_read_back(facts));
    findings.extend(events::checkpoint_behind_events(facts));
    findings.extend(commands::an_outcome(&facts.commands));
    findings.extend(commands::one_outcome(&facts.commands));
    findings.extend(commands::effect_as_said(&facts.commands));
    findings.extend(commands::effects_in_order(&facts.commands));
    findings.extend(discreet::discreet(facts));
    findings.extend(ends::ends_in_order(facts));
    findings.extend(ownership::owner_not_fenced(facts));
    findings.extend(ownership::undisturbed(facts));
    findings.extend(rolling::rolls_in_bounds(facts));
    findings.extend(stuck::stuck_is_seen(facts));
    findings.extend(stuck::others_go_on(facts));
    findings
}

/// How many commands ended `UNKNOWN`: no breach, but to be counted.
pub fn unresolved(facts: &Facts) -> usize {
    let outcomes = facts.commands.outcomes.values();
    outcomes.filter(|words| words.iter().any(|word| word == "UNKNOWN")).count()
}
