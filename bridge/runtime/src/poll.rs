//! A feed's loop: read, hand over, wait, and back off while the upstream is away.

use std::time::Duration;

use talon_sdk::{Connector, Cursor, Fault};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};

use crate::backoff::Backoff;
use crate::board::{Board, State, Weight};
use crate::metrics::FeedMetrics;
use crate::shard::Sighting;

const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// What a feed's loop needs.
pub(crate) struct Poll {
    pub(crate) connector: std::sync::Arc<dyn Connector>,
    pub(crate) name: &'static str,
    /// Name on the board: `field-service/call`.
    pub(crate) component: String,
    pub(crate) place: usize,
    pub(crate) interval: Duration,
    /// Where to begin.
    pub(crate) start: Option<Cursor>,
    pub(crate) shard: mpsc::Sender<Sighting>,
    pub(crate) board: Board,
    pub(crate) metrics: FeedMetrics,
    pub(crate) stop: watch::Receiver<bool>,
}

impl Poll {
    /// Runs until told to stop, or until the shard is gone.
    pub(crate) async fn run(mut self) {
        let mut stop = self.stop.clone();
        tokio::select! {
            () = self.poll() => {}
            // The sender being gone means the same.
            _ = stop.wait_for(|stopped| *stopped) => {}
        }
    }

    async fn poll(&mut self) {
        let mut cursor: Option<Cursor> = self.start.take();
        let mut backoff = Backoff::new(
            FIRST_WAIT.min(self.interval.max(Duration::from_millis(10))),
            LONGEST_WAIT,
        );
        let mut after_fault = true;
        let mut feed = None;
        loop {
            let started = Instant::now();
            let opened = match feed.take() {
                Some(feed) => Ok(feed),
                None => self.connector.open(self.name),
            };
            let read = match opened {
                Ok(mut open) => {
                    let read = open.next(cursor.as_ref()).await;
                    feed = Some(open);
                    read
                }
                Err(fault) => Err(fault),
            };
            match read {
                Ok(observation) => {
                    self.board.set(&self.component, Weight::Feed, State::Up, "");
                    backoff.reset();
                    if observation.cursor.is_some() {
                        cursor.clone_from(&observation.cursor);
                    }
                    let sighting = Sighting { feed: self.place, observation, after_fault };
                    after_fault = false;
                    // Waits while the shard is busy: back-pressure ends here.
                    if self.shard.send(sighting).await.is_err() {
                        return;
                    }
                    match feed.as_ref().and_then(|feed| feed.due()) {
                        Some(wait) => sleep(wait).await,
                        None => sleep_until(started + self.interval).await,
                    }
                }
                Err(fault) => {
                    feed = None;
                    after_fault = true;
                    self.metrics.observation(fault.kind());
                    let (state, wait) = match &fault {
                        Fault::Unavailable { retry_after, .. } => {
                            (State::Unavailable, backoff.next(*retry_after))
                        }
                        Fault::Rejected { .. } => (State::Misconfigured, backoff.slowest()),
                        Fault::Misconfigured { .. } => (State::Misconfigured, backoff.slowest()),
                        Fault::Internal { .. } => (State::Internal, backoff.slowest()),
                    };
                    self.board.set(&self.component, Weight::Feed, state, &fault.to_string());
                    sleep(wait).await;
                }
            }
        }
    }
}
