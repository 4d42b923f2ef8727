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
//!
//! An error of the document refuses the one call, also with status 200: it has no estimate. Another answer
//! that is no estimate is a matter of its call if the upstream gives an estimate in the same read:
//! then it goes to the dead letters, and the queue goes on. If it does not, it is the upstream, and the call
//! is asked for again.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use talon_sdk::feeds::believed;
use talon_sdk::{Clock, Coverage, Cursor, Fault, Feed, NoAnswer, Observation, Rows};
use tokio::time::Instant;

use crate::client::{Cost, Modified, Upstream};

pub(crate) struct CallCost {
    upstream: Upstream,
    clock: Clock,
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

/// After so many calls in a row with another answer than an estimate, it is the upstream.
const OTHERS: usize = 10;

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

/// A call that is asked for its estimate.
struct Asked {
    id: i64,
    /// Of its modification; none in the round of all calls.
    mark: Option<i64>,
}

impl Known {
    /// The next call to ask for.
    fn take(&mut self) -> Option<Asked> {
        if let Some((mark, id)) = self.changed.pop_front() {
            return Some(Asked { id, mark: Some(mark) });
        }
        self.round.pop_front().map(|id| Asked { id, mark: None })
    }

    /// It is still to be asked for.
    fn put_back(&mut self, Asked { id, mark }: Asked) {
        match mark {
            Some(mark) => self.changed.push_front((mark, id)),
            None => self.round.push_front(id),
        }
    }
}

impl Position {
    /// A call is done. A mark beyond the highest that is believed counts no further.
    fn pass(&mut self, asked: Asked, highest: i64) {
        self.mark = self.mark.max(asked.mark.unwrap_or(i64::MIN).min(highest));
    }
}

impl CallCost {
    pub(crate) fn new(
        upstream: Upstream,
        clock: Clock,
        patience: Duration,
        cycle: Duration,
    ) -> CallCost {
        CallCost { upstream, clock, patience, cycle, known: None, cut_by: None }
    }

    /// Reads which calls were modified, and queues them.
    async fn look(&mut self, done: Option<Position>) -> Result<&mut Known, Fault> {
        let marks = self.upstream.marks(Modified::Calls);
        let from = self.known.as_ref().map_or(0, |known| marks.asked(known.mark));
        let received = self.upstream.since(Modified::Calls, from).await?;
        let (_, heads) = received.rows_with_heads::<Head>()?;
        let first = self.known.is_none();
        let next_round = Instant::now() + self.cycle;
        let known = self.known.get_or_insert_with(|| Known {
            calls: BTreeMap::new(),
            mark: 0,
            changed: VecDeque::new(),
            round: VecDeque::new(),
            next_round,
        });
        let marks = heads.iter().flatten().filter_map(|head| head.timestamp);
        let before = (!first).then_some(known.mark);
        known.mark = believed(before, marks).highest.unwrap_or(0);
        for Head { id, timestamp, status } in heads.into_iter().flatten() {
            let mark = timestamp.unwrap_or(0);
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
        let mut fault = None;
        let mut has_answered = false;
        let highest = known.mark;
        // Calls without an estimate since the last one that had one, with what was answered instead, if it
        // was anything.
        let mut others: Vec<(Asked, Option<NoAnswer>)> = Vec::new();
        let mut odd = 0;
        while let Some(asked) = known.take() {
            match upstream.cost(asked.id).await {
                Ok(Cost::Estimate(estimate)) => {
                    has_answered = true;
                    odd = 0;
                    for (other, no_answer) in others.drain(..) {
                        rows.extend(
                            no_answer.map(|other_than| row(other.id, "error", &other_than.body)),
                        );
                        position.pass(other, highest);
                    }
                    rows.push(row(asked.id, "cost", &estimate));
                    position.pass(asked, highest);
                }
                Ok(Cost::None) => others.push((asked, None)),
                Ok(Cost::Other(no_answer)) => {
                    others.push((asked, Some(no_answer)));
                    odd += 1;
                    if odd >= OTHERS {
                        has_answered = false;
                        break;
                    }
                }
                Err(failed) => {
                    known.put_back(asked);
                    fault = Some(failed);
                    break;
                }
            }
            if Instant::now() >= deadline {
                break;
            }
        }
        if odd == 0 || has_answered && fault.is_none() {
            for (other, no_answer) in others {
                rows.extend(no_answer.map(|other_than| row(other.id, "error", &other_than.body)));
                position.pass(other, highest);
            }
        } else {
            for (other, no_answer) in others.into_iter().rev() {
                known.put_back(other);
                fault = fault.or_else(|| no_answer.map(Fault::from));
            }
        }
        if known.changed.is_empty() {
            position.mark = position.mark.max(known.mark);
        }
        match fault {
            Some(fault) if rows.is_empty() => return Err(fault),
            // What is read so far is worth something.
            fault => self.cut_by = fault,
        }
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

/// Whether a text is a cursor of the feed.
pub(crate) fn is_position(offset: &str) -> bool {
    serde_json::from_str::<Position>(offset).is_ok()
}

/// The estimate does not say whose it is. What is no estimate stands under another name.
fn row(call_id: i64, name: &str, answer: &[u8]) -> Bytes {
    let mut row = format!("{{\"callId\":{call_id},\"{name}\":").into_bytes();
    row.extend_from_slice(answer);
    row.push(b'}');
    row.into()
}
