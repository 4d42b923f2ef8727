//! Who runs what: takes part in the group through the bucket of leases. What to do is decided in
//! [`plan`] from what is seen in the bucket ([`view`]); what is held and granted is kept in [`held`].
//!
//! Every request runs beside the others, one at a time for each shard, and nothing waits for it: a
//! server that answers slowly, or a shard that takes long to be let go, holds up no other.

mod bucket;
mod entries;
mod held;
mod owner;
mod plan;
mod requests;
mod view;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_nats::jetstream::kv::{Entry, Operation, WatcherError};
use futures_util::StreamExt;
use futures_util::future::join_all;
use talon_runtime::bus::{BusFault, Membership};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use crate::connection::Connection;
use crate::session::Session;

use bucket::{LeaseBucket, REQUEST, WriteError, fault, silence};
use entries::{Lease, Presence, member_key};
use held::HeldLeases;
use plan::{Own, Step, decide};
use requests::{Action, Outcome, Requests};
use view::Group;

pub(crate) use owner::owner;

/// Pause before the bucket is opened again after a failure.
const PAUSE: Duration = Duration::from_secs(1);

/// How often is looked for what is to be done, and for a stop.
const POLL: Duration = Duration::from_millis(50);

/// A member of the group.
pub(crate) struct Member {
    connection: Connection,
    session: Arc<Session>,
    /// Unique among all processes.
    id: String,
    /// What it is called, for people.
    process: String,
    ttl: Duration,
    membership: Membership,
    held: Mutex<HeldLeases>,
}

impl Member {
    pub(crate) fn new(
        connection: Connection,
        session: &Arc<Session>,
        membership: Membership,
    ) -> Member {
        let inbox = connection.client.new_inbox();
        let id = inbox.rsplit('.').next().unwrap_or_default().to_owned();
        let ttl = session.access.lease;
        let held = HeldLeases::new(membership.ownership.clone(), ttl);
        Member {
            connection,
            session: session.clone(),
            id,
            process: entries::process(),
            ttl,
            membership,
            held: Mutex::new(held),
        }
    }

    /// Takes part until told to stop.
    pub(crate) async fn run(self) {
        tokio::select! {
            () = self.take_part_until_stopped() => {}
            () = self.let_expire() => {}
        }
    }

    async fn take_part_until_stopped(&self) {
        while !self.membership.stop.is_set() {
            if let Err(fault) = self.take_part().await {
                (self.membership.report)(Some(&fault));
                sleep(PAUSE).await;
            }
        }
    }

    /// While the server cannot be reached: lets go what the others may soon take.
    async fn let_expire(&self) {
        loop {
            sleep(POLL).await;
            let expired = self.held().expire();
            if !expired.is_empty() {
                tracing::warn!(
                    connectors = expired.join(", "),
                    "NATS: no lease could be renewed within `bus.nats.lease.ttl.ms`; let go"
                );
            }
        }
    }

