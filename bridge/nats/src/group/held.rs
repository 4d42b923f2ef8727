//! The leases that this process holds, and the grants that follow from them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use talon_runtime::bus::{Ownership, Release};

/// How long a shard that is taken back may take to commit what was read.
const RELEASE: Duration = Duration::from_secs(20);

/// After such a part of a lease without a renewal it is let go, before others may take it.
const LET_GO: f64 = 0.9;

/// The leases that this process holds. What is granted always follows from them.
pub(crate) struct HeldLeases {
    ownership: Ownership,
    ttl: Duration,
    leases: BTreeMap<String, Held>,
}

#[derive(Debug)]
struct Held {
    revision: u64,
    /// When it was taken.
    since: Instant,
    /// When the request began that made the last revision that is known. Others count from when they
    /// see that revision, which is later.
    renewed: Instant,
    /// When the first renewal began that has no answer yet.
    asked: Option<Instant>,
    /// Set when it is to be given to another: it is renewed until its shard is let go.
    release: Option<Release>,
}

impl HeldLeases {
    pub(crate) fn new(ownership: Ownership, ttl: Duration) -> HeldLeases {
        // A new grant is good when its lease says so, and not before.
        ownership.confirm(Instant::now());
        HeldLeases { ownership, ttl, leases: BTreeMap::new() }
    }

    /// Those that are not about to be given away, oldest first.
    pub(crate) fn kept(&self) -> Vec<String> {
        let mut kept: Vec<_> =
            self.leases.iter().filter(|(_, held)| held.release.is_none()).collect();
        kept.sort_by_key(|(_, held)| held.since);
        kept.into_iter().map(|(shard, _)| shard.clone()).collect()
    }

    /// All that are held.
    pub(crate) fn shards(&self) -> BTreeSet<String> {
        self.leases.keys().cloned().collect()
    }

    /// The process is in the group, with what it holds.
    pub(crate) fn join(&self) {
        self.grant();
    }

    /// A free shard was taken by a request that began then.
    pub(crate) fn take(&mut self, shard: &str, revision: u64, began: Instant) {
        let held =
            Held { revision, since: Instant::now(), renewed: began, asked: None, release: None };
        self.leases.insert(shard.to_owned(), held);
        self.grant();
    }

    /// A renewal of a lease begins now: its revision, if it is held.
    pub(crate) fn renew(&mut self, shard: &str) -> Option<u64> {
        let held = self.leases.get_mut(shard)?;
        held.asked.get_or_insert_with(Instant::now);
        Some(held.revision)
    }

    /// A renewal that began then was answered.
    pub(crate) fn renewed(&mut self, shard: &str, revision: u64, began: Instant) {
        if let Some(held) = self.leases.get_mut(shard) {
            held.revision = held.revision.max(revision);
            held.renewed = held.renewed.max(began);
            held.asked = None;
            self.confirm(shard);
        }
    }

    /// A revision that says that this process is the owner was seen. It is as good as an answer that
    /// was lost.
    pub(crate) fn seen(&mut self, shard: &str, revision: u64) {
        if let Some(held) = self.leases.get_mut(shard)
            && revision > held.revision
        {
            held.revision = revision;
            if let Some(asked) = held.asked {
                held.renewed = held.renewed.max(asked);
            }
            self.confirm(shard);
        }
    }

    /// Another process has these: what is still done for them is over.
    pub(crate) fn lose(&mut self, shards: &[String]) {
        for shard in shards {
            if let Some(Held { release: Some(release), .. }) = self.leases.remove(shard) {
                release.cut_short();
            }
        }
        self.grant();
    }

    /// Lets go what the others may soon take, because no renewal was answered. Gives those shards.
    pub(crate) fn expire(&mut self) -> Vec<String> {
        let longest = self.ttl.mul_f64(LET_GO);
        let expired = self.leases.iter().filter(|(_, held)| held.renewed.elapsed() >= longest);
        let expired: Vec<String> = expired.map(|(shard, _)| shard.clone()).collect();
        if !expired.is_empty() {
            self.lose(&expired);
        }
        expired
    }

    /// Begins to give those away that are not among these: the process could not run them any more.
    pub(crate) fn give_up(&mut self, shards: &BTreeSet<String>) {
        for shard in self.granted().difference(shards) {
            self.give(shard);
        }
    }

    /// Begins to give a shard away.
    pub(crate) fn give(&mut self, shard: &str) {
        let mut kept = self.granted();
        kept.remove(shard);
        let release = self.ownership.grant(&kept);
        if let Some(held) = self.leases.get_mut(shard) {
            held.release = Some(release);
        }
    }

    /// Shards that are given away and let go, or had time enough for it, with their revisions.
    pub(crate) fn released(&self) -> Vec<(String, u64)> {
        let mut released = Vec::new();
        for (shard, held) in &self.leases {
            let Some(release) = &held.release else { continue };
            let late = release.took() > RELEASE;
            if late && !release.cut_short().is_empty() {
                tracing::warn!(
                    connector = shard,
                    "not let go in time for another process; what it still publishes is fenced"
                );
            }
            if late || release.is_done() {
                released.push((shard.clone(), held.revision));
            }
        }
        released
    }

    /// Ends all of them, and gives them with their revisions.
    pub(crate) fn clear(&mut self) -> Vec<(String, u64)> {
        let shards: Vec<String> = self.leases.keys().cloned().collect();
        let revisions = self.leases.iter().map(|(shard, held)| (shard.clone(), held.revision));
        let revisions = revisions.collect();
        self.lose(&shards);
        revisions
    }

    fn granted(&self) -> BTreeSet<String> {
        let kept = self.leases.iter().filter(|(_, held)| held.release.is_none());
        kept.map(|(shard, _)| shard.clone()).collect()
    }

    /// Grants what is held and not about to be given away. What was lost is over at once.
    fn grant(&self) {
        self.ownership.grant(&self.granted()).cut_short();
        for shard in self.leases.keys() {
            self.confirm(shard);
        }
    }

    fn confirm(&self, shard: &str) {
        if let Some(held) = self.leases.get(shard) {
            self.ownership.confirm_shard(shard, held.renewed + self.ttl);
        }
    }
}
