//! Which shards this process may run.
//!
//! The bus decides, through its group protocol or leases, and *grants*; the connectors' tasks *hold*
//! what they run. A bus that takes a shard back shrinks the grant and waits until the shard is let go,
//! so that what was read is committed before another process takes over. Should that not happen in
//! time, fencing keeps the two apart.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

/// What one process may run and runs. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Ownership(Arc<watch::Sender<State>>);

#[derive(Debug, Default)]
struct State {
    /// Whether the process is in the group.
    joined: bool,
    granted: BTreeSet<String>,
    /// Shards that are held, and by how many of their services.
    held: BTreeMap<String, usize>,
    /// The grant is good until then, unless it is confirmed again; none is for ever.
    good_until: Option<Instant>,
}

/// A shard that a service of this process runs, until dropped.
#[derive(Debug)]
pub(crate) struct Held {
    shard: String,
    ownership: Ownership,
}

impl Default for Ownership {
    fn default() -> Ownership {
        Ownership(Arc::new(watch::Sender::new(State::default())))
    }
}

impl Ownership {
    /// From now on this process may run these shards and no others. Called by the bus.
    pub fn grant(&self, shards: BTreeSet<String>) {
        self.0.send_modify(|state| {
            state.joined = true;
            state.granted = shards;
        });
    }

    /// The grant is good until `until`, by this process's clock, if nothing is heard of the bus. Called
    /// by the bus, again and again, each time before the last one lapses.
    ///
    /// It is for a process that was paused: another may have been granted the work meanwhile, and this
    /// one does not know yet. What it publishes is fenced by the bus; what it would send to an upstream
    /// is not, so it looks at the time first.
    pub fn confirm(&self, until: Instant) {
        self.0.send_if_modified(|state| {
            state.good_until = Some(until);
            false
        });
    }

    /// Whether something may be sent to an upstream now in the name of the shard.
    pub(crate) fn may_act(&self, shard: &str) -> bool {
        let state = self.0.borrow();
        let good = state.good_until.is_none_or(|until| Instant::now() < until);
        good && state.granted.contains(shard)
    }

    /// The group is lost, and with it everything that was granted. Called by the bus.
    pub fn withdraw(&self) {
        self.0.send_modify(|state| *state = State { held: state.held.clone(), ..State::default() });
    }

    /// What is granted.
    pub fn granted(&self) -> BTreeSet<String> {
        self.0.borrow().granted.clone()
    }

    /// Waits until nothing is held that is not granted; `false` if that took longer than `patience`.
    /// Called by the bus, on a thread that may block, after it has shrunk the grant.
    pub fn wait_released(&self, patience: Duration) -> bool {
        let since = Instant::now();
        loop {
            {
                let state = self.0.borrow();
                if state.held.keys().all(|shard| state.granted.contains(shard)) {
                    return true;
                }
            }
            if since.elapsed() > patience {
                return false;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Whether the process is in the group.
    pub(crate) fn has_joined(&self) -> bool {
        self.0.borrow().joined
    }

    /// Waits until the process is in the group.
    pub(crate) async fn wait_joined(&self) {
        self.wait(|state| state.joined).await;
    }

    /// Whether the shard is granted.
    pub(crate) fn is_granted(&self, shard: &str) -> bool {
        self.0.borrow().granted.contains(shard)
    }

    /// Waits until the shard is granted, or the group is lost.
    pub(crate) async fn wait_granted(&self, shard: &str) {
        self.wait(|state| !state.joined || state.granted.contains(shard)).await;
    }

    /// Waits until the shard is no longer granted.
    pub(crate) async fn wait_revoked(&self, shard: &str) {
        self.wait(|state| !state.granted.contains(shard)).await;
    }

    /// Whether a service of this process runs the shard.
    pub(crate) fn is_held(&self, shard: &str) -> bool {
        self.0.borrow().held.contains_key(shard)
    }

    /// Waits until the shard is not held.
    pub(crate) async fn wait_unheld(&self, shard: &str) {
        self.wait(|state| !state.held.contains_key(shard)).await;
    }

    async fn wait(&self, met: impl Fn(&State) -> bool) {
        // The sender lives in `self`, so the channel does not close while this waits.
        self.0.subscribe().wait_for(|state| met(state)).await.ok();
    }

    /// Holds a shard.
    pub(crate) fn hold(&self, shard: &str) -> Held {
        self.0.send_modify(|state| {
            *state.held.entry(shard.to_owned()).or_default() += 1;
        });
        Held { shard: shard.to_owned(), ownership: self.clone() }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.ownership.0.send_modify(|state| {
            if let Some(services) = state.held.get_mut(&self.shard) {
                *services -= 1;
                if *services == 0 {
                    state.held.remove(&self.shard);
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(shards: &[&str]) -> BTreeSet<String> {
        shards.iter().map(|shard| (*shard).to_owned()).collect()
    }

    #[tokio::test]
    async fn a_revoked_shard_is_waited_for_until_it_is_let_go() {
        let ownership = Ownership::default();
        assert!(!ownership.is_granted("a"));
        ownership.grant(set(&["a", "b"]));
        ownership.wait_granted("a").await;
        let (a, _b) = (ownership.hold("a"), ownership.hold("b"));
        assert!(ownership.wait_released(Duration::ZERO));
        ownership.grant(set(&["b"]));
        ownership.wait_revoked("a").await;
        assert!(!ownership.wait_released(Duration::ZERO), "a is still held");
        drop(a);
        assert!(ownership.wait_released(Duration::ZERO));
        assert!(ownership.is_granted("b") && !ownership.is_granted("a"));
        assert!(ownership.may_act("b") && !ownership.may_act("a"));
        ownership.confirm(Instant::now() + Duration::from_secs(60));
        assert!(ownership.may_act("b"));
        ownership.confirm(Instant::now());
        assert!(!ownership.may_act("b"), "the grant has lapsed");
        ownership.withdraw();
        ownership.wait_granted("b").await;
        assert!(!ownership.is_granted("b") && !ownership.has_joined());
    }
}
