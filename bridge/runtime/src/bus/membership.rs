//! How a process takes part in the group of those that share the work.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::task::JoinHandle;

use super::fault::BusFault;
use super::ownership::Ownership;
use super::shards::Shards;

/// Ends something that runs on and on. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// From now on it is to end.
    pub fn set(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether to end.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// Told of trouble with a bus, and of its end.
pub type Report = Arc<dyn Fn(Option<&BusFault>) + Send + Sync>;

/// How a process takes part in the group of those that share the work.
pub struct Membership {
    /// The shards that it could run, which come and go.
    pub shards: Shards,
    /// Replicas of what the bus keeps for the group, where it creates that; 0 is the bus's default.
    pub replication: u16,
    /// Where the shards that it may run are granted.
    pub ownership: Ownership,
    /// Told when the bus does not answer, and when it answers again.
    pub report: Report,
    /// Ends the membership.
    pub stop: Stop,
}

impl Membership {
    /// A process that shares the work with nobody: all of it is granted at once.
    pub fn alone(self) -> JoinHandle<()> {
        let Membership { shards, ownership, stop, .. } = self;
        let mut seen = shards.current();
        ownership.grant(&seen);
        tokio::spawn(async move {
            while !stop.is_set() {
                shards.changed(&seen).await;
                seen = shards.current();
                ownership.grant(&seen);
            }
        })
    }
}
