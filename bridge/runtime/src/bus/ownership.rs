//! Which shards this process may run, as the bus decides through its group protocol or leases.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::watch;

use super::grant::{Grant, Release, nanos};

/// What one process may run. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Ownership(Arc<watch::Sender<State>>);

#[derive(Debug, Default)]
struct State {
    /// Whether the process is in the group.
    joined: bool,
    /// Whether it stops: nothing is granted any more.
    stopped: bool,
    /// Until when a grant is good in the beginning; none is for ever.
    good_until: Option<u64>,
    grants: BTreeMap<String, Grant>,
    /// Shards that this process does not run now, though they may be granted.
    at_rest: BTreeSet<String>,
    /// Who runs what is not granted here.
    owners: BTreeMap<String, Owner>,
    /// Taken back; those that are let go are dropped with the next change.
    closing: Vec<Grant>,
}

impl Default for Ownership {
    fn default() -> Ownership {
        Ownership(Arc::new(watch::Sender::new(State::default())))
    }
}

/// Who runs a shard that this process does not.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Owner {
    /// The bus has not said.
    #[default]
    Unknown,
    /// This process of the group: a name for people.
    Process(String),
    /// No process of the group that could run it does.
    Nobody,
}

/// What calls for the attention of a service that does not run.
#[derive(Debug, Clone)]
pub(crate) enum Standing {
    /// The process is not in the group.
    Away,
    /// Not to be run here.
    Elsewhere(Owner),
    /// It may be run here.
    Granted(Grant),
    /// The process stops, or does not run the shard now.
    Stopped,
}

impl Ownership {
    /// From now on this process may run these shards and no others. Called by the bus. What it gives
    /// back is to be waited for before the group is told that other shards are free: also what was at work in
    /// a shard of these before it came to [rest](Ownership::rest).
    pub fn grant(&self, shards: &BTreeSet<String>) -> Release {
        let mut taken = Vec::new();
        self.0.send_modify(|state| {
            state.joined = true;
            state.grants.retain(|shard, grant| {
                let stays = shards.contains(shard);
                if !stays {
                    taken.push(grant.clone());
                }
                stays
            });
            for shard in shards {
                if !state.grants.contains_key(shard) {
                    let grant = Grant::until(shard, state.good_until.unwrap_or(u64::MAX));
                    if state.stopped {
                        grant.close();
                    }
                    state.grants.insert(shard.clone(), grant);
                }
            }
            state.closing.retain(|grant| !grant.is_released());
            let earlier = state
                .closing
                .iter()
                .filter(|grant| taken.iter().any(|t| t.shard() == grant.shard()));
            let earlier: Vec<Grant> = earlier.cloned().collect();
            state.closing.extend(taken.iter().cloned());
            taken.extend(earlier);
        });
        taken.iter().for_each(Grant::close);
        Release::of(taken)
    }

    /// What was taken back, or has come to rest, and may still be held, of these shards. Called by the bus
    /// before it tells the group that they are free.
    pub fn closing(&self, of: impl Fn(&str) -> bool) -> Release {
        let state = self.0.borrow();
        let grants = state.closing.iter().filter(|grant| of(grant.shard()) && !grant.is_released());
        Release::of(grants.cloned().collect())
    }

    /// This process does not run the shard from now on, whether it is granted or not: its services commit what
    /// was read and end. The shard stays what it is to the bus. Gives what is to be waited for.
    pub(crate) fn rest(&self, shard: &str) -> Release {
        self.0.send_modify(|state| {
            state.at_rest.insert(shard.to_owned());
            if let Some(grant) = state.grants.get_mut(shard) {
                // What comes next is not to be mixed up with what ends.
                let next = Grant::until(shard, grant.good_until());
                if state.stopped {
                    next.close();
                }
                let ended = std::mem::replace(grant, next);
                ended.close();
                state.closing.push(ended);
            }
            state.closing.retain(|grant| !grant.is_released());
        });
        self.closing(|closing| closing == shard)
    }

    /// This process runs the shard again while it is granted.
    pub(crate) fn wake(&self, shard: &str) {
        self.0.send_if_modified(|state| state.at_rest.remove(shard));
    }

    /// Whether a shard is granted, also one at rest; or who has it.
    pub(crate) fn owner(&self, shard: &str) -> Result<(), Owner> {
        let state = self.0.borrow();
        match state.grants.contains_key(shard) {
            true => Ok(()),
            false => Err(state.owners.get(shard).cloned().unwrap_or_default()),
        }
    }

