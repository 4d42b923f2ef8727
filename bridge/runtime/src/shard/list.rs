//! Full lists, which may come in several observations.

use std::collections::HashMap;

use talon_sdk::{Coverage, Observation};

use crate::shard::index::{Index, Seen};

/// What was seen of a full list.
#[derive(Debug)]
pub(crate) struct List {
    /// Which entities it contained.
    pub(crate) seen: Seen,
    /// Its rows.
    pub(crate) rows: usize,
    /// Entities that it made known.
    pub(crate) new: usize,
    /// Whether a row could not be read, and its key is not known.
    pub(crate) unreadable: bool,
    /// Whether it began after a fault or a start.
    pub(crate) after_fault: bool,
    part: u32,
}

/// The lists of a feed that are not whole yet, by scope.
#[derive(Debug, Default)]
pub(crate) struct Lists(HashMap<String, List>);

impl Lists {
    /// The list that an observation begins or goes on with; `None` for a delta, and for what goes on
    /// with a list of which a part is missing.
    pub(crate) fn take(
        &mut self,
        observation: &Observation,
        after_fault: bool,
        index: &Index,
    ) -> Option<List> {
        if after_fault {
            // The feed was opened anew: what it had begun does not go on.
            self.0.clear();
        }
        let begun = self.0.remove(&observation.scope);
        let mut list = match observation.coverage {
            Coverage::Delta => return None,
            Coverage::Part(number) | Coverage::Last(number) if number > 0 => begun
                .filter(|list| list.part + 1 == number)
                .map(|list| List { part: number, ..list })?,
            Coverage::Full | Coverage::Part(_) | Coverage::Last(_) => List {
                seen: Seen::none(index),
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
        match observation.coverage {
            Coverage::Part(_) => {
                self.0.insert(observation.scope.clone(), list);
                None
            }
            _ => Some(list),
        }
    }
}
