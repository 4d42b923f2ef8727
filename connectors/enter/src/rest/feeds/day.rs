//! The branch's clock, and where the turn of a day may be.

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use talon_sdk::{Clock, instant};

/// The clock of the branch. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct BranchClock {
    pub(crate) clock: Clock,
    pub(crate) zone: TimeZone,
    /// By how much the upstream's clock may differ, and a request may take.
    pub(crate) margin: Duration,
}

impl BranchClock {
    pub(crate) fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    /// Local time now.
    pub(crate) fn now(&self) -> DateTime {
        self.local_ms(self.now_ms())
    }

    /// What local time it may be upstream already.
    pub(crate) fn soon(&self) -> DateTime {
        let margin = i64::try_from(self.margin.as_millis()).unwrap_or(i64::MAX);
        self.local_ms(self.now_ms().saturating_add(margin))
    }

    /// What local time it is upstream at the least.
    pub(crate) fn surely(&self) -> DateTime {
        let margin = i64::try_from(self.margin.as_millis()).unwrap_or(i64::MAX);
        self.local_ms(self.now_ms().saturating_sub(margin))
    }

    fn local_ms(&self, at_ms: i64) -> DateTime {
        Timestamp::from_millisecond(at_ms)
            .map_or(DateTime::MAX, |at| at.to_zoned(self.zone.clone()).datetime())
    }

    /// The local day of a stamp of the upstream.
    pub(crate) fn day_of(&self, stamp: &str) -> Option<Date> {
        let micros = instant::micros(stamp, &self.zone)?;
        let at = Timestamp::from_microsecond(micros).ok()?;
        Some(at.to_zoned(self.zone.clone()).date())
    }
}

/// A date however it may be spelled: `2024-07-10`, `10.07.2024`, or the beginning of a date-time.
pub(crate) fn date_of(text: &str) -> Option<Date> {
    let text = text.split(['T', ' ']).next().unwrap_or(text);
    text.parse().ok().or_else(|| Date::strptime("%d.%m.%Y", text).ok())
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn a_date_is_read_however_it_is_spelled() {
        let day = date(2024, 7, 10);
        for text in ["2024-07-10", "10.07.2024", "2024-07-10T00:00:00", "10.07.2024 00:00:00"] {
            assert_eq!(date_of(text), Some(day), "{text}");
        }
        for text in ["", "tomorrow", "2024-13-01", "1.7"] {
            assert_eq!(date_of(text), None, "{text}");
        }
    }
}
