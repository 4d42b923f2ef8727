//! Modification marks: opaque numbers that grow.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::leap::{Believed, believed};
use crate::Rows;

/// How far a resource was read by its marks. Its feed and its commands share it, and it outlives the feed's
/// objects. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Marks {
    overlap: i64,
    audit_ms: Option<i64>,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Debug, Default)]
struct Seen {
    last: Option<i64>,
    /// The turn of the last look from the beginning.
    turn: Option<i64>,
}

impl Marks {
    /// Asked again from `overlap` before the highest mark, and looked at from the beginning once in
    /// `audit_ms`; never where that is `None`.
    pub fn new(overlap: i64, audit_ms: Option<i64>) -> Marks {
        Marks { overlap, audit_ms, seen: Arc::default() }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a mark that was seen, by a feed or before a command.
    pub fn saw(&self, mark: i64) {
        let mut seen = self.seen();
        seen.last = seen.last.max(Some(mark));
    }

    /// The highest mark seen so far; later rows have none below it, but for the overlap.
    pub fn last(&self) -> Option<i64> {
        self.seen().last
    }

    /// The mark to ask from: never below the beginning.
    pub fn asked(&self, mark: i64) -> i64 {
        mark.saturating_sub(self.overlap).max(0.min(mark))
    }

    /// Whether it is time for a look from the beginning: another turn than at the last call, and not the
    /// first. Turns are at fixed times, whatever the process was started for, so restarts put none off.
    pub(super) fn takes_turn(&self, now_ms: i64) -> bool {
        let Some(audit_ms) = self.audit_ms else { return false };
        let turn = now_ms.div_euclid(audit_ms.max(1));
        self.seen().turn.replace(turn).is_some_and(|last| last != turn)
    }
}

/// Rows with their marks, in the order in which they came.
#[derive(Debug, Clone, Default)]
pub struct MarkedRows {
    /// The rows.
    pub rows: Rows,
    /// The mark of each; `None` where it has none that can be read.
    pub marks: Vec<Option<i64>>,
}

impl MarkedRows {
    /// The rows in the order of their marks, and how far those are believed after the highest that is
    /// `known`.
    pub fn sorted(mut self, known: Option<i64>) -> (Rows, Believed) {
        self.rows.sort_by_rank(&self.marks);
        (self.rows, believed(known, self.marks.into_iter().flatten()))
    }

    /// The rows whose marks are below this one, in the order of their marks.
    pub(super) fn below(mut self, mark: i64) -> Rows {
        let is_below = |of: &Option<i64>| of.is_some_and(|of| of < mark);
        self.rows.retain(|row| self.marks.get(row).is_some_and(is_below));
        self.marks.retain(is_below);
        self.rows.sort_by_rank(&self.marks);
        self.rows
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::{Fault, Received};

    fn marked(body: &'static str) -> Result<MarkedRows, Fault> {
        let received = Received::new("GET /x", Bytes::from_static(body.as_bytes()));
        Ok(received.marked_rows("timestamp")?)
    }

    fn read(body: &'static str) -> (Vec<String>, Option<i64>) {
        let (rows, Believed { highest, .. }) = marked(body).unwrap().sorted(None);
        (texts(&rows), highest)
    }

    fn texts(rows: &Rows) -> Vec<String> {
        rows.iter().map(|row| String::from_utf8_lossy(row).into_owned()).collect()
    }

    #[test]
    fn a_look_from_the_beginning_is_at_what_lies_below_the_mark() {
        let body = r#"[{"timestamp":7},{"timestamp":9},{"timestamp":2},{"id":1,"n":NaN},{"id":2}]"#;
        let rows = marked(body).unwrap().below(9);
        assert_eq!(texts(&rows), [r#"{"timestamp":2}"#, r#"{"timestamp":7}"#]);
    }

    #[test]
    fn unordered_rows_are_put_into_the_order_of_their_marks() {
        let (rows, highest) = read(
            r#"[{"id":1,"timestamp":9},{"timestamp":3,"id":2},{"id":3,"timestamp":9},{"id":4}]"#,
        );
        let expected = [
            r#"{"id":4}"#,
            r#"{"timestamp":3,"id":2}"#,
            r#"{"id":1,"timestamp":9}"#,
            r#"{"id":3,"timestamp":9}"#,
        ];
        assert_eq!((&rows[..], highest), (&expected.map(str::to_owned)[..], Some(9)));
    }

    #[test]
    fn the_mark_of_a_nested_row_does_not_count() {
        let (_, highest) = read(r#"[{"id":1,"jeopardies":[{"timestamp":99}],"timestamp":5}]"#);
        assert_eq!(highest, Some(5));
    }

    #[test]
    fn nothing_new_has_no_mark() {
        assert_eq!(read("[]"), (vec![], None));
    }

    #[test]
    fn the_overlap_asks_again_but_not_below_the_beginning() {
        let asked = |mark, overlap| Marks::new(overlap, None).asked(mark);
        assert_eq!(asked(100, 0), 100);
        assert_eq!(asked(100, 30), 70);
        assert_eq!(asked(10, 30), 0);
        assert_eq!(asked(0, 30), 0);
        assert_eq!(asked(-5, 30), -5, "marks below zero, should there be any, are not jumped over");
    }

    #[test]
    fn a_body_that_is_no_list_is_unavailable() {
        for body in ["{}", r#"{"errorCode":7}"#, "null", "7", "\"x\"", "[{\"id\":1}", "<html>"] {
            assert_eq!(marked(body).unwrap_err().kind(), "unavailable", "{body}");
        }
        assert_eq!(read(""), (vec![], None), "no content");
    }

    #[test]
    fn looks_from_the_beginning_are_at_fixed_times_and_not_at_the_first_call() {
        let marks = Marks::new(0, Some(1_000));
        let looks = [5_500, 5_999, 6_000, 6_001, 8_000].map(|now| marks.takes_turn(now));
        assert_eq!(looks, [false, false, true, false, true]);
        assert!(!Marks::new(0, None).takes_turn(9_000));
        let other = marks.clone();
        assert!(!other.takes_turn(8_500), "clones share the turn");
    }
}