    /// All grants are good until `until`, also those that are given from now on; see
    /// [`Grant::confirm`]. Called by the bus, again and again, each time before the last one lapses.
    pub fn confirm(&self, until: Instant) {
        self.0.send_if_modified(|state| {
            state.good_until = Some(nanos(until));
            state.grants.values().for_each(|grant| grant.confirm(until));
            false
        });
    }

    /// The grant of one shard is good until `until`.
    pub fn confirm_shard(&self, shard: &str, until: Instant) {
        if let Some(grant) = self.0.borrow().grants.get(shard) {
            grant.confirm(until);
        }
    }

    /// The group is lost, and with it everything that was granted: others may have it already. Called
    /// by the bus.
    pub fn withdraw(&self) {
        self.0.send_modify(|state| {
            state.joined = false;
            let lost = std::mem::take(&mut state.grants).into_values();
            state.closing.extend(lost);
            state.closing.iter().for_each(Grant::finish);
            state.closing.retain(|grant| !grant.is_released());
        });
    }

    /// Who runs a shard, as the bus knows it; only of interest while it is not granted here. Called by
    /// the bus.
    pub fn tell_owner(&self, shard: &str, owner: Owner) {
        self.0.send_if_modified(|state| {
            let changes = state.owners.get(shard) != Some(&owner);
            if changes {
                state.owners.insert(shard.to_owned(), owner);
            }
            changes
        });
    }

    /// What is granted.
    pub fn granted(&self) -> BTreeSet<String> {
        self.0.borrow().grants.keys().cloned().collect()
    }

    /// The process stops: all grants close, and none is given any more.
    pub(crate) fn stop(&self) {
        self.0.send_modify(|state| {
            state.stopped = true;
            state.grants.values().for_each(Grant::close);
        });
    }

    /// Nothing is waited for any more.
    pub(crate) fn finish(&self) {
        let state = self.0.borrow();
        state.grants.values().chain(&state.closing).for_each(Grant::finish);
    }

    /// Whether the process stops.
    pub(crate) fn is_stopped(&self) -> bool {
        self.0.borrow().stopped
    }

    /// Where a shard stands.
    pub(crate) fn standing(&self, shard: &str) -> Standing {
        self.0.borrow().standing(shard)
    }

    /// Waits until the shard stands otherwise than `met` says no to.
    pub(crate) async fn wait(&self, shard: &str, met: impl Fn(&Standing) -> bool) {
        // The sender lives in `self`, so the channel does not close while this waits.
        self.0.subscribe().wait_for(|state| met(&state.standing(shard))).await.ok();
    }

    /// Whether a service of this process runs the shard, also under a grant that was taken back.
    pub(crate) fn is_held(&self, shard: &str) -> bool {
        let state = self.0.borrow();
        let mut grants = state.grants.values().chain(&state.closing);
        grants.any(|grant| grant.shard() == shard && !grant.is_released())
    }
}

