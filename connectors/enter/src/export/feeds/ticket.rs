//! Feed `ticket`: whole days of branches, several at once; what to read next says the plan.
//!
//! A call of `next` gives one piece of one day. Readings that are under way are kept between calls and
//! go on only while `next` is called, so back-pressure reaches the upstream, and at most one piece of
//! each is held. A day that fails is tried again later and holds up nothing else; only where it looks
//! like the upstream as a whole the fault is given to the runtime.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use talon_sdk::{Clock, Context, Coverage, Cursor, Fault, Feed, Observation, Progress, Rows};
use tokio::time::Instant;

use crate::export::catalogue::{Catalogue, Heads};
use crate::export::config::Config;
use crate::export::late::Late;
use crate::export::plan::{Lane, Now, Plan, scope, until};
use crate::export::reading::{Piece, Reading};
use crate::export::zone::Zones;

/// Where all places are taken, the plan is not asked more often than this.
const BREATH: Duration = Duration::from_millis(10);

/// How often it is looked up which days are kept up to date.
const FOLLOWED: Duration = Duration::from_secs(1);

pub(crate) struct Tickets {
    catalogue: Arc<Catalogue>,
    catalogue_interval: Duration,
    clock: Clock,
    zones: Zones,
    plan: Plan,
    progress: Progress,
    largest: usize,
    state: State,
    flight: FuturesUnordered<BoxFuture<'static, (Reading, Piece)>>,
    /// What came while the list of branches was read.
    arrived: VecDeque<(Reading, Piece)>,
    /// How many readings there are of each lane.
    taken: [usize; 2],
    /// The cursor has changed since it was given last.
    has_moved: bool,
    /// What ended the last observation, and is given with the next call.
    fault: Option<Fault>,
    /// The days that are kept up to date, as of then.
    followed: (Option<Instant>, Arc<[String]>),
}

enum State {
    /// The cursor is not looked at yet.
    Opened,
    /// Branches were looked at then.
    Running(Instant),
}

impl Tickets {
    pub(crate) fn new(
        config: &Config,
        catalogue: Arc<Catalogue>,
        late: Arc<Late>,
        context: &Context,
    ) -> Tickets {
        Tickets {
            catalogue,
            catalogue_interval: config.catalogue_interval,
            clock: context.clock.clone(),
            zones: config.zones.clone(),
            plan: Plan::new(config.plan.clone(), config.zones.clone(), late),
            progress: context.progress(),
            largest: config.http.response_max_bytes,
            state: State::Opened,
            flight: FuturesUnordered::new(),
            arrived: VecDeque::new(),
            taken: [0; 2],
            has_moved: false,
            fault: None,
            followed: (None, Arc::default()),
        }
    }

    fn now(&self) -> Now {
        Now { ms: self.clock.now_ms(), at: Instant::now() }
    }

    /// Looks at the list of branches when it is time.
    async fn look(&mut self, from: Option<&Cursor>) -> Result<(), Fault> {
        let is_first = match self.state {
            State::Running(at) if at.elapsed() < self.catalogue_interval => return Ok(()),
            State::Running(_) => false,
            State::Opened => true,
        };
        match self.branches().await {
            Ok(heads) => {
                if let (true, Some(cursor)) = (is_first, from) {
                    self.plan.restore(&cursor.0)?;
                }
                self.has_moved |= self.plan.update(&heads, self.now());
            }
            Err(fault) if is_first => return Err(fault),
            // The feed `branch` tells of it; days are read as before.
            Err(fault) => tracing::debug!(%fault, "the list of branches cannot be read"),
        }
        self.state = State::Running(Instant::now());
        self.begin_progress();
        Ok(())
    }

    /// The list of branches. The readings go on meanwhile: one of them may be the next that may ask the
    /// upstream, and if nobody polled it, this request would wait behind it for ever.
    async fn branches(&mut self) -> Result<Heads, Fault> {
        let catalogue = self.catalogue.clone();
        let mut branches = pin!(catalogue.branches());
        loop {
            tokio::select! {
                heads = &mut branches => return heads,
                Some(arrived) = self.flight.next() => self.arrived.push_back(arrived),
            }
        }
    }

    /// Starts readings where there are places; they send nothing before they are polled.
    fn start(&mut self) {
        let now = self.now();
        for lane in [Lane::Current, Lane::Past] {
            while self.taken[lane as usize] < self.plan.places()
                && let Some(work) = self.plan.next(lane, now)
            {
                self.taken[lane as usize] += 1;
                self.go_on(Reading::new(work, self.largest));
            }
        }
    }

    fn go_on(&mut self, reading: Reading) {
        let (upstream, zones) = (self.catalogue.upstream.clone(), self.zones.clone());
        self.flight.push(Box::pin(reading.piece(upstream, zones, self.clock.clone())));
    }

