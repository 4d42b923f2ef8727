//! A feed's loop: read, hand over, wait, and back off while the upstream is away.

use std::collections::HashMap;
use std::time::Duration;

use talon_sdk::{Connector, Cursor};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};

use crate::bus::Grant;
use crate::service::backoff::Backoff;
use crate::service::health::{Health, Severity, State};
use crate::service::metrics::FeedMetrics;
use crate::shard::serve::Sighting;

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
    pub(crate) health: Health,
    pub(crate) metrics: FeedMetrics,
    pub(crate) grant: Grant,
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
        let mut cursor: Option<Cursor> = self.start.take();
        let mut backoff = Backoff::new(
            FIRST_WAIT.min(self.interval.max(Duration::from_millis(10))),
            LONGEST_WAIT,
        );
        // Each scope that was seen, and whether it was since the last fault.
        let mut scopes: HashMap<String, bool> = HashMap::new();
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
                    self.health.set(&self.component, Severity::Feed, State::Up, "");
                    backoff.reset();
                    if observation.cursor.is_some() {
                        cursor.clone_from(&observation.cursor);
                    }
                    let (after_fault, after_gap) =
                        match scopes.insert(observation.scope.clone(), true) {
                            Some(since_fault) => (!since_fault, !since_fault),
                            None => (true, false),
                        };
                    let sighting =
                        Sighting { feed: self.place, observation, after_fault, after_gap };
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
                    scopes.values_mut().for_each(|since_fault| *since_fault = false);
                    self.metrics.observation(fault.kind());
                    let wait = backoff.after(&fault);
                    let state = State::of_upstream(&fault);
                    self.health.set(&self.component, Severity::Feed, state, &fault.to_string());
                    sleep(wait).await;
                }
            }
        }
    }
}
