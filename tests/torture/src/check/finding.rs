//! The properties by name, and what a breach of one is.

use std::fmt;

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

/// A breach of a property.
pub(super) fn finding(property: Property, text: impl Into<String>) -> Finding {
    Finding { property, text: text.into() }
}