    /// The next piece; `None` where it is time to look what else is due: days under way can be slow, and
    /// today must not wait for them.
    async fn arrived(&mut self) -> Option<(Reading, Piece)> {
        if let Some(arrived) = self.arrived.pop_front() {
            return Some(arrived);
        }
        let wake = self.plan.wake(self.now()).max(Instant::now() + BREATH);
        tokio::select! {
            arrived = self.flight.next() => arrived,
            () = tokio::time::sleep_until(wake) => None,
        }
    }

    /// What a piece comes to; `None` where there is nothing to observe.
    fn observe(&mut self, reading: Reading, piece: Piece) -> Option<Observation> {
        let now = self.now();
        let (mut work, number, as_of_ms) =
            (reading.work.clone(), reading.number(), reading.began_ms);
        let (rows, coverage) = match piece {
            Piece::More(rows) => {
                self.go_on(reading);
                (rows, Coverage::Part(number))
            }
            Piece::Last(rows, told) => {
                self.taken[work.lane as usize] -= 1;
                // The parts before it tell of no absence by themselves.
                work.is_full &= !told.is_away;
                if self.plan.read(&work, told, as_of_ms, now) {
                    self.has_moved = true;
                    self.tell_progress();
                }
                (rows, if number == 0 { Coverage::Full } else { Coverage::Last(number) })
            }
            // The day is read again.
            Piece::Broken(rows, fault) => {
                self.taken[work.lane as usize] -= 1;
                self.fault = self.plan.failed(&work, fault, now);
                if rows.is_empty() {
                    return None;
                }
                (rows, Coverage::Incomplete)
            }
        };
        let coverage = match coverage {
            Coverage::Part(_) if !work.is_full => Coverage::Incomplete,
            Coverage::Full | Coverage::Last(_) if !work.is_full => Coverage::Delta,
            coverage => coverage,
        };
        let cursor = std::mem::take(&mut self.has_moved).then(|| Cursor(self.plan.position()));
        Some(Observation {
            scope: scope(&work.branch, work.day),
            coverage,
            rows,
            cursor,
            snapshot: work.snapshot,
            as_of_ms,
        })
    }

    fn begin_progress(&self) {
        if self.plan.has_backfill() {
            let (total, done) = self.plan.backfilled();
            if !self.progress.is_of(total) {
                self.progress.begin(total, done);
            }
        }
    }

    fn tell_progress(&self) {
        if !self.plan.has_backfill() {
            return;
        }
        self.begin_progress();
        let (_, done) = self.plan.backfilled();
        if let Some(standing) = self.progress.advance(done) {
            tracing::info!(
                days = standing.total,
                done = standing.done,
                percent = standing.percent(),
                left_s = standing.left_ms.map(|left| left / 1000),
                "backfill"
            );
        }
    }
}

#[async_trait]
impl Feed for Tickets {
    async fn next(&mut self, from: Option<&Cursor>) -> Result<Observation, Fault> {
        if let Some(fault) = self.fault.take() {
            return Err(fault);
        }
        self.look(from).await?;
        loop {
            self.start();
            if self.flight.is_empty() && self.arrived.is_empty() {
                return Ok(nothing(self.clock.now_ms()));
            }
            let Some((reading, piece)) = self.arrived().await else { continue };
            let observation = self.observe(reading, piece);
            // What is due at once is started now, so that `due` need not look for it.
            self.start();
            match (observation, self.fault.take()) {
                (Some(observation), fault) => {
                    self.fault = fault;
                    return Ok(observation);
                }
                (None, Some(fault)) => return Err(fault),
                (None, None) => {}
            }
        }
    }

    fn due(&self) -> Option<Duration> {
        if !self.flight.is_empty() || !self.arrived.is_empty() || self.fault.is_some() {
            return Some(Duration::ZERO);
        }
        let now = self.now();
        Some(until(self.plan.wake(now), now))
    }

    fn doubt(&self) -> Option<String> {
        self.plan.doubt()
    }

    fn follows(&mut self) -> Option<Arc<[String]>> {
        let now = self.now();
        let (at, days) = &mut self.followed;
        if at.is_none_or(|at| now.at >= at + FOLLOWED) {
            *at = Some(now.at);
            let new: Vec<String> =
                self.plan.follows(now).map(|(branch, day)| scope(branch, day)).collect();
            if days[..] != new[..] {
                *days = new.into();
            }
        }
        Some(days.clone())
    }
}

/// Nothing is due, and nothing was read.
fn nothing(as_of_ms: i64) -> Observation {
    Observation {
        scope: String::new(),
        coverage: Coverage::Incomplete,
        rows: Rows::default(),
        cursor: None,
        snapshot: false,
        as_of_ms,
    }
}
