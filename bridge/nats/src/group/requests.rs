//! The requests of a member that are on their way: one at a time for each shard.

use std::collections::BTreeSet;
use std::time::Instant;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;

use super::bucket::{LeaseBucket, WriteError};
use super::entries::{Lease, Presence};

/// What became of a request.
pub(crate) enum Outcome {
    Present(Result<(), WriteError>),
    Lease {
        shard: String,
        action: Action,
        /// When it began.
        began: Instant,
        /// The new revision; none where another process was quicker.
        written: Result<Option<u64>, WriteError>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Take,
    Renew,
    Free,
}

/// The requests on their way.
pub(crate) struct Requests {
    pub(crate) bucket: LeaseBucket,
    pub(crate) running: FuturesUnordered<BoxFuture<'static, Outcome>>,
    /// Shards that have one.
    pub(crate) busy: BTreeSet<String>,
    /// Those of them that are to be taken.
    pub(crate) taking: BTreeSet<String>,
    /// Whether the presence is being written.
    pub(crate) present: bool,
}

impl Requests {
    pub(crate) fn new(bucket: LeaseBucket) -> Requests {
        Requests {
            bucket,
            running: FuturesUnordered::new(),
            busy: BTreeSet::new(),
            taking: BTreeSet::new(),
            present: false,
        }
    }

    pub(crate) fn present(&mut self, key: String, presence: Presence) {
        self.present = true;
        let bucket = self.bucket.clone();
        let write = async move { Outcome::Present(bucket.put(&key, &presence).await) };
        self.running.push(write.boxed());
    }

    pub(crate) fn lease(
        &mut self,
        member: &str,
        shard: String,
        action: (Action, u64),
        lease: Lease,
    ) {
        self.busy.insert(shard.clone());
        let (bucket, member, began) = (self.bucket.clone(), member.to_owned(), Instant::now());
        let (action, revision) = action;
        let write = async move {
            let written = bucket.put_lease(&member, &shard, &lease, revision).await;
            Outcome::Lease { shard, action, began, written }
        };
        self.running.push(write.boxed());
    }
}
