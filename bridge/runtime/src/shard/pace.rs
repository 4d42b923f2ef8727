//! How much is committed at a time, so that a commit ends in time whatever the bus takes a second.
//!
//! A first read can be larger than a slow bus takes while a transaction may last: Kafka under a quota, NATS
//! behind a thin line. Committed whole it would fail, be read again, and fail again for ever. So what takes
//! long is committed in parts, which is progress that stays:
//!
//! * A commit that took long makes the next ones as small as the bus takes in [`AIM`].
//! * One that failed with much in it makes them a quarter of that. This is remembered while the process
//!   runs, so that a shard that is opened anew does not repeat what failed.
//! * One that was quick makes them larger again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use crate::service::health::{Health, Severity, State};
use crate::service::metrics::Metrics;

/// At first. Under a quota of 100 kB a second it takes 80 seconds.
const FIRST: usize = 8 * 1024 * 1024;

/// Never less: what takes too long then is away.
const LEAST: usize = 64 * 1024;

/// More need not be said.
const MOST: usize = 1024 * 1024 * 1024;

/// What a commit is to take where the bus is slow.
const AIM: Duration = Duration::from_secs(5);

/// One that takes longer is told, and makes the next ones smaller.
const SLOW: Duration = Duration::from_secs(10);

/// One that takes less makes the next ones larger.
const QUICK: Duration = Duration::from_secs(1);

/// The pace of a shard. Clones are one; used by one thread at a time.
#[derive(Clone)]
pub(crate) struct Pace {
    shard: Arc<str>,
    /// How many bytes a transaction may have.
    bytes: Arc<AtomicUsize>,
    /// It has been told that the bus is slow.
    is_slow: Arc<AtomicBool>,
    health: Health,
    metrics: Metrics,
}

impl Pace {
    pub(crate) fn new(shard: &str, health: Health, metrics: Metrics) -> Pace {
        let bytes = Arc::new(AtomicUsize::new(FIRST));
        Pace { shard: shard.into(), bytes, is_slow: Arc::default(), health, metrics }
    }

    /// How many bytes a transaction may have.
    pub(crate) fn most(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    fn set(&self, bytes: usize) {
        self.bytes.store(bytes.clamp(LEAST, MOST), Ordering::Relaxed);
    }

    /// So much was committed, and took so long since the first of it was appended.
    pub(crate) fn committed(&self, bytes: usize, took: Duration) {
        self.metrics.published(&self.shard, took);
        if took > SLOW {
            let a_second = bytes as f64 / took.as_secs_f64();
            self.set((a_second * AIM.as_secs_f64()) as usize);
            self.tell(a_second as usize);
        } else if took < QUICK {
            if bytes >= self.most() / 2 {
                self.set(self.most().saturating_mul(2));
            }
            if self.is_slow.swap(false, Ordering::Relaxed) {
                self.health.set(&self.shard, Severity::Vital, State::Up, "");
                tracing::info!(connector = &*self.shard, "the bus takes what is published in time");
            }
        }
    }

    /// So much was appended, and could not be committed.
    pub(crate) fn failed(&self, bytes: usize) {
        if bytes > LEAST {
            self.set(self.most().min(bytes) / 4);
        }
    }

    fn tell(&self, a_second: usize) {
        let (rate, most) = (a_second / 1_000, self.most() / 1_000);
        let message = format!(
            "the bus takes {rate} kB a second, so what was read is published late, and in parts of {most} kB; is there a quota (Kafka: `producer_byte_rate`) or a thin line?"
        );
        self.health.set(&self.shard, Severity::Vital, State::Up, &message);
        if !self.is_slow.swap(true, Ordering::Relaxed) {
            tracing::warn!(connector = &*self.shard, "{message}");
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use talon_sdk::Clock;

    use super::*;

    pub(crate) fn pace() -> (Pace, Health) {
        let metrics = Metrics::new().unwrap();
        let health = Health::new(Clock::System, metrics.clone());
        (Pace::new("field", health.clone(), metrics), health)
    }

    /// Commits of what the pace lets, to a bus that takes so many bytes a second, and fails what takes
    /// longer than a limit. How many were needed for so many bytes.
    fn commits(pace: &Pace, bytes: usize, a_second: usize, limit: Duration) -> usize {
        let (mut done, mut commits) = (0, 0);
        while done < bytes {
            let part = pace.most().min(bytes - done);
            let took = Duration::from_secs_f64(part as f64 / a_second as f64);
            commits += 1;
            assert!(commits < 10_000, "no progress at {a_second} bytes a second");
            if took > limit {
                // What was committed before stands, and is not sent again.
                pace.failed(part);
            } else {
                pace.committed(part, took);
                done += part;
            }
        }
        commits
    }

    #[test]
    fn a_first_read_of_13_mb_under_any_quota_is_committed_in_parts() {
        let limit = Duration::from_secs(120);
        for (a_second, most) in [(100_000, 30), (10_000, 300), (1_000, 300), (50_000_000, 3)] {
            let (pace, health) = pace();
            let needed = commits(&pace, 13_000_000, a_second, limit);
            assert!(needed <= most, "{needed} commits at {a_second} bytes a second");
            let field = health.components().remove("field");
            assert_eq!(
                field.is_some_and(|field| field.message.contains("quota")),
                a_second < 1_000_000
            );
        }
    }

    #[test]
    fn a_bus_that_is_quick_again_gets_more_at_a_time_and_it_is_said() {
        let (pace, health) = pace();
        pace.committed(FIRST, Duration::from_secs(80));
        let slow = pace.most();
        assert!(slow < FIRST / 8, "{slow}");
        assert!(health.components()["field"].message.contains("kB a second"));
        pace.committed(slow, Duration::from_secs(5));
        assert_eq!(pace.most(), slow);
        pace.committed(slow, Duration::from_millis(50));
        assert_eq!(pace.most(), 2 * slow);
        assert_eq!(health.components()["field"].message, "");
        // What fails with little in it says nothing of how much goes.
        pace.failed(1_000);
        assert_eq!(pace.most(), 2 * slow);
        pace.failed(slow);
        assert_eq!(pace.most(), slow / 4);
    }
}
