//! Feed `queue`: who waits for each of the configured workplaces.
//!
//! The push does not say whose queue it is, so each workplace has a socket of its own, and a full list
//! covers the keys of its workplace alone.

use std::collections::VecDeque;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::future::select_all;
use talon_sdk::{Cursor, Fault, Feed, Observation};

use super::book::{Followed, List};
use super::stray;
use crate::session::Line;

pub(crate) struct Queue {
    places: Vec<Workplace>,
    /// What was read of all of them when they were joined, and is not handed on yet.
    joined: VecDeque<Observation>,
    /// Where to begin to look, so that one busy workplace does not hide the others.
    turn: usize,
    workplaces: Arc<[String]>,
}

/// One workplace.
pub(crate) struct Workplace {
    pub(crate) line: Arc<Line>,
    pub(crate) list: List,
    pub(crate) followed: Option<Followed>,
}

impl Queue {
    pub(crate) fn new(places: Vec<Workplace>) -> Queue {
        let workplaces = places.iter().map(|place| place.list.scope.clone()).collect();
        Queue { places, joined: VecDeque::new(), turn: 0, workplaces }
    }

    /// Joins the workplaces that are not joined yet. Nothing is handed on before all have answered: that
    /// one of them works is no sign that the feed does. Gives what could not be read on the way.
    async fn join(&mut self, is_first: bool) -> Result<Option<Observation>, Fault> {
        for place in self.places.iter_mut().filter(|place| place.followed.is_none()) {
            let live = place.line.live().await?;
            if let Some(stray) = stray(&live, place.list.clock.now_ms()) {
                return Ok(Some(stray));
            }
            let (followed, mut observation) = place.list.join(live, is_first).await?;
            // The first read is over when all are read.
            if let Some(before) = self.joined.back_mut() {
                observation.cursor = before.cursor.take();
            }
            place.followed = Some(followed);
            self.joined.push_back(observation);
        }
        Ok(None)
    }
}

#[async_trait]
impl Feed for Queue {
    async fn next(&mut self, from: Option<&Cursor>) -> Result<Observation, Fault> {
        if let Some(stray) = self.join(from.is_none()).await? {
            return Ok(stray);
        }
        if let Some(observation) = self.joined.pop_front() {
            return Ok(observation);
        }
        self.turn = (self.turn + 1) % self.places.len().max(1);
        let (before, after) = self.places.split_at_mut(self.turn);
        let waits = after.iter_mut().chain(before).filter_map(|place| {
            let followed = place.followed.as_mut()?;
            Some(Box::pin(place.list.next(followed)))
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
