//! How long a process stays out of its group after it was counted out of it.
//!
//! A coordinator that answers no heartbeat within a session counts all processes out at once. They come back
//! at once, take over everything, read back what was published, and so keep the brokers as busy as they
//! were. So one that was counted out again soon stays away for a while, longer each time, and each for
//! another while: the first one back finds brokers that have nothing else to do.

use std::time::{Duration, Instant};

/// So many in [`SOON`] are one too many: a single one is a machine that stood still.
const MANY: usize = 3;
const SOON: Duration = Duration::from_secs(60);
const FIRST_STAY: Duration = Duration::from_secs(4);
const LONGEST_STAY: Duration = Duration::from_secs(32);

/// When this process was counted out.
#[derive(Debug, Default)]
pub(super) struct Losses {
    recent: Vec<Instant>,
    /// How often it stayed away, one time soon after the other.
    stays: u32,
}

impl Losses {
    /// It was counted out. How long it stays away at most, if at all.
    pub(super) fn add(&mut self, now: Instant) -> Option<Duration> {
        self.recent.retain(|then| now.duration_since(*then) < SOON);
        if self.recent.is_empty() {
            self.stays = 0;
        }
        self.recent.push(now);
        if self.recent.len() < MANY {
            return None;
        }
        let stay = FIRST_STAY.saturating_mul(1 << self.stays.min(8)).min(LONGEST_STAY);
        self.stays += 1;
        Some(stay)
    }

    /// How often in the last while.
    pub(super) fn count(&self) -> usize {
        self.recent.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_counted_out_again_and_again_stays_away_longer_each_time() {
        let (mut losses, start) = (Losses::default(), Instant::now());
        let mut at = |second: u64| {
            losses.add(start + Duration::from_secs(second)).map(|stay| stay.as_secs())
        };
        assert_eq!([at(0), at(5)], [None, None], "a machine may stand still");
        assert_eq!([at(10), at(20), at(35), at(60), at(65)], [4, 8, 16, 32, 32].map(Some));
        assert_eq!(at(200), None, "long ago");
        assert_eq!([at(201), at(202)], [None, Some(4)]);
    }
}
