//! What is counted of a transaction before it is committed.

use prometheus::local::LocalHistogram;
use talon_schemas::Op;

use crate::service::options::Oversize;

/// Where an input was put aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// A row could not be read.
    Decode,
    /// An event could not be published.
    Publish,
}

impl Stage {
    /// As in the metric and in the headers of dead letters.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Stage::Decode => "decode",
            Stage::Publish => "publish",
        }
    }
}

/// Events and dead letters appended and not yet committed. Dropped with the transaction if that is
/// aborted.
pub(crate) struct Tally {
    pub(super) ops: [u64; 4],
    pub(super) dead: [u64; 2],
    pub(super) oversize: [u64; 2],
    pub(super) lag: LocalHistogram,
    /// Entities that are known and have no event on the topic, since it was too large; as long as the
    /// shard is open.
    pub(crate) unpublished: u64,
}

impl Tally {
    pub(crate) fn change(&mut self, op: Op, since_ms: i64) {
        let place = match op {
            Op::Read => 0,
            Op::Create => 1,
            Op::Update => 2,
            Op::Delete => 3,
        };
        self.ops[place] += 1;
        // A first read tells of old changes: their age is no lag.
        if op != Op::Read {
            self.lag.observe(since_ms.max(0) as f64 / 1000.0);
        }
    }

    /// What was counted, by what it tells.
    pub(crate) fn changes(&self) -> Vec<(Op, u64)> {
        [Op::Read, Op::Create, Op::Update, Op::Delete].into_iter().zip(self.ops).collect()
    }

    pub(crate) fn dead_letters(&self) -> u64 {
        self.dead.iter().sum()
    }

    pub(crate) fn dead_letter(&mut self, stage: Stage) {
        self.dead[stage as usize] += 1;
    }

    pub(crate) fn oversize(&mut self, handling: Oversize) {
        self.oversize[handling as usize] += 1;
    }
}

impl Drop for Tally {
    /// The histogram would count what was aborted when it is dropped.
    fn drop(&mut self) {
        self.lag.clear();
    }
}
