//! How far the backfill is.

use super::Plan;

impl Plan {
    /// Days of the past to be read, and those that are read, summed over branches.
    pub(crate) fn backfilled(&self) -> (u64, u64) {
        let days = self.reads().filter_map(|(_, branch)| {
            let (first, start) = (branch.first(&self.config)?, branch.start?);
            let total = u64::try_from(start.since(first)).unwrap_or(0);
            Some((total, branch.done.count(first, start.plus(-1))))
        });
        days.fold((0, 0), |(total, done), (days, read)| (total + days, done + read))
    }

    /// Whether there is a past to read.
    pub(crate) fn has_backfill(&self) -> bool {
        self.config.backfill_from.is_some()
    }
}
