//! Feeds `call`, `call_message`, `call_jeopardy`: what was modified since a mark.
//!
//! The mark is an opaque int64. What the document leaves open, and what is done about it:
//!
//! * Whether the bound is inclusive: rows that come again are recognised by their content.
//! * The order of rows: they are put into the order of their marks.
//! * Whether a row can become visible after a newer mark was read, or later under a mark that was read
//!   already: `timestamp.overlap` asks again from so far before the highest mark. With an overlap of 0
//!   such a row is missed until it is modified again.

use async_trait::async_trait;
use serde::Deserialize;
use talon_sdk::{Clock, Coverage, Cursor, Fault, Feed, Observation, Rows};

use crate::client::{Modified, Upstream};

pub(crate) struct Modifications {
    upstream: Upstream,
    of: Modified,
    overlap: i64,
    clock: Clock,
}

#[derive(Deserialize)]
struct Head {
    timestamp: Option<i64>,
}

impl Modifications {
    pub(crate) fn new(
        upstream: Upstream,
        of: Modified,
        overlap: i64,
        clock: Clock,
    ) -> Modifications {
        Modifications { upstream, of, overlap, clock }
    }
}

#[async_trait]
impl Feed for Modifications {
    async fn next(&mut self, from: Option<&Cursor>) -> Result<Observation, Fault> {
        let mark = match from {
            None => 0,
            Some(cursor) => cursor.0.parse::<i64>().map_err(|_| Fault::Internal {
                reason: "the checkpoint's cursor is no mark".to_owned(),
            })?,
        };
        let as_of_ms = self.clock.now_ms();
        let body = self.upstream.modifications(self.of, asked(mark, self.overlap)).await?;
        let (rows, highest) = rows_since(body)?;
        let reached = highest.map_or(mark, |highest| highest.max(mark));
        self.upstream.saw_mark(self.of, reached);
        Ok(Observation {
            scope: String::new(),
            coverage: Coverage::Delta,
            rows,
            cursor: Some(Cursor(reached.to_string())),
            snapshot: from.is_none(),
            as_of_ms,
        })
    }
}

/// The mark to ask from: never below the beginning.
pub(crate) fn asked(mark: i64, overlap: i64) -> i64 {
    mark.saturating_sub(overlap).max(0.min(mark))
}

/// The rows in the order of their marks, and the highest mark.
pub(crate) fn rows_since(body: bytes::Bytes) -> Result<(Rows, Option<i64>), Fault> {
    let (mut rows, heads) = Rows::with_heads::<Head>(body).map_err(|error| {
        Fault::unavailable(format!("a modification feed answers strangely: {error}"))
    })?;
    let marks: Vec<Option<i64>> =
        heads.into_iter().map(|head| head.and_then(|head| head.timestamp)).collect();
    rows.sort_by_rank(&marks);
    Ok((rows, marks.into_iter().flatten().max()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &'static str) -> (Vec<String>, Option<i64>) {
        let (rows, highest) = rows_since(bytes::Bytes::from_static(body.as_bytes())).unwrap();
        (rows.iter().map(|row| String::from_utf8_lossy(row).into_owned()).collect(), highest)
    }

    #[test]
    fn unordered_rows_are_put_into_the_order_of_their_marks() {
        let (rows, highest) = read(
            r#"[{"id":1,"timestamp":9},{"timestamp":3,"id":2},{"id":3,"timestamp":9},{"id":4}]"#,
        );
        assert_eq!(
            rows,
            [
                r#"{"id":4}"#,
                r#"{"timestamp":3,"id":2}"#,
                r#"{"id":1,"timestamp":9}"#,
                r#"{"id":3,"timestamp":9}"#
            ]
        );
        assert_eq!(highest, Some(9));
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
        assert_eq!(asked(100, 0), 100);
        assert_eq!(asked(100, 30), 70);
        assert_eq!(asked(10, 30), 0);
        assert_eq!(asked(0, 30), 0);
        assert_eq!(asked(-5, 30), -5, "marks below zero, should there be any, are not jumped over");
    }

    #[test]
    fn a_body_that_is_no_list_is_unavailable() {
        for body in ["{}", "", "[{\"id\":1}", "<html>"] {
            let read = rows_since(bytes::Bytes::from_static(body.as_bytes()));
            assert_eq!(read.unwrap_err().kind(), "unavailable", "{body}");
        }
    }
}
