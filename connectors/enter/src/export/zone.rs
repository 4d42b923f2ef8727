//! In which zone a branch lives.
//!
//! Stamps have no zone. In this order: the zone that the reply names (`Department.TimeZone.Id`), the
//! offset that it gives (`UtcOffset`), the setting `time.zone.{branch}`, the setting `time.zone`; never
//! the machine's. A local time that a clock change skips or repeats is read by jiff's rule
//! "compatible": of a repeated hour the first, of a skipped one the same distance after the change.

use std::collections::HashMap;

use jiff::tz::{Offset, TimeZone};
use talon_sdk::config::Settings;

use super::entity::ToldZone;

/// A zone, its name in events, and who said so.
#[derive(Debug, Clone)]
pub(crate) struct Zone {
    pub(crate) zone: TimeZone,
    pub(crate) name: String,
    /// `upstream`, `offset`, `branch` or `default`.
    pub(crate) origin: &'static str,
}

/// The zones of the configuration.
#[derive(Debug, Clone)]
pub(crate) struct Zones {
    default: Zone,
    branches: HashMap<String, Zone>,
}

impl Zones {
    /// Reads `time.zone` and `time.zone.{branch}`.
    pub(crate) fn read(settings: &Settings<'_>) -> Zones {
        let configured = |name: &str, origin| Zone {
            // What is no zone is a problem of the declaration already.
            zone: TimeZone::get(name).unwrap_or(TimeZone::UTC),
            name: name.to_owned(),
            origin,
        };
        let branches = settings.instances("time.zone.{branch}").into_iter();
        Zones {
            default: configured(&settings.text("time.zone"), "default"),
            branches: branches
                .map(|branch| {
                    let name = settings.text(&format!("time.zone.{branch}"));
                    (branch.to_lowercase(), configured(&name, "branch"))
                })
                .collect(),
        }
    }

    /// Only the default.
    #[cfg(test)]
    pub(crate) fn of_default(name: &str) -> Zones {
        let zone = TimeZone::get(name).unwrap();
        let default = Zone { zone, name: name.to_owned(), origin: "default" };
        Zones { default, branches: HashMap::new() }
    }

    /// The zone of a branch, with what the upstream says of it.
    pub(crate) fn of(&self, branch: &str, told: Option<&ToldZone<'_>>) -> Zone {
        let told = told.and_then(|told| {
            let id = told.id.as_ref().map(|id| &*id.0);
            let offset = told.utc_offset.as_ref().map(|offset| &*offset.0);
            id.and_then(named).or_else(|| offset.and_then(shifted))
        });
        told.unwrap_or_else(|| self.configured(branch))
    }

    /// The zone of a branch of which the upstream says nothing.
    pub(crate) fn configured(&self, branch: &str) -> Zone {
        self.branches.get(branch).unwrap_or(&self.default).clone()
    }
}

/// A zone that an event named, as the upstream told it then.
pub(crate) fn recalled(name: &str) -> Option<Zone> {
    named(name).or_else(|| shifted(name))
}

fn named(name: &str) -> Option<Zone> {
    let zone = TimeZone::get(name).ok()?;
    Some(Zone { zone, name: name.to_owned(), origin: "upstream" })
}

/// `UTC+03:00`, or `+03:00`.
fn shifted(text: &str) -> Option<Zone> {
    let rest = text.strip_prefix("UTC").unwrap_or(text);
    let (sign, rest) = match rest.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = rest.split_once(':').unwrap_or((rest, "0"));
    let (hours, minutes): (i32, i32) = (hours.parse().ok()?, minutes.parse().ok()?);
    if !(0..=18).contains(&hours) || !(0..60).contains(&minutes) {
        return None;
    }
    let offset = Offset::from_seconds(sign * (hours * 3600 + minutes * 60)).ok()?;
    let sign = if sign < 0 { '-' } else { '+' };
    let name = format!("{sign}{hours:02}:{minutes:02}");
    Some(Zone { zone: TimeZone::fixed(offset), name, origin: "offset" })
}

#[cfg(test)]
mod tests {
    use talon_sdk::instant;

    use super::*;

    #[test]
    fn an_offset_is_read_with_and_without_its_prefix() {
        for (text, name) in [
            ("UTC+03:00", "+03:00"),
            ("+12:00", "+12:00"),
            ("UTC-03:30", "-03:30"),
            ("UTC+5", "+05:00"),
        ] {
            assert_eq!(shifted(text).unwrap().name, name, "{text}");
        }
        for text in ["", "UTC", "Europe/Moscow", "UTC+25:00", "+1:75", "3:00"] {
            assert!(shifted(text).is_none(), "{text}");
        }
    }

    #[test]
    fn a_skipped_or_repeated_hour_is_read_by_the_documented_rule() {
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        let hour = 3_600_000_000;
        let spring = instant::micros("2024-03-31T02:30:00", &berlin).unwrap();
        assert_eq!(Some(spring), instant::micros("2024-03-31T03:30:00", &berlin), "skipped");
        let autumn = instant::micros("2024-10-27T02:30:00", &berlin).unwrap();
        assert_eq!(
            Some(autumn + 2 * hour),
            instant::micros("2024-10-27T03:30:00", &berlin),
            "the first"
        );
    }
}
