//! The feed `ticket_history`: a window that moves with now, the last days once more each night, and the past
//! from `backfill.from` on ([`windows`](talon_sdk::feeds::windows)).
//!
//! A window is asked for day by day, so that a reply has the tickets of a day and is as large as that.
//! It counts as read when all its days were: a process that dies, or a day that cannot be read, begins it
//! again. Each day is asked for up to the next one, whether or not the server takes `endDate` as a part of
//! the interval; tickets that come twice are known.

use std::collections::VecDeque;
use std::time::Duration;

use async_trait::async_trait;
use jiff::civil::Date;
use talon_sdk::feeds::windows::{Position, Settings, Window};
use talon_sdk::{Clock, Coverage, Cursor, Fault, Feed, Observation, Progress, Rows};

use super::interval::{EndDate, Interval};
use crate::rest::client::{As, Shared};

pub(crate) const ENDPOINT: &str = "GET /tickets/history/list";

/// How many days a window has at the most. So long after its creation a change of a ticket is seen.
pub(crate) const MOST_DAYS: i32 = 31;

/// The clock is looked at this often, whatever is due: it can be set.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

pub(crate) struct History {
    upstream: Shared,
    plan: Settings,
    interval: Interval,
    clock: Clock,
    progress: Progress,
    round: Option<Round>,
    due: Duration,
}

/// A window that is being read.
struct Round {
    window: Window,
    /// The days that are still to be read.
    days: VecDeque<Date>,
    /// When its first request was sent.
    as_of_ms: i64,
}

impl Round {
    fn of(window: Window, plan: &Settings, as_of_ms: i64) -> Round {
        let (from, to) = (window.asked_from(&plan.zone).date(), window.asked_to(&plan.zone).date());
        let days = from.series(jiff::Span::new().days(1)).take_while(|day| *day <= to);
        Round { window, days: days.collect(), as_of_ms }
    }
}

/// Whether the feed can go on from a cursor.
pub(crate) fn is_cursor(Cursor(text): &Cursor) -> bool {
    serde_json::from_str::<Position>(text).is_ok()
}

impl History {
    pub(crate) fn new(
        upstream: Shared,
        plan: Settings,
        interval: Interval,
        clock: Clock,
        progress: Progress,
    ) -> History {
        History { upstream, plan, interval, clock, progress, round: None, due: Duration::ZERO }
    }

    fn position(&self, from: Option<&Cursor>, now_ms: i64) -> Result<Position, Fault> {
        let Some(Cursor(text)) = from else { return Ok(Position::begin(now_ms, &self.plan)) };
        let mut position: Position = serde_json::from_str(text).map_err(|_| Fault::Internal {
            reason: "the checkpoint's cursor is no position of this feed".to_owned(),
        })?;
        position.adopt(now_ms, &self.plan);
        Ok(position)
    }

    /// Shows how far the past is read, where some of it is wanted.
    fn show(&self, position: &Position) {
        let missing = u64::try_from(position.days_missing()).unwrap_or(0);
        let total = u64::try_from(position.days_wanted(&self.plan)).unwrap_or(0);
        if total == 0 {
            return;
        }
        let done = total.saturating_sub(missing);
        if !self.progress.is_of(total) {
            self.progress.begin(total, done);
        }
        if let Some(standing) = self.progress.advance(done) {
            let left_s = standing.left_ms.map(|left| left / 1000);
            tracing::info!(days = total, done, percent = standing.percent(), left_s, "backfill");
        }
    }

    /// An observation without rows.
    fn nothing(&mut self, as_of_ms: i64, cursor: Option<Cursor>) -> Observation {
        self.due = Duration::ZERO;
        Observation {
            scope: String::new(),
            coverage: Coverage::Delta,
            rows: Rows::default(),
            cursor,
            snapshot: false,
            as_of_ms,
        }
    }

    fn rest(&mut self, position: &Position) {
        let now_ms = self.clock.now_ms();
        let wait = position.due_at(now_ms, &self.plan).saturating_sub(now_ms);
        self.due = Duration::from_millis(u64::try_from(wait).unwrap_or(0)).min(LONGEST_WAIT);
    }

    /// Reads the next day of the window. May be cancelled: the day is asked for again.
    async fn day(&mut self) -> Result<Option<Rows>, Fault> {
        let Some(day) = self.round.as_ref().and_then(|round| round.days.front().copied()) else {
            return Ok(None);
        };
        let order = self.interval.of(ENDPOINT, day, EndDate::Next);
        match self.upstream.read(As::Hall, &order).await.and_then(|list| Ok(list.rows()?)) {
            Ok(rows) => {
                if let Some(round) = &mut self.round {
                    round.days.pop_front();
                }
                Ok(Some(rows))
            }
            Err(fault) => {
                // What happened lately goes first when it is tried again.
                self.round = None;
                Err(fault)
            }
        }
    }
}

fn cursor(position: &Position) -> Result<Cursor, Fault> {
    serde_json::to_string(position)
        .map(Cursor)
        .map_err(|_| Fault::Internal { reason: "the cursor cannot be written".to_owned() })
}

#[async_trait]
impl Feed for History {
    async fn next(&mut self, from: Option<&Cursor>) -> Result<Observation, Fault> {
        let now_ms = self.clock.now_ms();
        let mut position = self.position(from, now_ms)?;
        self.show(&position);
        if from.is_none() {
            // Where reading begins is kept before anything is read: windows are told apart by their ends.
            self.round = None;
            return Ok(self.nothing(now_ms, Some(cursor(&position)?)));
        }
        if self.round.is_none() {
            let window = position.next(now_ms, &self.plan);
            self.round = window.map(|window| Round::of(window, &self.plan, now_ms));
        }
        let rows = self.day().await?.unwrap_or_default();
        let (snapshot, as_of_ms) = match &self.round {
            Some(round) => (round.window.snapshot, round.as_of_ms),
            None => (false, now_ms),
        };
        let nothing = self.nothing(as_of_ms, None);
        let mut observation = Observation { rows, snapshot, ..nothing };
        match self.round.take() {
            Some(round) if !round.days.is_empty() => self.round = Some(round),
            Some(round) => {
                position.read(&round.window, &self.plan);
                self.show(&position);
                observation.cursor = Some(cursor(&position)?);
                self.rest(&position);
            }
            None => self.rest(&position),
        }
        Ok(observation)
    }

    fn due(&self) -> Option<Duration> {
        Some(self.due)
    }
}
