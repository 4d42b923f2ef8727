//! A [`Store`] as a compacted topic of one partition. The revision of an entry is its offset.
//!
//! [`writer`] compares and sets, [`follower`] follows, and both read with [`log`](mod@log). What is put goes through
//! an idempotent producer without transactions.

mod follower;
mod log;
mod puts;
mod topic;
mod writer;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use talon_runtime::bus::{Expected, Outbox, Store, Told, TopicSpec, WriteFault};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use self::follower::Follower;
use self::puts::Puts;
use self::topic::StoreTopic;
use self::writer::Writer;
use crate::cluster::Cluster;

/// Followers wait for what they are told in a queue of so many.
const QUEUE: usize = 256;

/// A store of the cluster.
pub(crate) struct KafkaStore {
    topic: Arc<StoreTopic>,
    read_every: Duration,
    writer: Mutex<Writer>,
    outbox: Outbox,
}

impl KafkaStore {
    /// Does no I/O. Followers read everything anew so often.
    pub(crate) fn new(
        cluster: &Cluster,
        group: String,
        spec: TopicSpec,
        read_every: Duration,
    ) -> KafkaStore {
        let topic = Arc::new(StoreTopic::new(cluster, group, spec));
        let puts = Mutex::new(Puts::new(topic.clone()));
        let outbox = Outbox::new(&topic.spec.name, move |all| {
            puts.lock().unwrap_or_else(PoisonError::into_inner).write(all)
        });
        KafkaStore { writer: Mutex::new(Writer::new(topic.clone())), topic, read_every, outbox }
    }
}

impl Store for KafkaStore {
    fn follow(&self) -> mpsc::Receiver<Told> {
        let (told, receiver) = mpsc::channel(QUEUE);
        let follower = Follower::new(self.topic.clone(), self.read_every, told);
        let runtime = Handle::current();
        std::thread::spawn(move || {
            let _inside = runtime.enter();
            follower.run();
        });
        receiver
    }

    fn write(
        &self,
        key: &str,
        value: Option<&[u8]>,
        expected: Expected,
    ) -> Result<u64, WriteFault> {
        // One at a time in a process: two would fence each other.
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        writer.write(key, value, expected)
    }

    fn put(&self, key: &str, value: Option<&[u8]>) {
        self.outbox.put(key, value);
    }

    fn flush(&self, at_most: Duration) -> bool {
        self.outbox.flush(at_most)
    }
}
