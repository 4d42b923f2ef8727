use std::num::NonZeroU32;
use std::ops::Add;
use std::time::Duration;

use governor::clock::{Clock, Reference};
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use tokio::sync::Mutex;
use tokio::time::Instant;

/// How often an upstream may be asked.
///
/// Requests wait in the order in which they came. A request that is given up leaves the line and
/// takes nothing from the budget.
pub(crate) struct RateBudget {
    limiter: RateLimiter<NotKeyed, InMemoryState, TokioClock, NoOpMiddleware<Tick>>,
    /// Tokio's mutex is fair: its line is the line of requests. Lanes would be several of these.
    turn: Mutex<()>,
}

impl RateBudget {
    /// So many a second, evenly, and after a pause at most one second's worth at once, at least one.
    pub(crate) fn new(per_second: f64) -> RateBudget {
        // A rate out of the setting's bounds is a problem of the configuration already; here it only
        // must not panic. What is no number becomes one a second.
        let per_second = per_second.clamp(0.01, 100_000.0);
        let quota = Duration::try_from_secs_f64(1.0 / per_second).ok().and_then(Quota::with_period);
        // From 0 to 100000, cut to a whole number.
        let burst = NonZeroU32::new(per_second as u32).unwrap_or(NonZeroU32::MIN);
        let quota = quota.unwrap_or(Quota::per_second(NonZeroU32::MIN)).allow_burst(burst);
        RateBudget {
            limiter: RateLimiter::direct_with_clock(quota, TokioClock),
            turn: Mutex::new(()),
        }
    }

    /// Waits for leave to send one request; gives the time waited.
    pub(crate) async fn wait(&self) -> Duration {
        let since = Instant::now();
        let _turn = self.turn.lock().await;
        while let Err(not_until) = self.limiter.check() {
            tokio::time::sleep_until(not_until.earliest_possible().0).await;
        }
        since.elapsed()
    }
}

/// Tokio's clock, so that the budget and the sleeps agree, and tests can let time pass.
#[derive(Debug, Clone, Copy)]
struct TokioClock;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Tick(Instant);

impl Clock for TokioClock {
    type Instant = Tick;

    fn now(&self) -> Tick {
        Tick(Instant::now())
    }
}

impl Reference for Tick {
    fn duration_since(&self, earlier: Tick) -> Nanos {
        self.0.saturating_duration_since(earlier.0).into()
    }

    fn saturating_sub(&self, duration: Nanos) -> Tick {
        self.0.checked_sub(duration.into()).map_or(*self, Tick)
    }
}

impl Add<Nanos> for Tick {
    type Output = Tick;

    fn add(self, duration: Nanos) -> Tick {
        Tick(self.0 + Duration::from(duration))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// How long so many requests, one after another, wait in all.
    async fn waited(budget: &RateBudget, requests: u32) -> Duration {
        let since = Instant::now();
        for _ in 0..requests {
            budget.wait().await;
        }
        since.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn one_seconds_worth_goes_at_once_and_the_rest_evenly() {
        let budget = RateBudget::new(20.0);
        assert_eq!(waited(&budget, 20).await, Duration::ZERO);
        let forty = waited(&budget, 40).await;
        assert!(forty >= Duration::from_millis(2000), "{forty:?}");
        assert!(forty <= Duration::from_millis(2040), "{forty:?}");
        tokio::time::advance(Duration::from_secs(3600)).await;
        assert_eq!(waited(&budget, 20).await, Duration::ZERO);
        assert!(waited(&budget, 1).await >= Duration::from_millis(50));
    }

    #[tokio::test(start_paused = true)]
    async fn less_than_one_a_second_still_lets_one_go() {
        let budget = RateBudget::new(0.01);
        assert_eq!(waited(&budget, 1).await, Duration::ZERO);
        assert!(waited(&budget, 1).await >= Duration::from_secs(100));
    }

    #[tokio::test(start_paused = true)]
    async fn a_rate_out_of_bounds_neither_panics_nor_stops() {
        for rate in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(waited(&RateBudget::new(rate), 1).await, Duration::ZERO, "{rate}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn requests_go_in_the_order_in_which_they_came_and_one_given_up_costs_nothing() {
        let budget = Arc::new(RateBudget::new(1.0));
        budget.wait().await;
        let order = Arc::new(std::sync::Mutex::new(Vec::new()));
        let since = Instant::now();
        let mut tasks = Vec::new();
        for number in 0..4 {
            let (budget, order) = (budget.clone(), order.clone());
            tasks.push(tokio::spawn(async move {
                budget.wait().await;
                order.lock().unwrap().push((number, since.elapsed().as_secs()));
            }));
            tokio::task::yield_now().await;
        }
        tasks.remove(1).abort();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(*order.lock().unwrap(), [(0, 1), (2, 2), (3, 3)]);
    }
}
