//! Values of the upstream as typed ones: what stands for "none" is none.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use talon_sdk::instant;

/// The upstream's stand-in for "no time" begins like this.
const NO_DATE: &str = "0001-01-01";

/// The upstream's stand-in for "nobody".
const NOBODY: &str = "00000000-0000-0000-0000-000000000000";

/// A value is of another form than its column says. Such values travel as they came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the value is of another form")]
pub struct OtherForm;

/// A time as microseconds since 1970 UTC; one without an offset is local in `zone`. Nothing, and the empty
/// date of 1C in whatever zone, are none. 24:00:00 is the midnight at the end of its day.
///
/// # Errors
/// Where the text is no time.
pub fn time(text: &str, zone: &TimeZone) -> Result<Option<i64>, OtherForm> {
    let text = text.trim();
    // Looked at before the zone is applied, in which it may be of another year.
    if text.is_empty() || text.starts_with(NO_DATE) {
        return Ok(None);
    }
    if let Some(date) = text.strip_suffix("T24:00:00") {
        let date: Date = date.parse().map_err(|_| OtherForm)?;
        let next: DateTime = date.tomorrow().map_err(|_| OtherForm)?.into();
        let at = zone.to_timestamp(next).map_err(|_| OtherForm)?;
        return Ok(Some(at.as_microsecond()));
    }
    instant::micros(text, zone).map(Some).ok_or(OtherForm)
}

/// An identifier, in small letters as the upstream writes it; the empty one, and nobody's, are none.
pub fn id(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty() && text != NOBODY).then(|| text.to_ascii_lowercase())
}

/// A decimal that has no part behind its point, such as seconds and counts: `102003`, `102003.00`.
/// Nothing is none, which is another than 0.
///
/// # Errors
/// Where it is no number, or no whole one.
pub fn whole(text: &str) -> Result<Option<i64>, OtherForm> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    if !part.bytes().all(|byte| byte == b'0') {
        return Err(OtherForm);
    }
    whole.parse().map(Some).map_err(|_| OtherForm)
}

/// A rating, 1 to 5; 0 is none. One that no document knows is kept.
///
/// # Errors
/// As [`whole`].
pub fn rating(text: &str) -> Result<Option<i64>, OtherForm> {
    Ok(whole(text)?.filter(|rating| *rating != 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_without_an_offset_is_of_the_cabinets_zone() {
        let zone = TimeZone::get("Asia/Yekaterinburg").unwrap();
        // The sample's Closed.
        let closed = Some(1_569_580_420_000_000);
        for text in [
            "2019-09-27T15:33:40",
            " 2019-09-27T15:33:40\n",
            "2019-09-27T10:33:40Z",
            "2019-09-27T13:33:40+03:00",
        ] {
            assert_eq!(time(text, &zone), Ok(closed), "{text}");
        }
        assert_eq!(time("2019-09-26T24:00:00", &zone), time("2019-09-27T00:00:00", &zone));
        for text in ["yesterday", "2019-13-27T15:33:40", "24:00:00", "2019-09-27T25:00:00"] {
            assert_eq!(time(text, &zone), Err(OtherForm), "{text}");
        }
    }

    #[test]
    fn the_empty_date_is_none_in_every_zone() {
        for zone in ["Europe/Moscow", "America/New_York", "UTC"] {
            let zone = TimeZone::get(zone).unwrap();
            for text in ["0001-01-01T00:00:00", "0001-01-01T00:00:00Z", "0001-01-01", "", "  "] {
                assert_eq!(time(text, &zone), Ok(None), "{text}");
            }
        }
    }

    #[test]
    fn nobodys_identifier_is_none_and_case_does_not_count() {
        assert_eq!(id(NOBODY), None);
        assert_eq!(id(" "), None);
        assert_eq!(
            id("90028E2B-ff47-2003-80e6-0025904F970F").unwrap(),
            "90028e2b-ff47-2003-80e6-0025904f970f"
        );
    }

    #[test]
    fn an_empty_number_is_another_than_zero() {
        assert_eq!(whole(""), Ok(None));
        assert_eq!(whole("0"), Ok(Some(0)));
        assert_eq!(whole(" 102003.00 "), Ok(Some(102_003)));
        assert_eq!(whole("-7"), Ok(Some(-7)));
        for text in ["1.5", "many", ".", "99999999999999999999"] {
            assert_eq!(whole(text), Err(OtherForm), "{text}");
        }
    }

    #[test]
    fn a_rating_of_zero_is_none() {
        assert_eq!(rating("0"), Ok(None));
        assert_eq!(rating("5"), Ok(Some(5)));
        assert_eq!(rating("6"), Ok(Some(6)));
        assert_eq!(rating(""), Ok(None));
    }
}
