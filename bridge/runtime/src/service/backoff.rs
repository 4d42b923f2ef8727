//! Waiting between attempts.
//!
//! # Failures
//!
//! - What works for a moment and fails again, each time, is no recovery: waits go on growing, until one is
//!   as long as what works in between. So at most about half of the time is spent on attempts, whatever
//!   the other side does, and how many attempts there are in a while is bounded by the waits alone.
//! - What fails seldom is tried again at once: it worked for longer than the last wait.

use std::time::Duration;

use rand::RngExt;
use talon_sdk::Fault;
use tokio::time::Instant;

/// Capped, jittered, exponential waiting between attempts.
#[derive(Debug, Clone)]
pub(crate) struct Backoff {
    first: Duration,
    cap: Duration,
    /// What has worked for less than this has not recovered, however short the last wait was.
    least: Duration,
    attempt: u32,
    /// The last wait.
    waited: Duration,
    /// Since when it works.
    works_since: Option<Instant>,
}

impl Backoff {
    /// The first wait is up to `first`, no wait is longer than `cap`.
    pub(crate) fn new(first: Duration, cap: Duration) -> Backoff {
        let (least, waited) = (Duration::ZERO, Duration::ZERO);
        Backoff { first, cap, least, attempt: 0, waited, works_since: None }
    }

    /// Recovered is only what has worked for so long, too.
    pub(crate) fn recovered_after(self, least: Duration) -> Backoff {
        Backoff { least, ..self }
    }

    /// It works, now. Says since when it is known to.
    pub(crate) fn works(&mut self) -> Instant {
        *self.works_since.get_or_insert_with(Instant::now)
    }

    /// It has worked since then.
    pub(crate) fn worked(&mut self, since: Instant) {
        self.works_since.get_or_insert(since);
    }

    /// How long it has to work until a failure is the first of new ones.
    pub(crate) fn proof(&self) -> Duration {
        self.waited.max(self.least)
    }

    /// How long to wait before the next attempt: between half and all of `first` × 2ⁿ, and not less
    /// than `asked`. What worked for long enough before begins anew.
    pub(crate) fn next(&mut self, asked: Option<Duration>) -> Duration {
        if self.works_since.take().is_some_and(|since| since.elapsed() > self.proof()) {
            self.attempt = 0;
        }
        let full = self.first.saturating_mul(1 << self.attempt.min(16)).min(self.cap);
        self.attempt = self.attempt.saturating_add(1);
        self.waited = full.mul_f64(rand::rng().random_range(0.5..=1.0));
        self.waited.max(asked.unwrap_or_default())
    }

    /// How long to wait after a fault of an upstream.
    pub(crate) fn after(&mut self, fault: &Fault) -> Duration {
        match fault {
            Fault::Unavailable { retry_after, .. } => self.next(*retry_after),
            Fault::Rejected { .. } | Fault::Misconfigured { .. } | Fault::Internal { .. } => {
                self.slowest()
            }
        }
    }

    /// The slowest pace, for what a retry alone will not mend.
    pub(crate) fn slowest(&mut self) -> Duration {
        self.works_since = None;
        self.attempt = 16;
        self.next(None)
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    const FIRST: Duration = Duration::from_millis(100);
    const CAP: Duration = Duration::from_secs(30);

    #[tokio::test(start_paused = true)]
    async fn waits_grow_to_the_cap_and_honour_what_the_upstream_asked() {
        let mut backoff = Backoff::new(FIRST, CAP);
        let mut full = FIRST;
        for _ in 0..20 {
            let wait = backoff.next(None);
            assert!(wait >= full / 2 && wait <= full, "{wait:?} of {full:?}");
            full = (full * 2).min(CAP);
        }
        assert_eq!(backoff.next(Some(Duration::from_secs(90))), Duration::from_secs(90));
        backoff.works();
        advance(CAP + FIRST).await;
        assert!(backoff.next(None) <= FIRST);
        assert!(backoff.slowest() >= CAP / 2);
    }

    #[tokio::test(start_paused = true)]
    async fn what_works_for_a_moment_each_time_is_tried_less_and_less_often() {
        for works in [Duration::ZERO, Duration::from_millis(10), Duration::from_millis(49)] {
            let mut backoff = Backoff::new(FIRST, CAP);
            let began = Instant::now();
            let mut attempts = 0;
            while began.elapsed() < Duration::from_secs(3600) {
                attempts += 1;
                backoff.works();
                advance(works).await;
                // Another success on the way does not make it older.
                backoff.works();
                advance(backoff.next(None)).await;
            }
            // Ten to get to the cap, then one for half a minute at the least half of it.
            assert!(attempts <= 10 + 3600 / 15, "{attempts} of {works:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_works_for_longer_than_the_last_wait_is_tried_again_soon() {
        let mut backoff = Backoff::new(FIRST, CAP);
        for _ in 0..100 {
            backoff.works();
            advance(Duration::from_secs(1)).await;
            let wait = backoff.next(None);
            assert!(wait <= FIRST, "{wait:?}");
            advance(wait).await;
        }
        let mut slow = Backoff::new(FIRST, CAP).recovered_after(Duration::from_secs(30));
        for _ in 0..20 {
            slow.works();
            advance(Duration::from_secs(1)).await;
            slow.next(None);
        }
        assert!(slow.next(None) >= CAP / 2, "a second is not long enough here");
    }
}
