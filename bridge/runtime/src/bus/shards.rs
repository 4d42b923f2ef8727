//! The shards that a process could run, which come and go while it runs.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::watch;

/// The shards that a process could run. Cheap to clone; all clones are one set.
///
/// The engine adds and takes away; the bus looks again and again, and grants of what is there. A shard
/// that is taken away is given up as one that the group takes back: it is free for others when nobody in this
/// process holds it any more.
#[derive(Debug, Clone)]
pub struct Shards(Arc<watch::Sender<Arc<BTreeSet<String>>>>);

impl Shards {
    /// With these shards at first.
    pub fn new(names: impl IntoIterator<Item = String>) -> Shards {
        Shards(Arc::new(watch::Sender::new(Arc::new(names.into_iter().collect()))))
    }

    /// Those of now. Two sets are the same one (`Arc::ptr_eq`) if nothing came or went between.
    pub fn current(&self) -> Arc<BTreeSet<String>> {
        self.0.borrow().clone()
    }

    /// The process could run this one too.
    pub fn add(&self, name: &str) {
        self.0.send_if_modified(|names| {
            !names.contains(name) && Arc::make_mut(names).insert(name.to_owned())
        });
    }

    /// It is not to be run here any more.
    pub fn remove(&self, name: &str) {
        self.0.send_if_modified(|names| names.contains(name) && Arc::make_mut(names).remove(name));
    }

    /// Waits for the next change after `seen`.
    pub async fn changed(&self, seen: &Arc<BTreeSet<String>>) {
        // The sender lives in `self`, so the channel does not close while this waits.
        self.0.subscribe().wait_for(|now| !Arc::ptr_eq(now, seen)).await.ok();
    }

    /// None is to be run any more. Also wakes whoever waits for a change.
    pub(crate) fn clear(&self) {
        self.0.send_modify(|names| *names = Arc::default());
    }
}

impl<const N: usize> From<[&str; N]> for Shards {
    fn from(names: [&str; N]) -> Shards {
        Shards::new(names.map(str::to_owned))
    }
}
