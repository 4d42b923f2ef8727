//! A feed whose every call is counted by the upstream; [`quota`](crate::quota) says how.
//!
//! How it can fail, and what holds then:
//!
//! * Killed before the call is committed: it was not made. Killed after that: it counts, made or not.
//! * Dropped while the call is made or its reply is read: the same; the object that comes after takes in a
//!   call of its own.
//! * Paused between the commit and the call, while another process goes on: the permit is asked right
//!   before the first byte leaves, and ends before the call stops to count.
//! * The reply breaks off: its rows stand, the position does not move, and no absence is told.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::quota::{Left, Limits, Quota, ShownQuota};
use crate::{Clock, Context, Coverage, Cursor, Fault, Feed, Observation, Permit, Rows};
use async_trait::async_trait;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The clock is looked at this often, whatever is due: it can be set.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// What is read by calling one operation.
#[async_trait]
pub trait Operation: Send + Sync {
    /// Its name.
    const NAME: &'static str;
    /// What was read, as a part of the cursor.
    type Position: Serialize + DeserializeOwned + Send + Sync;
    /// What one call asks for.
    type Call: Send + Sync;
    /// What comes of it.
    type Answer: Answer;

    /// Where nothing was read.
    fn begin(&self, now_ms: i64) -> Self::Position;
    /// Goes on from a cursor, maybe with other settings.
    fn adopt(&self, position: &mut Self::Position, now_ms: i64);
    /// When there is something to read.
    fn due_at(&self, position: &Self::Position, now_ms: i64) -> i64;
    /// What to read now.
    fn next(&self, position: &Self::Position, now_ms: i64) -> Option<Self::Call>;
    /// Makes the call, if the permit holds when the first byte leaves. Sent once: every sending counts.
    async fn call(&self, call: &Self::Call, permit: &Permit) -> Result<Self::Answer, NoAnswer>;
    /// What a piece of its reply tells of absence.
    fn coverage(&self, number: u32, is_last: bool) -> Coverage;
    /// Whether it belongs to the first read.
    fn is_snapshot(&self, call: &Self::Call) -> bool;
    /// Its reply was whole.
    fn read(&self, position: &mut Self::Position, call: &Self::Call, asked_ms: i64);
}

/// An answer that comes piece by piece.
#[async_trait]
pub trait Answer: Send + Sync {
    /// The next piece. May be cancelled: what was taken in comes with the next call.
    async fn piece(&mut self) -> Result<Piece, NoAnswer>;
}

/// The rows of a piece, and whether it was the last.
#[derive(Debug)]
pub struct Piece {
    /// The rows.
    pub rows: Rows,
    /// Whether the answer is whole with it.
    pub is_last: bool,
}

/// Why a call has no answer.
#[derive(Debug)]
pub enum NoAnswer {
    /// The quota is used up, by whomever.
    OutOfLimit(Fault),
    /// Something else.
    Other(Fault),
}

impl<F: Into<Fault>> From<F> for NoAnswer {
    fn from(fault: F) -> NoAnswer {
        NoAnswer::Other(fault.into())
    }
}

/// The cursor.
#[derive(Serialize, Deserialize)]
struct Saved<P> {
    quota: Quota,
    at: P,
}

impl<P: Serialize> Saved<P> {
    fn cursor(&self) -> Result<Cursor, Fault> {
        serde_json::to_string(self)
            .map(Cursor)
            .map_err(|_| Fault::Internal { reason: "the cursor cannot be written".to_owned() })
    }
}

/// Whether a metered feed can go on from a cursor.
pub fn is_cursor<O: Operation>(Cursor(text): &Cursor) -> bool {
    serde_json::from_str::<Saved<O::Position>>(text).is_ok()
}

/// A call that is being answered.
struct Answering<O: Operation> {
    call: O::Call,
    saved: Saved<O::Position>,
    asked_ms: i64,
    answer: O::Answer,
    /// The pieces that were given.
    number: u32,
}

enum State<O: Operation> {
    Idle,
    /// A call is taken in, and is made when that is committed.
    Announced,
    Answering(Box<Answering<O>>),
}

