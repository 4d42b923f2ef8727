//! Treatments that are closed: what the plan says.

use talon_sdk::{Coverage, Progress};

use super::metered::Operation;
use crate::plan::{Position, Settings, Window};
use crate::soap::{self, Filter};

pub(super) struct History {
    plan: Settings,
    filter: Filter,
    progress: Progress,
}

impl History {
    pub(super) fn new(plan: Settings, filter: Filter, progress: Progress) -> History {
        History { plan, filter, progress }
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
}

impl Operation for History {
    const NAME: &'static str = soap::HISTORY;
    type Position = Position;
    type Call = Window;

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

    fn envelope(&self, window: &Window) -> String {
        let zone = &self.plan.zone;
        soap::history(window.closed_from(zone), window.closed_to(zone), &self.filter)
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
