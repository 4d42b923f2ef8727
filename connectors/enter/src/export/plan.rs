//! What to read next.
//!
//! Today and, until it has settled, yesterday come first, each branch by its own clock. Then, in places
//! of their own: days that were missed while nothing ran; days that hold open tickets, in rounds; and
//! the past from `backfill.from` on. The last two take turns, so that neither starves.
//!
//! A day is done with the first read that began after it had settled. What is done is a set of days per
//! branch, and the cursor. While a branch is not connected, the central server may not have its tickets
//! yet: from when on that is so is remembered, and those days are read again when it is back. Both the
//! list of branches and the reply of each day say whether it is, and it is only where both do.
//!
//! Does no I/O and reads no clock.

mod branch;
mod choose;
pub(crate) mod cursor;
mod now;
mod standing;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use talon_sdk::Fault;
use tokio::time::Instant;

use super::catalogue::Heads;
use super::client::DayFault;
use super::config::PlanConfig;
use super::day::Day;
use super::late::Late;
use super::zone::{Zone, Zones};
use branch::{Branch, Retry};
pub(crate) use now::Now;

/// After so many failures in a row, of different branches where there are so many, it is the upstream.
const FAILURES: usize = 3;

/// A branch-day to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Work {
    pub(crate) branch: String,
    pub(crate) day: Day,
    pub(crate) lane: Lane,
    /// Whether it belongs to the first read.
    pub(crate) snapshot: bool,
    /// Whether what is not there is absent.
    pub(crate) is_full: bool,
}

/// What the reply of a day told of its branch.
#[derive(Debug, Clone, Default)]
pub(crate) struct Told {
    /// Its zone, by name or offset.
    pub(crate) zone: Option<Zone>,
    /// That it is not connected, whatever the list of branches said before.
    pub(crate) is_away: bool,
}

/// In which places it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lane {
    /// Today and yesterday.
    Current,
    /// Everything before.
    Past,
}

pub(crate) struct Plan {
    config: PlanConfig,
    zones: Zones,
    late: Arc<Late>,
    branches: BTreeMap<String, Branch>,
    /// Days with open tickets that this round has yet to read.
    round: VecDeque<(String, Day)>,
    next_round: Option<Instant>,
    /// Whether the turn is the backfill's.
    backfills_turn: bool,
    /// Until when the past is left alone, after failures.
    past_pause: Option<Instant>,
    failures: [usize; 2],
}

impl Plan {
    pub(crate) fn new(config: PlanConfig, zones: Zones, late: Arc<Late>) -> Plan {
        Plan {
            config,
            zones,
            late,
            branches: BTreeMap::new(),
            round: VecDeque::new(),
            next_round: None,
            backfills_turn: false,
            past_pause: None,
            failures: [0; 2],
        }
    }

    /// Takes the list of branches in. Says whether the cursor has changed.
    pub(crate) fn update(&mut self, heads: &Heads, now: Now) -> bool {
        let mut has_changed = false;
        for branch in self.branches.values_mut() {
            branch.is_read &= !heads.is_whole;
        }
        let chosen =
            |id: &String| self.config.branches.is_empty() || self.config.branches.contains(id);
        for head in heads.branches.iter().filter(|head| chosen(&head.id)) {
            let branch = self.branches.entry(head.id.clone()).or_default();
            branch.is_read = !head.has_wrong_protocol;
            branch.is_listed_connected = head.is_connected;
            let today = branch.today(&head.id, &self.zones, &self.late, now);
            branch.listed.get_or_insert(today);
            has_changed |= branch.settle_connection(today, &self.config);
        }
        has_changed
    }

    /// What to read in a lane now.
    pub(crate) fn next(&mut self, lane: Lane, now: Now) -> Option<Work> {
        let (id, day) = match lane {
            Lane::Current => self.current(now)?,
            Lane::Past if self.past_pause.is_some_and(|until| now.at < until) => return None,
            Lane::Past => self.past(now)?,
        };
        let branch = self.branches.get_mut(&id)?;
        branch.busy.insert(day);
        let snapshot = branch.start.is_none_or(|start| day < start && !branch.done.contains(day));
        let is_full = self.config.deletes && branch.is_connected();
        Some(Work { branch: id, day, lane, snapshot, is_full })
    }

