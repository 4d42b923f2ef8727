//! The properties, each one function over recorded [`Facts`].

mod commands;
mod discreet;
mod ends;
mod events;
mod ownership;
mod recovered;
mod rolling;
mod stuck;
#[cfg(test)]
mod tests;

use std::fmt;

use crate::facts::Facts;

/// What must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Property {
    /// The last state published is that of the upstream.
    NothingLost,
    /// No change is published twice.
    NothingTwice,
    /// What is published is what was, in order.
    NothingInvented,
    /// Deletes only of what is really absent.
    NothingDeleted,
    /// A checkpoint covers only what is published.
    CheckpointBehindEvents,
    /// Every command gets an outcome.
    AnOutcome,
    /// And only one.
    OneOutcome,
    /// What is `APPLIED` was done once, and what is not `APPLIED` not at all.
    EffectAsSaid,
    /// Commands of one key are done in their order.
    EffectsInOrder,
    /// No secret and no personal data outside the topics.
    Discreet,
    /// A process ends as it was asked to.
    EndsInOrder,
    /// Whoever takes a connector over knows all that was published.
    RecoveredWhole,
    /// Nobody takes over from a process that has the right to go on.
    OwnerNotFenced,
    /// A connector goes on where it is while others are handed over.
    Undisturbed,
    /// A rolling restart is over in time, and moves each connector no more often than it must.
    RollsInBounds,
    /// The freshness of a feed is that of its oldest scope.
    StuckIsSeen,
    /// A scope that fails holds no other one up.
    OthersGoOn,
}

impl Property {
    /// Whether time may still mend it: an event that is late, an outcome that is due.
    pub fn may_settle(self) -> bool {
        matches!(self, Property::NothingLost | Property::AnOutcome)
    }
}

/// A breach of a property.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Of which.
    pub property: Property,
    /// Where, and what was seen. Has no canary in it.
    pub text: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.property, self.text)
    }
}

pub(crate) fn finding(property: Property, text: impl Into<String>) -> Finding {
    Finding { property, text: text.into() }
}

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
