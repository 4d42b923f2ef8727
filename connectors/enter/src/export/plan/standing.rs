//! How far the plan is: what is kept up to date, and the backfill.

use super::{Now, Plan};
use crate::export::day::Day;

impl Plan {
    /// The branch-days that are kept up to date: today, and every day since reading began that was not
    /// read after it had settled. Those of a branch that is stuck stay among them. Backfill and rounds of
    /// days with open tickets have a pace of their own, and so has a branch that is not connected, of
    /// which the server has nothing new.
    pub(crate) fn follows(&self, now: Now) -> impl Iterator<Item = (&str, Day)> {
        self.reads().filter(|(_, branch)| branch.is_connected()).flat_map(move |(id, branch)| {
            let today = branch.today(id, &self.zones, &self.late, now);
            let from = branch.start.or(branch.listed).unwrap_or(today);
            let missing = branch.done.missing(from, today.plus(-1));
            missing.chain([today]).map(move |day| (id.as_str(), day))
        })
    }

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
