//! The feeds of the books, and what they share with `queue`: a list that is read once, and then
//! pushed as a whole whenever it changes.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use talon_sdk::{Clock, Coverage, Cursor, Fault, Feed, Observation};
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::stray;
use crate::books::Commands;
use crate::session::{Line, Live, Push};

/// A list that a socket follows. Dropped and joined anew after a fault.
pub(crate) struct Followed {
    pub(crate) live: Arc<Live>,
    pushes: watch::Receiver<Push>,
    /// When it was read or pushed last.
    fresh: Instant,
    /// Something came since that could not be read, and may have been the list.
    is_damaged: bool,
}

/// What may have been damaged is read again, and so long after the last read at the earliest: a server whose
/// messages cannot be read is not asked more often for that.
const BETWEEN_REPAIRS: Duration = Duration::from_secs(1);

/// What to follow.
pub(crate) struct List {
    /// The command that reads it; also the name of its pushes.
    pub(crate) read: String,
    /// The command that asks for pushes.
    pub(crate) subscribe: String,
    /// Of both commands.
    pub(crate) data: Value,
    pub(crate) scope: String,
    pub(crate) refresh: Duration,
    pub(crate) clock: Clock,
}

impl List {
    /// Subscribes, and reads the list: in this order, so that nothing falls between.
    pub(crate) async fn join(
        &self,
        live: Arc<Live>,
        is_first: bool,
    ) -> Result<(Followed, Observation), Fault> {
        let pushes = live.pushes(&self.read);
        live.read(&self.subscribe, &self.data).await?;
        let mut followed = Followed { live, pushes, fresh: Instant::now(), is_damaged: false };
        let observation = self.read(&mut followed, is_first).await?;
        Ok((followed, observation))
    }

    /// Waits for the next list: a push, or a read where none came for long or one was damaged.
    /// Returns a message that could not be read as an observation of its own. Safe to cancel.
    pub(crate) async fn next(&self, followed: &mut Followed) -> Result<Observation, Fault> {
        loop {
            if let Some(stray) = stray(&followed.live, self.clock.now_ms()) {
                return Ok(stray);
            }
            let patience = if followed.is_damaged { BETWEEN_REPAIRS } else { self.refresh };
            let due = followed.fresh + patience.min(self.refresh);
            let pushed = tokio::select! {
                pushed = timeout_at(due, followed.pushes.changed()) => pushed,
                fault = followed.live.ended() => return Err(fault),
            };
            match pushed {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Err(followed.live.ended().await),
                Err(_) => return self.read(followed, false).await,
            }
            if let Push::List(frame) = followed.pushes.borrow_and_update().clone() {
                (followed.fresh, followed.is_damaged) = (Instant::now(), false);
                return self.observation(&frame, self.clock.now_ms(), false);
            }
            followed.is_damaged = true;
        }
    }

    async fn read(&self, followed: &mut Followed, is_first: bool) -> Result<Observation, Fault> {
        let as_of_ms = self.clock.now_ms();
        // Should this be cancelled, the answer still comes as a push would.
        (followed.fresh, followed.is_damaged) = (Instant::now(), false);
        let frame = followed.live.read(&self.read, &self.data).await?;
        // What was pushed meanwhile is newer than the answer; what was damaged is read again.
        let newest = followed.pushes.borrow_and_update().clone();
        let newest = match newest {
            Push::List(newest) => newest,
            Push::None => frame,
            Push::Damaged if followed.live.is_overtaken(&frame) => {
                let reason = "a newer list than the answer cannot be read".to_owned();
                return Err(Fault::unavailable(reason));
            }
            Push::Damaged => {
                followed.is_damaged = true;
                frame
            }
        };
        self.observation(&newest, as_of_ms, is_first)
    }

    fn observation(
        &self,
        frame: &crate::frame::Frame,
        as_of_ms: i64,
        is_first: bool,
    ) -> Result<Observation, Fault> {
        let rows = frame.rows().ok_or_else(|| {
            Fault::unavailable(format!("`{}` was answered with no list", self.read))
        })?;
        Ok(Observation {
            scope: self.scope.clone(),
            coverage: Coverage::Full,
            rows,
            // There is no place to read on from; the cursor only says that the first read is over.
            cursor: Some(Cursor("read".to_owned())),
            snapshot: is_first,
            as_of_ms,
        })
    }
}

/// A book.
pub(crate) struct Book {
    line: Arc<Line>,
    list: List,
    followed: Option<Followed>,
}

impl Book {
    pub(crate) fn new(
        line: Arc<Line>,
        Commands { list: read, subscribe, .. }: Commands,
        refresh: Duration,
        clock: Clock,
    ) -> Book {
        let list = List { read, subscribe, data: json!({}), scope: String::new(), refresh, clock };
        Book { line, list, followed: None }
    }
}

#[async_trait]
impl Feed for Book {
    async fn next(&mut self, from: Option<&Cursor>) -> Result<Observation, Fault> {
        if let Some(followed) = &mut self.followed {
            return self.list.next(followed).await;
        }
        let live = self.line.live().await?;
        if let Some(stray) = stray(&live, self.list.clock.now_ms()) {
            return Ok(stray);
        }
        let (followed, observation) = self.list.join(live, from.is_none()).await?;
        self.followed = Some(followed);
        Ok(observation)
    }
}
