//! The whole lists of several scopes, one after another.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;

use super::whole::whole;
use crate::{Clock, Coverage, Cursor, Fault, Feed, Observation, Rows};

/// Lists of several scopes: halls, boards, workplaces.
#[async_trait]
pub trait ScopedLists: Send {
    /// The scopes that there are now, asked at the start of each round.
    async fn scopes(&mut self) -> Result<Vec<String>, Fault>;

    /// Reads all of one scope.
    async fn rows(&mut self, scope: &str) -> Result<Rows, Fault>;
}

/// A feed of whole lists, each of a scope: what is not in the list of its scope is absent.
///
/// All scopes are read in a round, and a round starts an interval after the one before it did. A scope that
/// cannot be read holds up no other: it waits for the next round, and the feed is shown as degraded. Where
/// none can be read, it is the upstream, and the feed fails.
pub struct ScopedListFeed<L> {
    lists: L,
    clock: Clock,
    interval: Duration,
    began: Option<Instant>,
    /// Scopes that are still to be read in this round.
    round: VecDeque<String>,
    all: Arc<[String]>,
    failed: Vec<Fault>,
    /// How many could not be read in the last round, of how many, and why the first.
    doubt: Option<(usize, usize, Fault)>,
}

impl<L: ScopedLists> ScopedListFeed<L> {
    /// Reads those lists; the interval is that of the feed's plan.
    pub fn new(clock: Clock, interval: Duration, lists: L) -> ScopedListFeed<L> {
        ScopedListFeed {
            lists,
            clock,
            interval,
            began: None,
            round: VecDeque::new(),
            all: Arc::default(),
            failed: Vec::new(),
            doubt: None,
        }
    }

    async fn begin(&mut self) -> Result<(), Fault> {
        let began = Instant::now();
        let scopes = self.lists.scopes().await?;
        self.began = Some(began);
        self.failed.clear();
        if self.all[..] != scopes[..] {
            self.all = scopes.clone().into();
        }
        self.round = scopes.into();
        Ok(())
    }

    fn nothing(&self, as_of_ms: i64, coverage: Coverage) -> Observation {
        Observation {
            coverage,
            cursor: None,
            ..whole(String::new(), Rows::default(), false, as_of_ms)
        }
    }

    /// Ends a round.
    fn end(&mut self) -> Result<(), Fault> {
        let (failed, all) = (self.failed.len(), self.all.len());
        self.doubt = self.failed.first().cloned().map(|fault| (failed, all, fault));
        match self.failed.pop() {
            Some(fault) if failed == all => Err(fault),
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl<L: ScopedLists> Feed for ScopedListFeed<L> {
    async fn next(&mut self, from: Option<&Cursor>) -> Result<Observation, Fault> {
        if self.round.is_empty() {
            self.begin().await?;
        }
        let as_of_ms = self.clock.now_ms();
        if self.round.is_empty() {
            return Ok(self.nothing(as_of_ms, Coverage::Delta));
        }
        // Taken off when it is read: the call may be cancelled while it is.
        while let Some(scope) = self.round.front() {
            let read = self.lists.rows(scope).await;
            let scope = self.round.pop_front().unwrap_or_default();
            let is_last = self.round.is_empty();
            match read {
                Ok(rows) => {
                    let seen = whole(scope, rows, from.is_none(), as_of_ms);
                    if !is_last {
                        // The first read is over when all scopes are read.
                        return Ok(Observation { cursor: None, ..seen });
                    }
                    self.end()?;
                    return Ok(seen);
                }
                Err(fault) => {
                    tracing::debug!(scope, %fault, "a scope cannot be read");
                    self.failed.push(fault);
                    if is_last {
                        self.end()?;
                    }
                }
            }
        }
        Ok(self.nothing(as_of_ms, Coverage::Incomplete))
    }

    fn due(&self) -> Option<Duration> {
        match self.began {
            Some(began) if self.round.is_empty() => {
                Some(self.interval.saturating_sub(began.elapsed()))
            }
            _ => Some(Duration::ZERO),
        }
    }

    fn doubt(&self) -> Option<String> {
        let (failed, all, fault) = self.doubt.as_ref()?;
        Some(format!("{failed} of {all} scopes cannot be read, the others are: {fault}"))
    }

    fn follows(&mut self) -> Option<Arc<[String]>> {
        Some(self.all.clone())
    }
}

#[cfg(test)]
mod tests;
