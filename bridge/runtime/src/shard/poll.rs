//! A feed's loop: read, hand over, wait, and back off while the upstream is away.
//!
//! A feed whose code panics is opened anew at the slowest pace, as after any other defect; the other
//! feeds of the connector do not notice.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task;
use std::time::{Duration, Instant as StdInstant};

use talon_sdk::{Connector, Coverage, Cursor, Fault, Feed, Observation};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, sleep_until};

use crate::bus::Grant;
use crate::service::backoff::Backoff;
use crate::service::health::{Health, Severity, State};
use crate::service::metrics::FeedMetrics;
use crate::shard::inbox::{Inbound, Sighting};
use crate::shard::recent_scopes::{Novelty, RecentScopes};

const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// After a fault a feed is shown as up when it has worked for as long as was waited before, and for so long
/// at the most: an upstream that answers once in each attempt is not up.
const LONGEST_PROOF: Duration = Duration::from_secs(5);

/// A cursor of more bytes is not taken: it is committed with the events of its observation, and a record
/// that no bus takes would end the shard again and again. Brokers take 1 MB by default.
const LARGEST_CURSOR: usize = 256 * 1024;

/// What a feed's loop needs.
pub(crate) struct Poll {
    pub(crate) connector: Arc<dyn Connector>,
    pub(crate) name: Arc<str>,
    /// Name in the health report: `field-service/call`.
    pub(crate) component: String,
    pub(crate) place: usize,
    pub(crate) interval: Duration,
    /// Where to begin.
    pub(crate) start: Option<Cursor>,
    pub(crate) shard: mpsc::Sender<Inbound>,
    pub(crate) health: Health,
    pub(crate) metrics: FeedMetrics,
    pub(crate) grant: Grant,
    /// Not read before.
    pub(crate) aside_until: Option<StdInstant>,
}

/// What a call of a feed gave.
struct Read {
    observation: Observation,
    /// The scopes that the feed follows.
    follows: Option<Arc<[String]>>,
    /// How long to wait, where the feed says it.
    due: Option<Duration>,
    /// What a person should look at.
    doubt: Option<String>,
    /// Nothing more is read before the cursor is committed.
    waits: bool,
}

impl Poll {
    /// Runs until the grant closes, or until the shard is gone.
    pub(crate) async fn run(mut self) {
        let grant = self.grant.clone();
        tokio::select! {
            () = self.poll() => {}
            () = grant.closing() => {}
        }
    }

    async fn poll(&mut self) {
        if let Some(until) = self.aside_until {
            let message = "a defect of Talon: comparing what was read ended in a panic; the feed is set aside for a while";
            self.health.set(&self.component, Severity::Feed, State::Internal, message);
            sleep_until(until.into()).await;
        }
        let mut cursor: Option<Cursor> = self.start.take();
        let mut standing = Standing::new(self.interval);
        let mut scopes = RecentScopes::default();
        let mut followed: Option<Arc<[String]>> = None;
        let mut feed = None;
        loop {
            let started = Instant::now();
            let read = self.read(&mut feed, cursor.as_ref());
            match self.showing(&mut standing, read).await {
                Ok(Read { mut observation, follows, due, doubt, waits }) => {
                    standing.doubt = doubt.or_else(|| self.missed());
                    // A read that is not over, or of what cannot be read, tells nothing of the upstream.
                    if observation.coverage != Coverage::Incomplete && standing.works() {
                        self.show_up(&mut standing);
                    }
                    let before = waits.then(|| cursor.clone());
                    self.take_cursor(&mut observation, &mut cursor);
                    let Novelty { after_fault, after_gap } = scopes.see(&observation.scope);
                    let follows = follows.filter(|now| followed.as_ref() != Some(now));
                    if let Some(now) = &follows {
                        followed = Some(now.clone());
                    }
                    let (committed, told) = waits.then(oneshot::channel).unzip();
                    let sighting = Sighting {
                        feed: self.place,
                        observation,
                        after_fault,
                        after_gap,
                        follows,
                        committed,
                    };
                    // Waits while the shard is busy: back-pressure ends here.
                    if self.shard.send(sighting.into()).await.is_err() {
                        return;
                    }
                    if let (Some(told), Some(before)) = (told, before)
                        && self.showing(&mut standing, told).await.is_err()
                    {
                        // The shard is gone, which the next observation will find, or left it out.
                        (feed, cursor) = (None, before);
                    }
                    match due {
                        Some(wait) => self.showing(&mut standing, sleep(wait)).await,
                        None => {
                            let next = sleep_until(started + self.interval);
                            self.showing(&mut standing, next).await;
                        }
                    }
                }
                Err(fault) => {
                    feed = None;
                    scopes.fault();
                    self.metrics.observation(fault.kind());
                    let wait = standing.fails(&fault);
                    let state = State::of_upstream(&fault);
                    self.health.set(&self.component, Severity::Feed, state, &fault.to_string());
                    sleep(wait).await;
                }
            }
        }
    }

