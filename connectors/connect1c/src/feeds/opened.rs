//! Treatments that are open: the whole list, each time.

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use talon_http::soap::{Caller, Reading};
use talon_sdk::feeds::{NoAnswer, Operation};
use talon_sdk::{Coverage, Permit};

use crate::soap::{self, Filter};

pub(super) struct Opened {
    pub(super) upstream: Caller,
    pub(super) interval: Duration,
    pub(super) filter: Filter,
}

/// When the list was read last, milliseconds since 1970 UTC.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(super) struct ReadAt {
    #[serde(skip_serializing_if = "Option::is_none")]
    read_at: Option<i64>,
}

#[async_trait]
impl Operation for Opened {
    const NAME: &'static str = soap::OPENED;
    type Position = ReadAt;
    /// Whether it is the first.
    type Call = bool;
    type Answer = Reading;

    fn begin(&self, _: i64) -> ReadAt {
        ReadAt::default()
    }

    fn adopt(&self, position: &mut ReadAt, now_ms: i64) {
        // A clock that was set back puts nothing off.
        position.read_at = position.read_at.map(|at| at.min(now_ms));
    }

    fn due_at(&self, position: &ReadAt, now_ms: i64) -> i64 {
        let interval = i64::try_from(self.interval.as_millis()).unwrap_or(i64::MAX);
        position.read_at.map_or(now_ms, |at| at.saturating_add(interval))
    }

    fn next(&self, position: &ReadAt, _: i64) -> Option<bool> {
        Some(position.read_at.is_none())
    }

    async fn call(&self, _: &bool, permit: &Permit) -> Result<Reading, NoAnswer> {
        self.upstream.call(soap::opened(&self.filter), permit).await
    }

    fn coverage(&self, number: u32, is_last: bool) -> Coverage {
        match (number, is_last) {
            (0, true) => Coverage::Full,
            (number, true) => Coverage::Last(number),
            (number, false) => Coverage::Part(number),
        }
    }

    fn is_snapshot(&self, is_first: &bool) -> bool {
        *is_first
    }

    fn read(&self, position: &mut ReadAt, _: &bool, asked_ms: i64) {
        position.read_at = Some(asked_ms);
    }
}
