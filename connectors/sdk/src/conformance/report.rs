//! What was found.

use std::collections::BTreeSet;
use std::fmt;

/// What is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Property {
    /// The simulation and the connector fit each other: feeds open, have rows, and rows decode.
    Works,
    /// Opened anew from every cursor that it gave, a feed misses nothing that came later.
    Resume,
    /// A feed that is dropped at any await and opened anew loses nothing, and does not hang.
    Cancellation,
    /// A full list holds all entities of its scope, scopes do not overlap, and what was removed is told
    /// absent; where a codec says that its feed tells no absence, no list is full.
    Absence,
    /// The key that is peeked is the key that is decoded.
    PeekedKey,
    /// The same content in other bytes is the same datum.
    SameContent,
    /// Unknown fields and values of another type are kept.
    NothingLost,
    /// Secrets and personal data stand in no log and no error.
    Discretion,
    /// Parameters that are missing or have another type are refused, and nothing is sent.
    Parameters,
    /// After a lost reply the finding is never a wrong one, and nothing is sent twice.
    LostReply,
}

impl Property {
    /// What an author can do about a breach.
    fn remedy(self) -> &'static str {
        match self {
            Property::Works => "see that the simulation serves every feed and command of the class",
            Property::Resume => {
                "give a cursor only for what stands in this observation or before it; keep nothing beside it"
            }
            Property::Cancellation => {
                "change the state that outlives the call only after the last await, and let go of locks and \
                 sessions by dropping"
            }
            Property::Absence => {
                "send `Full` or `Part`..`Last` only for all of one scope, each entity in one scope, and none \
                 where `tells_absence` is false"
            }
            Property::PeekedKey => "peek the key exactly as `decode` writes it, or give `false`",
            Property::SameContent => {
                "compare values, not their spelling: read numbers and texts by type, keep JSON in a field \
                 that is marked `talon.json`"
            }
            Property::NothingLost => {
                "declare the record with `derive(Record)` and a field `extra`, or name in \
                 `Simulation::dropped` what is left out on purpose"
            }
            Property::Discretion => "say position and kind in reasons and logs, never a value",
            Property::Parameters => {
                "describe the parameters in `commands.avsc` as strictly as they are read, and read them \
                 before anything is sent"
            }
            Property::LostReply => {
                "send once, answer `Unclear` where the reply is lost, and judge by what was seen before; \
                 `Unclear` is never wrong"
            }
        }
    }
}

/// A promise that is not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breach {
    /// Which.
    pub property: Property,
    /// Feed or command, and the row, cursor or await: ``feed `agent`, row 3``.
    pub place: String,
    /// What was seen.
    pub what: String,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Breach { property, place, what } = self;
        write!(f, "{property:?}: {place}: {what}\n    → {}", property.remedy())
    }
}

/// All that was found of a class.
#[derive(Debug, Default)]
#[must_use]
pub struct Report {
    /// The breaches, each once.
    pub breaches: Vec<Breach>,
    /// What was looked at, in words, so that a check that checked nothing is seen.
    pub checked: Vec<String>,
    /// What a connector told that people may see, and where.
    pub(super) told: Vec<(String, String)>,
    /// What must not stand in it, and what that is.
    pub(super) canaries: BTreeSet<(String, &'static str)>,
}

/// So many breaches of one property are told; what follows is mostly the same.
const ENOUGH: usize = 40;

impl Report {
    pub(super) fn breach(
        &mut self,
        property: Property,
        place: impl Into<String>,
        what: impl Into<String>,
    ) {
        let breach = Breach { property, place: place.into(), what: what.into() };
        let known = self.breaches.iter().filter(|known| known.property == property).count();
        if known < ENOUGH && !self.breaches.contains(&breach) {
            self.breaches.push(breach);
        }
    }

    pub(super) fn tell(&mut self, place: impl Into<String>, text: impl Into<String>) {
        self.told.push((place.into(), text.into()));
    }

    /// The properties that are not kept.
    pub fn properties(&self) -> Vec<Property> {
        let all: BTreeSet<_> = self.breaches.iter().map(|breach| breach.property).collect();
        all.into_iter().collect()
    }

    /// Fails a test where there are breaches, with all of them.
    ///
    /// # Panics
    /// So does it.
    #[track_caller]
    pub fn assert(&self) {
        assert!(self.breaches.is_empty(), "{self}");
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} breaches", self.breaches.len())?;
        self.breaches.iter().try_for_each(|breach| writeln!(f, "- {breach}"))?;
        writeln!(f, "looked at:")?;
        self.checked.iter().try_for_each(|checked| writeln!(f, "- {checked}"))
    }
}