    /// Opens the feed if it is not, and reads once.
    async fn read(
        &self,
        feed: &mut Option<Box<dyn Feed>>,
        cursor: Option<&Cursor>,
    ) -> Result<Read, Fault> {
        let read = async {
            let open = match feed {
                Some(open) => open,
                None => feed.insert(self.connector.open(&self.name)?),
            };
            let observation = open.next(cursor).await?;
            let doubt = open.doubt();
            let waits = open.waits_for_commit();
            Ok(Read { observation, follows: open.follows(), due: open.due(), doubt, waits })
        };
        let mut read = pin!(read);
        let caught = std::future::poll_fn(|context| {
            let polled = catch_unwind(AssertUnwindSafe(|| read.as_mut().poll(context)));
            polled.unwrap_or_else(|_| {
                // What it panicked with may quote what was read.
                let reason =
                    "a defect of Talon: reading the feed panicked; where, says the process's log";
                task::Poll::Ready(Err(Fault::Internal { reason: reason.to_owned() }))
            })
        });
        caught.await
    }

    /// Goes on from the observation's cursor, if it has one. One that is too large is taken off: the feed
    /// reads on from the one before, and shows it.
    fn take_cursor(&self, observation: &mut Observation, cursor: &mut Option<Cursor>) {
        match &observation.cursor {
            Some(next) if next.0.len() > LARGEST_CURSOR => {
                let message = format!(
                    "a defect of Talon: a cursor of {} bytes is larger than the {LARGEST_CURSOR} that are kept; reading goes on from the one before",
                    next.0.len()
                );
                self.health.set(&self.component, Severity::Feed, State::Internal, &message);
                observation.cursor = None;
            }
            next => {
                if next.is_some() {
                    cursor.clone_from(next);
                }
            }
        }
    }

    /// Waits for something, and shows the feed as up when it has worked for long enough meanwhile.
    async fn showing<F: Future>(&self, standing: &mut Standing, wait: F) -> F::Output {
        let mut wait = pin!(wait);
        tokio::select! {
            waited = &mut wait => return waited,
            () = standing.is_proven() => self.show_up(standing),
        }
        wait.await
    }

    fn show_up(&self, standing: &mut Standing) {
        standing.is_shown = true;
        let state = if standing.doubt.is_some() { State::Degraded } else { State::Up };
        let message = standing.doubt.as_deref().unwrap_or_default();
        self.health.set(&self.component, Severity::Feed, state, message);
    }

    /// What the last look from the beginning found.
    fn missed(&self) -> Option<String> {
        let missed = self.metrics.missed().load(Ordering::Relaxed);
        (missed > 0).then(|| {
            format!(
                "a look from the beginning found {missed} changes below the feed's offset, which reading \
                 on from there does not see: it is too far, or they became visible late; \
                 see `talon offsets`"
            )
        })
    }
}

/// How a feed stands with its upstream, over faults.
struct Standing {
    backoff: Backoff,
    /// When it is shown as up, if nothing fails before.
    proven_at: Option<Instant>,
    /// It is shown as up.
    is_shown: bool,
    /// What a person should look at, though it works.
    doubt: Option<String>,
}

impl Standing {
    fn new(interval: Duration) -> Standing {
        // What waits for pushes has no interval.
        let first = if interval.is_zero() { FIRST_WAIT } else { FIRST_WAIT.min(interval) };
        let backoff = Backoff::new(first.max(Duration::from_millis(10)), LONGEST_WAIT);
        Standing { backoff, proven_at: None, is_shown: false, doubt: None }
    }

    /// Something was read. Says whether it is to be shown as up now.
    fn works(&mut self) -> bool {
        let since = self.backoff.works();
        let proven_at = since + self.backoff.proof().min(LONGEST_PROOF);
        self.proven_at = Some(proven_at);
        Instant::now() >= proven_at
    }

    /// Returns when it has worked for long enough to be shown as up; never where it is, or does not work.
    async fn is_proven(&self) {
        match self.proven_at {
            Some(at) if !self.is_shown => sleep_until(at).await,
            _ => std::future::pending().await,
        }
    }

    /// How long to wait after a fault.
    fn fails(&mut self, fault: &Fault) -> Duration {
        (self.proven_at, self.is_shown) = (None, false);
        self.backoff.after(fault)
    }
}

#[cfg(test)]
mod tests;
