//! What is known of the subjects: the sequence of the last record of each, and which records of the
//! stream are ours.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::{Duration, Instant};

use async_nats::header::NATS_MESSAGE_ID;
use talon_runtime::bus::BusFault;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::pipeline::Record;
use crate::subjects::Subjects;

/// What a record is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Target {
    /// A subject of a stream that only its owner writes to: of the feeds, or of the results.
    Feed {
        /// Its hash.
        subject: u64,
        /// The sequence that its last record must have; none where that does not matter.
        expected: Option<u64>,
        /// For a marker: after so long the past of the entity goes.
        ends_after: Option<Duration>,
    },
    /// Something that expects nothing: a dead letter.
    Free,
    /// The checkpoint with this key.
    Checkpoint(String),
}

/// A subject that ends with a marker.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct End {
    /// When its past goes.
    at: Instant,
    subject: u64,
    /// Sequence of the marker.
    pub(crate) marker: u64,
}

/// The sequences of a shard.
///
/// A subject is known by a hash of 64 bits with a random seed, so that an entity costs 16 bytes and not
/// its key once more. Two subjects with the same hash make one of them expect the sequence of the other,
/// which the server refuses: the shard recovers, with another seed. Nothing wrong is published.
pub(crate) struct Book {
    seed: u64,
    subjects: Subjects,
    /// Read back, and not yet among them.
    recovered: Vec<(u64, u64)>,
    /// Subjects that end with a marker, by the time when their past goes.
    ends: VecDeque<End>,
    /// Subjects whose past goes at this moment.
    sweeping: HashSet<u64>,
    revisions: HashMap<String, u64>,
    /// The stream of the feeds has no record after this one that is not known.
    known: u64,
    /// Sequences of our records in this window.
    window: Vec<u64>,
}

impl Book {
    pub(crate) fn new() -> Book {
        Book {
            seed: rand::random(),
            subjects: Subjects::default(),
            recovered: Vec::new(),
            ends: VecDeque::new(),
            sweeping: HashSet::new(),
            revisions: HashMap::new(),
            known: 0,
            window: Vec::new(),
        }
    }

    /// The hash under which a subject is known.
    pub(crate) fn subject(&self, subject: &str) -> u64 {
        xxh3_64_with_seed(subject.as_bytes(), self.seed)
    }

    /// Sequence of the last record of a subject; 0 for none.
    pub(crate) fn last(&self, subject: u64) -> u64 {
        self.subjects.get(subject)
    }

    /// Revision of a checkpoint; 0 for none.
    pub(crate) fn revision(&self, key: &str) -> u64 {
        self.revisions.get(key).copied().unwrap_or(0)
    }

    /// A record of a feed that was read back.
    pub(crate) fn recover(&mut self, subject: &str, sequence: u64) {
        let subject = self.subject(subject);
        self.recovered.push((subject, sequence));
        self.known = self.known.max(sequence);
    }

    /// A marker that was read back: the entity's past goes after so long.
    pub(crate) fn recover_end(&mut self, subject: &str, marker: u64, after: Duration) {
        let subject = self.subject(subject);
        self.ends.push_back(End { at: Instant::now() + after, subject, marker });
    }

    /// At most so many subjects that still end with a marker, whose past goes now.
    pub(crate) fn due(&mut self, at_most: usize) -> Vec<End> {
        let now = Instant::now();
        let mut due = Vec::new();
        while due.len() < at_most
            && self.ends.front().is_some_and(|end| end.at <= now)
            && let Some(end) = self.ends.pop_front()
        {
            if self.last(end.subject) == end.marker {
                self.sweeping.insert(end.subject);
                due.push(end);
            }
        }
        due
    }

    /// Whether the past of a subject goes at this moment, so that nobody knows its last record.
    pub(crate) fn is_sweeping(&self, subject: u64) -> bool {
        self.sweeping.contains(&subject)
    }

    /// Sweeping is over: the past of these is gone, and their markers.
    pub(crate) fn swept(&mut self, ends: &[End]) {
        self.sweeping.clear();
        for end in ends {
            if self.last(end.subject) == end.marker {
                self.subjects.set(end.subject, 0);
            }
        }
    }

    /// A checkpoint that was read back.
    pub(crate) fn recover_checkpoint(&mut self, key: &str, revision: u64) {
        self.revisions.insert(key.to_owned(), revision);
    }

    /// The stream reached so far before it was read back.
    pub(crate) fn recovered_to(&mut self, sequence: u64) {
        self.known = self.known.max(sequence);
        self.subjects.fill(std::mem::take(&mut self.recovered));
        self.ends.make_contiguous().sort_unstable();
    }

