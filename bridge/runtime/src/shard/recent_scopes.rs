//! Which scopes a feed has seen, and whether since its last fault.

use std::collections::HashMap;

use xxhash_rust::xxh3::xxh3_64;

/// When so many scopes have been seen since, one that was not among them may be forgotten. A feed that
/// goes round fewer is not affected. One that is forgotten counts as seen for the first time: of an empty
/// list of it nothing is believed.
const KEPT: usize = 32_768;

/// The scopes that a feed has seen last, by the hash of their names: between one and two times as many
/// as are to be kept.
#[derive(Debug, Default)]
pub(super) struct RecentScopes {
    /// How many faults there had been when it was seen last.
    recent: HashMap<u64, u32>,
    /// Those from before `recent` was begun anew.
    earlier: HashMap<u64, u32>,
    faults: u32,
}

/// Whether a scope is seen for the first time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Novelty {
    /// It is, since the last fault.
    pub(super) after_fault: bool,
    /// It is, since the last fault, and was seen before that.
    pub(super) after_gap: bool,
}

impl RecentScopes {
    /// A scope is seen.
    pub(super) fn see(&mut self, scope: &str) -> Novelty {
        let hash = xxh3_64(scope.as_bytes());
        let before = self.recent.insert(hash, self.faults);
        let before = before.or_else(|| self.earlier.get(&hash).copied());
        if self.recent.len() >= KEPT {
            self.earlier = std::mem::take(&mut self.recent);
        }
        let since_fault = before == Some(self.faults);
        Novelty { after_fault: !since_fault, after_gap: before.is_some() && !since_fault }
    }

    /// The feed failed: what it saw before is uncertain.
    pub(super) fn fault(&mut self) {
        self.faults = self.faults.wrapping_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_uncertain_once_after_each_fault() {
        let mut scopes = RecentScopes::default();
        let mut see = |scope: &str, fault: bool| {
            if fault {
                scopes.fault();
            }
            let Novelty { after_fault, after_gap } = scopes.see(scope);
            (after_fault, after_gap)
        };
        assert_eq!(see("a", false), (true, false), "the first of all");
        assert_eq!(see("a", false), (false, false));
        assert_eq!(see("b", false), (true, false));
        assert_eq!(see("a", true), (true, true));
        assert_eq!(see("a", false), (false, false));
        assert_eq!(see("b", false), (true, true));
        assert_eq!(see("b", false), (false, false));
    }

    #[test]
    fn invariant_9_scopes_that_are_not_seen_any_more_are_forgotten() {
        let mut scopes = RecentScopes::default();
        scopes.see("often");
        for day in 0..1_000_000 {
            scopes.see(&format!("branch/{day}"));
            if day % 1_000 == 0 {
                assert!(!scopes.see("often").after_fault);
            }
        }
        assert!(scopes.recent.len() + scopes.earlier.len() <= 2 * KEPT);
        assert_eq!(scopes.see("branch/7"), Novelty { after_fault: true, after_gap: false });
    }
}
