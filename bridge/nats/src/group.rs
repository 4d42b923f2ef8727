//! Who runs what: takes part in the group through the bucket of leases. What to do is decided in
//! [`lease`](mod@crate::lease).

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use async_nats::jetstream::kv::{self, Operation, Store};
use async_nats::jetstream::{self, stream::StorageType};
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::join_all;
use serde::{Serialize, de::DeserializeOwned};
use talon_runtime::bus::{BusFault, Membership, Release};

use crate::Shared;
use crate::connection::Connection;
use crate::lease::{Lease, Presence, Seen, Step, View};
use crate::names;

/// How long a shard that is taken back may take to commit what was read.
const RELEASE: Duration = Duration::from_secs(20);

/// Pause before the bucket is opened again after a failure.
const PAUSE: Duration = Duration::from_secs(1);

/// Entries of members that are gone vanish after this.
const FORGOTTEN: Duration = Duration::from_secs(3600);

/// A bucket of which nothing comes for so long is empty.
const EMPTY: Duration = Duration::from_millis(250);

/// How often a stop is looked for.
const GLANCE: Duration = Duration::from_millis(50);

/// One request to the server, at most.
const REQUEST: Duration = Duration::from_secs(5);

/// A member of the group.
pub(crate) struct Member {
    jetstream: jetstream::Context,
    /// Name of the bucket.
    bucket: String,
    /// Unique among all processes.
    id: String,
    ttl: Duration,
    membership: Membership,
}

/// A lease that is held.
#[derive(Debug)]
struct Held {
    revision: u64,
    /// When it was taken.
    since: Instant,
    /// When the renewal that made the revision began.
    renewed: Instant,
    /// Set when it is to be given to another: it is renewed until its shard is let go.
    release: Option<Release>,
}

/// What became of a renewal.
enum Renewal {
    /// It has this revision now.
    Held(u64),
    /// Another has it.
    Lost,
}

impl Member {
    pub(crate) fn new(connection: Connection, shared: &Shared, membership: Membership) -> Member {
        let inbox = connection.client.new_inbox();
        let id = inbox.rsplit('.').next().unwrap_or_default().to_owned();
        Member {
            jetstream: connection.jetstream,
            bucket: names::leases(&shared.prefix),
            id,
            ttl: shared.access.lease,
            membership,
        }
    }

    /// Takes part until told to give up.
    pub(crate) async fn run(self) {
        let mut held = BTreeMap::new();
        // A new grant is good when its lease says so, and not before.
        self.membership.ownership.confirm(Instant::now());
        while !self.membership.stop.is_set() {
            if let Err(fault) = self.take_part(&mut held).await {
                (self.membership.report)(Some(&fault));
            }
            self.let_expire(&mut held);
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn take_part(&self, held: &mut BTreeMap<String, Held>) -> Result<(), BusFault> {
        let store = self.open().await?;
        let mut entries = within(store.watch_with_history(">")).await?;
        let mut view = View::default();
        let mut mine: Option<(u64, Instant)> = None;
        let mut tick = tokio::time::interval(self.ttl / 5);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        // What is there comes first: to act before it is seen would be to act blindly. Of an empty
        // bucket nothing comes.
        while let Ok(Some(entry)) = tokio::time::timeout(EMPTY, entries.next()).await {
            let entry = entry.map_err(|error| lost(&error))?;
            let seen_all = entry.seen_current;
            view.take(entry);
            if seen_all {
                break;
            }
        }
        (self.membership.report)(None);
        let mut glance = tokio::time::interval(GLANCE);
        glance.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = self.asked_to_leave() => return self.leave(&store, held).await,
                _ = tick.tick() => {
                    let present = Presence { shards: self.membership.shards.clone() };
                    let revision = mine.map_or(0, |(revision, _)| revision);
                    let key = format!("member.{}", self.id);
                    let written = match put(&store, &key, &present, revision).await? {
                        Some(written) => Some(written),
                        // The entry was forgotten, or is an earlier one of this process.
                        None => match within(store.entry(key.as_str())).await? {
                            Some(entry) => put(&store, &key, &present, entry.revision).await?,
                            None => put(&store, &key, &present, 0).await?,
                        },
                    };
                    mine = written.map(|revision| (revision, Instant::now()));
                    self.renew(&store, held).await?;
                }
                _ = glance.tick(), if held.values().any(|lease| lease.release.is_some()) => {}
                entry = entries.next() => match entry {
                    Some(Ok(entry)) => view.take(entry),
                    Some(Err(error)) => return Err(lost(&error)),
                    None => return Err(BusFault::Unavailable("NATS: the watch on the leases ended".to_owned())),
                },
            }
            self.act(&store, &view, held).await?;
        }
    }

