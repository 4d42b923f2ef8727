//! The calls of the last hour.

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Time;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

const HOUR_MS: i64 = 3_600_000;

/// What is added to an hour, for clocks that count in seconds and do not run alike.
const MARGIN_MS: i64 = 5_000;

/// How many times of calls are kept apart.
const MOST_KNOWN: usize = 64;

/// The limits, as they are configured.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Calls an hour by day; at least 1.
    pub day: u32,
    /// Calls an hour by night.
    pub night: u32,
    /// How many of them are left to other programs; fewer than `day`.
    pub reserve: u32,
    /// When the night begins and ends, in `zone`; without it, it is always day.
    pub night_hours: Option<(Time, Time)>,
    /// The zone of these hours.
    pub zone: TimeZone,
    /// How long after it was taken in a call can still reach the upstream: until it is sent, at the most,
    /// and until its request is given up.
    pub latest: Duration,
}

impl Limits {
    /// How many calls an hour the connector allows itself at a time, at least one. The night's limit holds only
    /// where the next hour is night too: what was called at its end counts in the first hour of the day.
    pub fn allowed(&self, at: i64) -> u32 {
        let is_night = is_night(at, self) && is_night(at.saturating_add(HOUR_MS), self);
        let limit = if is_night { self.night.max(self.day) } else { self.day };
        limit.saturating_sub(self.reserve).max(1)
    }
}

/// The calls of one operation, as a part of the cursor. Times are milliseconds since 1970 UTC.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Quota {
    /// Of the last hour, oldest first: by when they have reached the upstream, if they have, and how many
    /// these are. A call without an end stands alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    calls: Vec<(i64, u32)>,
    /// Whether the last call has no end.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    open: bool,
    /// Until when the upstream is left alone, because it said that the quota is used up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    closed_until: Option<i64>,
}

impl Quota {
    /// Where nothing is known: a predecessor may have used all that the reserve leaves.
    pub fn unknown(now_ms: i64, limits: &Limits) -> Quota {
        let limit =
            if is_night(now_ms, limits) { limits.night.max(limits.day) } else { limits.day };
        let used = limit.saturating_sub(limits.reserve.saturating_mul(2));
        let calls = if used > 0 { vec![(now_ms, used)] } else { Vec::new() };
        Quota { calls, open: false, closed_until: None }
    }

    /// Forgets what does not count any more, and takes calls from the future as made now. Called before
    /// anything is asked, with the time of day.
    pub fn settle(&mut self, now_ms: i64, limits: &Limits) {
        let latest = now_ms.saturating_add(millis(limits.latest));
        for (call, _) in &mut self.calls {
            *call = (*call).min(latest);
        }
        self.calls.retain(|(call, _)| counts(*call, now_ms));
        let longest = latest.saturating_add(HOUR_MS);
        self.closed_until = self.closed_until.map(|at| at.min(longest)).filter(|at| *at > now_ms);
        self.open &= !self.calls.is_empty();
    }

    /// When the next call may be made, from now on.
    pub fn next_at(&self, now_ms: i64, limits: &Limits) -> i64 {
        let mut at = now_ms.max(self.closed_until.unwrap_or(now_ms));
        let allowed_now = limits.allowed(at);
        if self.open
            && self.left(at, limits) < allowed_now.div_ceil(2)
            && let Some((last, _)) = self.calls.last()
        {
            at = at.max(last.saturating_add(share_ms(allowed_now)));
        }
        loop {
            let first =
                self.calls.iter().map(|(call, _)| *call).filter(|call| counts(*call, at)).min();
            let Some(first) = first.filter(|_| self.counting(at) >= limits.allowed(at)) else {
                return at;
            };
            // The next moment at which the answer can change: a call stops to count, or the limit is another.
            let ends = first.saturating_add(HOUR_MS + MARGIN_MS);
            at = next_limit(at, limits).map_or(ends, |change| change.min(ends));
        }
    }

    /// Whether the upstream is left alone because it said that the quota is used up.
    pub fn is_refused(&self, now_ms: i64) -> bool {
        self.closed_until.is_some_and(|until| until > now_ms)
    }

    /// How many calls may be made now.
    pub fn left(&self, now_ms: i64, limits: &Limits) -> u32 {
        if self.is_refused(now_ms) {
            return 0;
        }
        limits.allowed(now_ms).saturating_sub(self.counting(now_ms))
    }

    /// How many calls count at a time.
    fn counting(&self, at: i64) -> u32 {
        let counting = self.calls.iter().filter(|(call, _)| counts(*call, at));
        counting.fold(0, |sum, (_, calls)| sum.saturating_add(*calls))
    }

    /// Takes in a call that is about to be made.
    pub fn begin(&mut self, now_ms: i64, limits: &Limits) {
        // The oldest are taken together, as made with the latest of them: so the cursor stays small.
        if self.calls.len() >= MOST_KNOWN {
            let (first, calls) = self.calls.remove(0);
            let next = &mut self.calls[0];
            *next = (next.0.max(first), next.1.saturating_add(calls));
        }
        self.calls.push((now_ms.saturating_add(millis(limits.latest)), 1));
        self.open = true;
    }

    /// The call that was taken in last was surely not made, and will not be.
    pub fn withdraw(&mut self) {
        if self.open {
            self.calls.pop();
        }
        self.open = false;
    }

    /// Whether the call that was taken in last may be sent now: it must reach the upstream in time.
    /// `patience` is how long its request may take.
    pub fn may_send(&self, now_ms: i64, patience: Duration) -> bool {
        let latest = self.calls.last().filter(|_| self.open);
        latest.is_some_and(|(latest, _)| now_ms.saturating_add(millis(patience)) <= *latest)
    }

    /// The last call has been answered, whatever the answer is.
    pub fn end(&mut self, now_ms: i64) {
        if let Some((last, _)) = self.calls.last_mut().filter(|_| self.open) {
            *last = now_ms.min(*last);
        }
        self.open = false;
    }

    /// The last call has been answered with that it is one too many: others have used the quota up, or this rule is
    /// wrong. A full hour from now has passed for each way of counting.
    pub fn refused(&mut self, now_ms: i64) {
        self.end(now_ms);
        self.closed_until = Some(now_ms.saturating_add(HOUR_MS + MARGIN_MS));
    }
}

/// Whether a call can be among those of the hour that ends at `at`.
fn counts(call: i64, at: i64) -> bool {
    call.saturating_add(HOUR_MS + MARGIN_MS) > at
}

fn is_night(at: i64, limits: &Limits) -> bool {
    let Some((from, until)) = limits.night_hours else { return false };
    let Ok(at) = Timestamp::from_millisecond(at) else { return false };
    let time = at.to_zoned(limits.zone.clone()).time();
    if from <= until { (from..until).contains(&time) } else { time >= from || time < until }
}

/// When another limit may hold, after `at`: by the quarter of an hour, which no zone is finer than.
fn next_limit(at: i64, limits: &Limits) -> Option<i64> {
    limits.night_hours?;
    let now = limits.allowed(at);
    let first = at.div_euclid(QUARTER_MS) * QUARTER_MS + QUARTER_MS;
    (0..96 + 1).map(|quarter| first + quarter * QUARTER_MS).find(|at| limits.allowed(*at) != now)
}

const QUARTER_MS: i64 = HOUR_MS / 4;

/// How long one of so many calls has of an hour.
fn share_ms(calls: u32) -> i64 {
    HOUR_MS / i64::from(calls.max(1))
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
