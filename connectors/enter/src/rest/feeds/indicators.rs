//! The feed `service_indicator`: what was measured on each day that is over, asked for once.
//!
//! The cursor is the first day that was wanted and the next one to be asked for, so days on which nothing
//! ran are made up for, and an earlier `backfill.from` begins anew. A day is over `day.turn.ms` after its
//! midnight.

use std::time::Duration;

use async_trait::async_trait;
use jiff::civil::Date;
use talon_sdk::{Coverage, Cursor, Fault, Feed, Observation, Rows};

use super::day::BranchClock;
use super::interval::{EndDate, Interval};
use crate::rest::client::{As, Shared};

const ENDPOINT: &str = "GET /queue/statistics/history";

pub(crate) struct Indicators {
    pub(crate) upstream: Shared,
    pub(crate) clock: BranchClock,
    pub(crate) interval: Interval,
    pub(crate) end: EndDate,
    /// The first day that is wanted; yesterday where none is.
    pub(crate) first: Option<Date>,
    pub(crate) is_behind: bool,
}

fn days(Cursor(text): &Cursor) -> Option<(Date, Date)> {
    let (first, next) = text.split_once('/')?;
    Some((first.parse().ok()?, next.parse().ok()?))
}

/// Whether the feed can go on from a cursor.
pub(crate) fn is_cursor(cursor: &Cursor) -> bool {
    days(cursor).is_some()
}

impl Indicators {
    /// The first day that was wanted, and the next one to be asked for.
    fn position(&self, from: Option<&Cursor>) -> Result<(Date, Date), Fault> {
        let Some(cursor) = from else {
            let today = self.clock.surely().date();
            let first = self.first.unwrap_or_else(|| today.yesterday().unwrap_or(today));
            return Ok((first, first));
        };
        let (first, next) = days(cursor).ok_or_else(|| Fault::Internal {
            reason: "the checkpoint's cursor has no days of this feed".to_owned(),
        })?;
        Ok(match self.first {
            Some(wanted) if wanted < first => (wanted, wanted),
            _ => (first, next),
        })
    }
}

#[async_trait]
impl Feed for Indicators {
    async fn next(&mut self, from: Option<&Cursor>) -> Result<Observation, Fault> {
        let (as_of_ms, today) = (self.clock.now_ms(), self.clock.surely().date());
        let (first, day) = self.position(from)?;
        let (rows, next) = if day < today {
            let order = self.interval.of(ENDPOINT, day, self.end);
            let rows = self.upstream.list_or_one(As::Hall, &order, "queue").await?;
            (rows, day.tomorrow().unwrap_or(day))
        } else {
            (Rows::default(), day)
        };
        self.is_behind = next < today;
        let cursor = Cursor(format!("{first}/{next}"));
        Ok(Observation {
            scope: day.to_string(),
            coverage: Coverage::Delta,
            rows,
            cursor: (from != Some(&cursor)).then_some(cursor),
            snapshot: from.is_none(),
            as_of_ms,
        })
    }

    fn due(&self) -> Option<Duration> {
        self.is_behind.then_some(Duration::ZERO)
    }
}
