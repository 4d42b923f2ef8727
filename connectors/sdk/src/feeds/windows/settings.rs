//! The settings of what is read in windows.

use std::time::Duration;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::plan::Settings;
use crate::config::{self, Importance, Key};

/// Declares `backfill.from`, `overlap.ms`, `lag.ms` and `sweep.time` of a feed, whose windows touch so many
/// days at the most.
pub fn keys(feed: &str, most_days: i32) -> Vec<Key> {
    vec![
        Key::text("backfill.from")
            .importance(Importance::High)
            .doc(format!("First day of the past that `{feed}` reads, `2024-01-31`, newest first, in windows of {most_days} days. Without it `{feed}` begins with now.")),
        Key::whole("overlap.ms", 0, 7 * 24 * 3_600_000)
            .default("3600000")
            .doc(format!("How far a read of what is new in `{feed}` reaches back behind the one before it.")),
        Key::whole("lag.ms", 1_000, 3_600_000)
            .default("60000")
            .doc("How far such a read stays behind now: what happens in the same second could be missed."),
        Key::text("sweep.time")
            .default("03:00")
            .doc(format!("From which time of day on the last {most_days} days of `{feed}` are read again, once a day, for what changed late. In `time.zone`.")),
    ]
}

/// Reads them.
pub fn read(
    settings: &mut config::Settings<'_>,
    zone: &TimeZone,
    interval: Duration,
    most_days: i32,
) -> Settings {
    let day = parsed::<Date>(settings, "backfill.from", "a day such as `2024-01-31`");
    let sweep = parsed(settings, "sweep.time", "a time of day such as `03:00`");
    Settings {
        zone: zone.clone(),
        backfill_from: day,
        interval,
        overlap: settings.millis("overlap.ms"),
        lag: settings.millis("lag.ms"),
        most_days,
        sweep_at: sweep.unwrap_or_default(),
    }
}

/// A setting that may be empty.
fn parsed<T: std::str::FromStr>(
    settings: &mut config::Settings<'_>,
    name: &str,
    expected: &str,
) -> Option<T> {
    let text = settings.text(name);
    let parsed = text.parse().ok();
    if parsed.is_none() && !text.is_empty() {
        let quoted = settings.quote(name);
        settings.problem(name, format!("{quoted}, expected {expected}"));
    }
    parsed
}
