//! Feed `operation_state`: `statistics` over a moving window (`quickq-websocket.txt`, statistics).
//!
//! The document does not say whether the window is one of arrival or of completion, so every read
//! reaches back by `statistics.overlap.ms`; what comes again is recognised by its content. Each state
//! is a row of its own, under the key of what surrounds it:
//!
//! `{"key":"449/4/50/3/0","next":…,"state":{…},"operation":{…},"stage":{…},"service":{…},"visit":{…}}`

use std::fmt::Write;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use serde_json::json;
use serde_json::value::RawValue;
use talon_sdk::{Clock, Coverage, Cursor, Fault, Feed, Observation, Rows};

use super::stray;
use crate::config::Statistics;
use crate::model::{Int, Level};
use crate::session::Line;

pub(crate) struct OperationState {
    line: Arc<Line>,
    window: Statistics,
    clock: Clock,
}

impl OperationState {
    pub(crate) fn new(line: Arc<Line>, window: Statistics, clock: Clock) -> OperationState {
        OperationState { line, window, clock }
    }
}

#[async_trait]
impl Feed for OperationState {
    async fn next(&mut self, from: Option<&Cursor>) -> Result<Observation, Fault> {
        let as_of_ms = self.clock.now_ms();
        let read_to = match from {
            None => None,
            Some(cursor) => Some(cursor.0.parse::<i64>().map_err(|_| Fault::Internal {
                reason: "the checkpoint's cursor is no time".to_owned(),
            })?),
        };
        let live = self.line.live().await?;
        if let Some(stray) = stray(&live, as_of_ms) {
            return Ok(stray);
        }
        let Window { from_ms, to_ms } = window(self.window, read_to, as_of_ms);
        let filter = json!({
            "from": stamp(from_ms), "to": stamp(to_ms),
            "services": true, "stages": true, "operations": true,
        });
        let frame = live.read("statistics", &filter).await?;
        let visits = frame.rows().ok_or_else(|| {
            Fault::unavailable("`statistics` was answered with no list".to_owned())
        })?;
        Ok(Observation {
            scope: String::new(),
            coverage: Coverage::Delta,
            rows: states(&visits),
            cursor: Some(Cursor(to_ms.to_string())),
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

/// What to ask for next. It ends now, or where the longest window ends that goes on from the last.
fn window(settings: Statistics, read_to: Option<i64>, now_ms: i64) -> Window {
    let start = read_to.map_or(now_ms - in_ms(settings.history), |to| to.min(now_ms));
    let to_ms = now_ms.min(start.saturating_add(in_ms(settings.window)));
    let back = read_to.map_or(0, |_| in_ms(settings.overlap));
    Window { from_ms: start.saturating_sub(back).max(0), to_ms }
}

fn in_ms(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn stamp(ms: i64) -> String {
    format!("{:.3}", Timestamp::from_millisecond(ms).unwrap_or_default())
}

/// Each state as a row. What has another shape is a row as it is, which nobody can decode: a dead
/// letter.
fn states(visits: &Rows) -> Rows {
    let mut rows = Vec::new();
    for visit in visits.iter() {
        let before = rows.len();
        if split_visit(visit, &mut rows).is_none() {
            rows.truncate(before);
            rows.push(Bytes::copy_from_slice(visit));
        }
    }
    Rows::of_bodies(&rows)
}

fn split_visit(visit: &[u8], rows: &mut Vec<Bytes>) -> Option<()> {
    let visit = Level::split(std::str::from_utf8(visit).ok()?, "services", "consumer_id")?;
    for service in &visit.children {
        let service = Level::split(service.get(), "stages", "service_id")?;
        for stage in &service.children {
            let stage = Level::split(stage.get(), "operations", "priority")?;
            for operation in &stage.children {
                let operation = Level::split(operation.get(), "states", "operation_id")?;
                let ids = [visit.id, service.id, stage.id, operation.id];
                for (index, state) in operation.children.iter().enumerate() {
                    let levels = [
                        ("operation", &operation.rest),
                        ("stage", &stage.rest),
                        ("service", &service.rest),
                        ("visit", &visit.rest),
                    ];
                    let next = operation.children.get(index + 1).copied();
                    rows.push(row(ids, index, state, next, &levels)?);
                }
            }
        }
    }
    Some(())
}

fn row(
    ids: [Int; 4],
    index: usize,
    state: &RawValue,
    next: Option<&RawValue>,
    levels: &[(&str, &String)],
) -> Option<Bytes> {
    let [consumer, service, stage, operation] = ids.map(|id| id.0);
    let mut row = format!(
        "{{\"key\":\"{consumer}/{service}/{stage}/{operation}/{index}\",\"index\":{index},\"next\":{},\"state\":{}",
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
        let settings = Statistics {
            interval: Duration::ZERO,
            history: Duration::from_millis(100 * HOUR),
            window: Duration::from_millis(24 * HOUR),
            overlap: Duration::from_millis(2 * HOUR),
        };
        let Window { from_ms, to_ms } = window(settings, read_to, now_ms);
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
    fn what_has_another_shape_is_kept_as_it_is() {
        let visits = Rows::of_array(Bytes::from_static(
            br#"[{"consumer_id":1,"services":[{"service_id":2,"stages":[{"priority":3,"operations":[{"operation_id":4,"states":[{"state":"A"},{"state":"B"}]}]}]}]},{"consumer_id":9,"services":5}]"#,
        ))
        .unwrap();
        let rows = states(&visits);
        let texts: Vec<_> =
            rows.iter().map(|row| String::from_utf8_lossy(row).into_owned()).collect();
        assert_eq!(
            texts,
            [
                r#"{"key":"1/2/3/4/0","index":0,"next":{"state":"B"},"state":{"state":"A"},"operation":{"operation_id":4},"stage":{"priority":3},"service":{"service_id":2},"visit":{"consumer_id":1}}"#,
                r#"{"key":"1/2/3/4/1","index":1,"next":null,"state":{"state":"B"},"operation":{"operation_id":4},"stage":{"priority":3},"service":{"service_id":2},"visit":{"consumer_id":1}}"#,
                r#"{"consumer_id":9,"services":5}"#,
            ]
        );
    }
}
