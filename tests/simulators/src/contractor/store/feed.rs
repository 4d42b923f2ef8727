//! One modification feed: the published rows of a kind, ordered by mark.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::contractor::log::{Kind, Log};
use crate::contractor::settings::MarkBound;

/// The rows of one kind.
#[derive(Debug)]
pub(in crate::contractor) struct Feed {
    kind: Kind,
    /// The highest mark drawn.
    counter: i64,
    /// How many rows drew the mark `counter`.
    sharing: u64,
    rows: HashMap<i64, Row>,
    by_mark: BTreeSet<(i64, i64)>,
    late: Vec<LateRow>,
}

#[derive(Debug)]
struct Row {
    mark: i64,
    text: Bytes,
}

/// A row that drew its mark and is not visible yet.
#[derive(Debug)]
struct LateRow {
    due: Due,
    id: i64,
    row: Row,
}

/// When a late row becomes visible: after both.
#[derive(Clone, Copy, Debug)]
pub(super) struct Due {
    edit: u64,
    at: Instant,
}

impl Due {
    pub(super) fn after(edits_now: u64, edits: u64, ms: u64) -> Self {
        Self { edit: edits_now + edits, at: Instant::now() + Duration::from_millis(ms) }
    }
}

impl Feed {
    pub(super) fn new(kind: Kind) -> Self {
        Self {
            kind,
            counter: 0,
            sharing: 0,
            rows: HashMap::new(),
            by_mark: BTreeSet::new(),
            late: Vec::new(),
        }
    }

    /// A mark for a row whose mark was `previous` (0 for a new row): never below the last drawn,
    /// and the same for up to `shared_by` different rows.
    pub(super) fn draw(&mut self, shared_by: u64, previous: i64) -> i64 {
        if self.sharing == 0 || self.sharing >= shared_by || self.counter <= previous {
            self.counter += 1;
            self.sharing = 0;
        }
        self.sharing += 1;
        self.counter
    }

    /// Publishes a state, at once or when it is due. An earlier late state of the row comes first.
    pub(super) fn publish(
        &mut self,
        id: i64,
        mark: i64,
        text: Bytes,
        late: Option<Due>,
        log: &mut Log,
    ) {
        self.reveal(|row| row.id == id, log);
        let row = Row { mark, text };
        match late {
            Some(due) => self.late.push(LateRow { due, id, row }),
            None => self.show(id, row, log),
        }
    }

    /// Makes the late rows visible that are due.
    pub(super) fn reveal_due(&mut self, edits: u64, log: &mut Log) {
        if !self.late.is_empty() {
            let now = Instant::now();
            self.reveal(|row| row.due.edit <= edits && row.due.at <= now, log);
        }
    }

    /// Makes all late rows visible.
    pub(super) fn settle(&mut self, log: &mut Log) {
        self.reveal(|_| true, log);
    }

    fn reveal(&mut self, is_due: impl Fn(&LateRow) -> bool, log: &mut Log) {
        let due: Vec<_> = self.late.extract_if(.., |row| is_due(row)).collect();
        for late in due {
            self.show(late.id, late.row, log);
        }
    }

    fn show(&mut self, id: i64, row: Row, log: &mut Log) {
        log.record(self.kind, id, Some(row.mark), &row.text);
        self.by_mark.insert((row.mark, id));
        if let Some(old) = self.rows.insert(id, row) {
            self.by_mark.remove(&(old.mark, id));
        }
    }

    /// The visible rows above (or from) `mark`, in an order that depends only on `seed`, `mark` and
    /// their number: the document promises none.
    pub(super) fn since(&self, mark: i64, bound: MarkBound, seed: u64) -> Vec<Bytes> {
        let from = match bound {
            MarkBound::Exclusive => Bound::Excluded((mark, i64::MAX)),
            MarkBound::Inclusive => Bound::Included((mark, i64::MIN)),
        };
        let mut rows: Vec<Bytes> = self
            .by_mark
            .range((from, Bound::Unbounded))
            .filter_map(|(_, id)| self.rows.get(id))
            .map(|row| row.text.clone())
            .collect();
        let order = seed ^ mark.cast_unsigned().rotate_left(32) ^ rows.len() as u64;
        rows.shuffle(&mut ChaCha8Rng::seed_from_u64(order));
        rows
    }

    pub(super) fn get(&self, id: i64) -> Option<Bytes> {
        self.rows.get(&id).map(|row| row.text.clone())
    }

    pub(super) fn head(&self) -> i64 {
        self.counter
    }

    pub(super) fn current(&self) -> BTreeMap<i64, Bytes> {
        let rows = self.rows.iter();
        rows.map(|(id, row)| (*id, row.text.clone())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_shared_by_so_many_rows_but_never_by_two_states_of_one_row() {
        let mut feed = Feed::new(Kind::Calls);
        let drawn: Vec<_> = [0, 0, 0, 0, 2].map(|previous| feed.draw(3, previous)).into();
        assert_eq!(drawn, [1, 1, 1, 2, 3]);
    }

    #[test]
    fn a_late_row_appears_below_the_head() {
        let mut log = Log::default();
        let mut feed = Feed::new(Kind::Calls);
        let late = feed.draw(1, 0);
        feed.publish(1, late, Bytes::from_static(b"1"), Some(Due::after(0, 1, 0)), &mut log);
        let newer = feed.draw(1, 0);
        feed.publish(2, newer, Bytes::from_static(b"2"), None, &mut log);
        assert_eq!(feed.since(0, MarkBound::Exclusive, 0).len(), 1);
        feed.reveal_due(1, &mut log);
        assert_eq!(feed.since(0, MarkBound::Exclusive, 0).len(), 2);
        assert!(feed.since(newer, MarkBound::Exclusive, 0).is_empty());
    }

    #[test]
    fn a_row_is_published_with_its_late_state_before_its_next() {
        let mut log = Log::new(true);
        let mut feed = Feed::new(Kind::Calls);
        for text in ["1", "2"] {
            let mark = feed.draw(1, 0);
            feed.publish(7, mark, text.into(), Some(Due::after(0, 9, 0)), &mut log);
        }
        assert_eq!(feed.get(7), Some(Bytes::from_static(b"1")));
        feed.settle(&mut log);
        assert_eq!(feed.get(7), Some(Bytes::from_static(b"2")));
        assert_eq!(log.published(), 2);
    }
}
