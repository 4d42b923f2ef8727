//! The records that are published and not acknowledged, by number.

use std::collections::VecDeque;

use super::record::Record;

/// The records that are published and not acknowledged. Numbers count from 0 on, without a gap.
#[derive(Default)]
pub(crate) struct InFlight {
    /// Number of the first in `records`.
    first: u64,
    records: VecDeque<Option<Record>>,
    count: usize,
    /// Bytes of their payloads.
    bytes: usize,
}

impl InFlight {
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The number of the next one.
    pub(crate) fn next(&self) -> u64 {
        self.first + self.records.len() as u64
    }

    /// Takes the next one in.
    pub(crate) fn push(&mut self, record: Record) {
        self.count += 1;
        self.bytes += record.payload.len();
        self.records.push_back(Some(record));
    }

    /// One that is not acknowledged yet.
    pub(crate) fn get(&self, number: u64) -> Option<&Record> {
        self.records.get(self.place(number)?)?.as_ref()
    }

    /// One is no longer on its way.
    pub(crate) fn release(&mut self, number: u64) -> Option<Record> {
        let place = self.place(number)?;
        let record = self.records.get_mut(place)?.take()?;
        self.count -= 1;
        self.bytes -= record.payload.len();
        while let Some(None) = self.records.front() {
            self.records.pop_front();
            self.first += 1;
        }
        Some(record)
    }

    /// All, with their numbers.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, &Record)> {
        let numbered = (self.first..).zip(&self.records);
        numbered.filter_map(|(number, record)| Some((number, record.as_ref()?)))
    }

    fn place(&self, number: u64) -> Option<usize> {
        usize::try_from(number.checked_sub(self.first)?).ok()
    }
}