/// A feed whose every call is counted by its upstream.
pub struct MeteredFeed<O: Operation> {
    operation: O,
    limits: Limits,
    timeout: Duration,
    clock: Clock,
    state: State<O>,
    /// What ended the last observation, and is given with the next call.
    fault: Option<Fault>,
    /// The cursor of the last observation must be committed first.
    waits: bool,
    due: Duration,
    /// The quota as it is shown.
    known: Arc<Mutex<Quota>>,
    _shown: ShownQuota,
}

impl<O: Operation> MeteredFeed<O> {
    /// Calls an operation under a quota. `timeout` is how long a call that leaves now may take to reach
    /// the upstream.
    pub fn new(
        operation: O,
        limits: Limits,
        timeout: Duration,
        context: &Context,
    ) -> MeteredFeed<O> {
        let known = Arc::new(Mutex::new(Quota::default()));
        let ask = {
            let (known, limits, clock) = (known.clone(), limits.clone(), context.clock.clone());
            move || {
                let (quota, now) =
                    (known.lock().unwrap_or_else(PoisonError::into_inner), clock.now_ms());
                let next_ms = quota.next_at(now, &limits);
                Left {
                    left: quota.left(now, &limits),
                    limit: limits.allowed(now),
                    next_ms,
                    is_refused: quota.is_refused(now),
                }
            }
        };
        MeteredFeed {
            operation,
            limits,
            timeout,
            clock: context.clock.clone(),
            state: State::Idle,
            fault: None,
            waits: false,
            due: Duration::ZERO,
            known,
            _shown: context.metrics.quotas.show(&context.name, O::NAME, ask),
        }
    }

    /// What was done so far.
    fn saved(&self, from: Option<&Cursor>, now_ms: i64) -> Result<Saved<O::Position>, Fault> {
        let mut saved = match from {
            Some(Cursor(text)) => serde_json::from_str(text).map_err(|_| Fault::Internal {
                reason: "the checkpoint's cursor is none of this feed".to_owned(),
            })?,
            None => Saved {
                quota: Quota::unknown(now_ms, &self.limits),
                at: self.operation.begin(now_ms),
            },
        };
        saved.quota.settle(now_ms, &self.limits);
        self.operation.adopt(&mut saved.at, now_ms);
        Ok(saved)
    }

    /// An observation without rows.
    fn nothing(&self, saved: Option<&Saved<O::Position>>) -> Result<Observation, Fault> {
        Ok(Observation {
            scope: String::new(),
            coverage: Coverage::Incomplete,
            rows: Rows::default(),
            cursor: saved.map(Saved::cursor).transpose()?,
            snapshot: false,
            as_of_ms: self.clock.now_ms(),
        })
    }

