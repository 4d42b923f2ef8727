//! Compare and set.
//!
//! All writers of a store have one `transactional.id`, so the broker lets one of them write at a time:
//!
//! 1. Take over: an earlier writer is fenced, and what it left open is decided. From here on nobody else can write
//!    before this one is fenced in turn.
//! 2. Read to the end.
//! 3. Compare. The record of this write may be there already: an earlier attempt whose answer was lost.
//! 4. Produce and commit. Who was fenced since 1 cannot commit, so nothing was written since 2.
//!
//! Any fault after 1 leads back to 1, with a producer of its own, where it shows what became of the attempt. A writer
//! that is killed between produce and commit leaves a transaction open, which ends with the next writer or after
//! [`TRANSACTION_MS`]; until then readers wait. One that stood still and is revived is fenced.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::RngExt;
use rdkafka::producer::Producer as _;
use talon_runtime::bus::{BusFault, Expected, Grant, WriteFault, write_id};

use super::log::Log;
use super::topic::{StoreTopic, WRITE_ID};
use crate::cluster::Use;
use crate::producer::KafkaProducer;

/// How long a transaction may take: one record does not take long, and readers wait for one that nobody ends.
const TRANSACTION_MS: u32 = 15_000;

/// How long is tried, before the last attempt.
const TRIED: Duration = Duration::from_secs(40);

/// The pause before the second attempt, at most. It doubles with each.
const PAUSE: Duration = Duration::from_millis(50);

/// Pauses do not double more often.
const DOUBLED: u32 = 5;

/// Writes to a store, one entry at a time.
pub(super) struct Writer {
    topic: Arc<StoreTopic>,
    transactional_id: String,
}

/// A write.
struct Entry<'e> {
    key: &'e str,
    value: Option<&'e [u8]>,
    expected: Expected,
    /// No other has it.
    id: String,
    /// It was given to a producer. Whether it was written is decided when the next one has taken over.
    is_open: bool,
    /// Why it was refused for good, if it was not written all the same.
    refused: Option<BusFault>,
}

impl Writer {
    pub(super) fn new(topic: Arc<StoreTopic>) -> Writer {
        let transactional_id = topic.spec.name.clone();
        Writer { topic, transactional_id }
    }

    /// See [`Store::write`](talon_runtime::bus::Store::write).
    pub(super) fn write(
        &mut self,
        key: &str,
        value: Option<&[u8]>,
        expected: Expected,
    ) -> Result<u64, WriteFault> {
        let mut entry =
            Entry { key, value, expected, id: write_id(), is_open: false, refused: None };
        let since = Instant::now();
        let mut attempts = 0;
        loop {
            let fault = match self.attempt(&mut entry) {
                Ok(Some(revision)) => return Ok(revision),
                Ok(None) => return Err(WriteFault::Conflict),
                Err(fault) => fault,
            };
            let is_final = matches!(fault, BusFault::Misconfigured(_) | BusFault::TooLarge(_));
            if is_final && entry.is_open {
                entry.refused = Some(fault.clone());
            }
            if is_final && !entry.is_open || since.elapsed() > TRIED {
                return Err(match entry.is_open {
                    true => WriteFault::Unclear(fault),
                    false => WriteFault::Bus(fault),
                });
            }
            tracing::debug!(key, attempts, "a write is tried again: {fault}");
            let longest = PAUSE * (1 << attempts.min(DOUBLED));
            std::thread::sleep(longest.mul_f64(rand::rng().random_range(0.1..1.0)));
            attempts += 1;
        }
    }

    /// The revision; none where something else stands there.
    fn attempt(&self, entry: &mut Entry<'_>) -> Result<Option<u64>, BusFault> {
        self.topic.ensure()?;
        let name = &self.topic.spec.name;
        let wanted = Use {
            transactional_id: Some(self.transactional_id.clone()),
            transaction_ms: Some(TRANSACTION_MS),
            topics: vec![name.clone()],
        };
        let grant = Grant::unlimited(name);
        let mut producer = KafkaProducer::new(&self.topic.cluster, wanted, &grant)?;
        producer.take_over()?;
        let (found, own) = self.find(entry)?;
        entry.is_open = false;
        if own.is_some() {
            return Ok(own);
        }
        if let Some(fault) = entry.refused.take() {
            return Err(fault);
        }
        if !entry.expected.is_met(found) {
            return Ok(None);
        }
        entry.is_open = true;
        let headers = [(WRITE_ID, entry.id.as_bytes())];
        let sent = producer.send(name, Some(0), entry.key, entry.value, headers.into_iter());
        if let Err(fault) = sent {
            // It was not given to the client.
            entry.is_open = false;
            return Err(fault);
        }
        producer.commit()?;
        let offset = producer.client().context().delivered();
        Ok(Some(u64::try_from(offset).unwrap_or_default()))
    }

    /// The revision of the entry that stands there, and that of this write, if it is there.
    fn find(&self, entry: &Entry<'_>) -> Result<(Option<u64>, Option<u64>), BusFault> {
        let (mut found, mut own) = (None, None);
        Log::open(&self.topic, "5")?.read(&mut |line| {
            if line.key == entry.key {
                found = line.record.value.is_some().then_some(line.record.revision);
                if line.write_id.as_ref() == Some(&entry.id) {
                    own = Some(line.record.revision);
                }
            }
            true
        })?;
        Ok((found, own))
    }
}