    /// Takes in that a day was read. Says whether the cursor has changed.
    pub(crate) fn read(&mut self, work: &Work, told: Told, began_ms: i64, now: Now) -> bool {
        self.failures = [0; 2];
        self.past_pause = None;
        let Some(branch) = self.branches.get_mut(&work.branch) else { return false };
        let assumed = branch.today(&work.branch, &self.zones, &self.late, now);
        branch.busy.remove(&work.day);
        if branch.retry.remove(&work.day).is_some() {
            tracing::info!(branch = work.branch, day = %work.day, "a day is read that failed before");
        }
        if told.zone.is_some() {
            branch.zone = told.zone;
        }
        let today = branch.today(&work.branch, &self.zones, &self.late, now);
        let mut has_changed = false;
        if branch.start.is_none() {
            // The zone may be known only now.
            branch.start = Some(today.min(assumed).min(work.day));
            has_changed = true;
        }
        branch.is_away = told.is_away;
        has_changed |= branch.settle_connection(today, &self.config);
        if let Some(off) = branch.off.as_mut().filter(|off| **off > work.day && told.is_away) {
            *off = work.day;
            has_changed = true;
        }
        let zone = branch.zone_of(&work.branch, &self.zones, &self.late);
        let settled_ms = self.config.settled_ms(work.day, &zone.zone);
        let is_of_plan = branch.first(&self.config).is_some_and(|first| work.day >= first);
        if began_ms >= settled_ms && is_of_plan && !branch.done.contains(work.day) {
            branch.done.insert(work.day);
            has_changed = true;
        }
        let yesterday = today.plus(-1);
        let is_again = |day: Day| day >= yesterday || !branch.done.contains(day);
        branch.last.retain(|day, _| is_again(*day));
        if is_again(work.day) && (is_of_plan || work.day >= yesterday) {
            branch.last.insert(work.day, now.at);
        }
        has_changed
    }

    /// Takes in that a day could not be read. Gives the fault if it is the upstream's as a whole.
    pub(crate) fn failed(&mut self, work: &Work, fault: DayFault, now: Now) -> Option<Fault> {
        let readable = self.reads().count();
        let failures = &mut self.failures[work.lane as usize];
        *failures += 1;
        let pause = |times: usize| {
            let times = u32::try_from(times).unwrap_or(u32::MAX).min(8);
            self.config.poll_interval.saturating_mul(1 << times).min(self.config.slow_interval())
        };
        let failures = *failures;
        if let Some(branch) = self.branches.get_mut(&work.branch) {
            branch.busy.remove(&work.day);
            let times = branch.retry.get(&work.day).map_or(0, |retry| retry.times);
            let (at, reason) = (now.at + pause(times as usize), fault.fault.to_string());
            if times == 0 {
                tracing::warn!(
                    branch = work.branch,
                    day = %work.day,
                    "a day cannot be read and is tried again later: {reason}"
                );
            }
            branch.retry.insert(work.day, Retry { at, times: times + 1, reason });
        }
        match work.lane {
            _ if fault.is_general => Some(fault.fault),
            Lane::Current => (failures >= FAILURES.min(readable)).then_some(fault.fault),
            Lane::Past => {
                if failures >= FAILURES {
                    self.past_pause = Some(now.at + pause(failures - FAILURES));
                }
                None
            }
        }
    }

    /// What a person should look at: a day that failed twice in a row, and others did not.
    pub(crate) fn doubt(&self) -> Option<String> {
        let failing = |(id, branch): (&String, &Branch)| {
            let mut days = branch.retry.iter().filter(|(_, retry)| retry.times > 1);
            let (day, retry) = days.next()?;
            Some((format!("`{}`", scope(id, *day)), 1 + days.count(), retry.reason.clone()))
        };
        let mut branches = self.reads().filter_map(failing);
        let (first, days, reason) = branches.next()?;
        let others = branches.map(|(_, days, _)| days).sum::<usize>() + days - 1;
        let and = if others > 0 { format!(" and {others} more days") } else { String::new() };
        Some(format!("{first}{and} cannot be read and is tried again, all else is read: {reason}"))
    }

    /// When to look again, at the latest a poll interval from now: a day may begin.
    pub(crate) fn wake(&self, now: Now) -> Instant {
        let dues = self.dues(now).map(|(at, ..)| at.unwrap_or(now.at));
        let retries =
            self.reads().flat_map(|(_, branch)| branch.retry.values().map(|retry| retry.at));
        let others = [self.next_round, self.past_pause].into_iter().flatten();
        let soonest = dues.chain(retries.chain(others).filter(|at| *at > now.at)).min();
        let latest = now.at + self.config.poll_interval;
        soonest.unwrap_or(latest).min(latest)
    }

    /// Branches that are asked for tickets.
    fn reads(&self) -> impl Iterator<Item = (&String, &Branch)> {
        self.branches.iter().filter(|(_, branch)| branch.is_read)
    }

    /// How many days are read at once, in each lane.
    pub(crate) fn places(&self) -> usize {
        self.config.concurrency
    }
}

/// The scope of a branch's day: `branch/2024-07-10`.
pub(crate) fn scope(branch: &str, day: Day) -> String {
    format!("{branch}/{day}")
}

/// How long until an instant.
pub(crate) fn until(at: Instant, now: Now) -> Duration {
    at.saturating_duration_since(now.at)
}
