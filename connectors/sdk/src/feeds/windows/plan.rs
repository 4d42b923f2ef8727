//! The plan: what is done, and what comes next.

use std::time::Duration;

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use serde::{Deserialize, Serialize};

const SECOND_MS: i64 = 1000;
const DAY_MS: i64 = 24 * 3600 * SECOND_MS;

/// What is read when, as it is configured.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The upstream's zone.
    pub zone: TimeZone,
    /// The first day to be read; without it reading begins with now.
    pub backfill_from: Option<Date>,
    /// How often what happened lately is read.
    pub interval: Duration,
    /// How far such a read reaches back behind the one before.
    pub overlap: Duration,
    /// How far it stays behind now.
    pub lag: Duration,
    /// How many days of the calendar a window touches at the most; at least 2.
    pub most_days: i32,
    /// From which time of day on the last days are read again.
    pub sweep_at: Time,
}

/// What is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Why.
    pub lane: Lane,
    /// From when on, included.
    pub from_ms: i64,
    /// Until when.
    pub to_ms: i64,
    /// Whether it belongs to the first read.
    pub snapshot: bool,
}

/// Why a window is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// It happened lately.
    Recent,
    /// It may have changed late.
    Sweep,
    /// It was never read.
    Past,
}

impl Window {
    /// The first bound of a request for it, on the upstream's clock.
    pub fn asked_from(&self, zone: &TimeZone) -> DateTime {
        local(self.from_ms - SECOND_MS, zone)
    }

    /// The last one.
    pub fn asked_to(&self, zone: &TimeZone) -> DateTime {
        local(self.to_ms, zone)
    }
}

/// What is done, as a part of the cursor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Until when everything was read, but for what is missing.
    read_to: i64,
    /// What was never read, oldest first; stretches do not overlap.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    missing: Vec<Stretch>,
    /// The first day that was wanted, so that another setting is seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    wanted_from: Option<Day>,
    /// The day on which the last days were read again.
    swept: Day,
}

/// A day as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
struct Day(Date);

impl TryFrom<String> for Day {
    type Error = jiff::Error;

    fn try_from(text: String) -> Result<Day, jiff::Error> {
        text.parse().map(Day)
    }
}

