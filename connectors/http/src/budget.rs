use std::num::NonZeroU32;
use std::ops::Add;
use std::time::Duration;

use governor::clock::{Clock, Reference};
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use tokio::sync::{Mutex, watch};
use tokio::time::Instant;

/// How many commands may go before a feed that waits. Commands come first; but a flood of them must
/// not make the feeds stale without end.
const PATIENCE: u32 = 20;

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Lane {
    /// Something is read because it is time to.
    #[default]
    Feed,
    /// Somebody waits for it: goes before all feeds that wait, but for one after twenty commands.
    Command,
}

/// How often an upstream may be asked.
///
/// Requests of a lane wait in the order in which they came. A request that is given up leaves the line
/// and takes nothing from the budget.
pub struct RateBudget {
    limiter: RateLimiter<NotKeyed, InMemoryState, TokioClock, NoOpMiddleware<Tick>>,
    /// Tokio's mutex is fair: its line is the line of requests.
    feeds: Mutex<()>,
    commands: Mutex<()>,
    waiting: watch::Sender<Waiting>,
}

/// Who waits.
#[derive(Debug, Default)]
struct Waiting {
    feeds: usize,
    commands: usize,
    /// How many commands went while a feed waited.
    overtaken: u32,
}

impl Waiting {
    fn of(&mut self, lane: Lane) -> &mut usize {
        match lane {
            Lane::Feed => &mut self.feeds,
            Lane::Command => &mut self.commands,
        }
    }

    /// Whether the first of a lane is the next to go; true of one lane only while both wait.
    fn is_turn_of(&self, lane: Lane) -> bool {
        let feeds_turn = self.overtaken >= PATIENCE;
        match lane {
            Lane::Feed => self.commands == 0 || feeds_turn,
            Lane::Command => self.feeds == 0 || !feeds_turn,
        }
    }
}

/// A place in a line; left when dropped.
struct Place<'b>(&'b watch::Sender<Waiting>, Lane);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|waiting| *waiting.of(self.1) -= 1);
    }
}

impl RateBudget {
    /// So many a second, evenly, and after a pause at most one second's worth at once, at least one.
    pub fn new(per_second: f64) -> RateBudget {
        // A rate out of the setting's bounds is a problem of the configuration already; here it only
        // must not panic. What is no number becomes one a second.
        let per_second = per_second.clamp(0.01, 100_000.0);
        let quota = Duration::try_from_secs_f64(1.0 / per_second).ok().and_then(Quota::with_period);
        // From 0 to 100000, cut to a whole number.
        let burst = NonZeroU32::new(per_second as u32).unwrap_or(NonZeroU32::MIN);
        let quota = quota.unwrap_or(Quota::per_second(NonZeroU32::MIN)).allow_burst(burst);
        RateBudget {
            limiter: RateLimiter::direct_with_clock(quota, TokioClock),
            feeds: Mutex::default(),
            commands: Mutex::default(),
            waiting: watch::Sender::default(),
        }
    }

    /// Waits for leave to send one request; gives the time waited. Who has begun to wait must go on polling:
    /// one that is next and is not polled holds up all behind it.
    pub async fn wait(&self, lane: Lane) -> Duration {
        let since = Instant::now();
        self.waiting.send_modify(|waiting| *waiting.of(lane) += 1);
        let _place = Place(&self.waiting, lane);
        let _turn = match lane {
            Lane::Feed => self.feeds.lock().await,
            Lane::Command => self.commands.lock().await,
        };
        let mut waiting = self.waiting.subscribe();
        loop {
            // Fails only where the sender is gone, and that is borrowed here.
            drop(waiting.wait_for(|waiting| waiting.is_turn_of(lane)).await);
            match self.limiter.check() {
                Ok(()) => break,
                Err(until) => tokio::time::sleep_until(until.earliest_possible().0).await,
            }
        }
        self.waiting.send_modify(|waiting| match lane {
            Lane::Feed => waiting.overtaken = 0,
            Lane::Command if waiting.feeds > 0 => waiting.overtaken += 1,
            Lane::Command => {}
        });
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
            budget.wait(Lane::Feed).await;
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
        budget.wait(Lane::Feed).await;
        let order = Arc::new(std::sync::Mutex::new(Vec::new()));
        let since = Instant::now();
        let mut tasks = Vec::new();
        for number in 0..4 {
            let (budget, order) = (budget.clone(), order.clone());
            tasks.push(tokio::spawn(async move {
                budget.wait(Lane::Feed).await;
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

    /// Puts requests into the line in this order, and gives the order in which they went.
    async fn order_of(budget: RateBudget, lanes: impl IntoIterator<Item = Lane>) -> Vec<Lane> {
        let budget = Arc::new(budget);
        budget.wait(Lane::Feed).await;
        let order = Arc::new(std::sync::Mutex::new(Vec::new()));
        let mut tasks = Vec::new();
        for lane in lanes {
            let (budget, order) = (budget.clone(), order.clone());
            tasks.push(tokio::spawn(async move {
                budget.wait(lane).await;
                order.lock().unwrap().push(lane);
            }));
            tokio::task::yield_now().await;
        }
        for task in tasks {
            task.await.unwrap();
        }
        let order = order.lock().unwrap();
        order.clone()
    }

    #[tokio::test(start_paused = true)]
    async fn commands_go_before_feeds_that_came_earlier() {
        use Lane::{Command, Feed};
        let order = order_of(RateBudget::new(1.0), [Feed, Feed, Command, Feed, Command]).await;
        assert_eq!(order, [Command, Command, Feed, Feed, Feed]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_of_commands_lets_a_feed_through_now_and_then() {
        let patience = PATIENCE as usize;
        let lanes = [Lane::Feed; 2].into_iter().chain([Lane::Command; 3 * PATIENCE as usize]);
        let order = order_of(RateBudget::new(1.0), lanes).await;
        let feeds: Vec<_> = (0..order.len()).filter(|at| order[*at] == Lane::Feed).collect();
        assert_eq!(feeds, [patience, 2 * patience + 1]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_command_that_is_given_up_holds_no_feed_back() {
        let budget = Arc::new(RateBudget::new(1.0));
        budget.wait(Lane::Feed).await;
        let command = tokio::spawn({
            let budget = budget.clone();
            async move { budget.wait(Lane::Command).await }
        });
        tokio::task::yield_now().await;
        command.abort();
        assert!(command.await.unwrap_err().is_cancelled());
        assert!(budget.wait(Lane::Feed).await <= Duration::from_millis(1010));
    }
}