    async fn open(&self) -> Result<Store, BusFault> {
        match self.jetstream.get_key_value(&self.bucket).await {
            Ok(store) => Ok(store),
            // Leases are no memory: an empty bucket costs nothing but a moment.
            Err(_) => {
                within(self.jetstream.create_key_value(kv::Config {
                    bucket: self.bucket.clone(),
                    description: "Talon: which process runs which connector".to_owned(),
                    history: 1,
                    max_age: FORGOTTEN,
                    storage: StorageType::File,
                    num_replicas: usize::from(self.membership.replication.max(1)),
                    ..kv::Config::default()
                }))
                .await
            }
        }
    }

    async fn act(
        &self,
        store: &Store,
        view: &View,
        held: &mut BTreeMap<String, Held>,
    ) -> Result<(), BusFault> {
        self.give_back(store, held).await?;
        let mut names: Vec<String> = held.keys().cloned().collect();
        names.sort_by_key(|shard| held.get(shard).map(|lease| lease.since));
        for step in view.decide(&self.id, &self.membership.shards, &names, self.ttl, Instant::now())
        {
            match step {
                Step::Take(shard, revision) => {
                    let since = Instant::now();
                    let lease = Lease { owner: Some(self.id.clone()) };
                    if let Some(revision) = put(store, &key_of(&shard), &lease, revision).await? {
                        let lease = Held { revision, since, renewed: since, release: None };
                        held.insert(shard, lease);
                    }
                }
                // One at a time.
                Step::Give(_) if held.values().any(|lease| lease.release.is_some()) => {}
                Step::Give(shard) => {
                    let mut kept = granted(held);
                    kept.remove(&shard);
                    let release = self.membership.ownership.grant(&kept);
                    if let Some(lease) = held.get_mut(&shard) {
                        lease.release = Some(release);
                    }
                }
            }
        }
        self.grant(held);
        Ok(())
    }

    /// Frees the leases of shards that are let go, or had time enough for it.
    async fn give_back(
        &self,
        store: &Store,
        held: &mut BTreeMap<String, Held>,
    ) -> Result<(), BusFault> {
        let mut free = Vec::new();
        for (shard, lease) in held.iter() {
            let Some(release) = &lease.release else { continue };
            let late = release.took() > RELEASE;
            if late && !release.cut_short().is_empty() {
                tracing::warn!(
                    connector = shard,
                    "not let go in time for another process; what it still publishes is fenced"
                );
            }
            if late || release.is_done() {
                free.push((shard.clone(), lease.revision));
            }
        }
        for (shard, revision) in free {
            put(store, &key_of(&shard), &Lease { owner: None }, revision).await?;
            held.remove(&shard);
        }
        Ok(())
    }

    /// Renews all leases side by side.
    async fn renew(
        &self,
        store: &Store,
        held: &mut BTreeMap<String, Held>,
    ) -> Result<(), BusFault> {
        let renewed = Instant::now();
        let renewals = held.iter().map(|(shard, lease)| async move {
            Ok::<_, BusFault>((shard.clone(), self.renew_one(store, shard, lease.revision).await?))
        });
        let mut failed = None;
        let mut lost = Vec::new();
        for renewal in join_all(renewals).await {
            match renewal {
                Ok((shard, Renewal::Held(revision))) => {
                    if let Some(lease) = held.get_mut(&shard) {
                        (lease.revision, lease.renewed) = (revision, renewed);
                    }
                }
                Ok((shard, Renewal::Lost)) => lost.push(shard),
                // What was renewed all the same is good for longer.
                Err(fault) => failed = Some(fault),
            }
        }
        if !lost.is_empty() {
            tracing::warn!(
                connectors = lost.join(", "),
                "fenced: this process was silent for longer than `bus.nats.lease.ttl.ms`, and these went to others; it takes part again"
            );
            held.retain(|shard, _| !lost.contains(shard));
        }
        self.grant(held);
        failed.map_or(Ok(()), Err)
    }