    /// Takes an acknowledgement in. Returns the record where it must be published again.
    ///
    /// A duplicate whose original is not newer than the last known record of its subject is not this
    /// event, but an older one that had the same id: an entity that came back as it was. It gets another
    /// message id.
    pub(crate) fn acknowledge(
        &mut self,
        mut record: Record,
        sequence: u64,
        duplicate: bool,
    ) -> Option<Record> {
        match &record.target {
            Target::Feed { expected: Some(expected), .. } if duplicate && sequence <= *expected => {
                let id = record.headers.get(NATS_MESSAGE_ID).map_or("", |id| id.as_str());
                let id = format!("{id}-after-{expected}");
                record.headers.insert(NATS_MESSAGE_ID, id);
                return Some(record);
            }
            Target::Feed { subject, expected, ends_after } => {
                if expected.is_some() {
                    self.subjects.set(*subject, sequence);
                    self.window.push(sequence);
                    if let Some(after) = ends_after {
                        self.ends.push_back(End {
                            at: Instant::now() + *after,
                            subject: *subject,
                            marker: sequence,
                        });
                    }
                }
            }
            Target::Free => {}
            Target::Checkpoint(key) => {
                self.revisions.insert(key.clone(), sequence);
            }
        }
        None
    }

    /// At the end of a window: whether the stream has a record in between that is not ours.
    pub(crate) fn close_window(&mut self) -> Result<(), BusFault> {
        self.window.sort_unstable();
        for sequence in self.window.drain(..) {
            if sequence > self.known + 1 {
                return Err(foreign());
            }
            self.known = self.known.max(sequence);
        }
        Ok(())
    }

    /// Between windows: compares with the last sequence of the stream.
    pub(crate) fn compare(&self, last: u64) -> Result<(), BusFault> {
        if last == self.known { Ok(()) } else { Err(foreign()) }
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
    use super::*;

    fn record(subject: u64, expected: u64) -> Record {
        let mut headers = async_nats::HeaderMap::new();
        headers.insert(NATS_MESSAGE_ID, "id");
        let target = Target::Feed { subject, expected: Some(expected), ends_after: None };
        Record { target, subject: "s".into(), headers, payload: "p".into() }
    }

    fn recovered_to(sequence: u64) -> Book {
        let mut book = Book::new();
        book.recovered_to(sequence);
        book
    }

    #[test]
    fn acknowledgements_in_any_order_close_a_window() {
        let mut book = recovered_to(10);
        for sequence in [12, 11, 13] {
            assert!(book.acknowledge(record(sequence, 0), sequence, false).is_none());
        }
        book.close_window().unwrap();
        assert_eq!(book.last(12), 12);
        book.compare(13).unwrap();
    }

    #[test]
    fn a_record_of_another_process_is_noticed() {
        let mut book = recovered_to(10);
        assert!(book.acknowledge(record(1, 0), 12, false).is_none());
        assert_eq!(book.close_window().unwrap_err().kind(), "aborted");
        assert_eq!(recovered_to(10).compare(11).unwrap_err().kind(), "aborted");
    }

    #[test]
    fn a_record_published_twice_counts_once() {
        let mut book = recovered_to(10);
        assert!(book.acknowledge(record(1, 0), 11, true).is_none());
        book.close_window().unwrap();
        book.compare(11).unwrap();
    }

    #[test]
    fn an_older_event_with_the_same_id_is_not_taken_for_this_one() {
        let mut book = recovered_to(10);
        let again = book.acknowledge(record(1, 9), 4, true).unwrap();
        assert_eq!(again.headers.get(NATS_MESSAGE_ID).unwrap().as_str(), "id-after-9");
        assert_eq!(book.last(1), 0);
    }

    #[test]
    fn a_subject_that_still_ends_with_its_marker_is_swept() {
        let mut book = recovered_to(0);
        book.recover("a", 1);
        book.recover("b", 2);
        let (a, b) = (book.subject("a"), book.subject("b"));
        book.recover_end("a", 1, Duration::ZERO);
        book.recover_end("b", 1, Duration::ZERO);
        book.recovered_to(2);
        let due = book.due(10);
        assert_eq!(due.iter().map(|end| end.marker).collect::<Vec<_>>(), [1]);
        book.swept(&due);
        assert_eq!((book.last(a), book.last(b)), (0, 2));
        assert_eq!(book.due(10), []);
    }
}
