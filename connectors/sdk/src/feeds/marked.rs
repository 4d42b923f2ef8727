//! What was modified since a mark.
//!
//! The mark is an opaque number. What documents leave open, and what is done about it:
//!
//! * Whether the bound is inclusive: rows that come again are recognised by their content.
//! * The order of rows: they are put into the order of their marks.
//! * Whether a row can become visible after a newer mark was read, or later under a mark that was read
//!   already: the overlap asks again from so far before the highest mark. With an overlap of 0 such a row is
//!   missed until it is modified again, or until the next look from the beginning.
//! * Whether a mark can be wrong: one that leaps is not believed at once; see [`believed`].
//!
//! Once in a while a table is looked at from the beginning: what lies below the mark and is not known should
//! have been seen before. A log is not looked at: what its topic has let go of would be published again.
//!
//! [`believed`]: super::believed

use async_trait::async_trait;

use super::leap::{Believed, Leap};
use super::marks::{MarkedRows, Marks};
use crate::{Clock, Coverage, Cursor, Fault, Feed, Observation, Rows};

/// A resource that tells what was modified since a mark.
#[async_trait]
pub trait Marked: Send {
    /// What was modified since the mark.
    async fn since(&mut self, mark: i64) -> Result<MarkedRows, Fault>;
}

/// A feed of what was modified.
pub struct MarkedFeed<M> {
    marked: M,
    marks: Marks,
    clock: Clock,
    leap: Option<Leap>,
}

impl<M: Marked> MarkedFeed<M> {
    /// Reads on by those marks.
    pub fn new(clock: Clock, marks: Marks, marked: M) -> MarkedFeed<M> {
        MarkedFeed { marked, marks, clock, leap: None }
    }

    /// Looks from the beginning, if it is time: the rows below where reading goes on from.
    async fn audit(&mut self, mark: i64, now_ms: i64) -> Option<Rows> {
        if !self.marks.takes_turn(now_ms) {
            return None;
        }
        let seen = self.marks.asked(mark);
        match self.marked.since(0).await {
            Ok(looked) => Some(looked.below(seen)),
            // Reading on must not wait for it.
            Err(fault) => {
                tracing::warn!("no look from the beginning this time: {fault}");
                None
            }
        }
    }
}

#[async_trait]
impl<M: Marked> Feed for MarkedFeed<M> {
    async fn next(&mut self, from: Option<&Cursor>) -> Result<Observation, Fault> {
        let mark = match from {
            None => 0,
            Some(cursor) => cursor.0.parse::<i64>().map_err(|_| Fault::Internal {
                reason: "the checkpoint's cursor is no mark".to_owned(),
            })?,
        };
        let as_of_ms = self.clock.now_ms();
        if from.is_some()
            && let Some(rows) = self.audit(mark, as_of_ms).await
        {
            return Ok(Observation {
                scope: String::new(),
                coverage: Coverage::Audit,
                rows,
                cursor: None,
                snapshot: false,
                as_of_ms,
            });
        }
        let read = self.marked.since(self.marks.asked(mark)).await?;
        let (rows, Believed { highest, leap }) = read.sorted(from.is_some().then_some(mark));
        self.leap = leap;
        let reached = highest.unwrap_or(mark);
        self.marks.saw(reached);
        Ok(Observation {
            scope: String::new(),
            coverage: Coverage::Delta,
            rows,
            cursor: Some(Cursor(reached.to_string())),
            snapshot: from.is_none(),
            as_of_ms,
        })
    }

    fn doubt(&self) -> Option<String> {
        self.leap.map(Leap::doubt)
    }
}