    async fn renew_one(
        &self,
        store: &Store,
        shard: &str,
        revision: u64,
    ) -> Result<Renewal, BusFault> {
        let (key, lease) = (key_of(shard), Lease { owner: Some(self.id.clone()) });
        if let Some(revision) = put(store, &key, &lease, revision).await? {
            return Ok(Renewal::Held(revision));
        }
        // It may be an earlier renewal of this process, whose answer was lost.
        let Some(entry) = within(store.entry(key.as_str())).await? else {
            return Ok(Renewal::Lost);
        };
        let stored = serde_json::from_slice::<Lease>(&entry.value);
        if entry.operation != Operation::Put || stored.ok().as_ref() != Some(&lease) {
            return Ok(Renewal::Lost);
        }
        let again = put(store, &key, &lease, entry.revision).await?;
        Ok(again.map_or(Renewal::Lost, Renewal::Held))
    }

    /// While the server cannot be reached: lets go what the others may soon take.
    fn let_expire(&self, held: &mut BTreeMap<String, Held>) {
        let longest = self.ttl.mul_f64(0.7);
        let before = held.len();
        held.retain(|_, lease| lease.renewed.elapsed() < longest);
        if held.len() != before {
            self.grant(held);
        }
    }

    async fn asked_to_leave(&self) {
        while !self.membership.stop.is_set() {
            tokio::time::sleep(GLANCE).await;
        }
    }

    /// On a stop: what was run here moves at once.
    async fn leave(
        &self,
        store: &Store,
        held: &mut BTreeMap<String, Held>,
    ) -> Result<(), BusFault> {
        let leases = std::mem::take(held);
        self.grant(held);
        for (shard, lease) in leases {
            put(store, &key_of(&shard), &Lease { owner: None }, lease.revision).await?;
        }
        within(store.delete(format!("member.{}", self.id))).await
    }

    /// Grants what is held and not about to be given away. What was lost is over at once: another has it.
    fn grant(&self, held: &BTreeMap<String, Held>) {
        let ownership = &self.membership.ownership;
        ownership.grant(&granted(held)).cut_short();
        for (shard, lease) in held {
            // Others count from when they see the renewal, so not before this.
            ownership.confirm_shard(shard, lease.renewed + self.ttl);
        }
    }
}

fn granted(held: &BTreeMap<String, Held>) -> BTreeSet<String> {
    let kept = held.iter().filter(|(_, lease)| lease.release.is_none());
    kept.map(|(shard, _)| shard.clone()).collect()
}

impl View {
    /// Takes in an entry of the bucket. What cannot be read is as good as not there.
    fn take(&mut self, entry: kv::Entry) {
        fn keep<T: DeserializeOwned>(
            map: &mut BTreeMap<String, Seen<T>>,
            key: String,
            entry: &kv::Entry,
        ) {
            match serde_json::from_slice(&entry.value) {
                Ok(value) if entry.operation == Operation::Put => {
                    map.insert(
                        key,
                        Seen { value, revision: entry.revision, since: Instant::now() },
                    );
                }
                _ => {
                    map.remove(&key);
                }
            }
        }
        if let Some(member) = entry.key.strip_prefix("member.") {
            keep(&mut self.members, member.to_owned(), &entry);
        } else if let Some(shard) = entry.key.strip_prefix("shard.") {
            keep(&mut self.leases, shard.to_owned(), &entry);
        }
    }
}

fn key_of(shard: &str) -> String {
    // Names of connectors are letters, digits, `_` and `-`.
    format!("shard.{shard}")
}

/// Writes an entry over a revision; `None` where another one was quicker.
async fn put<T: Serialize>(
    store: &Store,
    key: &str,
    value: &T,
    revision: u64,
) -> Result<Option<u64>, BusFault> {
    let json = serde_json::to_vec(value)
        .map_err(|error| BusFault::Aborted(format!("an entry cannot be encoded: {error}")))?;
    let update = store.update(key, Bytes::from(json), revision);
    match tokio::time::timeout(REQUEST, update).await {
        Ok(Ok(revision)) => Ok(Some(revision)),
        Ok(Err(error)) if error.kind() == kv::UpdateErrorKind::WrongLastRevision => Ok(None),
        Ok(Err(error)) => Err(lost(&error)),
        Err(_) => Err(BusFault::Unavailable("NATS: the leases do not answer in time".to_owned())),
    }
}

async fn within<T, E: std::fmt::Display>(
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, BusFault> {
    match tokio::time::timeout(REQUEST, work).await {
        Ok(result) => result.map_err(|error| lost(&error)),
        Err(_) => Err(BusFault::Unavailable("NATS: the leases do not answer in time".to_owned())),
    }
}

fn lost(error: &impl std::fmt::Display) -> BusFault {
    BusFault::Unavailable(format!("NATS: the leases cannot be read or written: {error}"))
}
