//! Feed `queue`: who waits for each of the configured workplaces.
//!
//! The push does not say whose queue it is, so each workplace has a socket of its own, and a full list
//! covers the keys of its workplace alone.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::future::select_all;
use talon_sdk::{Cursor, Fault, Feed, Observation};

use super::book::{Followed, List};
use super::stray;
use crate::session::Line;

pub(crate) struct Queue {
    lanes: Vec<Lane>,
    /// Where to begin to look, so that one busy workplace does not hide the others.
    turn: usize,
    workplaces: Arc<[String]>,
}

/// One workplace.
pub(crate) struct Lane {
    pub(crate) line: Arc<Line>,
    pub(crate) list: List,
    pub(crate) followed: Option<Followed>,
}

impl Queue {
    pub(crate) fn new(lanes: Vec<Lane>) -> Queue {
        let workplaces = lanes.iter().map(|lane| lane.list.scope.clone()).collect();
        Queue { lanes, turn: 0, workplaces }
    }
}

#[async_trait]
impl Feed for Queue {
    async fn next(&mut self, from: Option<&Cursor>) -> Result<Observation, Fault> {
        if let Some(lane) = self.lanes.iter_mut().find(|lane| lane.followed.is_none()) {
            let live = lane.line.live().await?;
            if let Some(stray) = stray(&live, lane.list.clock.now_ms()) {
                return Ok(stray);
            }
            let (followed, mut observation) = lane.list.join(live, from.is_none()).await?;
            lane.followed = Some(followed);
            if self.lanes.iter().any(|lane| lane.followed.is_none()) {
                // The first read is over when all are read.
                observation.cursor = None;
            }
            return Ok(observation);
        }
        self.turn = (self.turn + 1) % self.lanes.len().max(1);
        let (before, after) = self.lanes.split_at_mut(self.turn);
        let waits = after.iter_mut().chain(before).filter_map(|lane| {
            let followed = lane.followed.as_mut()?;
            Some(Box::pin(lane.list.next(followed)))
        });
        let waits: Vec<_> = waits.collect();
        if waits.is_empty() {
            return Err(Fault::Internal { reason: "`queue` has no workplace".to_owned() });
        }
        select_all(waits).await.0
    }

    fn follows(&mut self) -> Option<Arc<[String]>> {
        Some(self.workplaces.clone())
    }
}
