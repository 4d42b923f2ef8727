//! Which branch-day is next in a lane.

use tokio::time::Instant;

use super::branch::Branch;
use super::{Now, Plan};
use crate::export::day::Day;

impl Plan {
    pub(super) fn current(&self, now: Now) -> Option<(String, Day)> {
        let due = self.dues(now).filter(|(at, ..)| at.is_none_or(|at| at <= now.at));
        let (_, id, day) = due.min_by_key(|(at, ..)| *at)?;
        Some((id.clone(), day))
    }

    /// Today and yesterday of each branch: when they are due; `None` is at once.
    pub(super) fn dues(&self, now: Now) -> impl Iterator<Item = (Option<Instant>, &String, Day)> {
        self.reads().flat_map(move |(id, branch)| {
            let today = branch.today(id, &self.zones, &self.late, now);
            let yesterday = today.plus(-1);
            let first = branch.first(&self.config).unwrap_or(today);
            let has_yesterday = yesterday >= first && !branch.done.contains(yesterday);
            // A reply that said otherwise is asked again soon: by the list it is about to be back.
            let interval = match branch.is_listed_connected {
                true => self.config.poll_interval,
                false => self.config.slow_interval(),
            };
            [Some(today), has_yesterday.then_some(yesterday)]
                .into_iter()
                .flatten()
                .filter(|day| !branch.busy.contains(day))
                .map(move |day| {
                    let again = branch.last.get(&day).map(|last| *last + interval);
                    let retry = branch.retry.get(&day).map(|retry| retry.at);
                    (again.max(retry), id, day)
                })
        })
    }

    pub(super) fn past(&mut self, now: Now) -> Option<(String, Day)> {
        if let Some(missed) = self.missed(now) {
            return Some(missed);
        }
        self.backfills_turn = !self.backfills_turn;
        if self.backfills_turn {
            self.backfill(now).or_else(|| self.open(now))
        } else {
            self.open(now).or_else(|| self.backfill(now))
        }
    }

    /// Whether a day of the past that is not done may be read: one that has not settled at the slow
    /// pace, for the read does not end it.
    fn is_due(&self, id: &str, branch: &Branch, day: Day, now: Now) -> bool {
        let has_settled = || {
            let zone = branch.zone_of(id, &self.zones, &self.late);
            self.config.settled_ms(day, &zone.zone) <= now.ms
        };
        let is_time = |last: &Instant| *last + self.config.slow_interval() <= now.at;
        branch.is_free(day, now)
            && branch.last.get(&day).is_none_or(|last| is_time(last) || has_settled())
    }

    /// A day since the start that nothing was read of after it had settled, oldest first.
    fn missed(&self, now: Now) -> Option<(String, Day)> {
        self.reads().find_map(|(id, branch)| {
            let before = branch.today(id, &self.zones, &self.late, now).plus(-2);
            let mut missing = branch.done.missing(branch.start?, before);
            let day = missing.find(|day| self.is_due(id, branch, *day, now))?;
            Some((id.clone(), day))
        })
    }

    /// The next day of the past, by the order of the configuration. Yesterday is read beside today.
    fn backfill(&self, now: Now) -> Option<(String, Day)> {
        let days = self.reads().filter_map(|(id, branch)| {
            let before = branch.today(id, &self.zones, &self.late, now).plus(-2);
            let last = branch.start?.plus(-1).min(before);
            let mut missing = branch.done.missing(branch.first(&self.config)?, last);
            let is_free = |day: &Day| self.is_due(id, branch, *day, now);
            let day = match self.config.newest_first {
                true => missing.rfind(is_free)?,
                false => missing.find(is_free)?,
            };
            Some((day, id))
        });
        let (day, id) = match self.config.newest_first {
            true => days.max_by_key(|(day, _)| *day)?,
            false => days.min_by_key(|(day, _)| *day)?,
        };
        Some((id.clone(), day))
    }

    /// The next day of this round that holds open tickets.
    fn open(&mut self, now: Now) -> Option<(String, Day)> {
        if self.round.is_empty() && self.next_round.is_none_or(|at| at <= now.at) {
            self.round = self.late.days().into();
            self.next_round = Some(now.at + self.config.late_interval);
        }
        while let Some((id, day)) = self.round.pop_front() {
            let Some(branch) = self.branches.get(&id).filter(|branch| branch.is_read) else {
                continue;
            };
            let age = branch.today(&id, &self.zones, &self.late, now).since(day);
            let is_late = (1..=self.config.late_max_age).contains(&age);
            // What is not done is read anyway.
            let is_done = branch.first(&self.config).is_none_or(|first| day < first)
                || branch.done.contains(day);
            if is_late && is_done && branch.is_free(day, now) {
                return Some((id, day));
            }
        }
        None
    }
}
