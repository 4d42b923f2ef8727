//! What is known of the subjects: the sequence of the last record of each, and which records of the
//! stream are ours.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Instant;

use talon_runtime::bus::BusFault;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::record::{Life, Record, Target};
use super::sequence_map::SequenceMap;

/// A subject whose last record stays for some time only: a marker behind a delete, or a result.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ending {
    /// When the subject is to be forgotten.
    at: Instant,
    subject: u64,
    /// Sequence of its last record.
    pub(crate) sequence: u64,
}

/// The sequences of a stream that one process writes to.
///
/// A subject is known by a hash of 64 bits with a random seed, so that an entity costs 16 bytes and not
/// its key once more. Two subjects with the same hash make one of them expect the sequence of the other,
/// which the server refuses: the shard recovers, with another seed. Nothing wrong is published.
pub(crate) struct Sequences {
    seed: u64,
    last: SequenceMap,
    /// Read back, and not yet among them.
    recovered: Vec<(u64, u64)>,
    /// By the time when they are to be forgotten.
    endings: VecDeque<Ending>,
    /// Subjects that are purged at this moment.
    purging: HashSet<u64>,
    revisions: HashMap<String, u64>,
    /// Whether the stream has a record that stays until a newer one replaces it.
    lasting: bool,
    /// The stream has no record after this one that is not known.
    known: u64,
    /// Sequences of our records since.
    published: Vec<u64>,
}

impl Sequences {
    pub(crate) fn new() -> Sequences {
        Sequences {
            seed: rand::random(),
            last: SequenceMap::default(),
            recovered: Vec::new(),
            endings: VecDeque::new(),
            purging: HashSet::new(),
            revisions: HashMap::new(),
            lasting: false,
            known: 0,
            published: Vec::new(),
        }
    }

    /// The hash under which a subject is known.
    pub(crate) fn subject(&self, subject: &str) -> u64 {
        xxh3_64_with_seed(subject.as_bytes(), self.seed)
    }

    /// Sequence of the last record of a subject; 0 for none.
    pub(crate) fn last(&self, subject: u64) -> u64 {
        self.last.get(subject)
    }

    /// Revision of a checkpoint; 0 for none.
    pub(crate) fn revision(&self, key: &str) -> u64 {
        self.revisions.get(key).copied().unwrap_or(0)
    }

    /// A record that was read back. One that stays for some time only has so long left.
    pub(crate) fn recover(&mut self, subject: &str, sequence: u64, life: Life) {
        let subject = self.subject(subject);
        self.recovered.push((subject, sequence));
        self.known = self.known.max(sequence);
        self.note(subject, sequence, life);
    }

    /// A checkpoint that was read back.
    pub(crate) fn recover_checkpoint(&mut self, key: &str, revision: u64) {
        self.revisions.insert(key.to_owned(), revision);
    }

    /// The stream reached so far before it was read back.
    pub(crate) fn recovered_to(&mut self, sequence: u64) {
        self.known = self.known.max(sequence);
        self.last.fill(std::mem::take(&mut self.recovered));
        self.endings.make_contiguous().sort_unstable();
    }

    /// The last sequence of the stream that is known, without gaps before it.
    pub(crate) fn known(&self) -> u64 {
        self.known
    }

    /// Whether a record is certainly not the one that the server remembers by its id, and which had this
    /// sequence. The memory of ids outlives what it names: that record is an older one of an entity that
    /// came back as it was, or is purged, or stood in a stream before it was purged.
    pub(crate) fn is_another(&self, record: &Record, sequence: u64) -> bool {
        // What was in the stream when it was read back, or is ours, is known as the last of its subject.
        let known = match record.target {
            Target::Owned { .. } => self.known,
            _ => 0,
        };
        record.expected().is_some_and(|expected| sequence <= expected.max(known))
    }

    /// Takes an acknowledgement of a record in that was stored just now.
    pub(crate) fn stored(&mut self, record: &Record, sequence: u64) -> Result<(), BusFault> {
        if matches!(record.target, Target::Owned { .. }) && sequence <= self.known {
            return Err(BusFault::Aborted(
                "NATS: the stream was made anew; what it holds is read back".to_owned(),
            ));
        }
        self.stored_before(record, sequence);
        Ok(())
    }

    /// Takes in that a record was stored, at some time.
    pub(crate) fn stored_before(&mut self, record: &Record, sequence: u64) {
        match &record.target {
            Target::Owned { subject, life, .. } => {
                self.last.set(*subject, sequence);
                self.published.push(sequence);
                self.note(*subject, sequence, *life);
            }
            Target::Checkpoint { key, .. } => {
                self.revisions.insert(key.clone(), sequence);
            }
            Target::Free => {}
        }
    }

    fn note(&mut self, subject: u64, sequence: u64, life: Life) {
        match life {
            Life::Lasting => self.lasting = true,
            Life::Passing => {}
            Life::For(long) => {
                self.endings.push_back(Ending { at: Instant::now() + long, subject, sequence });
            }
        }
    }

    /// When all records are acknowledged: whether the stream has one in between that is not ours.
    pub(crate) fn check_gaps(&mut self) -> Result<(), BusFault> {
        self.published.sort_unstable();
        for sequence in self.published.drain(..) {
            if sequence > self.known + 1 {
                return Err(foreign());
            }
            self.known = self.known.max(sequence);
        }
        Ok(())
    }

