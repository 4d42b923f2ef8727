//! Who runs what, as leases: the decisions, without I/O.
//!
//! The bucket `{prefix}_leases` holds one entry for each shard, with its owner, and one for each
//! member of the group, with the shards that it could run. An owner writes its entries anew several
//! times within `lease.ttl.ms`; an entry whose revision stands still for longer than that, by the clock
//! of whoever looks at it, is free. Clocks of different machines are never compared.
//!
//! How it can fail, and what holds then:
//!
//! * Two processes take a free shard at once: the write carries the revision that was seen, so one of
//!   them fails.
//! * An owner is paused: others see its revision stand still and take over. When it wakes up, its next
//!   renewal fails, and so do its publishes, by their expected sequences.
//! * An owner cannot reach the server: it lets go before the others may take over, because it counts
//!   from the start of its last renewal that succeeded, and less than a whole lease.
//! * A member has another configuration: a shard is only ever left to a member that wants it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// The entry of a shard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Lease {
    /// The member that runs it; none after it was let go.
    pub(crate) owner: Option<String>,
}

/// The entry of a member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Presence {
    /// The shards that it is configured for.
    pub(crate) shards: Vec<String>,
}

/// An entry as seen last.
#[derive(Debug, Clone)]
pub(crate) struct Seen<T> {
    pub(crate) value: T,
    pub(crate) revision: u64,
    /// When this revision was seen first.
    pub(crate) since: Instant,
}

/// The bucket as seen by one member.
#[derive(Debug, Default)]
pub(crate) struct View {
    pub(crate) leases: BTreeMap<String, Seen<Lease>>,
    pub(crate) members: BTreeMap<String, Seen<Presence>>,
}

/// What a member should do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// Take a shard that is free, over this revision; 0 where it has no entry yet.
    Take(String, u64),
    /// Let a shard go, for a member that has fewer.
    Give(String),
}

impl View {
    /// Decides for the member `me`, which holds `held`, oldest first, and could run `shards`.
    pub(crate) fn decide(
        &self,
        me: &str,
        shards: &[String],
        held: &[String],
        ttl: Duration,
        now: Instant,
    ) -> Vec<Step> {
        let alive = |since: Instant| now.saturating_duration_since(since) <= ttl;
        let others: BTreeMap<&str, &Presence> = self
            .members
            .iter()
            .filter(|(id, seen)| *id != me && alive(seen.since))
            .map(|(id, seen)| (id.as_str(), &seen.value))
            .collect();
        let holds = |member: &str| {
            let mine = |seen: &Seen<Lease>| {
                seen.value.owner.as_deref() == Some(member) && alive(seen.since)
            };
            self.leases.values().filter(|seen| mine(seen)).count()
        };
        let fair = shards.len().div_ceil(others.len() + 1);
        let mut steps = Vec::new();
        let mut count = held.len();
        for shard in shards.iter().filter(|shard| !held.contains(*shard)) {
            let lease = self.leases.get(shard);
            let free = lease.is_none_or(|seen| {
                seen.value.owner.is_none()
                    || seen.value.owner.as_deref() == Some(me)
                    || !alive(seen.since)
            });
            // Left to those who have fewer, but not for ever: they may not want it.
            let wanted_by_others = others.values().any(|member| member.shards.contains(shard));
            let long_free = lease.is_some_and(|seen| !alive(seen.since));
            if free && (count < fair || !wanted_by_others || long_free) {
                steps.push(Step::Take(shard.clone(), lease.map_or(0, |seen| seen.revision)));
                count += 1;
            }
        }
        if steps.is_empty() && held.len() > fair {
            let poorer = |shard: &&String| {
                others.iter().any(|(id, member)| {
                    member.shards.contains(*shard) && holds(id) + 1 < held.len()
                })
            };
            // One at a time: the others may be taking some at this moment. The newest, so that a
            // process that is replaced gets its own back, and what the others run stays undisturbed.
            steps.extend(held.iter().rev().find(poorer).map(|shard| Step::Give(shard.clone())));
        }
        steps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TTL: Duration = Duration::from_secs(10);

    struct World {
        view: View,
        now: Instant,
    }

    impl World {
        fn new() -> World {
            World { view: View::default(), now: Instant::now() + Duration::from_secs(1_000) }
        }

        fn member(mut self, id: &str, shards: &[&str], age: u64) -> World {
            let value =
                Presence { shards: shards.iter().map(|shard| (*shard).to_owned()).collect() };
            let since = self.now - Duration::from_secs(age);
            self.view.members.insert(id.to_owned(), Seen { value, revision: 1, since });
            self
        }

        fn lease(mut self, shard: &str, owner: Option<&str>, age: u64) -> World {
            let value = Lease { owner: owner.map(str::to_owned) };
            let since = self.now - Duration::from_secs(age);
            self.view.leases.insert(shard.to_owned(), Seen { value, revision: 7, since });
            self
        }

        fn decide(&self, shards: &[&str], held: &[&str]) -> Vec<Step> {
            let shards: Vec<String> = shards.iter().map(|shard| (*shard).to_owned()).collect();
            let held: Vec<String> = held.iter().map(|shard| (*shard).to_owned()).collect();
            self.view.decide("me", &shards, &held, TTL, self.now)
        }
    }

    fn take(shard: &str, revision: u64) -> Step {
        Step::Take(shard.to_owned(), revision)
    }

    #[test]
    fn a_member_that_is_alone_takes_everything() {
        assert_eq!(World::new().decide(&["a", "b"], &[]), [take("a", 0), take("b", 0)]);
    }

    #[test]
    fn what_another_runs_is_left_to_it_until_its_lease_stands_still() {
        let world = World::new().member("you", &["a"], 1).lease("a", Some("you"), 9);
        assert_eq!(world.decide(&["a"], &[]), []);
        let world = World::new().member("you", &["a"], 11).lease("a", Some("you"), 11);
        assert_eq!(world.decide(&["a"], &[]), [take("a", 7)]);
    }

    #[test]
    fn what_was_let_go_is_taken_at_once() {
        let world = World::new().lease("a", None, 0);
        assert_eq!(world.decide(&["a"], &[]), [take("a", 7)]);
    }

    #[test]
    fn work_is_shared() {
        let world = World::new().member("you", &["a", "b"], 0);
        assert_eq!(world.decide(&["a", "b"], &[]), [take("a", 0)]);
        let world = world.lease("a", Some("me"), 0).lease("b", Some("me"), 0);
        assert_eq!(world.decide(&["a", "b"], &["a", "b"]), [Step::Give("b".to_owned())]);
        assert_eq!(world.decide(&["a", "b"], &["b", "a"]), [Step::Give("a".to_owned())]);
        let world = World::new().member("you", &["a"], 0).lease("a", Some("me"), 0);
        assert_eq!(world.decide(&["a"], &["a"]), [], "one shard stays where it is");
    }

    #[test]
    fn a_shard_is_never_left_to_a_member_that_does_not_want_it() {
        let world = World::new().member("you", &[], 0);
        assert_eq!(world.decide(&["a", "b"], &[]), [take("a", 0), take("b", 0)]);
        assert_eq!(world.decide(&["a", "b"], &["a", "b"]), []);
    }

    #[test]
    fn what_the_others_do_not_take_is_taken_after_a_while() {
        let world = World::new().member("you", &["a", "b"], 0).lease("b", None, 11);
        assert_eq!(world.decide(&["a", "b"], &["a"]), [take("b", 7)]);
    }
}
