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
//! * An owner is paused: others see its revision stand still and take over. When it wakes up, its
//!   grants have lapsed; its next renewal fails, and so do its publishes, by their expected sequences.
//! * An owner cannot reach the server: it lets go before the others may take over, because it counts
//!   from the start of its last renewal that succeeded, and less than a whole lease.
//! * A member that has heard nothing of the server for a while does not know who is alive: it takes and
//!   gives nothing, and when it hears again it counts all leases from then.
//! * A member has another configuration: a shard is only ever left to a member that wants it.

use std::collections::BTreeSet;
use std::time::Instant;

use xxhash_rust::xxh3::xxh3_64;

use super::view::{Group, Other};

/// What a member has at this moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Own<'a> {
    pub(crate) member: &'a str,
    /// The shards that it could run.
    pub(crate) shards: &'a BTreeSet<String>,
    /// What it runs and is not about to give away, oldest first.
    pub(crate) kept: &'a [String],
    /// What it is about to take or to give away.
    pub(crate) moving: &'a BTreeSet<String>,
}

/// What a member should do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// Take a shard that is free, over this revision; 0 where it has no entry yet.
    Take(String, u64),
    /// Let a shard go, for a member that has fewer.
    Give(String),
}

/// Decides what a member should do.
pub(crate) fn decide(group: &Group, own: Own<'_>, now: Instant) -> Vec<Step> {
    if group.is_deaf(now) {
        return Vec::new();
    }
    let others = group.others(own.member, now);
    let fair = fair(own.shards, &others);
    let steps = takes(group, own, &others, fair, now);
    if steps.is_empty() { gives(own, others, fair) } else { steps }
}