    fn show(&self, quota: &Quota) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clone_from(quota);
    }

    /// Waits until something is due and a call may be made, and takes it in.
    fn announce(
        &mut self,
        mut saved: Saved<O::Position>,
        is_first: bool,
        now_ms: i64,
    ) -> Result<Observation, Fault> {
        self.rest(&saved, now_ms);
        if !self.due.is_zero() {
            self.show(&saved.quota);
            return self.nothing(is_first.then_some(&saved));
        }
        saved.quota.begin(now_ms, &self.limits);
        self.show(&saved.quota);
        self.state = State::Announced;
        self.waits = true;
        self.nothing(Some(&saved))
    }

    /// Until something is due and a call may be made.
    fn rest(&mut self, saved: &Saved<O::Position>, now_ms: i64) {
        let due = self.operation.due_at(&saved.at, now_ms);
        let at = due.max(saved.quota.next_at(now_ms, &self.limits));
        let wait = u64::try_from(at.saturating_sub(now_ms)).unwrap_or(0);
        self.due = Duration::from_millis(wait).min(LONGEST_WAIT);
    }

    /// Makes the call that was taken in.
    async fn call(
        &mut self,
        call: O::Call,
        saved: Saved<O::Position>,
        asked_ms: i64,
    ) -> Result<Observation, Fault> {
        let (quota, clock, timeout) = (saved.quota.clone(), self.clock.clone(), self.timeout);
        let permit = Permit::new(move || quota.may_send(clock.now_ms(), timeout));
        match self.operation.call(&call, &permit).await {
            Ok(answer) => {
                let answering = Answering { call, saved, asked_ms, answer, number: 0 };
                self.state = State::Answering(Box::new(answering));
                self.go_on().await
            }
            Err(no_answer) => self.failed(no_answer, saved),
        }
    }

    /// Gives the next piece of the answer. May be cancelled.
    async fn go_on(&mut self) -> Result<Observation, Fault> {
        let State::Answering(answering) = &mut self.state else { return self.nothing(None) };
        let piece = answering.answer.piece().await;
        let number = answering.number;
        answering.number += 1;
        let snapshot = self.operation.is_snapshot(&answering.call);
        let as_of_ms = answering.asked_ms;
        let observation = |coverage, rows, cursor| Observation {
            scope: String::new(),
            coverage,
            rows,
            cursor,
            snapshot,
            as_of_ms,
        };
        match piece {
            Ok(Piece { rows, is_last: false }) => {
                Ok(observation(self.operation.coverage(number, false), rows, None))
            }
            Ok(Piece { rows, is_last: true }) => {
                let now_ms = self.clock.now_ms();
                let saved = &mut answering.saved;
                self.operation.read(&mut saved.at, &answering.call, as_of_ms);
                saved.quota.end(now_ms);
                let cursor = saved.cursor()?;
                let State::Answering(done) = std::mem::replace(&mut self.state, State::Idle) else {
                    return self.nothing(None);
                };
                self.show(&done.saved.quota);
                self.rest(&done.saved, now_ms);
                Ok(observation(self.operation.coverage(number, true), rows, Some(cursor)))
            }
            Err(no_answer) => match std::mem::replace(&mut self.state, State::Idle) {
                State::Answering(answering) => self.failed(no_answer, answering.saved),
                _ => self.nothing(None),
            },
        }
    }

    /// What a refusal says of the quota is written down before the fault is told.
    fn failed(
        &mut self,
        no_answer: NoAnswer,
        mut saved: Saved<O::Position>,
    ) -> Result<Observation, Fault> {
        match no_answer {
            NoAnswer::Other(fault) => Err(fault),
            NoAnswer::OutOfLimit(fault) => {
                saved.quota.refused(self.clock.now_ms());
                self.show(&saved.quota);
                self.fault = Some(at_once(fault));
                self.waits = true;
                self.nothing(Some(&saved))
            }
        }
    }
}

/// The quota says when the next call is made. The feed is open meanwhile, so that the quota is shown: one that
/// waits for its retry is closed.
fn at_once(fault: Fault) -> Fault {
    match fault {
        Fault::Unavailable { reason, .. } => Fault::Unavailable { reason, retry_after: None },
        other => other,
    }
}

#[async_trait]
impl<O: Operation> Feed for MeteredFeed<O> {
    async fn next(&mut self, from: Option<&Cursor>) -> Result<Observation, Fault> {
        (self.waits, self.due) = (false, Duration::ZERO);
        if let Some(fault) = self.fault.take() {
            return Err(fault);
        }
        if matches!(self.state, State::Answering(_)) {
            return self.go_on().await;
        }
        let now_ms = self.clock.now_ms();
        let mut saved = self.saved(from, now_ms)?;
        // From here on the call may be made: whoever drops this does not know.
        if let State::Announced = std::mem::replace(&mut self.state, State::Idle) {
            match self.operation.next(&saved.at, now_ms) {
                Some(call) if saved.quota.may_send(now_ms, self.timeout) => {
                    return self.call(call, saved, now_ms).await;
                }
                // The commit took too long. It was surely not made.
                _ => saved.quota.withdraw(),
            }
        }
        self.announce(saved, from.is_none(), now_ms)
    }

    fn due(&self) -> Option<Duration> {
        Some(self.due)
    }

    fn waits_for_commit(&self) -> bool {
        self.waits
    }
}
