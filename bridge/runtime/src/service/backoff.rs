//! Waiting between attempts.

use std::time::Duration;

use rand::RngExt;
use talon_sdk::Fault;

/// Capped, jittered, exponential waiting between attempts.
#[derive(Debug, Clone)]
pub(crate) struct Backoff {
    first: Duration,
    cap: Duration,
    attempt: u32,
}

impl Backoff {
    /// The first wait is up to `first`, no wait is longer than `cap`.
    pub(crate) fn new(first: Duration, cap: Duration) -> Backoff {
        Backoff { first, cap, attempt: 0 }
    }

    /// After a success.
    pub(crate) fn reset(&mut self) {
        self.attempt = 0;
    }

    /// How long to wait before the next attempt: between half and all of `first` × 2ⁿ, and not less
    /// than `asked`.
    pub(crate) fn next(&mut self, asked: Option<Duration>) -> Duration {
        let full = self.first.saturating_mul(1 << self.attempt.min(16)).min(self.cap);
        self.attempt = self.attempt.saturating_add(1);
        let own = full.mul_f64(rand::rng().random_range(0.5..=1.0));
        own.max(asked.unwrap_or_default())
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
        self.attempt = 16;
        self.next(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_cap_and_honour_what_the_upstream_asked() {
        let (first, cap) = (Duration::from_millis(100), Duration::from_secs(30));
        let mut backoff = Backoff::new(first, cap);
        let mut full = first;
        for _ in 0..20 {
            let wait = backoff.next(None);
            assert!(wait >= full / 2 && wait <= full, "{wait:?} of {full:?}");
            full = (full * 2).min(cap);
        }
        assert_eq!(backoff.next(Some(Duration::from_secs(90))), Duration::from_secs(90));
        backoff.reset();
        assert!(backoff.next(None) <= first);
        assert!(backoff.slowest() >= cap / 2);
    }
}