/// What is free is taken, up to the share, and beyond it what nobody else takes.
fn takes(
    group: &Group,
    own: Own<'_>,
    others: &[Other<'_>],
    fair: usize,
    now: Instant,
) -> Vec<Step> {
    let mut count = own.kept.len();
    let mut free = Vec::new();
    let kept: BTreeSet<&str> = own.kept.iter().map(String::as_str).collect();
    for shard in own.shards {
        if kept.contains(shard.as_str()) || own.moving.contains(shard) {
            continue;
        }
        let lease = group.lease(shard, now);
        if lease.owner.is_none_or(|owner| owner == own.member) {
            free.push((shard, lease));
        }
    }
    // Members that take at the same time begin with different ones.
    free.sort_by_cached_key(|(shard, _)| xxh3_64(format!("{} {shard}", own.member).as_bytes()));
    let mut steps = Vec::new();
    for (shard, lease) in free {
        // Left to those who have fewer, but not for ever: they may not be able to.
        let left = others.iter().any(|other| other.count < fair && other.wants(shard));
        if count < fair || !left || lease.stale {
            steps.push(Step::Take(shard.clone(), lease.revision));
            count += 1;
        }
    }
    steps
}

/// The share of each member: the same for all of them, so that they agree on who gives and who takes.
fn fair(shards: &BTreeSet<String>, others: &[Other<'_>]) -> usize {
    let mut all: BTreeSet<&str> = shards.iter().map(String::as_str).collect();
    others.iter().for_each(|other| all.extend(&other.wants));
    all.len().div_ceil(others.len() + 1)
}

/// What a member has beyond its share goes to those who have less and want it. The newest first, so that
/// a process that is replaced gets its own back, and what the others run stays undisturbed.
fn gives(own: Own<'_>, mut others: Vec<Other<'_>>, fair: usize) -> Vec<Step> {
    let mut steps = Vec::new();
    if !own.moving.is_empty() {
        return steps;
    }
    for shard in own.kept.iter().rev() {
        if own.kept.len() - steps.len() <= fair {
            break;
        }
        let poorer = others.iter_mut().filter(|other| other.count < fair && other.wants(shard));
        if let Some(poorest) = poorer.min_by_key(|other| other.count) {
            poorest.count += 1;
            steps.push(Step::Give(shard.clone()));
        }
    }
    steps
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use talon_runtime::bus::Owner;

    use super::super::entries::{Lease, Presence, member_key, shard_key};
    use super::*;

    const TTL: Duration = Duration::from_secs(10);

    struct World {
        group: Group,
        now: Instant,
        /// The last one of the bucket.
        revision: u64,
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    impl World {
        fn new() -> World {
            let now = Instant::now() + Duration::from_secs(1_000);
            World { group: Group::new(TTL, now), now, revision: 0 }
        }

        fn member(mut self, id: &str, shards: &[&str], age: u64) -> World {
            let value = Presence { shards: names(shards), process: format!("host:{id}") };
            let json = serde_json::to_vec(&value).unwrap();
            self.see(&member_key(id), &json, age);
            self
        }

        fn lease(mut self, shard: &str, owner: Option<&str>, age: u64) -> World {
            let process = owner.map(|owner| format!("host:{owner}"));
            let value = Lease { owner: owner.map(str::to_owned), process };
            let json = serde_json::to_vec(&value).unwrap();
            self.see(&shard_key(shard), &json, age);
            self
        }

        fn see(&mut self, key: &str, value: &[u8], age: u64) {
            self.revision += 1;
            let since = self.now - Duration::from_secs(age);
            self.group.take(key, Some(value), self.revision, since);
        }

        fn decide(&self, shards: &[&str], kept: &[&str]) -> Vec<Step> {
            let shards = names(shards).into_iter().collect();
            let (kept, moving) = (names(kept), BTreeSet::new());
            let own = Own { member: "me", shards: &shards, kept: &kept, moving: &moving };
            let mut steps = decide(&self.group, own, self.now);
            steps.sort_by_key(|step| match step {
                Step::Take(shard, _) | Step::Give(shard) => shard.clone(),
            });
            steps
        }
    }

    fn take(shard: &str, revision: u64) -> Step {
        Step::Take(shard.to_owned(), revision)
    }

    fn give(shard: &str) -> Step {
        Step::Give(shard.to_owned())
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
        assert_eq!(world.decide(&["a"], &[]), [take("a", world.revision)]);
    }

    #[test]
    fn who_has_heard_nothing_for_a_while_takes_nothing_over() {
        let mut world = World::new().member("you", &["a"], 0).lease("a", Some("you"), 0);
        world.now += Duration::from_secs(11);
        assert_eq!(world.decide(&["a"], &[]), []);
        // Not at once when it hears again, either.
        world.group.hear(world.now);
        assert_eq!(world.decide(&["a"], &[]), []);
        for _ in 0..3 {
            world.now += Duration::from_secs(4);
            world.group.hear(world.now);
        }
        assert_eq!(world.decide(&["a"], &[]), [take("a", world.revision)]);
    }

    #[test]
    fn what_was_let_go_is_taken_at_once() {
        let world = World::new().lease("a", None, 0);
        assert_eq!(world.decide(&["a"], &[]), [take("a", world.revision)]);
    }

    #[test]
    fn work_is_shared() {
        let world = World::new().member("you", &["a", "b"], 0);
        assert_eq!(world.decide(&["a", "b"], &[]).len(), 1);
        let world = world.lease("a", Some("me"), 0).lease("b", Some("me"), 0);
        assert_eq!(world.decide(&["a", "b"], &["a", "b"]), [give("b")]);
        assert_eq!(world.decide(&["a", "b"], &["b", "a"]), [give("a")]);
        let world = World::new().member("you", &["a"], 0).lease("a", Some("me"), 0);
        assert_eq!(world.decide(&["a"], &["a"]), [], "one shard stays where it is");
    }

    #[test]
    fn all_that_a_new_member_should_have_is_given_at_once() {
        let shards = ["a", "b", "c", "d", "e", "f"];
        let mut world = World::new().member("you", &shards, 0).member("new", &shards, 0);
        world = world.lease("e", Some("you"), 0).lease("f", Some("you"), 0);
        assert_eq!(world.decide(&shards, &["a", "b", "c", "d"]), [give("c"), give("d")]);
        // Nothing more while it is on its way.
        let shards = names(&shards).into_iter().collect();
        let kept = names(&["a", "b", "c"]);
        let moving = BTreeSet::from(["d".to_owned()]);
        let own = Own { member: "me", shards: &shards, kept: &kept, moving: &moving };
        assert_eq!(decide(&world.group, own, world.now), []);
    }

    #[test]
    fn a_shard_is_never_left_to_a_member_that_does_not_want_it() {
        let world = World::new().member("you", &[], 0);
        assert_eq!(world.decide(&["a", "b"], &[]), [take("a", 0), take("b", 0)]);
        assert_eq!(world.decide(&["a", "b"], &["a", "b"]), []);
    }

    #[test]
    fn members_with_different_shards_come_to_rest() {
        // One wants `c` and `d` only, and has them: nothing moves to and fro.
        let shards = ["a", "b", "c", "d"];
        let world = World::new().member("you", &["c", "d"], 0);
        assert_eq!(world.decide(&shards, &shards), [give("c"), give("d")]);
        let world = world.lease("c", Some("you"), 0).lease("d", Some("you"), 0);
        assert_eq!(world.decide(&shards, &["a", "b"]), []);
        // More than its share, but nobody wants it.
        let world = World::new().member("you", &["d"], 0).lease("d", Some("you"), 0);
        assert_eq!(world.decide(&shards, &["a", "b", "c"]), []);
        let world = World::new().member("you", &["d"], 0).lease("d", None, 0);
        assert_eq!(world.decide(&shards, &["a", "b", "c"]), [], "left to the other");
    }

    #[test]
    fn what_the_others_do_not_take_is_taken_after_a_while() {
        let world = World::new().member("you", &["a", "b"], 0).lease("b", None, 11);
        assert_eq!(world.decide(&["a", "b"], &["a"]), [take("b", world.revision)]);
    }

    #[test]
    fn the_owner_is_told_by_its_name_or_as_nobody() {
        let world = World::new().lease("a", Some("you"), 9);
        let owner = |world: &World, shard: &str| world.group.owner("me", shard, world.now);
        assert_eq!(owner(&world, "a"), Owner::Process("host:you".to_owned()));
        assert_eq!(owner(&world, "b"), Owner::Unknown, "looking has just begun");
        let world = world.lease("a", Some("you"), 11).lease("b", None, 19).lease("c", None, 21);
        assert_eq!(owner(&world, "a"), Owner::Unknown, "somebody takes it over soon");
        assert_eq!(owner(&world, "b"), Owner::Unknown);
        assert_eq!(owner(&world, "c"), Owner::Nobody);
        let mut world = World::new();
        world.now += TTL * 3;
        world.group.hear(world.now);
        assert_eq!(owner(&world, "a"), Owner::Nobody, "it never had an owner");
        world.group.want(&Arc::new(BTreeSet::from(["a".to_owned()])), world.now);
        let owner = |world: &World, shard: &str| world.group.owner("me", shard, world.now);
        assert_eq!(owner(&world, "a"), Owner::Unknown, "it has just come");
    }
}
