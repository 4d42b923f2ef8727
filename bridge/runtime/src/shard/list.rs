//! Full lists, which may come in several observations.

use std::collections::HashMap;

use talon_sdk::{Coverage, Observation};

use crate::shard::index::SlotSet;

/// Lists that are under way at the same time. A feed can give up a list without a word, so the one that
/// has not gone on for longest is forgotten beyond that: it tells nothing of absence.
const UNDER_WAY: usize = 1_024;

/// What was seen of a full list.
#[derive(Debug)]
pub(crate) struct List {
    /// Which entities it contained.
    pub(crate) seen: SlotSet,
    /// Its rows.
    pub(crate) rows: usize,
    /// Entities that it made known, to the feed or to the scope.
    pub(crate) new: usize,
    /// Whether a row could not be read, and its key is not known, or it may hold other rows.
    pub(crate) unreadable: bool,
    /// Whether it began after a fault or a start.
    pub(crate) after_fault: bool,
    part: u32,
}

/// The lists of a feed that are not whole yet.
#[derive(Debug, Default)]
pub(crate) struct Lists {
    /// By scope, with when they went on last.
    lists: HashMap<String, (u64, List)>,
    /// Counts the parts that came.
    now: u64,
}

impl Lists {
    /// The list that an observation begins or goes on with; `None` where it is none, or where a part of
    /// it is missing. `after_fault`: it is the first of its scope after the feed was opened anew, so it
    /// does not go on with what was begun before.
    pub(crate) fn take(&mut self, observation: &Observation, after_fault: bool) -> Option<List> {
        let begun = self.lists.remove(&observation.scope).map(|(_, list)| list);
        let mut list = match observation.coverage {
            Coverage::Delta | Coverage::Audit | Coverage::Incomplete => return None,
            Coverage::Part(number) | Coverage::Last(number) if number > 0 => begun
                .filter(|list| !after_fault && list.part + 1 == number)
                .map(|list| List { part: number, ..list })?,
            Coverage::Full | Coverage::Part(_) | Coverage::Last(_) => List {
                seen: SlotSet::default(),
                rows: 0,
                new: 0,
                unreadable: false,
                after_fault,
                part: 0,
            },
        };
        list.rows += observation.rows.len();
        Some(list)
    }

    /// The list if it is whole now; otherwise it waits for its next part.
    pub(crate) fn put(&mut self, observation: &Observation, list: List) -> Option<List> {
        let Coverage::Part(_) = observation.coverage else { return Some(list) };
        if self.lists.len() >= UNDER_WAY {
            let oldest = self.lists.iter().min_by_key(|(_, (at, _))| *at);
            if let Some(scope) = oldest.map(|(scope, _)| scope.clone()) {
                self.lists.remove(&scope);
            }
        }
        self.now += 1;
        self.lists.insert(observation.scope.clone(), (self.now, list));
        None
    }
}

#[cfg(test)]
mod tests {
    use talon_sdk::Rows;

    use super::*;

    fn observation(scope: &str, coverage: Coverage) -> Observation {
        let rows = Rows::default();
        Observation {
            scope: scope.to_owned(),
            coverage,
            rows,
            cursor: None,
            snapshot: false,
            as_of_ms: 0,
        }
    }

    #[test]
    fn lists_that_were_given_up_are_forgotten_and_those_that_go_on_are_not() {
        let mut lists = Lists::default();
        for number in 0..5_000 {
            for (scope, part) in [("slow", number), (&*number.to_string(), 0)] {
                let observation = observation(scope, Coverage::Part(part));
                let list = lists.take(&observation, part == 0).unwrap();
                assert!(lists.put(&observation, list).is_none());
            }
        }
        assert_eq!(lists.lists.len(), UNDER_WAY);
        let last = observation("slow", Coverage::Last(5_000));
        let list = lists.take(&last, false).unwrap();
        assert!(lists.put(&last, list).is_some());
        assert!(lists.take(&observation("7", Coverage::Last(1)), false).is_none());
    }

    #[test]
    fn a_list_goes_on_whatever_begins_beside_it_and_not_over_a_fault() {
        let mut lists = Lists::default();
        let mut part = |scope: &str, coverage, after_fault| {
            let observation = observation(scope, coverage);
            let list = lists.take(&observation, after_fault)?;
            lists.put(&observation, list)
        };
        assert!(part("a", Coverage::Part(0), true).is_none());
        assert!(part("b", Coverage::Part(0), true).is_none(), "the first of another scope");
        assert!(part("a", Coverage::Last(1), false).is_some());
        assert!(part("b", Coverage::Last(1), true).is_none(), "the feed was opened anew");
    }
}
