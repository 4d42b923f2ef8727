//! Writing to the streams of a connector, in one direction: a [`record`] is made of an append
//! ([`draft`]), gets the sequence that it expects ([`sequences`]), is published and acknowledged
//! ([`pipeline`]), and the writer puts records of one subject one after another.

mod answer;
mod doubt;
mod draft;
mod in_flight;
mod pipeline;
mod record;
mod sequence_map;
mod sequences;

use std::collections::HashSet;

use talon_runtime::bus::BusFault;

use pipeline::MAX_BYTES;
use sequence_map::Hashes;

pub(crate) use answer::Answer;
pub(crate) use draft::{Draft, Limits};
pub(crate) use pipeline::{Pipeline, Streams};
pub(crate) use record::{Life, Record, Target};
pub(crate) use sequences::{Ending, Sequences};

/// The longest list of records that wait for their predecessors.
const MAX_WAITING: usize = 10_000;

/// Publishes records side by side, those of one subject one after another.
///
/// A second record of a subject whose first is still on its way has no sequence to expect yet: it waits
/// in a second wave, which goes out when the first is acknowledged; so a thousand deletes, each followed
/// by its marker, take two waits and not a thousand.
pub(crate) struct Writer {
    pub(crate) sequences: Sequences,
    pipeline: Pipeline,
    /// Subjects that have a record on its way or in the next wave.
    busy: HashSet<u64, Hashes>,
    /// Records for the next wave, and the bytes of their payloads.
    next_wave: Vec<Record>,
    next_bytes: usize,
}

impl Writer {
    pub(crate) fn new(pipeline: Pipeline) -> Writer {
        Writer {
            sequences: Sequences::new(),
            pipeline,
            busy: HashSet::default(),
            next_wave: Vec::new(),
            next_bytes: 0,
        }
    }

    /// Publishes a record, or puts it into the next wave. Waits only where too many are on their way.
    pub(crate) fn publish(&mut self, record: Record) -> Result<(), BusFault> {
        if self.next_wave.len() >= MAX_WAITING || self.next_bytes >= MAX_BYTES {
            self.settle()?;
        }
        self.send(record)
    }

    fn send(&mut self, mut record: Record) -> Result<(), BusFault> {
        if let Target::Owned { subject, .. } = record.target {
            if !self.busy.insert(subject) {
                self.next_bytes += record.payload.len();
                self.next_wave.push(record);
                return Ok(());
            }
            record.expect(self.sequences.last(subject));
        }
        self.pipeline.send(record, &mut self.sequences)
    }

    /// Waits until everything is acknowledged, wave after wave.
    pub(crate) fn settle(&mut self) -> Result<(), BusFault> {
        loop {
            self.pipeline.collect_all(&mut self.sequences)?;
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
