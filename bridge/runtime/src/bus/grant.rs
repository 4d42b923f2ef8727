//! The permission to run one shard.
//!
//! The bus gives a [`Grant`] for each shard that this process may run, and the
//! services of the connector hold the grant while they run. A grant ends in two steps:
//!
//! 1. It is *closing*: the group takes the shard back, or the process stops. Nothing new begins; what
//!    was read is committed, and then the services let go. Opening and reading back end at once.
//! 2. It is *over*: nothing more is waited for. What is not committed is void.
//!
//! The bus tells the group that a shard is free only when nobody holds its grant any more, or when it
//! has made the grant over. So two processes never run one shard, however long a hand-over takes, and
//! the release of one shard is waited for without holding up another.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::fault::BusFault;

/// The permission to run one shard. Cheap to clone; all clones end together.
#[derive(Debug, Clone)]
pub struct Grant(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    shard: String,
    state: watch::Sender<GrantState>,
    /// Good until then unless it is confirmed again: nanoseconds since [`BASE`].
    good_until: AtomicU64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct GrantState {
    phase: Phase,
    /// Services that run under it.
    holders: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Open,
    Closing,
    Over,
}

/// Times are counted from here, so that they fit an atomic number.
static BASE: LazyLock<Instant> = LazyLock::new(Instant::now);

/// A service that runs under a grant, until the last clone is dropped.
///
/// A thread that may still do something in the name of the shard has a clone, so that the shard is not
/// released before the thread has ended.
#[derive(Debug, Clone)]
pub(crate) struct Hold(Arc<Held>);

#[derive(Debug)]
struct Held(Grant);

impl Grant {
    /// One that ends only when somebody ends it. For tests and tools that use a bus alone.
    pub fn unlimited(shard: &str) -> Grant {
        Grant::until(shard, u64::MAX)
    }

    pub(super) fn until(shard: &str, good_until: u64) -> Grant {
        let state = watch::Sender::new(GrantState { phase: Phase::Open, holders: 0 });
        let good_until = AtomicU64::new(good_until);
        Grant(Arc::new(Inner { shard: shard.to_owned(), state, good_until }))
    }

    /// The shard.
    pub fn shard(&self) -> &str {
        &self.0.shard
    }

    /// Whether something new may begin: to open, to read on, to send to an upstream. Asked as late as
    /// possible, and again and again by whatever takes long.
    ///
    /// It also says no while the grant has not been confirmed for too long, as after a pause of the
    /// process: the shard may have gone to another process, and this one does not know yet.
    pub fn is_open(&self) -> bool {
        self.0.state.borrow().phase == Phase::Open && self.is_confirmed()
    }

    /// [`Grant::is_open`] as a result.
    ///
    /// # Errors
    /// [`BusFault::Revoked`].
    pub fn may_begin(&self) -> Result<(), BusFault> {
        if self.is_open() { Ok(()) } else { Err(BusFault::Revoked) }
    }

    /// Whether what has begun may still be finished. Asked by whatever waits for the bus.
    ///
    /// # Errors
    /// [`BusFault::Revoked`].
    pub fn may_finish(&self) -> Result<(), BusFault> {
        if self.is_over() { Err(BusFault::Revoked) } else { Ok(()) }
    }

    /// Whether nothing more is to be waited for.
    pub fn is_over(&self) -> bool {
        self.0.state.borrow().phase == Phase::Over
    }

    /// Waits until nothing new may begin.
    pub async fn closing(&self) {
        self.wait(|state| state.phase != Phase::Open).await;
    }

    /// Waits until nothing more is to be waited for.
    pub async fn over(&self) {
        self.wait(|state| state.phase == Phase::Over).await;
    }

    /// Nothing new begins under it any more.
    pub fn close(&self) {
        self.end(Phase::Closing);
    }

    /// Nothing is waited for under it any more.
    pub fn finish(&self) {
        self.end(Phase::Over);
    }

    /// Whether no service runs under it.
    pub fn is_released(&self) -> bool {
        self.0.state.borrow().holders == 0
    }

    /// It is good until `until`, by this process's clock, if nothing is heard of the bus.
    pub fn confirm(&self, until: Instant) {
        self.0.good_until.store(nanos(until), Ordering::Release);
    }

    /// Until when it is good, in [`nanos`].
    pub(super) fn good_until(&self) -> u64 {
        self.0.good_until.load(Ordering::Acquire)
    }

    fn is_confirmed(&self) -> bool {
        nanos(Instant::now()) < self.good_until()
    }

    /// Runs a service under it; `None` if it is too late for that.
    pub(crate) fn hold(&self) -> Option<Hold> {
        let held = self.0.state.send_if_modified(|state| {
            let open = state.phase == Phase::Open;
            state.holders += usize::from(open);
            open
        });
        held.then(|| Hold(Arc::new(Held(self.clone()))))
    }

    fn end(&self, phase: Phase) {
        self.0.state.send_if_modified(|state| {
            let changes = state.phase < phase;
            state.phase = state.phase.max(phase);
            changes
        });
    }

    /// Waits until no service runs under it.
    async fn released(&self) {
        self.wait(|state| state.holders == 0).await;
    }

    async fn wait(&self, met: impl Fn(&GrantState) -> bool) {
        // The sender lives in `self`, so the channel does not close while this waits.
        self.0.state.subscribe().wait_for(|state| met(state)).await.ok();
    }
}

impl Hold {
    /// The grant.
    pub(crate) fn grant(&self) -> &Grant {
        &self.0.0
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.0.state.send_modify(|state| state.holders -= 1);
    }
}

/// Since [`BASE`], which is at most the time of the first call.
pub(super) fn nanos(at: Instant) -> u64 {
    u64::try_from(at.saturating_duration_since(*BASE).as_nanos()).unwrap_or(u64::MAX)
}

/// Grants that were taken back, and that somebody may still hold.
#[derive(Debug)]
pub struct Release {
    grants: Vec<Grant>,
    since: Instant,
}

impl Release {
    pub(super) fn of(grants: Vec<Grant>) -> Release {
        Release { grants, since: Instant::now() }
    }

    /// Whether nobody holds them any more.
    pub fn is_done(&self) -> bool {
        self.grants.iter().all(Grant::is_released)
    }

    /// Waits until nobody holds them any more.
    pub(crate) async fn done(&self) {
        for grant in &self.grants {
            grant.released().await;
        }
    }

    /// Waits for what `other` waits for too.
    pub fn join(&mut self, other: Release) {
        self.since = self.since.min(other.since);
        self.grants.extend(other.grants);
    }

    /// How long it has taken so far.
    pub fn took(&self) -> Duration {
        self.since.elapsed()
    }

    /// Makes over what is still held, and gives its shards.
    pub fn cut_short(&self) -> Vec<&str> {
        let late = self.grants.iter().filter(|grant| !grant.is_released());
        late.inspect(|grant| grant.finish()).map(Grant::shard).collect()
    }
}
