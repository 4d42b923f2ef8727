//! What waits for the thread of a shard: observations of its feeds, and dead letters that are to be settled.
//!
//! [`Inlet`] is the way in for dead letters: whoever has the connector in this process hands them over, and is told what
//! became of each when that is committed.

use std::sync::{Arc, Mutex, PoisonError};

use talon_sdk::Observation;
use tokio::sync::{mpsc, oneshot};

use crate::bus::DeadLetter;
use crate::shard::settled::Verdict;

/// What the thread takes up, one after another.
pub(crate) enum Inbound {
    Sighting(Sighting),
    Letters(Request),
}

impl Inbound {
    /// An observation; letters are put there instead.
    pub(crate) fn sighting(self, letters: &mut Option<Request>) -> Option<Sighting> {
        match self {
            Inbound::Sighting(sighting) => Some(sighting),
            Inbound::Letters(request) => {
                *letters = Some(request);
                None
            }
        }
    }
}

impl From<Sighting> for Inbound {
    fn from(sighting: Sighting) -> Inbound {
        Inbound::Sighting(sighting)
    }
}

/// An observation on its way from a feed to the shard.
#[derive(Debug)]
pub(crate) struct Sighting {
    /// Place of the feed in the shard.
    pub(crate) feed: usize,
    /// What it saw.
    pub(crate) observation: Observation,
    /// Whether it is the first of its scope after a fault or a start.
    pub(crate) after_fault: bool,
    /// Whether its scope was seen before the fault: what changed was hidden by the gap between.
    pub(crate) after_gap: bool,
    /// The scopes that the feed follows, where it has several and they have changed.
    pub(crate) follows: Option<Arc<[String]>>,
    /// Told when the cursor is committed, where the feed waits for that.
    pub(crate) committed: Option<oneshot::Sender<()>>,
}

/// So often a letter is redriven and put aside again before it is refused.
pub const MOST_REDRIVES: u32 = 3;

/// What is to be done with a letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// Its row is decoded anew.
    Redrive,
    /// It is given up.
    Discard,
    /// It was a command, and was put back to the commands.
    PutBack,
    /// It can still not be read, as was found elsewhere, and why.
    Unreadable(String),
}

/// What became of a letter, or would.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ruling {
    /// Where it stands.
    pub at: u64,
    /// What became of it.
    pub verdict: Verdict,
    /// Why, or how; empty where there is nothing to say.
    pub note: String,
}

/// Letters that are to be settled.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) letters: Vec<(DeadLetter, Step)>,
    /// Also those that were redriven [`MOST_REDRIVES`] times.
    pub(crate) once_more: bool,
    /// Nothing is settled: it is only said what would become of each.
    pub(crate) dry_run: bool,
    /// The oldest letter that is there.
    pub(crate) oldest: u64,
    /// What is recorded as settled is of an earlier topic.
    pub(crate) is_of_another_topic: bool,
    /// Told when it is committed.
    pub(crate) answer: oneshot::Sender<Vec<Ruling>>,
}

/// The way into the shard that serves, if one does. Cheap to clone; outlives shards.
#[derive(Debug, Clone, Default)]
pub(crate) struct Inlet(Arc<Mutex<Option<mpsc::WeakSender<Inbound>>>>);

impl Inlet {
    /// A shard serves from now on. It ends when its feeds have let go of their senders, so this one must not count.
    pub(crate) fn open(&self, shard: &mpsc::Sender<Inbound>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(shard.downgrade());
    }

    /// Hands letters over. `false` if no shard serves, or it has just ended.
    pub(crate) async fn hand(&self, request: Request) -> bool {
        let shard = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(shard) = shard.and_then(|shard| shard.upgrade()) else { return false };
        shard.send(Inbound::Letters(request)).await.is_ok()
    }
}
