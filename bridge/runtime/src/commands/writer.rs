//! Makes intents and outcomes durable: one thread, which commits together what waits.

use std::time::Instant;

use talon_schemas::wire::Wire;
use tokio::sync::{mpsc, oneshot};

use crate::bus::dead_letter::{CUT_VALUE, VALUE_BYTES, cut_key};
use crate::bus::{BusFault, LaneLog, LaneRecord, LaneTopic, Position};
use crate::commands::record::ResultRecord;
use crate::service::metrics::Metrics;
use crate::service::progress::Progress;

/// Writes that wait; each is a command that waits for it.
const INBOX: usize = 1024;

/// The lane is lost: nothing is written any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gone;

/// Hands records to the thread that writes. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Writer {
    inbox: mpsc::Sender<Write>,
    wire: Wire,
}

struct Write {
    records: Vec<LaneRecord>,
    settled: Option<Position>,
    done: oneshot::Sender<Written>,
}

/// What became of records that were handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Written {
    /// They are durable.
    Done,
    /// A command is too large to be put back under its ordering key, or a result to be written: nothing
    /// was written.
    TooLarge,
}

/// The thread's side.
pub(crate) struct Writing {
    name: String,
    log: Box<dyn LaneLog>,
    inbox: mpsc::Receiver<Write>,
    metrics: Metrics,
}

/// A writer and its thread's side. `wire` is how results are written.
pub(crate) fn writer(
    name: &str,
    log: Box<dyn LaneLog>,
    wire: Wire,
    metrics: Metrics,
) -> (Writer, Writing) {
    let (sender, inbox) = mpsc::channel(INBOX);
    (Writer { inbox: sender, wire }, Writing { name: name.to_owned(), log, inbox, metrics })
}

impl Writer {
    /// Makes a result durable and, with it, that the command at a position is settled. An outcome that is
    /// too large for the bus is written without what the upstream said; an intent that is too large is
    /// not written, since what it says is needed to read back.
    ///
    /// # Errors
    /// The lane is lost; whether the record is durable is told by the results topic.
    pub(crate) async fn settle(
        &self,
        record: &ResultRecord,
        settled: Option<Position>,
    ) -> Result<Written, Gone> {
        match self.put(record, settled).await? {
            Written::TooLarge if record.outcome.is_some() => {
                match self.put(&record.cut(), settled).await? {
                    Written::Done => Ok(Written::Done),
                    // It has a few hundred bytes: a bus that does not take those takes nothing.
                    Written::TooLarge => Err(Gone),
                }
            }
            written => Ok(written),
        }
    }

    async fn put(&self, record: &ResultRecord, settled: Option<Position>) -> Result<Written, Gone> {
        let record = self.encode(record)?;
        self.hand(vec![record], settled).await?.await.map_err(|_| Gone)
    }

    /// A result in its wire format.
    pub(crate) fn encode(&self, record: &ResultRecord) -> Result<LaneRecord, Gone> {
        // A record of plain fields always fits its schema.
        record.encode(self.wire).map_err(|_| Gone)
    }

    /// Hands records over, in the order of calls; what is given back tells when they are durable, and
    /// with them that the command at a position is settled. It is an error if they never will be.
    pub(crate) async fn hand(
        &self,
        records: Vec<LaneRecord>,
        settled: Option<Position>,
    ) -> Result<oneshot::Receiver<Written>, Gone> {
        let (done, written) = oneshot::channel();
        self.inbox.send(Write { records, settled, done }).await.map_err(|_| Gone)?;
        Ok(written)
    }
}

impl Writing {
    /// Writes until all writers are gone. Blocks.
    pub(crate) fn run(mut self, progress: &Progress) -> Result<(), BusFault> {
        let mut done = Vec::new();
        let mut settled = Vec::new();
        while let Some(write) = self.inbox.blocking_recv() {
            let started = Instant::now();
            let mut next = Some(write);
            while let Some(write) = next {
                let mut written = Written::Done;
                for record in &write.records {
                    match self.append(record) {
                        Err(BusFault::TooLarge(_)) if record.topic != LaneTopic::DeadLetters => {
                            written = Written::TooLarge;
                        }
                        other => other?,
                    }
                }
                if written == Written::Done {
                    settled.extend(write.settled);
                }
                done.push((write.done, written));
                next = self.inbox.try_recv().ok();
            }
            self.log.commit(&settled)?;
            progress.committed();
            settled.clear();
            self.metrics.published(&self.name, started.elapsed());
            for (done, written) in done.drain(..) {
                // Who waited may have been dropped.
                done.send(written).ok();
            }
        }
        Ok(())
    }

    /// A dead letter that is too large for the bus is cut, so that it blocks nothing behind it. Results
    /// are bounded where they are made.
    fn append(&mut self, record: &LaneRecord) -> Result<(), BusFault> {
        match self.log.append(record) {
            Err(BusFault::TooLarge(_)) if record.topic == LaneTopic::DeadLetters => {
                let mut cut = record.clone();
                cut.value.truncate(CUT_VALUE);
                cut.key.truncate(cut_key(&record.key).len());
                cut.headers.push((VALUE_BYTES, record.value.len().to_string().into_bytes()));
                self.log.append(&cut)
            }
            other => other,
        }
    }
}
