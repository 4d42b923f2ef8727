//! The rows of a reply, found in its bytes without copying them.

use std::ops::Range;

use bytes::Bytes;
use serde::de::DeserializeOwned;

use crate::brackets::{Member, skip_blank};
use crate::member::member;
use crate::split::end_of;

/// Rows of one reply: its body, and where in it each row stands.
#[derive(Debug, Clone, Default)]
pub struct Rows {
    body: Bytes,
    spans: Vec<Range<usize>>,
}

/// The body is no JSON array, is cut, or has a row that is not closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the body is no whole JSON array: byte {at} of {len}")]
pub struct NotAnArray {
    /// Where reading stopped.
    pub at: usize,
    /// Size of the body.
    pub len: usize,
}

impl Rows {
    /// Rows of one JSON array.
    ///
    /// No row is read: where it ends its brackets and quotes say, also of one that is no JSON at all. An empty
    /// place between two commas is a row without bytes; a comma behind the last row is none.
    pub fn of_array(body: Bytes) -> Result<Rows, NotAnArray> {
        let mut spans = Vec::new();
        let text: &[u8] = &body;
        let len = text.len();
        let fail = |at| NotAnArray { at, len };
        let mut at = skip_blank(text, 0);
        if text.get(at) != Some(&b'[') {
            return Err(fail(at));
        }
        at = skip_blank(text, at + 1);
        while text.get(at) != Some(&b']') {
            let end = end_of(text, at).ok_or(fail(at))?;
            spans.push(at..end);
            at = skip_blank(text, end);
            match text.get(at) {
                Some(b',') => at = skip_blank(text, at + 1),
                Some(b']') => {}
                _ => return Err(fail(at)),
            }
        }
        at += 1;
        if skip_blank(text, at) != len {
            return Err(fail(at));
        }
        Ok(Rows { body, spans })
    }

    /// Of each row what `Head` asks for. A row whose head does not decode has `None`: the row itself tells
    /// later why it is bad.
    pub fn heads<Head: DeserializeOwned>(&self) -> Vec<Option<Head>> {
        self.iter().map(|row| crate::spelling::read(row).ok()).collect()
    }

    /// Of each row the whole number under this name. A row that has none has `None`, and so may one that is
    /// no JSON.
    pub fn marks(&self, name: &str) -> Vec<Option<i64>> {
        let member = Member::named(name);
        let mark = |row| {
            member
                .find(row)
                .and_then(|at| whole_number(&row[at..]))
                .or_else(|| read_mark(row, name))
        };
        self.iter().map(mark).collect()
    }

    /// Rows that somebody else found: where each stands in `body`.
    ///
    /// # Panics
    /// Where a row does not lie in the body, which is a defect of the caller; and then when the row is
    /// read.
    pub fn of_spans(body: Bytes, spans: Vec<Range<usize>>) -> Rows {
        Rows { body, spans }
    }

    /// A body that is one row.
    pub fn of_one(body: Bytes) -> Rows {
        let spans = std::iter::once(0..body.len()).collect();
        Rows { body, spans }
    }

    /// Several bodies as rows, one each.
    pub fn of_bodies(bodies: &[Bytes]) -> Rows {
        let mut spans = Vec::with_capacity(bodies.len());
        let mut joined = Vec::with_capacity(bodies.iter().map(Bytes::len).sum());
        for body in bodies {
            let start = joined.len();
            joined.extend_from_slice(body);
            spans.push(start..joined.len());
        }
        Rows { body: joined.into(), spans }
    }

    /// Puts the rows into the order of `rank`, keeping the order of equal ones.
    pub fn sort_by_rank<K: Ord + Copy>(&mut self, rank: &[K]) {
        if rank.is_sorted() {
            return;
        }
        let mut order: Vec<usize> = (0..self.spans.len()).collect();
        order.sort_by_key(|&i| rank.get(i).copied());
        self.spans = order.into_iter().map(|i| self.spans[i].clone()).collect();
    }

    /// Keeps the rows whose number `keep` says yes to.
    pub fn retain(&mut self, mut keep: impl FnMut(usize) -> bool) {
        let mut number = 0..;
        self.spans.retain(|_| number.next().is_some_and(&mut keep));
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// Size of all rows in bytes.
    pub fn bytes(&self) -> usize {
        self.spans.iter().map(Range::len).sum()
    }

    /// The rows' bytes.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.spans.iter().map(|span| &self.body[span.clone()])
    }
}

/// The whole number that the text begins with, if something of JSON is behind it.
fn whole_number(text: &[u8]) -> Option<i64> {
    let end = text.iter().position(|byte| !matches!(byte, b'-' | b'0'..=b'9'))?;
    let is_end = matches!(text[end], b',' | b'}') || text[end].is_ascii_whitespace();
    is_end.then(|| std::str::from_utf8(&text[..end]).ok()?.parse().ok())?
}

