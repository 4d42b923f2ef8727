//! Days, and sets of them.

use std::fmt;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Unit};

const EPOCH: Date = Date::constant(1970, 1, 1);

/// A day of the calendar, whatever the zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Day(i32);

impl Day {
    /// From `2024-07-10`.
    pub(crate) fn parse(text: &str) -> Option<Day> {
        if text.len() != 10 {
            return None;
        }
        Day::of(text.parse().ok()?)
    }

    fn of(date: Date) -> Option<Day> {
        Some(Day(date.since((Unit::Day, EPOCH)).ok()?.get_days()))
    }

    /// The day that it is in a zone.
    pub(crate) fn today(now_ms: i64, zone: &TimeZone) -> Day {
        let now = Timestamp::from_millisecond(now_ms).unwrap_or_default();
        Day::of(zone.to_datetime(now).date()).unwrap_or(Day(0))
    }

    /// So many days later, or earlier.
    pub(crate) fn plus(self, days: i32) -> Day {
        Day(self.0.saturating_add(days))
    }

    /// Days from `earlier` to this one.
    pub(crate) fn since(self, earlier: Day) -> i32 {
        self.0.saturating_sub(earlier.0)
    }

    /// When the day ends in a zone, milliseconds since 1970 UTC. Where a clock change skips midnight,
    /// when it begins again after that.
    pub(crate) fn end_ms(self, zone: &TimeZone) -> i64 {
        let midnight = self.plus(1).date().at(0, 0, 0, 0);
        zone.to_timestamp(midnight).map_or(i64::MAX, Timestamp::as_millisecond)
    }

    /// As the upstream asks for it: `10.07.2024`.
    pub(crate) fn dotted(self) -> String {
        let date = self.date();
        format!("{:02}.{:02}.{:04}", date.day(), date.month(), date.year())
    }

    fn date(self) -> Date {
        EPOCH.saturating_add(i64::from(self.0).days())
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.date().fmt(f)
    }
}

/// A set of days as ranges, both ends included, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Days(Vec<(Day, Day)>);

/// So many ranges are kept; days beyond are forgotten, and read again after a restart.
const RANGES: usize = 24;

impl Days {
    pub(crate) fn insert(&mut self, day: Day) {
        let place = self.0.partition_point(|(_, last)| last.plus(1) < day);
        match self.0.get_mut(place) {
            Some((first, last)) if first.plus(-1) <= day => {
                (*first, *last) = ((*first).min(day), (*last).max(day));
                let reached = *last;
                if let Some(&(next_first, next_last)) = self.0.get(place + 1)
                    && next_first == reached.plus(1)
                {
                    self.0[place].1 = next_last;
                    self.0.remove(place + 1);
                }
            }
            _ => self.0.insert(place, (day, day)),
        }
    }

    /// Forgets a day and all after it.
    pub(crate) fn remove_from(&mut self, day: Day) {
        self.0.retain(|(first, _)| *first < day);
        if let Some((_, last)) = self.0.last_mut() {
            *last = (*last).min(day.plus(-1));
        }
    }

    pub(crate) fn contains(&self, day: Day) -> bool {
        let place = self.0.partition_point(|(_, last)| *last < day);
        self.0.get(place).is_some_and(|(first, _)| *first <= day)
    }

    /// How many days between two, both included, are in the set.
    pub(crate) fn count(&self, from: Day, to: Day) -> u64 {
        let days = self.0.iter().map(|(first, last)| {
            u64::try_from((*last).min(to).since((*first).max(from)) + 1).unwrap_or(0)
        });
        days.sum()
    }

    /// The days between two, both included, that are not in the set, oldest first.
    pub(crate) fn missing(&self, from: Day, to: Day) -> impl DoubleEndedIterator<Item = Day> {
        let mut gaps = Vec::with_capacity(self.0.len() + 1);
        let mut next = from;
        for (first, last) in &self.0 {
            gaps.push((next, (*first).plus(-1).min(to)));
            next = next.max(last.plus(1));
        }
        gaps.push((next, to));
        gaps.into_iter().flat_map(|(first, last)| (first.0..=last.0).map(Day))
    }

