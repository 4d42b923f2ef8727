//! How fresh a feed is: as fresh as the scope that was read longest ago.

use std::collections::HashMap;

/// When what a feed follows was read last, in milliseconds since 1970 UTC.
#[derive(Debug)]
pub(super) struct Freshness {
    /// The last complete read, whatever its scope; the start before there is one.
    last_ms: i64,
    /// The scopes that the feed follows; none where it has only one.
    followed: HashMap<String, i64>,
}

impl Freshness {
    /// Reading starts, and nothing has been read yet.
    pub(super) fn since(start_ms: i64) -> Freshness {
        Freshness { last_ms: start_ms, followed: HashMap::new() }
    }

    /// From now on these scopes are followed and no others. A scope that was not followed before is as
    /// old as now.
    pub(super) fn follow(&mut self, scopes: &[String], now_ms: i64) {
        let mut before = std::mem::take(&mut self.followed);
        let known = |scope: &String| (scope.clone(), before.remove(scope).unwrap_or(now_ms));
        self.followed = scopes.iter().map(known).collect();
    }

    /// A scope was read; the empty one is all of the feed.
    pub(super) fn read(&mut self, scope: &str, as_of_ms: i64) {
        self.last_ms = as_of_ms;
        if scope.is_empty() {
            self.followed.values_mut().for_each(|at| *at = as_of_ms);
        } else if let Some(at) = self.followed.get_mut(scope) {
            *at = as_of_ms;
        }
    }

    /// Whether the feed reads several scopes one after another.
    pub(super) fn follows_scopes(&self) -> bool {
        !self.followed.is_empty()
    }

    /// When the oldest scope was read, and which one it is, where there are several.
    pub(super) fn oldest(&self) -> (i64, Option<&str>) {
        let oldest = self.followed.iter().min_by_key(|(scope, at)| (**at, *scope));
        oldest.map_or((self.last_ms, None), |(scope, at)| (*at, Some(scope)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scopes(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn one_scope_that_is_stuck_is_seen_beside_many_that_are_not() {
        let mut fresh = Freshness::since(0);
        assert_eq!(fresh.oldest(), (0, None));
        fresh.follow(&scopes(&["a", "b", "c"]), 10);
        for at in 11..1_000 {
            fresh.read("a", at);
            fresh.read("c", at);
            // What is not followed says nothing.
            fresh.read("the past", at);
        }
        assert_eq!(fresh.oldest(), (10, Some("b")));
        fresh.read("b", 990);
        assert_eq!(fresh.oldest(), (990, Some("b")));
    }

    #[test]
    fn a_scope_that_is_not_followed_any_more_does_not_age_and_a_new_one_ages_from_then() {
        let mut fresh = Freshness::since(0);
        fresh.follow(&scopes(&["a/1", "b/1"]), 0);
        fresh.read("a/1", 50);
        fresh.follow(&scopes(&["a/1", "a/2", "b/1"]), 60);
        assert_eq!(fresh.oldest(), (0, Some("b/1")), "what is known is kept");
        fresh.follow(&scopes(&["a/2", "b/2"]), 70);
        assert_eq!(fresh.oldest(), (60, Some("a/2")));
        fresh.read("", 80);
        assert_eq!(fresh.oldest().0, 80);
        fresh.follow(&[], 90);
        assert_eq!(fresh.oldest(), (80, None));
    }
}
