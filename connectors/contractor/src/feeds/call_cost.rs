//! Feed `call_cost`: there is no list of cost estimates, so each is asked for by its call.
//!
//! Two queues. `changed` holds the calls that were modified since the cursor's mark, in the order of
//! their marks; the cursor moves behind a call when its estimate is read. `round` holds all calls
//! that can have an estimate, once in a cycle, because nothing says that a change of an estimate
//! modifies its call; it is not part of the cursor, and begins anew after a restart.
//!
//! Which calls there are is read from the beginning when the feed is opened, and by modification mark
//! after that. A call that is New has no estimate yet (document: an estimate can exist from Committed
//! on), so it is not asked for.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use talon_sdk::{Clock, Coverage, Cursor, Fault, Feed, Observation, Rows};
use tokio::time::Instant;

use crate::client::{Modified, Upstream};

pub(crate) struct CallCost {
    upstream: Upstream,
    clock: Clock,
    overlap: i64,
    /// How long one observation may go on collecting.
    patience: Duration,
    cycle: Duration,
    known: Option<Known>,
    /// What cut the last observation short.
    cut_by: Option<Fault>,
}

/// What is known of the calls since the feed was opened.
struct Known {
    /// Calls that can have an estimate, with the mark under which they were queued last.
    calls: BTreeMap<i64, i64>,
    /// The highest mark read.
    mark: i64,
    /// Mark and call, lowest mark first.
    changed: VecDeque<(i64, i64)>,
    round: VecDeque<i64>,
    next_round: Instant,
}

/// The feed's cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Position {
    /// The estimates of all calls modified up to here are read.
    mark: i64,
    /// The first read goes on until this mark.
    first_until: i64,
}

#[derive(Deserialize)]
struct Head {
    id: i64,
    timestamp: Option<i64>,
    status: Option<String>,
}

impl CallCost {
    pub(crate) fn new(
        upstream: Upstream,
        clock: Clock,
        overlap: i64,
        patience: Duration,
        cycle: Duration,
    ) -> CallCost {
        CallCost { upstream, clock, overlap, patience, cycle, known: None, cut_by: None }
    }

    /// Reads which calls were modified, and queues them.
    async fn look(&mut self, done: Option<Position>) -> Result<&mut Known, Fault> {
        let from =
            self.known.as_ref().map_or(0, |known| known.mark.saturating_sub(self.overlap).max(0));
        let body = self.upstream.modifications(Modified::Calls, from).await?;
        let (_, heads) = Rows::with_heads::<Head>(body).map_err(|error| {
            Fault::unavailable(format!("the modification feed of calls answers strangely: {error}"))
        })?;
        let first = self.known.is_none();
        let next_round = Instant::now() + self.cycle;
        let known = self.known.get_or_insert_with(|| Known {
            calls: BTreeMap::new(),
            mark: 0,
            changed: VecDeque::new(),
            round: VecDeque::new(),
            next_round,
        });
        for Head { id, timestamp, status } in heads.into_iter().flatten() {
            let mark = timestamp.unwrap_or(0);
            known.mark = known.mark.max(mark);
            if status.as_deref() == Some("New") {
                continue;
            }
            let again = known.calls.insert(id, mark) == Some(mark);
            // On opening, what the cursor has behind it. Calls that share its mark are asked for once
            // more: some of them may have been cut off.
            let behind = first && done.is_some_and(|done| mark < done.mark);
            if !again && !behind {
                known.changed.push_back((mark, id));
            }
        }
        known.changed.make_contiguous().sort_unstable();
        if Instant::now() >= known.next_round && known.round.is_empty() {
            known.round = known.calls.keys().copied().collect();
            known.next_round = Instant::now() + self.cycle;
        }
        Ok(known)
    }
}

#[async_trait]
impl Feed for CallCost {
    async fn next(&mut self, from: Option<&Cursor>) -> Result<Observation, Fault> {
        // Before anything is asked again: the fault may say how long not to.
        if let Some(fault) = self.cut_by.take() {
            return Err(fault);
        }
        let done = from.map(|cursor| serde_json::from_str::<Position>(&cursor.0)).transpose();
        let done = done.map_err(|_| Fault::Internal {
            reason: "the checkpoint's cursor is no position of this feed".to_owned(),
        })?;
        let as_of_ms = self.clock.now_ms();
        let deadline = Instant::now() + self.patience;
        let upstream = self.upstream.clone();
        let known = self.look(done).await?;
        let first_until = done.map_or(known.mark, |done| done.first_until);

        let mut position = Position { mark: done.map_or(0, |done| done.mark), first_until };
        let mut rows = Vec::new();
        let mut cut_by = None;
        loop {
            let (id, mark) = match (known.changed.front(), known.round.front()) {
                (Some(&(mark, id)), _) => (id, Some(mark)),
                (None, Some(&id)) => (id, None),
                (None, None) => break,
            };
            match upstream.cost(id).await {
                Ok(cost) => rows.extend(cost.map(|cost| row(id, &cost))),
                // What is read so far is worth something.
                Err(fault) if !rows.is_empty() => {
                    cut_by = Some(fault);
                    break;
                }
                Err(fault) => return Err(fault),
            }
            match mark {
                Some(mark) => {
                    known.changed.pop_front();
                    position.mark = position.mark.max(mark);
                }
                None => {
                    known.round.pop_front();
                }
            }
            if Instant::now() >= deadline {
                break;
            }
        }
        if known.changed.is_empty() {
            position.mark = position.mark.max(known.mark);
        }
        self.cut_by = cut_by;
        Ok(Observation {
            scope: String::new(),
            coverage: Coverage::Delta,
            rows: Rows::of_bodies(&rows),
            cursor: Some(Cursor(serde_json::json!(position).to_string())),
            snapshot: done.is_none_or(|done| done.mark < done.first_until),
            as_of_ms,
        })
    }
}

/// The estimate does not say whose it is.
fn row(call_id: i64, cost: &[u8]) -> Bytes {
    let mut row = format!("{{\"callId\":{call_id},\"cost\":").into_bytes();
    row.extend_from_slice(cost);
    row.push(b'}');
    row.into()
}
