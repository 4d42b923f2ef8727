//! How many calls there may be, and what else is refused.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::call::{Filter, Operation};
use super::settings::{Counting, Settings};

const HOUR: i64 = 3_600_000;

/// Why a call is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) code: &'static str,
    pub(super) text: String,
}

/// The calls that were counted, of all programs, by account and operation.
#[derive(Debug, Default)]
pub(super) struct Counted(BTreeMap<(String, Operation), Vec<i64>>);

impl Counted {
    /// Counts a call at a time; says whether it is one too many.
    pub(super) fn call(
        &mut self,
        account: &str,
        operation: Operation,
        now: i64,
        settings: &Settings,
    ) -> Result<(), Refusal> {
        let calls = self.0.entry((account.to_owned(), operation)).or_default();
        let limit = limit_at(now, settings);
        let own = count(calls, now, settings);
        let is_within = own + others(now, settings) < limit;
        if is_within || settings.counts_refused {
            calls.push(now);
        }
        match is_within {
            true => Ok(()),
            false => Err(Refusal {
                code: "OUT_OF_LIMIT",
                text: format!("Достигнут лимит вызовов: {limit} в час"),
            }),
        }
    }

    /// Counts calls of another program.
    pub(super) fn spend(&mut self, account: &str, operation: Operation, calls: u32, now: i64) {
        let counted = self.0.entry((account.to_owned(), operation)).or_default();
        counted.extend((0..calls).map(|_| now));
    }
}

/// How many calls count at a time.
fn count(calls: &mut Vec<i64>, now: i64, settings: &Settings) -> u32 {
    let since = match settings.counting {
        Counting::Sliding => now - HOUR + 1,
        Counting::ClockHour => clock_hour(now, settings),
        Counting::FirstCall => first_of_hour(calls, now).unwrap_or(now),
    };
    // What is older than two hours can begin no hour that still runs: hours begin with a first call, and
    // the one that runs began at most an hour ago.
    if calls.len() > 10_000 && settings.counting != Counting::FirstCall {
        calls.retain(|at| *at >= since);
    }
    u32::try_from(calls.iter().filter(|at| **at >= since && **at <= now).count())
        .unwrap_or(u32::MAX)
}

/// When the hour began that runs by the first calls.
fn first_of_hour(calls: &[i64], now: i64) -> Option<i64> {
    let mut begin: Option<i64> = None;
    for &at in calls.iter().filter(|at| **at <= now) {
        if begin.is_none_or(|begin| at >= begin + HOUR) {
            begin = Some(at);
        }
    }
    begin.filter(|begin| now < begin + HOUR)
}

fn others(now: i64, settings: &Settings) -> u32 {
    let per_hour = settings.others_per_hour;
    match settings.counting {
        // As many as have come since the hour began.
        Counting::ClockHour => {
            let passed = u64::try_from(now - clock_hour(now, settings)).unwrap_or(0);
            u32::try_from(u64::from(per_hour) * passed / HOUR as u64).unwrap_or(per_hour)
        }
        _ => per_hour,
    }
}

fn clock_hour(now: i64, settings: &Settings) -> i64 {
    let offset = i64::from(offset_seconds(now, settings)) * 1000;
    (now + offset).div_euclid(HOUR) * HOUR - offset
}

fn offset_seconds(now: i64, settings: &Settings) -> i32 {
    let zone = TimeZone::get(&settings.zone).unwrap_or(TimeZone::UTC);
    Timestamp::from_millisecond(now).map_or(0, |now| zone.to_offset(now).seconds())
}

/// The limit that holds at a time.
pub(super) fn limit_at(now: i64, settings: &Settings) -> u32 {
    if is_day(now, settings) { settings.day_limit } else { settings.night_limit }
}

pub(super) fn is_day(now: i64, settings: &Settings) -> bool {
    let local = now + i64::from(offset_seconds(now, settings)) * 1000;
    let hour = local.rem_euclid(24 * HOUR) / HOUR;
    let (from, until) = (i64::from(settings.day_hours.0), i64::from(settings.day_hours.1));
    match from.cmp(&until) {
        std::cmp::Ordering::Equal => true,
        std::cmp::Ordering::Less => (from..until).contains(&hour),
        std::cmp::Ordering::Greater => !(until..from).contains(&hour),
    }
}

/// Refuses a window that is too long, by day.
pub(super) fn check_window(
    filter: &Filter,
    now: i64,
    local_now: DateTime,
    settings: &Settings,
) -> Result<(), Refusal> {
    if !is_day(now, settings) {
        return Ok(());
    }
    let windows = [(filter.opened_from, filter.opened_to), (filter.closed_from, filter.closed_to)];
    // A window without an end lasts until now; without a beginning, from the beginning of time.
    let days = |(from, to): (Option<DateTime>, Option<DateTime>)| match (from, to) {
        (None, None) => None,
        (None, Some(_)) => Some(i64::MAX),
        (Some(from), to) => {
            let to = to.unwrap_or(local_now).date();
            let span = to.since((jiff::Unit::Day, from.date()));
            Some(span.map_or(i64::MAX, |span| i64::from(span.get_days()) + 1))
        }
    };
    // To which pair the rule applies is not known: one that is short is enough.
    let shortest = windows.into_iter().filter_map(days).min().unwrap_or(i64::MAX);
    if shortest <= settings.most_days {
        return Ok(());
    }
    let text = format!("Период запроса не может превышать {} календарных дней", settings.most_days);
    Err(Refusal { code: "PERIOD_TOO_LONG", text })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: i64 = 1_720_602_000_000;

    fn settings(counting: Counting) -> Settings {
        Settings { counting, zone: "UTC".to_owned(), ..Settings::default() }
    }

    fn accepted(counting: Counting, calls: &[i64]) -> usize {
        let settings = settings(counting);
        let mut counted = Counted::default();
        let of = Operation::GetHistoryOfServiceTreatments;
        calls.iter().filter(|at| counted.call("a", of, **at, &settings).is_ok()).count()
    }

    #[test]
    fn each_way_of_counting_has_its_own_hour() {
        let hour = NOON.div_euclid(HOUR) * HOUR;
        let late: Vec<i64> = (0..10).map(|n| hour + HOUR - 10 + n).collect();
        let early: Vec<i64> = (0..10).map(|n| hour + HOUR + n).collect();
        let both = [late, early].concat();
        assert_eq!(accepted(Counting::Sliding, &both), 10);
        assert_eq!(accepted(Counting::ClockHour, &both), 20);
        assert_eq!(accepted(Counting::FirstCall, &both), 10);
        let at = |minute: i64| hour + minute * 60_000;
        // The hour of the first call ends at minute 60; a sliding one still has what came after it.
        let calls = [vec![at(0)], vec![at(50); 9], vec![at(61); 10]].concat();
        assert_eq!(accepted(Counting::FirstCall, &calls), 20);
        assert_eq!(accepted(Counting::Sliding, &calls), 11);
    }

    #[test]
    fn the_night_is_what_is_left_of_the_day() {
        let mut settings = settings(Counting::Sliding);
        let at = |hour: i64| NOON.div_euclid(24 * HOUR) * 24 * HOUR + hour * HOUR;
        let nights = |settings: &Settings| (0..24).filter(|h| !is_day(at(*h), settings)).count();
        assert_eq!(nights(&settings), 12);
        settings.day_hours = (20, 8);
        assert_eq!(nights(&settings), 12);
        settings.day_hours = (8, 8);
        assert_eq!(nights(&settings), 0);
    }
}
