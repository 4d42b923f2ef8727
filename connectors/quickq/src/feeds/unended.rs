//! The states that are not over yet, as `operation_state` saw them last.
//!
//! A state is told once it is over, so until then nothing of it is on the topic. Statistics are history
//! (`quickq-websocket.txt`, statistics: "statistical tables"), so a visit stays in them until its states
//! are over. Should one leave all the same, because its visitor was removed for good or stayed for longer
//! than is read back, its states are told as they were seen last, when it was missing for so long that no
//! short reply explains it.
//!
//! This is memory of the process. After a restart the window reaches back to the visits that were
//! unended ([`Unended::since`] is in the cursor); a visit that left while nothing ran is not known.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

/// Shared by the feed, which is opened anew after a fault, and the connector.
#[derive(Default)]
pub(crate) struct Unended(Mutex<BTreeMap<String, Known>>);

struct Known {
    row: Bytes,
    registered_ms: Option<i64>,
    missing_since_ms: Option<i64>,
}

/// A state that is not over.
pub(crate) struct Open {
    pub(crate) key: String,
    pub(crate) row: Bytes,
    pub(crate) registered_ms: Option<i64>,
}

impl Unended {
    /// Takes in which states of a reply are not over; what was known and is not among them is over, if the
    /// reply `holds` it, and missing else. Gives the rows of those that have left: missing for `patience_ms`.
    /// Each is given for as long again, should it not be committed at once. `None`: nothing is missing by
    /// this reply, since a part of it could not be read.
    pub(crate) fn seen(
        &self,
        open: Vec<Open>,
        holds: impl Fn(&str) -> bool,
        now_ms: i64,
        patience_ms: Option<i64>,
    ) -> Vec<Bytes> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|key, _| !holds(key));
        for Open { key, row, registered_ms } in open {
            known.insert(key, Known { row, registered_ms, missing_since_ms: None });
        }
        let mut left = Vec::new();
        let Some(patience_ms) = patience_ms else { return left };
        known.retain(|key, state| {
            if holds(key) {
                return true;
            }
            let since = *state.missing_since_ms.get_or_insert(now_ms);
            let missing = now_ms.saturating_sub(since);
            if missing >= patience_ms {
                left.push(state.row.clone());
            }
            missing < patience_ms.saturating_mul(2).max(1)
        });
        left
    }

    /// When the first of the visits was registered that have a state which is not over, and are there.
    pub(crate) fn since(&self) -> Option<i64> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let there = known.values().filter(|state| state.missing_since_ms.is_none());
        there.filter_map(|state| state.registered_ms).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(keys: &[&str]) -> Vec<Open> {
        let of = |key: &&str| Open {
            key: (*key).to_owned(),
            row: Bytes::copy_from_slice(key.as_bytes()),
            registered_ms: key.parse().ok(),
        };
        keys.iter().map(of).collect()
    }

    #[test]
    fn a_state_that_leaves_before_it_is_over_is_told_as_it_was_seen_last() {
        let unended = Unended::default();
        let seen = |keys: &[&str], held: &[&str], now_ms| {
            let holds = |key: &str| keys.contains(&key) || held.contains(&key);
            unended.seen(open(keys), holds, now_ms, Some(100))
        };
        assert_eq!(seen(&["5", "7"], &[], 0), [""; 0]);
        assert_eq!(unended.since(), Some(5));
        assert_eq!(
            unended.seen(open(&["7"]), |key| key == "7", 5, None),
            [""; 0],
            "5 may be there"
        );
        assert_eq!(unended.since(), Some(5), "and is waited for");
        assert_eq!(seen(&["7"], &["5"], 10), [""; 0], "5 is over");
        assert_eq!(unended.since(), Some(7));
        assert_eq!(seen(&[], &[], 20), [""; 0], "a short reply");
        assert_eq!(unended.since(), None, "it is not waited for by reading back");
        assert_eq!(seen(&["7"], &[], 130), [""; 0], "it is there again");
        assert_eq!(seen(&[], &[], 140), [""; 0]);
        assert_eq!(seen(&[], &[], 240), ["7"]);
        assert_eq!(seen(&[], &[], 250), ["7"], "the same, which is no second event");
        assert_eq!(seen(&[], &[], 340), ["7"]);
        assert_eq!(seen(&[], &[], 350), [""; 0]);
    }
}
