//! Which days hold tickets that can still change.
//!
//! A ticket is found under the day of its creation for ever, and nothing says that it has changed. The
//! values of the feed `ticket` tell which tickets are open; recovery and publication show each of them
//! here ([`RowCodec::remember`](talon_sdk::RowCodec::remember)), so nothing is stored besides. Eight
//! bytes an open ticket, and only of days up to `late.max.age.days`.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::tz::TimeZone;
use talon_schemas::{Datum, Malformed};
use talon_sdk::Clock;

use super::day::Day;

/// Shared by the feed, which reads it, and the codec, which is shown values.
pub(crate) struct Late {
    clock: Clock,
    max_age: i32,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    /// Hashes of the keys of open tickets, by branch and day.
    open: BTreeMap<(String, Day), HashSet<u64>>,
    /// Zones that the upstream told, by branch.
    zones: HashMap<String, String>,
}

/// The leading fields of a ticket's value.
struct Leading<'a> {
    branch: &'a str,
    day: Option<Day>,
    zone: &'a str,
    origin: &'a str,
    is_open: bool,
}

impl Leading<'_> {
    fn read(value: &[u8]) -> Result<Leading<'_>, Malformed> {
        let mut datum = Datum::new(value);
        let branch = datum.text()?;
        datum.text()?;
        Ok(Leading {
            branch,
            day: Day::parse(datum.text()?),
            zone: datum.text()?,
            origin: datum.text()?,
            is_open: datum.flag()?,
        })
    }
}

/// The ids of the operations that a ticket's value lists.
pub(crate) fn operations_of(value: &[u8], each: &mut dyn FnMut(&str)) -> Result<(), Malformed> {
    let mut datum = Datum::new(value);
    for _ in 0..5 {
        datum.text()?;
    }
    datum.flag()?;
    datum.texts(each)
}

impl Late {
    pub(crate) fn new(clock: Clock, max_age: i32) -> Late {
        Late { clock, max_age, known: Mutex::default() }
    }

    pub(crate) fn forget(&self) {
        *self.known() = Known::default();
    }

    pub(crate) fn remember(&self, key: &str, value: Option<&[u8]>) {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        let ticket = hasher.finish();
        let Some(value) = value else {
            // A delete does not say the day; it is rare.
            let branch = key.split('/').next().unwrap_or_default();
            let mut known = self.known();
            known.open.retain(|(of, _), tickets| {
                of != branch || !tickets.remove(&ticket) || !tickets.is_empty()
            });
            return;
        };
        // A value that does not read is of an earlier form; its ticket is seen again with its day.
        let Ok(Leading { branch, day: Some(day), zone, origin, is_open }) = Leading::read(value)
        else {
            return;
        };
        let mut known = self.known();
        if matches!(origin, "upstream" | "offset")
            && known.zones.get(branch).is_none_or(|told| told != zone)
        {
            known.zones.insert(branch.to_owned(), zone.to_owned());
        }
        if is_open && day >= self.horizon() {
            known.open.entry((branch.to_owned(), day)).or_default().insert(ticket);
        } else if let Some(tickets) = known.open.get_mut(&(branch.to_owned(), day)) {
            tickets.remove(&ticket);
            if tickets.is_empty() {
                known.open.remove(&(branch.to_owned(), day));
            }
        }
    }

    /// The days of all branches that hold open tickets and are not too old; forgets those that are.
    pub(crate) fn days(&self) -> Vec<(String, Day)> {
        let horizon = self.horizon();
        let mut known = self.known();
        known.open.retain(|(_, day), _| *day >= horizon);
        known.open.keys().cloned().collect()
    }

    /// The zone that the upstream told for a branch, the last time.
    pub(crate) fn zone(&self, branch: &str) -> Option<String> {
        self.known().zones.get(branch).cloned()
    }

    /// The first day that is not too old, wherever the branch is.
    fn horizon(&self) -> Day {
        Day::today(self.clock.now_ms(), &TimeZone::UTC).plus(-1 - self.max_age)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;

    fn value(day: &str, is_open: bool) -> Vec<u8> {
        let mut value = Vec::new();
        for text in ["b", "t", day, "Asia/Kamchatka", "upstream"] {
            value.push(2 * u8::try_from(text.len()).unwrap());
            value.extend_from_slice(text.as_bytes());
        }
        value.extend_from_slice(&[u8::from(is_open), 4, 2, b'x', 2, b'y', 0]);
        value
    }

    #[test]
    fn a_day_is_late_as_long_as_one_of_its_tickets_is_open_and_it_is_not_too_old() {
        // 2024-07-10.
        let now = Arc::new(AtomicI64::new(1_720_602_000_000));
        let late = Late::new(Clock::Manual(now.clone()), 10);
        late.remember("b/1", Some(&value("2024-07-05", true)));
        late.remember("b/2", Some(&value("2024-07-05", true)));
        late.remember("b/3", Some(&value("2024-07-06", true)));
        late.remember("b/4", Some(&value("2024-05-01", true)));
        let days = |late: &Late| -> Vec<String> {
            late.days().iter().map(|(branch, day)| format!("{branch} {day}")).collect()
        };
        assert_eq!(days(&late), ["b 2024-07-05", "b 2024-07-06"]);
        assert_eq!(late.zone("b").as_deref(), Some("Asia/Kamchatka"));
        late.remember("b/1", Some(&value("2024-07-05", false)));
        late.remember("b/3", None);
        assert_eq!(days(&late), ["b 2024-07-05"]);
        late.remember("b/2", Some(&value("2024-07-05", false)));
        assert_eq!(days(&late), [""; 0]);
        late.remember("b/1", Some(&value("2024-07-05", true)));
        now.fetch_add(10 * 86_400_000, Ordering::Relaxed);
        assert_eq!(days(&late), [""; 0]);
    }

    #[test]
    fn a_value_tells_its_day_and_its_operations() {
        let value = value("2024-07-05", true);
        assert_eq!(Leading::read(&value).unwrap().day, Day::parse("2024-07-05"));
        let mut ids = String::new();
        operations_of(&value, &mut |id| ids.push_str(id)).unwrap();
        assert_eq!(ids, "xy");
    }
}