    /// When nothing is on its way: compares with the stream's last sequence and number of records.
    pub(crate) fn compare(&self, last: u64, records: u64) -> Result<(), BusFault> {
        if last != self.known {
            return Err(foreign());
        }
        if records == 0 && self.lasting {
            return Err(BusFault::Aborted(
                "NATS: the stream was purged; what it holds is read back".to_owned(),
            ));
        }
        Ok(())
    }

    /// At most so many subjects that are to be forgotten now.
    pub(crate) fn due(&mut self, at_most: usize) -> Vec<Ending> {
        let now = Instant::now();
        let mut due = Vec::new();
        while due.len() < at_most
            && self.endings.front().is_some_and(|ending| ending.at <= now)
            && let Some(ending) = self.endings.pop_front()
        {
            if self.last(ending.subject) == ending.sequence {
                self.purging.insert(ending.subject);
                due.push(ending);
            }
        }
        due
    }

    /// Whether a subject is purged at this moment, so that nobody knows its last record.
    pub(crate) fn is_purging(&self, subject: u64) -> bool {
        self.purging.contains(&subject)
    }

    /// Purging is over: the records of these are gone.
    pub(crate) fn purged(&mut self, endings: &[Ending]) {
        self.purging.clear();
        for ending in endings {
            if self.last(ending.subject) == ending.sequence {
                self.last.set(ending.subject, 0);
            }
        }
    }
}

fn foreign() -> BusFault {
    BusFault::Aborted(
        "NATS: another process published for this connector; what it published is read back"
            .to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn record(subject: u64, expected: u64) -> Record {
        let mut headers = async_nats::HeaderMap::new();
        headers.insert(async_nats::header::NATS_MESSAGE_ID, "id");
        let target = Target::Owned { subject, expected, life: Life::Lasting };
        Record { target, subject: "s".into(), headers, payload: "p".into() }
    }

    fn recovered_to(sequence: u64) -> Sequences {
        let mut sequences = Sequences::new();
        sequences.recovered_to(sequence);
        sequences
    }

    #[test]
    fn acknowledgements_in_any_order_leave_no_gap() {
        let mut sequences = recovered_to(10);
        for sequence in [12, 11, 13] {
            sequences.stored(&record(sequence, 0), sequence).unwrap();
        }
        sequences.check_gaps().unwrap();
        assert_eq!(sequences.last(12), 12);
        sequences.compare(13, 3).unwrap();
    }

    #[test]
    fn a_record_of_another_process_is_noticed() {
        let mut sequences = recovered_to(10);
        sequences.stored(&record(1, 0), 12).unwrap();
        assert_eq!(sequences.check_gaps().unwrap_err().kind(), "aborted");
        assert_eq!(recovered_to(10).compare(11, 1).unwrap_err().kind(), "aborted");
    }

    #[test]
    fn a_record_published_twice_counts_once() {
        let mut sequences = recovered_to(10);
        assert!(!sequences.is_another(&record(1, 0), 11));
        sequences.stored_before(&record(1, 0), 11);
        sequences.check_gaps().unwrap();
        sequences.compare(11, 1).unwrap();
    }

    #[test]
    fn an_older_event_with_the_same_id_is_not_taken_for_this_one() {
        let mut sequences = recovered_to(10);
        sequences.recover("a", 9, Life::Lasting);
        assert!(sequences.is_another(&record(1, 9), 4));
        let renamed = record(1, 9).renamed(4);
        assert_eq!(renamed.id(), Some("id-after-9"));
    }

    #[test]
    fn a_duplicate_that_recovery_has_not_seen_is_gone() {
        let sequences = recovered_to(10);
        assert!(sequences.is_another(&record(1, 0), 4), "purged before the stream was read back");
        assert_eq!(record(1, 0).renamed(4).id(), Some("id-after-4"));
        assert!(!sequences.is_another(&record(1, 0), 11), "it may have been stored since");
    }

    #[test]
    fn a_stream_that_was_made_anew_or_purged_is_noticed() {
        let mut sequences = recovered_to(10);
        assert_eq!(sequences.stored(&record(1, 0), 1).unwrap_err().kind(), "aborted");
        sequences.compare(10, 0).unwrap();
        sequences.stored(&record(1, 0), 11).unwrap();
        sequences.check_gaps().unwrap();
        sequences.compare(11, 1).unwrap();
        assert_eq!(sequences.compare(11, 0).unwrap_err().kind(), "aborted");
    }

    #[test]
    fn a_subject_that_still_ends_with_its_marker_is_purged() {
        let mut sequences = recovered_to(0);
        let ends = Life::For(Duration::ZERO);
        sequences.recover("a", 1, ends);
        sequences.recover("b", 1, ends);
        sequences.recover("b", 2, Life::Lasting);
        let (a, b) = (sequences.subject("a"), sequences.subject("b"));
        sequences.recovered_to(2);
        let due = sequences.due(10);
        assert_eq!(due.iter().map(|ending| ending.sequence).collect::<Vec<_>>(), [1]);
        assert!(sequences.is_purging(a) && !sequences.is_purging(b));
        sequences.purged(&due);
        assert_eq!((sequences.last(a), sequences.last(b)), (0, 2));
        assert_eq!(sequences.due(10), []);
    }
}
