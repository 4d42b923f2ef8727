//! The bucket of the leases as one member sees it: who is alive, and who runs what.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use talon_runtime::bus::Owner;

use super::entries::{About, Lease, Presence, about};

/// An entry as it was seen last.
#[derive(Debug, Clone)]
struct Dated<T> {
    value: T,
    revision: u64,
    /// When this revision was seen first.
    since: Instant,
}

/// The bucket as one member sees it.
#[derive(Debug)]
pub(crate) struct Group {
    ttl: Duration,
    leases: BTreeMap<String, Dated<Lease>>,
    members: BTreeMap<String, Dated<Presence>>,
    /// When looking began.
    began: Instant,
    /// The shards that this process could run, and since when.
    wanted: BTreeMap<String, Instant>,
    last_wanted: Arc<BTreeSet<String>>,
    /// When something was heard of the server last.
    heard: Instant,
}

impl Group {
    pub(crate) fn new(ttl: Duration, now: Instant) -> Group {
        Group {
            ttl,
            leases: BTreeMap::new(),
            members: BTreeMap::new(),
            began: now,
            wanted: BTreeMap::new(),
            last_wanted: Arc::default(),
            heard: now,
        }
    }

    /// The shards that this process could run now.
    pub(crate) fn want(&mut self, shards: &Arc<BTreeSet<String>>, now: Instant) {
        if !Arc::ptr_eq(&self.last_wanted, shards) {
            self.wanted.retain(|shard, _| shards.contains(shard));
            for shard in shards.iter() {
                self.wanted.entry(shard.clone()).or_insert(now);
            }
            self.last_wanted = shards.clone();
        }
    }

    /// An entry is there, or was written by this process; `None` where it was removed or cannot be read.
    pub(crate) fn take(&mut self, key: &str, value: Option<&[u8]>, revision: u64, now: Instant) {
        match about(key) {
            Some(About::Shard(shard)) => keep(&mut self.leases, shard, value, revision, now),
            Some(About::Member(member)) => keep(&mut self.members, member, value, revision, now),
            None => {}
        }
    }

    /// A lease was written by this process.
    pub(crate) fn wrote(&mut self, shard: &str, lease: Lease, revision: u64, now: Instant) {
        let newer = |seen: &Dated<Lease>| seen.revision > revision;
        if !self.leases.get(shard).is_some_and(newer) {
            let dated = Dated { value: lease, revision, since: now };
            self.leases.insert(shard.to_owned(), dated);
        }
    }

    /// The shard that this key is about, if `member` owns it.
    pub(crate) fn owned_by<'k>(&self, member: &str, key: &'k str) -> Option<&'k str> {
        let Some(About::Shard(shard)) = about(key) else { return None };
        let lease = &self.leases.get(shard)?.value;
        (lease.owner.as_deref() == Some(member)).then_some(shard)
    }

    /// Something was heard of the server.
    pub(crate) fn hear(&mut self, now: Instant) {
        if self.is_deaf(now) {
            // Others could not show that they are alive.
            self.leases.values_mut().for_each(|dated| dated.since = now);
            self.members.values_mut().for_each(|dated| dated.since = now);
        }
        self.heard = now;
    }

    /// Whether nothing was heard for so long that nobody knows who is alive.
    pub(crate) fn is_deaf(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.heard) > self.ttl / 2
    }

    fn is_alive(&self, since: Instant, now: Instant) -> bool {
        now.saturating_duration_since(since) <= self.ttl
    }

    /// Who runs a shard that `member` does not.
    pub(crate) fn owner(&self, member: &str, shard: &str, now: Instant) -> Owner {
        let lease = self.leases.get(shard);
        if let Some(Dated { value: Lease { owner: Some(owner), process }, since, .. }) = lease
            && owner != member
            && self.is_alive(*since, now)
        {
            return Owner::Process(process.clone().unwrap_or_else(|| owner.clone()));
        }
        let since = lease.map_or(self.began, |dated| dated.since);
        // One that has just come has had no time to be taken.
        let since = self.wanted.get(shard).map_or(since, |wanted| since.max(*wanted));
        let long = now.saturating_duration_since(since) > self.ttl * 2;
        if long && !self.is_deaf(now) { Owner::Nobody } else { Owner::Unknown }
    }

    /// The other members that are alive.
    pub(crate) fn others(&self, me: &str, now: Instant) -> Vec<Other<'_>> {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for lease in self.leases.values().filter(|lease| self.is_alive(lease.since, now)) {
            if let Some(owner) = &lease.value.owner {
                *counts.entry(owner).or_default() += 1;
            }
        }
        let others = self.members.iter();
        let others = others.filter(|(id, seen)| *id != me && self.is_alive(seen.since, now));
        others
            .map(|(id, seen)| Other {
                wants: seen.value.shards.iter().map(String::as_str).collect(),
                count: counts.get(id.as_str()).copied().unwrap_or(0),
            })
            .collect()
    }

    /// Who owns a shard, if that is alive or `member`; and the lease's last revision, 0 for none.
    pub(crate) fn lease(&self, shard: &str, now: Instant) -> LeaseSeen<'_> {
        let Some(Dated { value, revision, since }) = self.leases.get(shard) else {
            return LeaseSeen { owner: None, revision: 0, stale: false };
        };
        let stale = !self.is_alive(*since, now);
        LeaseSeen { owner: value.owner.as_deref().filter(|_| !stale), revision: *revision, stale }
    }
}

/// A lease as it was seen last.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LeaseSeen<'a> {
    /// The member that has it, if it is alive.
    pub(crate) owner: Option<&'a str>,
    /// 0 where there is none yet.
    pub(crate) revision: u64,
    /// Whether it stands still for longer than a lease lasts.
    pub(crate) stale: bool,
}

/// Another member that is alive.
pub(crate) struct Other<'a> {
    pub(crate) wants: BTreeSet<&'a str>,
    /// How many shards it runs.
    pub(crate) count: usize,
}

impl Other<'_> {
    pub(crate) fn wants(&self, shard: &str) -> bool {
        self.wants.contains(shard)
    }
}

fn keep<T: serde::de::DeserializeOwned>(
    map: &mut BTreeMap<String, Dated<T>>,
    key: &str,
    value: Option<&[u8]>,
    revision: u64,
    now: Instant,
) {
    if map.get(key).is_some_and(|seen| seen.revision >= revision) {
        return;
    }
    match value.and_then(|value| serde_json::from_slice(value).ok()) {
        Some(value) => {
            map.insert(key.to_owned(), Dated { value, revision, since: now });
        }
        // What cannot be read is as good as not there.
        None => {
            map.remove(key);
        }
    }
}
