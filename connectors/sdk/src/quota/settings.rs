//! The settings of a quota.

use std::time::Duration;

use jiff::civil::Time;
use jiff::tz::TimeZone;

use super::calls::Limits;
use crate::config::{Importance, Key, Settings};

/// How long it may take to commit that a call is about to be made; after that it is taken in anew.
const COMMIT: Duration = Duration::from_secs(60);

/// Declares `quota.day`, `quota.night`, `quota.night.hours` and `quota.reserve`, for an upstream that
/// documents so many calls an hour.
pub fn keys(day: u32, night: u32) -> Vec<Key> {
    const MOST: u64 = 1_000_000;
    vec![
        Key::whole("quota.day", 1, MOST)
            .default(day.to_string())
            .importance(Importance::Medium)
            .doc("Calls of one operation that the upstream allows an hour, by day."),
        Key::whole("quota.night", 1, MOST)
            .default(night.to_string())
            .doc("The same by night; see `quota.night.hours`."),
        Key::text("quota.night.hours")
            .doc("When it is night for the upstream, `22:00-07:00`, in `time.zone`. Without this setting it is always day."),
        Key::whole("quota.reserve", 0, MOST)
            .default("2")
            .importance(Importance::Medium)
            .doc("How many of these calls are left to other programs that use the account."),
    ]
}

/// Reads them. `timeout` is how long a call that leaves now may take to reach the upstream.
pub fn read(settings: &mut Settings<'_>, zone: &TimeZone, timeout: Duration) -> Limits {
    let whole = |name: &str| u32::try_from(settings.whole(name)).unwrap_or(u32::MAX);
    let (day, night, reserve) = (whole("quota.day"), whole("quota.night"), whole("quota.reserve"));
    if reserve >= day {
        settings.problem(
            "quota.reserve",
            format!("is {reserve}, which leaves nothing of the {day} calls of `quota.day`"),
        );
    }
    let text = settings.text("quota.night.hours");
    let night_hours = text.split_once('-').and_then(|(from, until)| {
        Some((from.trim().parse::<Time>().ok()?, until.trim().parse::<Time>().ok()?))
    });
    if night_hours.is_none() && !text.is_empty() {
        let quoted = settings.quote("quota.night.hours");
        settings.problem("quota.night.hours", format!("{quoted}, expected `22:00-07:00`"));
    }
    Limits { day, night, reserve, night_hours, zone: zone.clone(), latest: timeout + COMMIT }
}

/// Reads the interval of a metered feed, which must not mean more calls than there are.
pub fn read_interval(settings: &mut Settings<'_>, limits: &Limits, name: &str) -> Duration {
    let interval = settings.millis(name);
    let calls = 3_600_000 / interval.as_millis().max(1);
    let allowed = u128::from(limits.day.saturating_sub(limits.reserve));
    if calls > allowed {
        settings.problem(
            name,
            format!(
                "means {calls} calls an hour, but `quota.day` less `quota.reserve` allows {allowed}"
            ),
        );
    }
    interval
}
