//! A [`Store`] as a key-value bucket. The revision of an entry is its sequence in the stream below.
//!
//! [`writer`] compares and sets, by the sequence that it expects of the subject, and writes what was put.
//! [`follower`] follows.

mod bucket;
mod entry;
mod follower;
mod writer;

use std::sync::Arc;
use std::time::Duration;

use talon_runtime::bus::{Expected, Outbox, Store, Told, TopicSpec, WriteFault};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use self::bucket::StoreBucket;
use self::follower::Follower;
use crate::session::Session;

/// Followers wait for what they are told in a queue of so many.
const QUEUE: usize = 256;

/// A store on the servers.
pub(crate) struct NatsStore {
    bucket: Arc<StoreBucket>,
    read_every: Duration,
    outbox: Outbox,
}

impl NatsStore {
    /// Does no I/O. Followers read everything anew so often.
    pub(crate) fn new(session: &Arc<Session>, spec: TopicSpec, read_every: Duration) -> NatsStore {
        let name = spec.name.clone();
        let bucket = Arc::new(StoreBucket::new(session, spec));
        let mine = bucket.clone();
        let outbox =
            Outbox::new(&name, move |all| Handle::current().block_on(writer::put(&mine, all)));
        NatsStore { bucket, read_every, outbox }
    }
}

impl Store for NatsStore {
    fn follow(&self) -> mpsc::Receiver<Told> {
        let (told, receiver) = mpsc::channel(QUEUE);
        tokio::spawn(Follower::new(self.bucket.clone(), self.read_every, told).run());
        receiver
    }

    fn write(
        &self,
        key: &str,
        value: Option<&[u8]>,
        expected: Expected,
    ) -> Result<u64, WriteFault> {
        Handle::current().block_on(writer::write(&self.bucket, key, value, expected))
    }

    fn put(&self, key: &str, value: Option<&[u8]>) {
        self.outbox.put(key, value);
    }

    fn flush(&self, at_most: Duration) -> bool {
        self.outbox.flush(at_most)
    }
}