    async fn take_part(&self) -> Result<(), BusFault> {
        let replication = self.membership.replication;
        let bucket = LeaseBucket::open(&self.connection, &self.session, replication).await?;
        let (mut entries, empty) = bucket.watch().await?;
        let mut group = Group::new(self.ttl, Instant::now());
        // What is there comes first: to act before it is seen would be to act blindly.
        let mut seen_all = empty;
        while !seen_all {
            let entry = timeout(REQUEST, entries.next()).await.map_err(|_| self.silence())?;
            let entry = entry.ok_or_else(ended)?.map_err(|error| self.fault(&error))?;
            seen_all = entry.seen_current;
            self.see(&mut group, &entry);
        }
        self.connection.status.over();
        (self.membership.report)(None);
        // In the group also where there is nothing to be had.
        self.held().join();
        let mut requests = Requests::new(bucket);
        // Why the server may be silent can be known later than that it is.
        let mut told = None;
        let mut tick = interval(self.ttl / 5);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut poll = interval(POLL);
        poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = tick.tick() => self.renew(&mut requests),
                _ = poll.tick() => {
                    if self.membership.stop.is_set() {
                        return self.leave(&requests.bucket).await;
                    }
                    self.act(&mut group, &mut requests);
                }
                Some(outcome) = requests.running.next() => {
                    let answered = self.take(&mut group, &mut requests, outcome)?;
                    if !answered && self.connection.is_up() {
                        // The connection is new, or there was time enough.
                        tick.reset_immediately();
                    }
                    let silence = (!answered).then(|| self.silence());
                    let tells = silence.as_ref().map(BusFault::to_string);
                    if told != tells {
                        (self.membership.report)(silence.as_ref());
                        told = tells;
                    }
                }
                entry = entries.next() => {
                    let entry = entry.ok_or_else(ended)?.map_err(|error| self.fault(&error))?;
                    self.see(&mut group, &entry);
                }
            }
        }
    }

    /// An entry of the bucket.
    fn see(&self, group: &mut Group, entry: &Entry) {
        let now = Instant::now();
        group.hear(now);
        let value = (entry.operation == Operation::Put).then_some(&entry.value[..]);
        group.take(&entry.key, value, entry.revision, now);
        if let Some(shard) = group.owned_by(&self.id, &entry.key) {
            self.held().seen(shard, entry.revision);
        }
    }

    /// Says that this process is there, and renews its leases.
    fn renew(&self, requests: &mut Requests) {
        if !requests.present {
            let shards = self.membership.shards.current().iter().cloned().collect();
            let presence = Presence { shards, process: self.process.clone() };
            requests.present(member_key(&self.id), presence);
        }
        let mut held = self.held();
        for shard in held.shards() {
            if !requests.busy.contains(&shard)
                && let Some(revision) = held.renew(&shard)
            {
                requests.lease(&self.id, shard, (Action::Renew, revision), self.lease());
            }
        }
    }

    /// Begins what is to be done now.
    fn act(&self, group: &mut Group, requests: &mut Requests) {
        let mut held = self.held();
        for (shard, revision) in held.released() {
            if !requests.busy.contains(&shard) {
                requests.lease(&self.id, shard, (Action::Free, revision), Lease::FREE);
            }
        }
        let (now, shards) = (Instant::now(), self.membership.shards.current());
        group.want(&shards, now);
        held.give_up(&shards);
        let kept = held.kept();
        let known: BTreeSet<&str> = kept.iter().map(String::as_str).collect();
        let mut moving: BTreeSet<String> = held.shards();
        moving.retain(|shard| !known.contains(shard.as_str()));
        moving.extend(requests.taking.iter().cloned());
        let own = Own { member: &self.id, shards: &shards, kept: &kept, moving: &moving };
        for step in decide(group, own, now) {
            match step {
                Step::Take(shard, revision) => {
                    requests.taking.insert(shard.clone());
                    requests.lease(&self.id, shard, (Action::Take, revision), self.lease());
                }
                Step::Give(shard) => held.give(&shard),
            }
        }
        for shard in shards.iter().filter(|shard| !known.contains(shard.as_str())) {
            self.membership.ownership.tell_owner(shard, group.owner(&self.id, shard, now));
        }
    }

    /// What became of a request. Gives whether the server answered.
    fn take(
        &self,
        group: &mut Group,
        requests: &mut Requests,
        outcome: Outcome,
    ) -> Result<bool, BusFault> {
        let (shard, action, began, written) = match outcome {
            Outcome::Present(written) => {
                requests.present = false;
                return answered(written, group).map(|answer| answer.is_some());
            }
            Outcome::Lease { shard, action, began, written } => (shard, action, began, written),
        };
        requests.busy.remove(&shard);
        requests.taking.remove(&shard);
        let Some(written) = answered(written, group)? else { return Ok(false) };
        let mut held = self.held();
        match (action, written) {
            (Action::Take, Some(revision)) => {
                held.take(&shard, revision, began);
                group.wrote(&shard, self.lease(), revision, Instant::now());
            }
            // Somebody else took it.
            (Action::Take, None) => {}
            (Action::Renew, Some(revision)) => held.renewed(&shard, revision, began),
            (Action::Renew, None) => {
                tracing::warn!(
                    connector = shard,
                    "fenced: this process was silent for longer than `bus.nats.lease.ttl.ms`, and another took it; it takes part again"
                );
                held.lose(&[shard]);
            }
            (Action::Free, written) => {
                if let Some(revision) = written {
                    group.wrote(&shard, Lease::FREE, revision, Instant::now());
                }
                held.lose(&[shard]);
            }
        }
        Ok(true)
    }

    /// On a stop: what was run here moves at once.
    async fn leave(&self, bucket: &LeaseBucket) -> Result<(), BusFault> {
        let leases = self.held().clear();
        let frees = leases.iter().map(|(shard, revision)| async move {
            bucket.put_lease(&self.id, shard, &Lease::FREE, *revision).await.map(drop)
        });
        let key = member_key(&self.id);
        let (freed, removed) = tokio::join!(join_all(frees), bucket.remove(&key));
        for freed in freed {
            match freed {
                Err(WriteError::Fault(fault)) => return Err(fault),
                Err(WriteError::Silence) => return Err(self.silence()),
                Ok(()) => {}
            }
        }
        removed
    }

    fn lease(&self) -> Lease {
        Lease { owner: Some(self.id.clone()), process: Some(self.process.clone()) }
    }

    fn silence(&self) -> BusFault {
        silence(&self.connection)
    }

    fn fault(&self, error: &WatcherError) -> BusFault {
        fault(&self.connection, error)
    }

    fn held(&self) -> MutexGuard<'_, HeldLeases> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What was answered; `None` where nothing was, in time.
fn answered<T>(written: Result<T, WriteError>, group: &mut Group) -> Result<Option<T>, BusFault> {
    match written {
        Ok(written) => {
            group.hear(Instant::now());
            Ok(Some(written))
        }
        Err(WriteError::Silence) => Ok(None),
        Err(WriteError::Fault(fault)) => Err(fault),
    }
}

fn ended() -> BusFault {
    BusFault::Unavailable("NATS: the watch on the leases ended".to_owned())
}
