//! Feeds `call`, `call_message`, `call_jeopardy`: what was modified since a mark.
//!
//! The mark is an opaque int64. What the document leaves open, and what is done about it:
//!
//! * Whether the bound is inclusive: rows that come again are recognised by their content.
//! * The order of rows: they are put into the order of their marks.
//! * Whether a row can become visible after a newer mark was read, or later under a mark that was read
//!   already: `timestamp.overlap` asks again from so far before the highest mark. With an overlap of 0
//!   such a row is missed until it is modified again, or until the next look from the beginning.
//! * Whether a mark can be wrong: one that leaps is not believed at once; see [`super::marks`].
//!
//! Once in `timestamp.audit.interval.ms` a table is looked at from the beginning: what lies below the mark
//! and is not known should have been seen before. The looks are at fixed times, whatever the process was
//! started for, so that restarts put none off. A log is not looked at: what its topic has let go of would be
//! published again.

use async_trait::async_trait;
use serde::Deserialize;
use talon_sdk::{Clock, Coverage, Cursor, Fault, Feed, Observation, Received, Rows};

use super::marks::{Believed, Leap, believed};
use crate::client::{Modified, Upstream};

pub(crate) struct Modifications {
    upstream: Upstream,
    of: Modified,
    overlap: i64,
    /// Milliseconds from one look from the beginning to the next; none where there are no such looks.
    audit_ms: Option<i64>,
    clock: Clock,
    leap: Option<Leap>,
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
        audit_ms: Option<i64>,
        clock: Clock,
    ) -> Modifications {
        Modifications { upstream, of, overlap, audit_ms, clock, leap: None }
    }

    /// Looks from the beginning, if it is time: the rows below where reading goes on from.
    async fn audit(&self, mark: i64, now_ms: i64) -> Option<Rows> {
        let turn = now_ms.div_euclid(self.audit_ms?);
        if !self.upstream.takes_turn(self.of, turn) {
            return None;
        }
        let seen = asked(mark, self.overlap);
        let looked = self.upstream.modifications(self.of, 0).await;
        match looked.and_then(|received| rows_below(received, seen)) {
            Ok(rows) => Some(rows),
            // Reading on must not wait for it.
            Err(fault) => {
                tracing::warn!(of = ?self.of, "no look from the beginning this time: {fault}");
                None
            }
        }
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
        if from.is_some()
            && let Some(rows) = self.audit(mark, as_of_ms).await
        {
            return Ok(Observation {
                scope: String::new(),
                coverage: Coverage::Audit,
                rows,
                cursor: None,
                snapshot: false,
                as_of_ms,
            });
        }
        let received = self.upstream.modifications(self.of, asked(mark, self.overlap)).await?;
        let known = from.is_some().then_some(mark);
        let (rows, Believed { highest, leap }) = rows_since(received, known)?;
        self.leap = leap;
        let reached = highest.unwrap_or(mark);
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

    fn doubt(&self) -> Option<String> {
        self.leap.map(Leap::doubt)
    }
}

/// The mark to ask from: never below the beginning.
pub(crate) fn asked(mark: i64, overlap: i64) -> i64 {
    mark.saturating_sub(overlap).max(0.min(mark))
}

/// The rows in the order of their marks, and how far those are believed after the highest that is `known`.
pub(crate) fn rows_since(
    received: Received,
    known: Option<i64>,
) -> Result<(Rows, Believed), Fault> {
    let (mut rows, marks) = rows_and_marks(received)?;
    rows.sort_by_rank(&marks);
    Ok((rows, believed(known, marks.into_iter().flatten())))
}

/// The rows whose marks are below this one.
fn rows_below(received: Received, mark: i64) -> Result<Rows, Fault> {
    let (mut rows, mut marks) = rows_and_marks(received)?;
    let is_below = |of: &Option<i64>| of.is_some_and(|of| of < mark);
    rows.retain(|row| marks.get(row).is_some_and(is_below));
    marks.retain(is_below);
    rows.sort_by_rank(&marks);
    Ok(rows)
}

fn rows_and_marks(received: Received) -> Result<(Rows, Vec<Option<i64>>), Fault> {
    let (rows, heads) = received.rows_with_heads::<Head>()?;
    Ok((rows, heads.into_iter().map(|head| head.and_then(|head| head.timestamp)).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &'static str) -> (Vec<String>, Option<i64>) {
        let (rows, Believed { highest, .. }) = rows_since(received(body), None).unwrap();
        (texts(&rows), highest)
    }

    fn received(body: &'static str) -> Received {
        Received::new("GET /x", bytes::Bytes::from_static(body.as_bytes()))
    }

    fn texts(rows: &Rows) -> Vec<String> {
        rows.iter().map(|row| String::from_utf8_lossy(row).into_owned()).collect()
    }

    #[test]
    fn a_look_from_the_beginning_is_at_what_lies_below_the_mark() {
        let body = r#"[{"timestamp":7},{"timestamp":9},{"timestamp":2},{"id":1,"n":NaN},{"id":2}]"#;
        let rows = rows_below(received(body), 9).unwrap();
        assert_eq!(texts(&rows), [r#"{"timestamp":2}"#, r#"{"timestamp":7}"#]);
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
        for body in ["{}", r#"{"errorCode":7}"#, "null", "7", "\"x\"", "[{\"id\":1}", "<html>"] {
            let read = rows_since(received(body), None);
            assert_eq!(read.unwrap_err().kind(), "unavailable", "{body}");
        }
        assert_eq!(read(""), (vec![], None), "no content");
    }
}