/// The whole number under this name in an object, however both are spelled.
fn read_mark(row: &[u8], name: &str) -> Option<i64> {
    crate::spelling::read(member(row, name)?.get().as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str) -> Result<Vec<String>, NotAnArray> {
        let rows = Rows::of_array(Bytes::copy_from_slice(text.as_bytes()))?;
        Ok(rows.iter().map(|row| String::from_utf8_lossy(row).into_owned()).collect())
    }

    #[test]
    fn rows_are_found_without_being_copied() {
        assert_eq!(rows("[]").unwrap(), [""; 0]);
        assert_eq!(rows(" [ ] ").unwrap(), [""; 0]);
        assert_eq!(
            rows(r#"[ {"id":1,"t":"a],[b"} , {"id":2,"n":{"x":[1,{}]}}, 3 ,"s",null]"#).unwrap(),
            [r#"{"id":1,"t":"a],[b"}"#, r#"{"id":2,"n":{"x":[1,{}]}}"#, "3", r#""s""#, "null"]
        );
    }

    #[test]
    fn a_cut_or_foreign_body_is_no_list() {
        for text in [
            "",
            "{}",
            "<html>",
            "[",
            "[{\"id\":1}",
            "[{\"id\":1},",
            "[{\"id\":1}]x",
            "[{\"id\":",
            "[{\"id\":1},{\"t\":\"not closed}]",
            "[{\"id\":1},{\"t\":[1}]",
            "[{\"id\":1},{\"t\":NaN}",
            "[}]",
        ] {
            assert!(rows(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_bad_row_of_a_list_hides_no_other() {
        for bad in [
            r#"{"id":2,"price":NaN}"#,
            r#"{"id":2,"price":-Infinity}"#,
            "{\"id\":2,\"t\":\"],[\n\u{1}},{\"}",
            r#"{"id":2,"t":"\x \ud800 \u12"}"#,
            r#"{"id":2,"t":[1,],}"#,
            r#"{"id":2,"t":"say "hello""}"#,
            r#"{"id":2}x"#,
            r#"{id:2}"#,
            "NaN",
            "01",
            "1 2",
            "undefined",
            "",
        ] {
            for (before, after) in [("[", "]"), (" [ ", " ] "), ("[", ",]")] {
                let text =
                    format!(r#"{before}{{"id":1,"t":"],["}} , {bad} , {{"id":3,"n":[[]]}}{after}"#);
                let expected = [r#"{"id":1,"t":"],["}"#, bad, r#"{"id":3,"n":[[]]}"#];
                assert_eq!(rows(&text).unwrap(), expected, "{text}");
            }
        }
        let deep = format!("{{\"id\":2,\"d\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(rows(&format!("[{deep},1]")).unwrap(), [&*deep, "1"]);
        let bytes = Bytes::from_static(b"[1,{\"t\":\"\xff\"},{\"t\":\xff},3]");
        assert_eq!(Rows::of_array(bytes).unwrap().len(), 4);
        assert_eq!(rows("[NaN]").unwrap(), ["NaN"]);
        assert_eq!(rows("[,1]").unwrap(), ["", "1"]);
    }

    #[test]
    fn a_head_that_does_not_decode_keeps_its_row() {
        #[derive(serde::Deserialize)]
        struct Head {
            timestamp: i64,
        }
        let body = Bytes::from_static(
            br#"[{"timestamp":5},{"timestamp":"x","id":[1]},{"timestamp":7.0}]"#,
        );
        let rows = Rows::of_array(body).unwrap();
        let marks: Vec<_> =
            rows.heads::<Head>().into_iter().map(|head| head.map(|head| head.timestamp)).collect();
        assert_eq!(marks, [Some(5), None, Some(7)]);
        assert_eq!(rows.iter().nth(1).unwrap(), br#"{"timestamp":"x","id":[1]}"#);
    }

    #[test]
    fn a_mark_is_the_whole_number_of_that_name_on_the_top_level() {
        for (row, mark) in [
            (r#"{"mark":5}"#, Some(5)),
            (r#"{ "t" : "\\" , "mark" : -5 }"#, Some(-5)),
            (r#"{"id":1,"jobs":[{"mark":9},{"mark":9}],"n":{"mark":9},"mark":5}"#, Some(5)),
            (
                r#"{"jobs":[{"mark":1},{"mark":2},{"mark":3},{"mark":4},{"mark":6}],"mark":5}"#,
                Some(5),
            ),
            (r#"{"t":"\"mark\":9","mark":5}"#, Some(5)),
            (r#"{"m\u0061rk":5}"#, Some(5)),
            (r#"{"mark":5.0}"#, Some(5)),
            (r#"{"mark":5e1}"#, Some(50)),
            (r#"{"mark":9223372036854775807}"#, Some(i64::MAX)),
            (r#"{"mark":9223372036854775808}"#, None),
            (r#"{"mark":"5"}"#, None),
            (r#"{"mark":null}"#, None),
            (r#"{"marks":5}"#, None),
            (r#"{"n":{"mark":5}}"#, None),
            ("7", None),
        ] {
            let rows = Rows::of_array(format!("[{row}]").into()).unwrap();
            assert_eq!(rows.marks("mark"), [mark], "{row}");
        }
    }

    #[test]
    fn rows_are_put_into_the_order_of_their_marks() {
        let mut rows = Rows::of_array(Bytes::from_static(b"[3,1,2,1]")).unwrap();
        rows.sort_by_rank(&[3, 1, 2, 1]);
        let order: Vec<_> = rows.iter().collect();
        assert_eq!(order, [b"1", b"1", b"2", b"3"]);
    }
}
