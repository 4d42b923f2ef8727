//! Records between two commits: published side by side, those of one subject one after another.
//!
//! A second record of a subject whose first is still on its way has no sequence to expect yet: it waits
//! in a second wave, which goes out when the first is acknowledged; so a thousand deletes, each followed
//! by its marker, take two waits and not a thousand.

use std::collections::HashSet;

use async_nats::header::NATS_EXPECTED_LAST_SUBJECT_SEQUENCE;
use talon_runtime::bus::BusFault;

use crate::book::{Book, Target};
use crate::pipeline::{MAX_BYTES, Pipeline, Record};
use crate::subjects::Hashes;

/// The longest list of records that wait for their predecessors.
const WAVE: usize = 10_000;

/// The records of one writer.
pub(crate) struct Window {
    pub(crate) book: Book,
    pipeline: Pipeline,
    /// Subjects that have a record on its way or in the next wave.
    busy: HashSet<u64, Hashes>,
    /// Records for the next wave, and the bytes of their payloads.
    next_wave: Vec<Record>,
    next_bytes: usize,
}

impl Window {
    pub(crate) fn new(pipeline: Pipeline) -> Window {
        Window {
            book: Book::new(),
            pipeline,
            busy: HashSet::default(),
            next_wave: Vec::new(),
            next_bytes: 0,
        }
    }

    /// Publishes a record, or puts it into the next wave. Waits only where too many are on their way.
    pub(crate) fn publish(&mut self, record: Record) -> Result<(), BusFault> {
        if self.next_wave.len() >= WAVE || self.next_bytes >= MAX_BYTES {
            self.settle()?;
        }
        self.send(record)
    }

    fn send(&mut self, mut record: Record) -> Result<(), BusFault> {
        if let Target::Feed { subject, expected: Some(expected), .. } = &mut record.target {
            if !self.busy.insert(*subject) {
                self.next_bytes += record.payload.len();
                self.next_wave.push(record);
                return Ok(());
            }
            *expected = self.book.last(*subject);
            record.headers.insert(NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, expected.to_string());
        }
        self.pipeline.send(record, &mut self.book)
    }

    /// Waits until everything is acknowledged, wave after wave.
    pub(crate) fn settle(&mut self) -> Result<(), BusFault> {
        loop {
            self.pipeline.collect_all(&mut self.book)?;
            self.busy.clear();
            if self.next_wave.is_empty() {
                return Ok(());
            }
            self.next_bytes = 0;
            for record in std::mem::take(&mut self.next_wave) {
                self.send(record)?;
            }
        }
    }
}
