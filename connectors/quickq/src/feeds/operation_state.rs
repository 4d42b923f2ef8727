//! Feed `operation_state`: `statistics` over a moving window (`quickq-websocket.txt`, statistics).
//!
//! The document does not say whether the window is one of arrival or of completion, so every read
//! reaches back by `statistics.overlap.ms`, and to the arrival of visits that have a state which is not
//! over; what comes again is recognised by its content. Each state that is over is a row of its own, under
//! the key of what surrounds it:
//!
//! `{"key":"449/4/50/3/0","next":…,"state":{…},"operation":{…},"stage":{…},"service":{…},"visit":{…}}`
//!
//! A state is over when the next one has begun, when it is one that nothing follows, or when the visitor
//! is done. Nothing is told of it before: who is being served is in `queue` and `workplace`.

use std::collections::HashSet;
use std::fmt::Write;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use talon_sdk::record::peek_scalar;
use talon_sdk::{Clock, Coverage, Cursor, Fault, Feed, Observation, Rows, instant};

use super::level::Level;
use super::stray;
use super::unended::{Open, Unended};
use crate::entity::LAST_STATES;
use crate::options::Statistics;
use crate::session::Line;

pub(crate) struct OperationState {
    line: Arc<Line>,
    window: Statistics,
    clock: Clock,
    unended: Arc<Unended>,
}

impl OperationState {
    pub(crate) fn new(
        line: Arc<Line>,
        window: Statistics,
        clock: Clock,
        unended: Arc<Unended>,
    ) -> OperationState {
        OperationState { line, window, clock, unended }
    }
}

/// Where reading goes on: to when it was read, and the arrival of the first visit that had a state which
/// was not over. As text `1700000000000` or `1700000000000/1699990000000`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    read_to_ms: i64,
    unended_ms: Option<i64>,
}

impl Place {
    fn decode(text: &str) -> Option<Place> {
        let (read_to, unended) = match text.split_once('/') {
            Some((read_to, unended)) => (read_to, Some(unended.parse().ok()?)),
            None => (text, None),
        };
        Some(Place { read_to_ms: read_to.parse().ok()?, unended_ms: unended })
    }

    fn encode(self) -> String {
        let unended = self.unended_ms.map(|ms| format!("/{ms}")).unwrap_or_default();
        format!("{}{unended}", self.read_to_ms)
    }
}

/// Whether a text is a cursor of the feed.
pub(crate) fn is_position(offset: &str) -> bool {
    Place::decode(offset).is_some()
}

