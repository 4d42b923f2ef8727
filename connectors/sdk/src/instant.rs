//! Points in time as upstreams write them.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

/// Reads a date-time with or without an offset; one without is local time in `zone`.
///
/// Gives microseconds since 1970 UTC; fractions beyond are cut. A local time that a clock change skips
/// or repeats is read as jiff's "compatible" rule says: the later, or the first.
/// `None` where the text is no date-time. The stand-in for "none" of .NET, year 1, is `None` too.
pub fn micros(text: &str, zone: &TimeZone) -> Option<i64> {
    if text.starts_with("0001-01-01") {
        return None;
    }
    // A text without an offset is no `Timestamp`, and to be told so takes longer than to read it.
    let may_have_offset =
        text.get(10..).is_some_and(|time| time.contains(['Z', 'z', '+', '-', '[']));
    if may_have_offset && let Ok(instant) = text.parse::<Timestamp>() {
        return Some(instant.as_microsecond());
    }
    let local = text.parse().ok().or_else(|| end_of_day(text))?;
    Some(zone.to_timestamp(local).ok()?.as_microsecond())
}

/// `24:00:00` is the midnight at the end of its day.
fn end_of_day(text: &str) -> Option<DateTime> {
    let day: Date = text.strip_suffix("T24:00:00")?.parse().ok()?;
    Some(day.tomorrow().ok()?.into())
}

/// Whether the text is .NET's stand-in for "none", year 1.
pub fn is_none(text: &str) -> bool {
    text.starts_with("0001-01-01")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_read_with_and_without_offset() {
        let moscow = TimeZone::get("Europe/Moscow").unwrap();
        let noon = 1_700_000_000_000_000;
        for text in [
            "2023-11-14T22:13:20Z",
            "2023-11-15T01:13:20+03:00",
            "2023-11-15T01:13:20",
            "2023-11-15T01:13:20.0000000",
            "2023-11-14T22:13:20.000Z",
        ] {
            assert_eq!(micros(text, &moscow), Some(noon), "{text}");
        }
        assert_eq!(micros("2023-11-14T22:13:20.1234567Z", &moscow), Some(noon + 123_456));
        assert_eq!(micros("2023-11-14T22:13:20.5", &TimeZone::UTC), Some(noon + 500_000));
        assert_eq!(micros("2023-11-14T24:00:00", &moscow), micros("2023-11-15T00:00", &moscow));
        assert_eq!(micros("yesterday", &moscow), None);
        assert_eq!(micros("0001-01-01T00:00:00", &moscow), None);
    }
}
