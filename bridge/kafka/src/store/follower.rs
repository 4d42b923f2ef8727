//! Follows a store.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use talon_runtime::bus::{BusFault, Telling, Told};
use tokio::sync::mpsc;

use super::log::{Line, Log};
use super::topic::StoreTopic;

/// How long the broker waits for records when there are none, milliseconds.
const WAIT_MS: &str = "500";

/// How often it is looked whether somebody still listens.
const POLL: Duration = Duration::from_millis(100);

/// Pause before the topic is read anew after trouble.
const PAUSE: Duration = Duration::from_secs(1);

/// A process that polled last so long ago stood still.
const STOOD_STILL: Duration = Duration::from_secs(10);

/// Follows a store, on a thread of its own.
pub(super) struct Follower {
    topic: Arc<StoreTopic>,
    read_every: Duration,
    told: mpsc::Sender<Told>,
    telling: Telling,
}

/// Nobody listens any more.
struct Closed;

impl Follower {
    pub(super) fn new(
        topic: Arc<StoreTopic>,
        read_every: Duration,
        told: mpsc::Sender<Told>,
    ) -> Follower {
        Follower { topic, read_every, told, telling: Telling::default() }
    }

    /// Tells until nobody listens.
    pub(super) fn run(mut self) {
        while !self.told.is_closed() {
            let Err(fault) = self.read_and_follow() else {
                thread::sleep(POLL);
                continue;
            };
            let news = self.telling.trouble(fault);
            if self.told.is_closed() || self.tell(news).is_err() {
                return;
            }
            let since = Instant::now();
            while since.elapsed() < PAUSE && !self.told.is_closed() {
                thread::sleep(POLL);
            }
        }
    }

    /// Reads everything, and follows until it is to be read anew, which trouble with the connection leads to as well,
    /// or nobody listens any more.
    fn read_and_follow(&mut self) -> Result<(), BusFault> {
        self.topic.ensure()?;
        if self.telling.has_read() {
            self.topic.inspect()?;
        }
        let mut log = Log::open(&self.topic, WAIT_MS)?;
        let mut all = BTreeMap::new();
        let told = &self.told;
        let whole = log.read(&mut |Line { key, record, .. }| {
            all.insert(key, record);
            !told.is_closed()
        })?;
        if !whole {
            return Ok(());
        }
        let news = self.telling.read(all);
        if self.tell(news).is_err() {
            return Ok(());
        }
        let (began, mut polled) = (Instant::now(), Instant::now());
        while began.elapsed() < self.read_every && polled.elapsed() < STOOD_STILL {
            if self.told.is_closed() {
                return Ok(());
            }
            polled = Instant::now();
            match log.next(POLL) {
                Ok(Some(Line { key, record, .. })) => {
                    let news = self.telling.change(&key, record);
                    if self.tell(news).is_err() {
                        return Ok(());
                    }
                    // Nobody took it for a while, which is nobody's standing still.
                    polled = Instant::now();
                }
                Ok(None) => {}
                // Whether that is trouble shows when everything is read anew.
                Err(BusFault::Unavailable(why)) => {
                    tracing::debug!(topic = self.topic.spec.name, "read anew: {why}");
                    return Ok(());
                }
                Err(fault) => return Err(self.topic.gone(fault)),
            }
        }
        Ok(())
    }

    fn tell(&self, news: impl IntoIterator<Item = Told>) -> Result<(), Closed> {
        news.into_iter().try_for_each(|new| self.told.blocking_send(new).map_err(|_| Closed))
    }
}