impl State {
    fn standing(&self, shard: &str) -> Standing {
        match self.grants.get(shard) {
            _ if self.stopped || self.at_rest.contains(shard) => Standing::Stopped,
            _ if !self.joined => Standing::Away,
            Some(grant) => Standing::Granted(grant.clone()),
            None => Standing::Elsewhere(self.owners.get(shard).cloned().unwrap_or_default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::bus::BusFault;

    fn set(shards: &[&str]) -> BTreeSet<String> {
        shards.iter().map(|shard| (*shard).to_owned()).collect()
    }

    fn granted(ownership: &Ownership, shard: &str) -> Grant {
        match ownership.standing(shard) {
            Standing::Granted(grant) => grant,
            other => panic!("`{shard}` is {other:?}"),
        }
    }

    #[tokio::test]
    async fn a_shard_is_released_when_nobody_holds_it_and_no_other_is_touched() {
        let ownership = Ownership::default();
        assert!(matches!(ownership.standing("a"), Standing::Away));
        ownership.grant(&set(&["a", "b"]));
        let (a, b) = (granted(&ownership, "a"), granted(&ownership, "b"));
        let (feeds, lane, _b) = (a.hold().unwrap(), a.hold().unwrap(), b.hold().unwrap());
        let release = ownership.grant(&set(&["b"]));
        a.closing().await;
        assert!(a.hold().is_none(), "nothing new begins");
        assert!(!release.is_done() && a.may_finish().is_ok() && a.may_begin().is_err());
        assert!(b.is_open());
        drop(feeds);
        assert!(!release.is_done(), "the other service still runs");
        assert!(ownership.is_held("a"));
        drop(lane);
        assert!(release.is_done() && !ownership.is_held("a"));
        assert!(matches!(ownership.standing("a"), Standing::Elsewhere(_)));
    }

    #[tokio::test]
    async fn what_is_not_let_go_in_time_is_over() {
        let ownership = Ownership::default();
        ownership.grant(&set(&["a", "b"]));
        let (a, b) = (granted(&ownership, "a"), granted(&ownership, "b"));
        let _late = a.hold();
        let release = ownership.grant(&set(&[]));
        assert_eq!(release.cut_short(), ["a"]);
        a.over().await;
        assert_eq!(a.may_finish(), Err(BusFault::Revoked));
        assert!(!b.is_over());
    }

    #[test]
    fn a_shard_that_comes_back_has_a_grant_of_its_own() {
        let ownership = Ownership::default();
        ownership.grant(&set(&["a"]));
        let before = granted(&ownership, "a");
        let held = before.hold();
        ownership.grant(&set(&[]));
        ownership.grant(&set(&["a"]));
        let after = granted(&ownership, "a");
        assert!(after.is_open() && !before.is_open());
        assert!(ownership.is_held("a"), "under the grant before");
        drop(held);
        assert!(!ownership.is_held("a"));
    }

    #[test]
    fn a_grant_that_was_not_confirmed_in_time_begins_nothing() {
        let ownership = Ownership::default();
        ownership.grant(&set(&["a", "b"]));
        let (a, b) = (granted(&ownership, "a"), granted(&ownership, "b"));
        ownership.confirm(Instant::now() + Duration::from_secs(60));
        assert!(a.is_open() && b.is_open());
        ownership.confirm_shard("a", Instant::now());
        assert!(!a.is_open() && a.may_finish().is_ok() && b.is_open());
    }

    #[test]
    fn after_a_stop_nothing_is_granted() {
        let ownership = Ownership::default();
        ownership.grant(&set(&["a"]));
        let a = granted(&ownership, "a");
        ownership.stop();
        assert!(!a.is_open() && !a.is_over());
        assert!(matches!(ownership.standing("a"), Standing::Stopped));
        ownership.grant(&set(&["a", "b"]));
        assert!(matches!(ownership.standing("b"), Standing::Stopped));
        ownership.finish();
        assert!(a.is_over());
    }

    #[tokio::test]
    async fn a_shard_at_rest_stays_granted_and_is_free_when_what_ended_has_let_go() {
        let ownership = Ownership::default();
        ownership.grant(&set(&["a", "b"]));
        let (before, b) = (granted(&ownership, "a"), granted(&ownership, "b"));
        let held = before.hold();
        let rest = ownership.rest("a");
        before.closing().await;
        assert!(matches!(ownership.standing("a"), Standing::Stopped), "its services end");
        assert_eq!(ownership.granted(), set(&["a", "b"]));
        assert!(b.is_open() && ownership.owner("a").is_ok() && !rest.is_done());
        // The group takes it away before what ended has let go.
        let taken = ownership.grant(&set(&["b"]));
        let closing = ownership.closing(|shard| shard == "a");
        assert!(!taken.is_done() && !closing.is_done());
        drop(held);
        rest.done().await;
        assert!(taken.is_done() && closing.is_done());
        assert!(matches!(ownership.standing("a"), Standing::Stopped));
        ownership.wake("a");
        assert!(matches!(ownership.standing("a"), Standing::Elsewhere(_)));
    }

    #[test]
    fn what_comes_after_a_rest_is_good_for_as_long_as_the_shard_is() {
        let ownership = Ownership::default();
        ownership.grant(&set(&["a"]));
        ownership.confirm_shard("a", Instant::now());
        ownership.rest("a");
        ownership.wake("a");
        let again = granted(&ownership, "a");
        assert!(!again.is_open(), "the lease has lapsed, whatever happened in this process");
        ownership.confirm_shard("a", Instant::now() + Duration::from_secs(60));
        assert!(again.is_open());
        ownership.rest("a");
        ownership.stop();
        ownership.wake("a");
        assert!(matches!(ownership.standing("a"), Standing::Stopped));
    }

    #[test]
    fn a_lost_group_ends_everything_at_once() {
        let ownership = Ownership::default();
        ownership.grant(&set(&["a", "b"]));
        let (a, b) = (granted(&ownership, "a"), granted(&ownership, "b"));
        let _held = (a.hold(), b.hold());
        ownership.grant(&set(&["b"]));
        ownership.withdraw();
        assert!(a.is_over() && b.is_over());
        assert!(matches!(ownership.standing("b"), Standing::Away));
    }
}