    /// `2024-01-01..2024-05-03,2024-05-05..2024-05-05`.
    pub(crate) fn encode(&self) -> String {
        let mut ranges = self.0.clone();
        if ranges.len() > RANGES {
            // The longest saved the most work.
            ranges.sort_by_key(|(first, last)| -last.since(*first));
            ranges.truncate(RANGES);
            ranges.sort();
        }
        ranges.iter().map(|(first, last)| format!("{first}..{last}")).collect::<Vec<_>>().join(",")
    }

    pub(crate) fn decode(text: &str) -> Option<Days> {
        let range = |text: &str| {
            let (first, last) = text.split_once("..")?;
            Some((Day::parse(first)?, Day::parse(last)?))
        };
        text.split(',').filter(|part| !part.is_empty()).map(range).collect::<Option<_>>().map(Days)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Day {
        Day::parse(text).unwrap()
    }

    #[test]
    fn a_day_is_asked_for_with_dots_and_written_with_hyphens() {
        assert_eq!(day("2024-07-09").dotted(), "09.07.2024");
        assert_eq!(day("2024-07-09").to_string(), "2024-07-09");
        assert_eq!(day("1969-12-31").plus(2).to_string(), "1970-01-02");
        assert_eq!(Day::parse("10.07.2024"), None);
    }

    #[test]
    fn a_day_begins_and_ends_by_the_zone() {
        let [kaliningrad, kamchatka] =
            ["Europe/Kaliningrad", "Asia/Kamchatka"].map(|name| TimeZone::get(name).unwrap());
        // 2024-07-10 13:00 UTC: 15:00 in Kaliningrad, 01:00 of the next day in Kamchatka.
        let now = 1_720_616_400_000;
        assert_eq!(Day::today(now, &kaliningrad), day("2024-07-10"));
        assert_eq!(Day::today(now, &kamchatka), day("2024-07-11"));
        assert_eq!(day("2024-07-10").end_ms(&kamchatka), now - 3_600_000);
        assert_eq!(day("2024-07-10").end_ms(&kaliningrad), now + 9 * 3_600_000);
    }

    #[test]
    fn sets_of_days_grow_together_and_tell_what_is_missing() {
        let (a, z) = (day("2024-01-01"), day("2024-01-10"));
        let mut days = Days::default();
        for offset in [3, 5, 9, 4, 0] {
            days.insert(a.plus(offset));
            days.insert(a.plus(offset));
        }
        let text = "2024-01-01..2024-01-01,2024-01-04..2024-01-06,2024-01-10..2024-01-10";
        assert_eq!(days.encode(), text);
        assert_eq!(Days::decode(text), Some(days.clone()));
        assert_eq!(days.count(a, z), 5);
        assert_eq!(days.count(a.plus(4), a.plus(8)), 2);
        let missing =
            |days: &Days| -> Vec<i32> { days.missing(a, z).map(|day| day.since(a)).collect() };
        assert_eq!(missing(&days), [1, 2, 6, 7, 8]);
        assert_eq!(days.missing(a.plus(4), a.plus(7)).next_back(), Some(a.plus(7)));
        assert!(days.contains(a.plus(4)) && !days.contains(a.plus(6)));
        days.remove_from(a.plus(5));
        assert_eq!(missing(&days), [1, 2, 5, 6, 7, 8, 9]);
        days.remove_from(a);
        assert_eq!(days, Days::default());
        assert_eq!(days.missing(z, a).count(), 0);
    }

    #[test]
    fn a_cursor_stays_small_however_many_holes_there_are() {
        let mut days = Days::default();
        for hole in 0..500 {
            days.insert(day("2020-01-01").plus(hole * 3));
            days.insert(day("2020-01-01").plus(hole * 3 + i32::from(hole < 4)));
        }
        let text = days.encode();
        assert!(text.len() < 24 * 25, "{} bytes", text.len());
        assert!(text.starts_with("2020-01-01..2020-01-02,"), "the longest stay");
    }
}
