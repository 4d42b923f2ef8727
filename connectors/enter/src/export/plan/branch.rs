//! What is known of a branch's days.

use std::collections::{HashMap, HashSet};

use tokio::time::Instant;

use super::now::Now;
use crate::export::config::PlanConfig;
use crate::export::day::{Day, Days};
use crate::export::late::Late;
use crate::export::zone::{Zone, Zones, recalled};

/// A branch of the list, or of the cursor.
#[derive(Debug, Default)]
pub(super) struct Branch {
    /// Whether its tickets are asked for: configured, listed, and of the right protocol.
    pub(super) is_read: bool,
    /// Whether it is connected by the list of branches.
    pub(super) is_listed_connected: bool,
    /// Whether the last reply said that it is not.
    pub(super) is_away: bool,
    pub(super) zone: Option<Zone>,
    /// The day on which it was listed for the first time since this feed was opened.
    pub(super) listed: Option<Day>,
    /// The day on which reading began; what lies before is the backfill's.
    pub(super) start: Option<Day>,
    pub(super) done: Days,
    /// From which day on it was not connected.
    pub(super) off: Option<Day>,
    /// When today, yesterday, and days before that have not settled were read last.
    pub(super) last: HashMap<Day, Instant>,
    /// Days that failed.
    pub(super) retry: HashMap<Day, Retry>,
    pub(super) busy: HashSet<Day>,
}

/// A day that could not be read.
#[derive(Debug)]
pub(super) struct Retry {
    /// When to try again.
    pub(super) at: Instant,
    /// How often it failed.
    pub(super) times: u32,
    /// Why it did the last time.
    pub(super) reason: String,
}

impl Branch {
    pub(super) fn zone_of(&self, id: &str, zones: &Zones, late: &Late) -> Zone {
        let recall = || late.zone(id).as_deref().and_then(recalled);
        self.zone.clone().or_else(recall).unwrap_or_else(|| zones.configured(id))
    }

    pub(super) fn today(&self, id: &str, zones: &Zones, late: &Late, now: Now) -> Day {
        match &self.zone {
            Some(zone) => Day::today(now.ms, &zone.zone),
            None => Day::today(now.ms, &self.zone_of(id, zones, late).zone),
        }
    }

    /// The first day of the plan, once reading has begun.
    pub(super) fn first(&self, config: &PlanConfig) -> Option<Day> {
        let start = self.start?;
        Some(config.backfill_from.map_or(start, |from| from.min(start)))
    }

    /// Whether the central server has its tickets as they are.
    pub(super) fn is_connected(&self) -> bool {
        self.is_listed_connected && !self.is_away
    }

    /// Forgets that days were read which it was not connected for, if it is now; or notes from which day on
    /// what is read is not known to be all. Says whether the cursor has changed.
    pub(super) fn settle_connection(&mut self, today: Day, config: &PlanConfig) -> bool {
        match (self.is_connected(), self.off) {
            (true, None) | (false, Some(_)) => return false,
            (true, Some(off)) => {
                self.off = None;
                self.done.remove_from(off);
                self.last.clear();
            }
            // What was read before is not known to be all, unless it was connected then.
            (false, None) => {
                self.off = Some(match self.start {
                    Some(start) => {
                        let yesterday = today.plus(-1);
                        self.done.missing(start, yesterday).next().unwrap_or(yesterday)
                    }
                    None => today.plus(-config.late_max_age),
                });
            }
        }
        true
    }

    /// Whether nobody is at a day, and it is not too soon after it failed.
    pub(super) fn is_free(&self, day: Day, now: Now) -> bool {
        !self.busy.contains(&day) && self.retry.get(&day).is_none_or(|retry| retry.at <= now.at)
    }
}