impl From<Day> for String {
    fn from(day: Day) -> String {
        day.0.to_string()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Stretch {
    from: i64,
    to: i64,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    snapshot: bool,
}

impl Position {
    /// Where nothing has been read.
    pub fn begin(now_ms: i64, settings: &Settings) -> Position {
        let now = now_ms - millis(settings.lag);
        let swept = Day(local(now_ms, &settings.zone).date());
        // Without a past, the first read is at once; with one, it is that of the newest window.
        let read_to = match settings.backfill_from {
            Some(_) => now,
            None => now - millis(settings.interval),
        };
        let mut position = Position { read_to, missing: Vec::new(), wanted_from: None, swept };
        position.adopt(now_ms, settings);
        position
    }

    /// Goes on from a cursor, maybe with other settings: an earlier first day adds to what is missing, a
    /// later one takes away. What a clock read that has been set back since is not believed.
    pub fn adopt(&mut self, now_ms: i64, settings: &Settings) {
        self.read_to = self.read_to.min(now_ms - millis(settings.lag));
        self.swept = self.swept.min(Day(local(now_ms, &settings.zone).date()));
        if settings.backfill_from == self.wanted_from.map(|day| day.0) {
            return;
        }
        let Some(wanted) = settings.backfill_from else { return };
        let from = midnight(wanted, &settings.zone);
        match self.wanted_from.map(|day| midnight(day.0, &settings.zone)) {
            Some(known) if from >= known => {
                self.missing.retain(|stretch| stretch.to > from);
                for stretch in &mut self.missing {
                    stretch.from = stretch.from.max(from);
                }
            }
            known => {
                let to = known.unwrap_or(self.read_to);
                match self.missing.first_mut().filter(|first| first.snapshot && first.from == to) {
                    Some(first) => first.from = from,
                    None if from < to => {
                        self.missing.insert(0, Stretch { from, to, snapshot: true });
                    }
                    None => {}
                }
            }
        }
        self.wanted_from = Some(Day(wanted));
    }

    /// What to read now; `None` if nothing is due.
    pub fn next(&self, now_ms: i64, settings: &Settings) -> Option<Window> {
        let to_ms = now_ms - millis(settings.lag);
        if now_ms >= self.recent_at(settings) {
            let from_ms = self.overlapping(settings).max(earliest(to_ms, settings));
            return Some(Window { lane: Lane::Recent, from_ms, to_ms, snapshot: false });
        }
        if self.sweep_is_due(now_ms, settings) {
            let from_ms = earliest(to_ms, settings);
            return Some(Window { lane: Lane::Sweep, from_ms, to_ms, snapshot: false });
        }
        let Stretch { from, to, snapshot } = *self.missing.last()?;
        let from_ms = from.max(earliest(to, settings));
        Some(Window { lane: Lane::Past, from_ms, to_ms: to, snapshot })
    }

    /// When something is due: now, or later.
    pub fn due_at(&self, now_ms: i64, settings: &Settings) -> i64 {
        if self.next(now_ms, settings).is_some() {
            return now_ms;
        }
        let today = local(now_ms, &settings.zone).date();
        let tomorrow = today.tomorrow().unwrap_or(today);
        let day = if today > self.swept.0 { today } else { tomorrow };
        let sweep = moment(day.to_datetime(settings.sweep_at), &settings.zone);
        self.recent_at(settings).min(sweep).max(now_ms)
    }

    /// The reply to a window was whole.
    pub fn read(&mut self, window: &Window, settings: &Settings) {
        match window.lane {
            Lane::Recent => {
                let from = self.overlapping(settings);
                let from = self.missing.last().map_or(from, |last| last.to.max(from));
                if window.from_ms > from {
                    let missed = Stretch { from, to: window.from_ms, snapshot: false };
                    self.missing.push(missed);
                }
                self.read_to = window.to_ms;
            }
            Lane::Sweep => {
                self.swept = Day(local(window.to_ms + millis(settings.lag), &settings.zone).date());
                if window.from_ms <= self.read_to {
                    self.read_to = self.read_to.max(window.to_ms);
                }
            }
            Lane::Past => {
                if let Some(last) = self.missing.last_mut().filter(|last| last.to == window.to_ms) {
                    last.to = window.from_ms;
                }
                self.missing.retain(|stretch| stretch.from < stretch.to);
            }
        }
    }

    /// How many days of the past are still to be read; parts count.
    pub fn days_missing(&self) -> i64 {
        let days = |stretch: &Stretch| (stretch.to - stretch.from + DAY_MS - 1) / DAY_MS;
        self.missing.iter().map(days).sum()
    }

    /// How many days of the past are wanted at all; parts count.
    pub fn days_wanted(&self, settings: &Settings) -> i64 {
        let Some(Day(from)) = self.wanted_from else { return 0 };
        (self.read_to - midnight(from, &settings.zone) + DAY_MS - 1) / DAY_MS
    }

    /// Until when everything has been read, but for what is missing.
    pub fn read_to_ms(&self) -> i64 {
        self.read_to
    }

    fn recent_at(&self, settings: &Settings) -> i64 {
        self.read_to + millis(settings.interval) + millis(settings.lag)
    }

    fn overlapping(&self, settings: &Settings) -> i64 {
        self.read_to - millis(settings.overlap)
    }

    fn sweep_is_due(&self, now_ms: i64, settings: &Settings) -> bool {
        let now = local(now_ms, &settings.zone);
        let days =
            now.date().since((jiff::Unit::Day, self.swept.0)).map_or(0, |span| span.get_days());
        // After a night without a process it is made up for by day.
        days > 1 || days == 1 && now.time() >= settings.sweep_at
    }
}

/// The earliest beginning of a window that ends then: the second after a midnight, as its request begins a
/// second before.
fn earliest(to_ms: i64, settings: &Settings) -> i64 {
    let last = local(to_ms, &settings.zone).date();
    let days = Span::new().days(i64::from(settings.most_days.max(2)) - 1);
    let first = last.checked_sub(days).unwrap_or(Date::MIN);
    midnight(first, &settings.zone) + SECOND_MS
}

fn midnight(day: Date, zone: &TimeZone) -> i64 {
    moment(day.to_datetime(Time::midnight()), zone)
}

/// A time on the upstream's clock as a moment: of a repeated hour the first, of a skipped one the later.
fn moment(local: DateTime, zone: &TimeZone) -> i64 {
    zone.to_timestamp(local).map_or(0, |at| at.as_millisecond())
}

fn local(ms: i64, zone: &TimeZone) -> DateTime {
    let at = Timestamp::from_millisecond(ms).unwrap_or_default();
    at.to_zoned(zone.clone()).datetime()
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
