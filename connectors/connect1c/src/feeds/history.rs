//! Treatments that are closed: what the plan says.

use async_trait::async_trait;
use talon_http::soap::{Caller, Reading};
use talon_sdk::feeds::windows::{Position, Settings, Window};
use talon_sdk::feeds::{NoAnswer, Operation};
use talon_sdk::{Coverage, Permit, Progress};

use crate::soap::{self, Filter};

pub(super) struct History {
    pub(super) upstream: Caller,
    pub(super) plan: Settings,
    pub(super) filter: Filter,
    pub(super) progress: Progress,
}

impl History {
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
}

#[async_trait]
impl Operation for History {
    const NAME: &'static str = soap::HISTORY;
    type Position = Position;
    type Call = Window;
    type Answer = Reading;

    fn begin(&self, now_ms: i64) -> Position {
        Position::begin(now_ms, &self.plan)
    }

    fn adopt(&self, position: &mut Position, now_ms: i64) {
        position.adopt(now_ms, &self.plan);
        self.show(position);
    }

    fn due_at(&self, position: &Position, now_ms: i64) -> i64 {
        position.due_at(now_ms, &self.plan)
    }

    fn next(&self, position: &Position, now_ms: i64) -> Option<Window> {
        position.next(now_ms, &self.plan)
    }

    async fn call(&self, window: &Window, permit: &Permit) -> Result<Reading, NoAnswer> {
        let zone = &self.plan.zone;
        let (from, to) = (window.asked_from(zone), window.asked_to(zone));
        self.upstream.call(soap::history(from, to, &self.filter), permit).await
    }

    fn coverage(&self, _: u32, is_last: bool) -> Coverage {
        if is_last { Coverage::Delta } else { Coverage::Incomplete }
    }

    fn is_snapshot(&self, window: &Window) -> bool {
        window.snapshot
    }

    fn read(&self, position: &mut Position, window: &Window, _: i64) {
        position.read(window, &self.plan);
        self.show(position);
    }
}
