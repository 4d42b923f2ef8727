//! What is appended to the log of a shard and not yet committed.

use std::time::{Duration, Instant};

use crate::bus::{Append, BusFault, ShardLog};
use crate::service::progress::Progress;
use crate::shard::pace::Pace;

/// A transaction is committed after so long, also in the middle of an observation: a broker gives up on
/// one that is open for too long (Kafka: `transaction.timeout.ms`, a minute), and whoever began again
/// would take as long. The events of the rest follow, and the checkpoint after them. How much it may have is
/// the [`Pace`]'s to say: what is appended waits in the client, and takes long only when it is committed.
const LONGEST: Duration = Duration::from_secs(10);

/// The clock is looked at after so many records.
const RECORDS_PER_LOOK: u32 = 64;

/// What is appended and not yet committed. Dropped with something in it, it has failed.
pub(crate) struct Transaction {
    pace: Pace,
    progress: Progress,
    since: Option<Instant>,
    /// Appended since then.
    bytes: usize,
    records: u32,
    has_committed: bool,
}

impl Transaction {
    /// Nothing is appended yet.
    pub(crate) fn new(pace: &Pace, progress: &Progress) -> Transaction {
        let (pace, progress) = (pace.clone(), progress.clone());
        Transaction { pace, progress, since: None, bytes: 0, records: 0, has_committed: false }
    }

    /// Whether something is appended and not yet committed.
    pub(crate) fn is_open(&self) -> bool {
        self.since.is_some()
    }

    /// Whether something was appended, committed or not.
    pub(crate) fn has_appended(&self) -> bool {
        self.is_open() || self.has_committed
    }

    /// Appends a record, and commits if that has not been done for long, or for much.
    pub(crate) fn append(
        &mut self,
        log: &mut dyn ShardLog,
        record: &Append<'_>,
    ) -> Result<(), BusFault> {
        self.append_at(log, record, Instant::now)
    }

    fn append_at(
        &mut self,
        log: &mut dyn ShardLog,
        record: &Append<'_>,
        now: impl Fn() -> Instant,
    ) -> Result<(), BusFault> {
        log.append(record)?;
        let since = *self.since.get_or_insert_with(&now);
        self.records = self.records.wrapping_add(1);
        self.bytes += record.key.len() + record.value.map_or(0, <[u8]>::len);
        let is_long = || self.records.is_multiple_of(RECORDS_PER_LOOK) && now() - since >= LONGEST;
        if self.bytes >= self.pace.most() || is_long() {
            log.commit(&[])?;
            self.committed(now());
        }
        Ok(())
    }

    /// What was appended is committed now.
    pub(crate) fn committed(&mut self, now: Instant) {
        self.progress.committed();
        if let Some(since) = self.since.take() {
            self.pace.committed(self.bytes, now - since);
        }
        self.bytes = 0;
        self.has_committed = true;
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        if self.is_open() {
            self.pace.failed(self.bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::bus::{Place, Recovered};
    use crate::shard::pace::tests::pace;

    /// Counts the records of each commit.
    #[derive(Default)]
    struct Log(Vec<usize>);

    impl ShardLog for Log {
        fn recover(
            &mut self,
            _: &mut dyn FnMut(Place, Recovered<'_>) -> Result<(), BusFault>,
        ) -> Result<(), BusFault> {
            Ok(())
        }

        fn append(&mut self, _: &Append<'_>) -> Result<(), BusFault> {
            if self.0.is_empty() {
                self.0.push(0);
            }
            *self.0.last_mut().unwrap() += 1;
            Ok(())
        }

        fn commit(&mut self, checkpoints: &[(String, Vec<u8>)]) -> Result<(), BusFault> {
            assert!(checkpoints.is_empty(), "the checkpoint comes last");
            self.0.push(0);
            Ok(())
        }

        fn idle(&mut self) -> Result<(), BusFault> {
            Ok(())
        }
    }

    #[test]
    fn what_takes_long_is_committed_in_between() {
        let (mut log, mut transaction) =
            (Log::default(), Transaction::new(&pace().0, &Progress::default()));
        let (start, passed) = (Instant::now(), Cell::new(0));
        let record = Append { topic: 0, key: "k", value: None, headers: &[] };
        for _ in 0..1_000 {
            // A record takes 100 ms.
            passed.set(passed.get() + 100);
            let now = || start + Duration::from_millis(passed.get());
            transaction.append_at(&mut log, &record, now).unwrap();
        }
        assert_eq!(log.0, [128, 128, 128, 128, 128, 128, 128, 104]);
        assert!(transaction.is_open() && transaction.has_appended());
    }
    #[test]
    fn what_is_much_is_committed_in_between_and_what_fails_is_committed_in_smaller_parts() {
        let (pace, _) = pace();
        let value = vec![0; 1_000_000];
        let record = Append { topic: 0, key: "k", value: Some(&value), headers: &[] };
        let (mut log, mut transaction) =
            (Log::default(), Transaction::new(&pace, &Progress::default()));
        (0..20).for_each(|_| transaction.append(&mut log, &record).unwrap());
        assert_eq!(log.0[0], 9, "of 8 MiB");
        let before = pace.most();
        drop(transaction);
        assert!(pace.most() < before);
    }
}
