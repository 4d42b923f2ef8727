//! Cuts a history that fails to a shorter one that fails.

use std::time::{Duration, Instant};

use crate::scenario::History;

/// Runs a history with parts left out, halves first, as long as there is time, and gives the shortest
/// that still failed. `fails` runs one.
pub async fn shrink(
    history: &History,
    budget: Duration,
    mut fails: impl AsyncFnMut(&History) -> bool,
) -> History {
    let since = Instant::now();
    let mut shortest = history.clone();
    let mut part = shortest.0.len().div_ceil(2).max(1);
    while !shortest.0.is_empty() {
        let mut at = 0;
        while at < shortest.0.len() {
            if since.elapsed() >= budget {
                return shortest;
            }
            let end = (at + part).min(shortest.0.len());
            let mut shorter = shortest.clone();
            shorter.0.drain(at..end);
            if fails(&shorter).await {
                shortest = shorter;
            } else {
                at = end;
            }
        }
        if part == 1 {
            break;
        }
        part = part.div_ceil(2);
    }
    shortest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Action;

    fn history(actions: u64) -> History {
        History((0..actions).map(|at| (at, Action::Kill(0, at))).collect())
    }

    #[tokio::test]
    async fn what_does_not_matter_is_left_out() {
        let guilty = [(3, Action::Kill(0, 3)), (8, Action::Kill(0, 8))];
        let all = history(20);
        let cut = shrink(&all, Duration::MAX, async |history: &History| {
            guilty.iter().all(|action| history.0.contains(action))
        });
        assert_eq!(cut.await.0, guilty);
    }

    #[tokio::test]
    async fn without_time_nothing_is_cut() {
        let all = history(4);
        assert_eq!(shrink(&all, Duration::ZERO, async |_: &History| true).await, all);
    }

    #[tokio::test]
    async fn what_fails_without_any_fault_is_cut_to_nothing() {
        let all = history(9);
        let cut = shrink(&all, Duration::MAX, async |_: &History| true);
        assert_eq!(cut.await, History::default());
    }
}
