//! A bus that keeps nothing, and tells what was done to it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use talon_runtime::Setup;
use talon_runtime::bus::{
    Append, Bus, BusFault, Grant, Membership, Ownership, Place, Recovered, ShardLog, ShardSpec,
    Shards,
};
use talon_runtime::options::Options;
use tokio::task::JoinHandle;

use crate::one_log::OneLog;

/// What became of one shard.
#[derive(Debug, Default, Clone)]
pub(crate) struct Shard {
    /// How often it was opened.
    pub(crate) opened: usize,
    /// How many have it open or are opening it now; and the most that ever had.
    pub(crate) open: usize,
    pub(crate) most: usize,
    pub(crate) commits: usize,
}

#[derive(Default)]
struct Seen {
    shards: BTreeMap<String, Shard>,
    /// Shards that take their time: to open, until they are let go; to commit.
    opens_slowly: BTreeSet<String>,
    commits_slowly: BTreeSet<String>,
    member: Option<(Shards, Ownership)>,
}

/// The bus. Clones are one.
#[derive(Clone, Default)]
pub(crate) struct Watched(Arc<Mutex<Seen>>);

impl Watched {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap()
    }

    pub(crate) fn shard(&self, name: &str) -> Shard {
        self.seen().shards.get(name).cloned().unwrap_or_default()
    }

    /// To open this shard takes until nobody wants it any more, and longer, or is quick.
    pub(crate) fn open_slowly(&self, name: &str, slowly: bool) {
        match slowly {
            true => drop(self.seen().opens_slowly.insert(name.to_owned())),
            false => drop(self.seen().opens_slowly.remove(name)),
        }
    }

    pub(crate) fn commit_slowly(&self, name: &str) {
        self.seen().commits_slowly.insert(name.to_owned());
    }

    /// What the process could run, and its grants.
    pub(crate) fn member(&self) -> (Shards, Ownership) {
        self.seen().member.clone().unwrap()
    }
}

impl Bus for Watched {
    fn describe(&self) -> String {
        "watched".to_owned()
    }

    fn probe(&self) -> Result<String, BusFault> {
        Ok(String::new())
    }

    fn join(&self, membership: Membership) -> JoinHandle<()> {
        self.seen().member = Some((membership.shards.clone(), membership.ownership.clone()));
        membership.alone()
    }

    fn open(&self, shard: &ShardSpec, grant: &Grant) -> Result<Box<dyn ShardLog>, BusFault> {
        let name = shard.name.clone();
        {
            let mut seen = self.seen();
            let shard = seen.shards.entry(name.clone()).or_default();
            shard.open += 1;
            shard.most = shard.most.max(shard.open);
        }
        let log = Log { bus: self.clone(), name: name.clone() };
        while self.seen().opens_slowly.contains(&name) && grant.is_open() {
            std::thread::sleep(Duration::from_millis(5));
        }
        if !grant.is_open() {
            // A request that was on its way, and ends late.
            std::thread::sleep(Duration::from_millis(100));
        }
        grant.may_begin()?;
        self.seen().shards.entry(name).or_default().opened += 1;
        Ok(Box::new(log))
    }
}

struct Log {
    bus: Watched,
    name: String,
}

impl ShardLog for Log {
    fn recover(
        &mut self,
        _: &mut dyn FnMut(Place, Recovered<'_>) -> Result<(), BusFault>,
    ) -> Result<(), BusFault> {
        Ok(())
    }

    fn append(&mut self, _: &Append<'_>) -> Result<(), BusFault> {
        Ok(())
    }

    fn commit(&mut self, _: &[(String, Vec<u8>)]) -> Result<(), BusFault> {
        if self.bus.seen().commits_slowly.contains(&self.name) {
            std::thread::sleep(Duration::from_millis(300));
        }
        self.bus.seen().shards.entry(self.name.clone()).or_default().commits += 1;
        Ok(())
    }

    fn idle(&mut self) -> Result<(), BusFault> {
        Ok(())
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.bus.seen().shards.entry(self.name.clone()).or_default().open -= 1;
    }
}

/// A connector under a name, each read of which gives a new row.
pub(crate) fn setup(name: &str) -> Setup {
    let read = AtomicU64::new(0);
    Setup {
        name: name.to_owned(),
        class: "rising",
        options: Options::default(),
        connector: Arc::new(OneLog::of(move || read.fetch_add(1, Ordering::Relaxed).to_string())),
        commands: None,
    }
}