#[async_trait]
impl Feed for OperationState {
    async fn next(&mut self, from: Option<&Cursor>) -> Result<Observation, Fault> {
        let as_of_ms = self.clock.now_ms();
        let place = match from {
            None => None,
            Some(cursor) => Some(Place::decode(&cursor.0).ok_or_else(|| Fault::Internal {
                reason: "the checkpoint's cursor is no time".to_owned(),
            })?),
        };
        let live = self.line.live().await?;
        if let Some(stray) = stray(&live, as_of_ms) {
            return Ok(stray);
        }
        let Window { from_ms, to_ms } = window(self.window, place, as_of_ms);
        let filter = json!({
            "from": stamp(from_ms), "to": stamp(to_ms),
            "services": true, "stages": true, "operations": true,
        });
        let frame = live.read("statistics", &filter).await?;
        let visits = frame.rows().ok_or_else(|| {
            Fault::unavailable("`statistics` was answered with no list".to_owned())
        })?;
        let States { mut over, open, keys, has_odd } = states(&visits);
        let holds = |key: &str| keys.contains(key);
        // What is not seen may be in what cannot be read, and is not missing then.
        let patience = (!has_odd).then_some(in_ms(self.window.overlap));
        over.extend(self.unended.seen(open, holds, as_of_ms, patience));
        let read_to = place.map(|place| place.read_to_ms);
        let place = Place { read_to_ms: to_ms, unended_ms: self.unended.since() };
        Ok(Observation {
            scope: String::new(),
            coverage: Coverage::Delta,
            rows: Rows::of_bodies(&over),
            cursor: Some(Cursor(place.encode())),
            snapshot: read_to.is_none_or(|read_to| read_to <= to_ms - in_ms(self.window.window)),
            as_of_ms,
        })
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Window {
    from_ms: i64,
    to_ms: i64,
}

/// What to ask for next. It ends now, or where the longest window ends that goes on from the last; and
/// reaches back by no more than the overlap or a window, for visits that nobody ever ends.
fn window(settings: Statistics, place: Option<Place>, now_ms: i64) -> Window {
    let start =
        place.map_or(now_ms - in_ms(settings.history), |place| place.read_to_ms.min(now_ms));
    let to_ms = now_ms.min(start.saturating_add(in_ms(settings.window)));
    let from_ms = place.map_or(start, |Place { unended_ms, .. }| {
        let usual = start.saturating_sub(in_ms(settings.overlap));
        let furthest = start.saturating_sub(in_ms(settings.overlap.max(settings.window)));
        unended_ms.unwrap_or(usual).clamp(furthest, usual)
    });
    Window { from_ms: from_ms.max(0), to_ms }
}

fn in_ms(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn stamp(ms: i64) -> String {
    format!("{:.3}", Timestamp::from_millisecond(ms).unwrap_or_default())
}

/// What a reply tells.
#[derive(Default)]
struct States {
    /// Rows of states that are over. What has another shape is a row as it is, which nobody can decode: a
    /// dead letter.
    over: Vec<Bytes>,
    open: Vec<Open>,
    /// The keys of all.
    keys: HashSet<String>,
    /// Whether some have another shape: of which visits they tell is not known.
    has_odd: bool,
}

fn states(visits: &Rows) -> States {
    let mut all = States::default();
    for visit in visits.iter() {
        match split_visit(visit) {
            Some(States { over, open, keys, .. }) => {
                all.over.extend(over);
                all.open.extend(open);
                all.keys.extend(keys);
            }
            None => {
                all.over.push(Bytes::copy_from_slice(visit));
                all.has_odd = true;
            }
        }
    }
    all
}

fn split_visit(visit: &[u8]) -> Option<States> {
    let mut states = States::default();
    let visit = Level::split(std::str::from_utf8(visit).ok()?, "services", "consumer_id")?;
    let about: AboutVisit<'_> = serde_json::from_str(&visit.rest).ok()?;
    for service in &visit.children {
        let service = Level::split(service.get(), "stages", "service_id")?;
        for stage in &service.children {
            let stage = Level::split(stage.get(), "operations", "priority")?;
            for operation in &stage.children {
                let operation = Level::split(operation.get(), "states", "operation_id")?;
                let ids = [visit.id, service.id, stage.id, operation.id].map(|id| id.0);
                for (index, state) in operation.children.iter().enumerate() {
                    let levels = [
                        ("operation", &operation.rest),
                        ("stage", &stage.rest),
                        ("service", &service.rest),
                        ("visit", &visit.rest),
                    ];
                    let [visitor, service, stage, operation_id] = ids;
                    let key = format!("{visitor}/{service}/{stage}/{operation_id}/{index}");
                    let next = operation.children.get(index + 1).copied();
                    let row = row(&key, index, state, next, &levels)?;
                    states.keys.insert(key.clone());
                    if next.is_some() || about.is_done() || is_last(state) {
                        states.over.push(row);
                    } else {
                        let registered_ms = about.registered_ms();
                        states.open.push(Open { key, row, registered_ms });
                    }
                }
            }
        }
    }
    Some(states)
}

/// What is looked at of a visit, whatever else is wrong with it.
#[derive(Deserialize)]
struct AboutVisit<'a> {
    #[serde(borrow)]
    done: Option<&'a RawValue>,
    #[serde(borrow)]
    registration: Option<&'a RawValue>,
}

impl AboutVisit<'_> {
    fn is_done(&self) -> bool {
        self.done.is_some_and(|done| !matches!(done.get(), "null" | "\"\""))
    }

    fn registered_ms(&self) -> Option<i64> {
        let text: String = serde_json::from_str(self.registration?.get()).ok()?;
        instant::micros(&text, &TimeZone::UTC).map(|micros| micros.div_euclid(1_000))
    }
}

/// Whether nothing follows a state.
fn is_last(state: &RawValue) -> bool {
    let mut word = String::new();
    peek_scalar(state.get().as_bytes(), "state", &mut word) && LAST_STATES.contains(&&*word)
}

fn row(
    key: &str,
    index: usize,
    state: &RawValue,
    next: Option<&RawValue>,
    levels: &[(&str, &String)],
) -> Option<Bytes> {
    let mut row = format!(
        "{{\"key\":\"{key}\",\"index\":{index},\"next\":{},\"state\":{}",
        next.map_or("null", RawValue::get),
        state.get()
    );
    for (name, level) in levels {
        write!(row, ",\"{name}\":{level}").ok()?;
    }
    row.push('}');
    Some(row.into())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const HOUR: u64 = 3_600_000;

    fn at(read_to: Option<i64>, now_ms: i64) -> (i64, i64) {
        unended_at(read_to, None, now_ms)
    }

    fn unended_at(read_to: Option<i64>, unended_ms: Option<i64>, now_ms: i64) -> (i64, i64) {
        let settings = Statistics {
            interval: Duration::ZERO,
            history: Duration::from_millis(100 * HOUR),
            window: Duration::from_millis(24 * HOUR),
            overlap: Duration::from_millis(2 * HOUR),
        };
        let place = read_to.map(|read_to_ms| Place { read_to_ms, unended_ms });
        let Window { from_ms, to_ms } = window(settings, place, now_ms);
        (from_ms / HOUR as i64, to_ms / HOUR as i64)
    }

    #[test]
    fn the_window_moves_with_an_overlap_and_in_pieces() {
        let hours = |hours: i64| hours * HOUR as i64;
        assert_eq!(at(None, hours(1000)), (900, 924), "history, in pieces");
        assert_eq!(at(Some(hours(924)), hours(1000)), (922, 948));
        assert_eq!(at(Some(hours(990)), hours(1000)), (988, 1000));
        assert_eq!(at(Some(hours(1000)), hours(1000)), (998, 1000));
        assert_eq!(at(Some(hours(1005)), hours(1000)), (998, 1000), "a clock that went back");
    }

    #[test]
    fn the_window_reaches_back_to_visits_that_have_a_state_which_is_not_over() {
        let hours = |hours: i64| hours * HOUR as i64;
        let unended = |since: i64| unended_at(Some(hours(1000)), Some(hours(since)), hours(1001)).0;
        assert_eq!((unended(990), unended(999)), (990, 998));
        assert_eq!(unended(900), 976, "not further than a window");
        for place in [
            Place { read_to_ms: 17, unended_ms: None },
            Place { read_to_ms: 17, unended_ms: Some(5) },
        ] {
            assert_eq!(Place::decode(&place.encode()), Some(place));
        }
        assert_eq!(Place::decode("17/x"), None);
    }

    #[test]
    fn a_state_is_a_row_once_it_is_over() {
        let keys = |done: &str, last: &str| {
            let reply = format!(
                r#"[{{"consumer_id":1,"done":{done},"services":[{{"service_id":2,"stages":[{{"priority":3,"operations":[{{"operation_id":4,"states":[{{"state":"SERVING"}},{{"state":"{last}"}}]}}]}}]}}]}}]"#
            );
            let States { over, open, keys, .. } =
                states(&Rows::of_array(Bytes::from(reply)).unwrap());
            assert_eq!(over.len() + open.len(), keys.len());
            over.len()
        };
        for last in ["WAITING", "SERVING", "POSTPONE", "NEW WORD"] {
            assert_eq!((keys("null", last), keys("\"\"", last)), (1, 1), "{last}");
            assert_eq!(keys("\"2015-06-17T15:34:51\"", last), 2, "{last}");
        }
        for last in ["SERVED", "REJECTED"] {
            assert_eq!(keys("null", last), 2, "{last}");
        }
    }

    #[test]
    fn what_has_another_shape_is_kept_as_it_is() {
        let visits = Rows::of_array(Bytes::from_static(
            br#"[{"consumer_id":1,"services":[{"service_id":2,"stages":[{"priority":3,"operations":[{"operation_id":4,"states":[{"state":"A"},{"state":"SERVED"}]}]}]}]},{"consumer_id":9,"services":5}]"#,
        ))
        .unwrap();
        let rows = states(&visits).over;
        let texts: Vec<_> =
            rows.iter().map(|row| String::from_utf8_lossy(row).into_owned()).collect();
        assert_eq!(
            texts,
            [
                r#"{"key":"1/2/3/4/0","index":0,"next":{"state":"SERVED"},"state":{"state":"A"},"operation":{"operation_id":4},"stage":{"priority":3},"service":{"service_id":2},"visit":{"consumer_id":1}}"#,
                r#"{"key":"1/2/3/4/1","index":1,"next":null,"state":{"state":"SERVED"},"operation":{"operation_id":4},"stage":{"priority":3},"service":{"service_id":2},"visit":{"consumer_id":1}}"#,
                r#"{"consumer_id":9,"services":5}"#,
            ]
        );
    }
}
