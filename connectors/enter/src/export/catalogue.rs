//! The list of branches, which several feeds need and one request gives.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use talon_sdk::{Fault, Rows};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::client::Upstream;

/// Shared by the feeds of an instance.
pub(crate) struct Catalogue {
    pub(crate) upstream: Upstream,
    interval: Duration,
    last: Mutex<Option<(Instant, Heads)>>,
}

/// The list of branches as rows, and what planning needs of it.
pub(crate) struct Branches {
    pub(crate) rows: Rows,
    pub(crate) heads: Heads,
}

/// What planning needs of the list of branches.
#[derive(Debug, Clone)]
pub(crate) struct Heads {
    pub(crate) branches: Arc<[BranchHead]>,
    /// Whether each row could be read: a branch that is not among them is gone only then.
    pub(crate) is_whole: bool,
}

/// What planning needs of a branch.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct BranchHead {
    #[serde(rename = "Id")]
    pub(crate) id: String,
    /// Where nothing is said, it is taken as connected: it is read, and nothing else follows.
    #[serde(rename = "IsConnected", default = "yes")]
    pub(crate) is_connected: bool,
    #[serde(rename = "WrongProtocol", default)]
    pub(crate) has_wrong_protocol: bool,
}

fn yes() -> bool {
    true
}

impl Catalogue {
    pub(crate) fn new(upstream: Upstream, interval: Duration) -> Catalogue {
        Catalogue { upstream, interval, last: Mutex::new(None) }
    }

    /// Reads the branches.
    pub(crate) async fn read_branches(&self) -> Result<Branches, Fault> {
        let mut last = self.last.lock().await;
        let (rows, heads) = self.upstream.branches().await?.rows_with_heads::<BranchHead>()?;
        let is_whole = heads.iter().all(Option::is_some);
        let heads = Heads { branches: heads.into_iter().flatten().collect(), is_whole };
        *last = Some((Instant::now(), heads.clone()));
        Ok(Branches { rows, heads })
    }

    /// The branches as they were read last, by whichever feed, if that is not too long ago.
    pub(crate) async fn branches(&self) -> Result<Heads, Fault> {
        if let Some((at, heads)) = &*self.last.lock().await
            && at.elapsed() < self.interval.mul_f64(1.5)
        {
            return Ok(heads.clone());
        }
        Ok(self.read_branches().await?.heads)
    }
}
