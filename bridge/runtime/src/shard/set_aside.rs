//! Feeds that are not read for a while, because an observation of theirs ended the shard by a panic.
//!
//! The observation would be read again after the shard has read back what was published, and end it again.
//! So the feed waits, longer each time, and the others of the connector go on.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

const FIRST_WAIT: Duration = Duration::from_secs(60);
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// A feed that went well for so long begins anew with the first wait. One good observation is no sign of
/// it: the bad one may come with every second.
const FORGOTTEN: Duration = Duration::from_secs(2 * 3600);

/// The feeds of a connector that are set aside, by name. Outlives the shard. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct SetAside(Arc<Mutex<HashMap<Arc<str>, Defect>>>);

#[derive(Debug, Clone, Copy)]
struct Defect {
    times: u32,
    until: Instant,
}

impl SetAside {
    /// An observation of the feed ended the shard.
    pub(crate) fn add(&self, feed: &str) {
        self.add_at(feed, Instant::now());
    }

    fn add_at(&self, feed: &str, now: Instant) {
        let mut feeds = self.feeds();
        let last = feeds.get(feed).filter(|defect| now < defect.until + FORGOTTEN);
        let before = last.map_or(0, |defect| defect.times);
        let wait = FIRST_WAIT.saturating_mul(1 << before.min(16)).min(LONGEST_WAIT);
        feeds.insert(feed.into(), Defect { times: before.saturating_add(1), until: now + wait });
    }

    /// Until when the feed is not read; `None` if it may be read now.
    pub(crate) fn until(&self, feed: &str) -> Option<Instant> {
        let until = self.feeds().get(feed)?.until;
        (until > Instant::now()).then_some(until)
    }

    fn feeds(&self) -> MutexGuard<'_, HashMap<Arc<str>, Defect>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feed_waits_longer_each_time_until_it_went_well_for_long() {
        let (aside, mut now) = (SetAside::default(), Instant::now());
        let mut defect = |later: Duration| {
            now += later;
            aside.add_at("a", now);
            (aside.until("a").unwrap() - now).as_secs() / 60
        };
        let minute = Duration::from_secs(60);
        let waits: Vec<u64> = (0..8).map(|times| defect(minute * (1 << times))).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(defect(minute * 181), 1);
        assert_eq!(aside.until("b"), None);
    }
}
