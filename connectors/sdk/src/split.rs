//! Where the parts of a text end that is no JSON: by brackets and quotes alone.
//!
//! One bad row of a list (`NaN`, a raw line break in a text, a wrong escape) must not hide the others.
//! `end_of` says where it ends. That is sure only where the row is JSON in all but its words and texts,
//! which [`is_one_row`] says; otherwise it may hold other rows, such as where a quote is missing in two of
//! them.

use std::borrow::Cow;
use std::ops::Range;

use memchr::memchr2;

use crate::brackets::{self, skip_blank};
use crate::text::Text;

/// Where the value ends that begins at `at`: before the comma or bracket that ends it, blanks left out.
///
/// `None` where a text or bracket is not closed: then nobody can say what is part of what.
pub(crate) fn end_of(text: &[u8], at: usize) -> Option<usize> {
    if matches!(text.get(at), Some(b'{' | b'['))
        && let Some(length) = brackets::end_of(&text[at..])
        && matches!(text.get(skip_blank(text, at + length)), Some(b',' | b'}' | b']'))
    {
        return Some(at + length);
    }
    end_by_bytes(text, at)
}

/// [`end_of`], whatever the text is.
pub(crate) fn end_by_bytes(text: &[u8], at: usize) -> Option<usize> {
    let mut open = Vec::new();
    let mut place = at;
    loop {
        match *text.get(place)? {
            b'"' => {
                place = end_of_text(text, place)?;
                continue;
            }
            byte @ (b'{' | b'[') => open.push(byte),
            b',' | b'}' | b']' if open.is_empty() => break,
            byte @ (b'}' | b']') if open.pop() != Some(opening(byte)) => return None,
            _ => {}
        }
        place += 1;
    }
    Some(at + text[at..place].trim_ascii_end().len())
}

/// Whether a row that is no JSON is surely one row, and nothing of another one.
///
/// It is if it fits the grammar of JSON, with any words in place of numbers, with texts that have any bytes
/// and escapes, to any depth, and with a comma too many before a bracket.
pub fn is_one_row(row: &[u8]) -> bool {
    use Next::{After, Colon, Done, NameOrEnd, Value, ValueOrEnd};
    let (mut at, mut open, mut next) = (0, Vec::new(), Value);
    loop {
        at = skip_blank(row, at);
        let Some(&byte) = row.get(at) else { return next == Done };
        let after = if open.is_empty() { Done } else { After };
        next = match (next, byte) {
            (Value | ValueOrEnd, b'{') => {
                open.push(byte);
                NameOrEnd
            }
            (Value | ValueOrEnd, b'[') => {
                open.push(byte);
                ValueOrEnd
            }
            (Value | ValueOrEnd | NameOrEnd, b'"') => {
                let Some(end) = end_of_text(row, at) else { return false };
                at = end;
                next = if next == NameOrEnd { Colon } else { after };
                continue;
            }
            (Value | ValueOrEnd, _) if is_of_word(byte) => {
                at += row[at..].iter().take_while(|byte| is_of_word(**byte)).count();
                next = after;
                continue;
            }
            (Colon, b':') => Value,
            (After, b',') => match open.last() {
                Some(b'{') => NameOrEnd,
                _ => ValueOrEnd,
            },
            (NameOrEnd | ValueOrEnd | After, b'}' | b']') => {
                if open.pop() != Some(opening(byte)) {
                    return false;
                }
                if open.is_empty() { Done } else { After }
            }
            _ => return false,
        };
        at += 1;
    }
}

/// What may come next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    Value,
    ValueOrEnd,
    NameOrEnd,
    Colon,
    /// Behind a value inside a container.
    After,
    /// Behind the row.
    Done,
}

/// The fields of an object that may hold bad values: their names, and the places of their values in the
/// text. `None` where it is no object of that form.
pub fn fields_of(object: &[u8]) -> Option<Vec<(Cow<'_, str>, Range<usize>)>> {
    let mut fields = Vec::new();
    let mut at = skip_blank(object, 0);
    if object.get(at) != Some(&b'{') {
        return None;
    }
    at = skip_blank(object, at + 1);
    while object.get(at) == Some(&b'"') {
        let quoted = &object[at..end_of_text(object, at)?];
        let name = serde_json::from_slice::<Text<'_>>(quoted).map(|name| name.0);
        at = skip_blank(object, at + quoted.len());
        if object.get(at) != Some(&b':') {
            return None;
        }
        let start = skip_blank(object, at + 1);
        let value = start..end_of(object, start)?;
        at = skip_blank(object, value.end);
        fields.push((name.unwrap_or_else(|_| String::from_utf8_lossy(quoted)), value));
        if object.get(at) == Some(&b',') {
            at = skip_blank(object, at + 1);
        }
    }
    let is_whole = object.get(at) == Some(&b'}') && skip_blank(object, at + 1) == object.len();
    is_whole.then_some(fields)
}

/// Where a text ends: behind the quote that closes it.
fn end_of_text(text: &[u8], start: usize) -> Option<usize> {
    let mut at = start + 1;
    loop {
        at += memchr2(b'"', b'\\', text.get(at..)?)?;
        if text[at] == b'"' {
            return Some(at + 1);
        }
        at += 2;
    }
}

fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.' | b'_')
}

fn opening(closing: u8) -> u8 {
    if closing == b'}' { b'{' } else { b'[' }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Texts of what matters, so that it meets the ends of blocks in every way.
    fn texts() -> impl Strategy<Value = String> {
        let part = prop_oneof![
            4 => Just(r#"""#), 3 => Just(r"\"), 1 => Just("{"), 1 => Just("}"), 1 => Just("["), 1 => Just("]"),
            2 => Just(","), 2 => Just(":"), 3 => Just(" "), 3 => Just("я"), 1 => Just("          "),
            2 => Just(r#""a":1"#), 2 => Just(r#"{"a":[1,"}"]}"#), 1 => Just(r#""\\\"]""#),
        ];
        proptest::collection::vec(part, 0..200).prop_map(|parts| parts.concat())
    }

    proptest! {
        #[test]
        fn an_end_is_where_reading_byte_by_byte_finds_it(inner in texts(), list in any::<bool>()) {
            let text = if list { format!("[{inner}]") } else { format!("{{{inner}}}") };
            if let Some(end) = brackets::end_of(text.as_bytes()) {
                // Behind the bracket a byte-by-byte reading goes on to the next comma.
                prop_assert_eq!(end_by_bytes(&text.as_bytes()[..end], 0), None);
                let whole = [&text.as_bytes()[..end], b","].concat();
                prop_assert_eq!(end_by_bytes(&whole, 0), Some(end));
            }
        }
    }

    #[test]
    fn a_row_that_is_json_in_all_but_its_words_and_texts_is_one_row() {
        for row in [
            r#"{"id":1,"price":NaN}"#,
            r#"{"id":1,"price":-Infinity,"x":undefined}"#,
            "{\"id\":1,\"t\":\"a\nb\tc\u{1}\"}",
            r#"{"id":1,"t":"\x41 \ud800 \u12"}"#,
            r#"{"id":1,"a":[1,2,],}"#,
            r#"{"id":01,"b":.5,"c":+1}"#,
            "NaN",
            r#""\q""#,
        ] {
            assert!(is_one_row(row.as_bytes()), "{row}");
        }
        assert!(is_one_row(b"{\"id\":1,\"t\":\"\xff\xfe\"}"));
        let deep = [vec![b'['; 200_000], vec![b']'; 200_000]].concat();
        assert!(is_one_row(&deep));
    }

    #[test]
    fn a_row_that_may_hold_another_one_is_not_surely_one() {
        for row in [
            "",
            r#"{"id":1,"t":"a},{"id":2,"t":"b}"#,
            r#"{"id":1,"t":"C:\"},{"id":2,"t":"C:\"}"#,
            r#"{"id":1,"t":"say "hello""}"#,
            r#"{"id":1 "b":2}"#,
            r#"{id:1}"#,
            r#"{"id":1}x"#,
            r#"{"id":1,,"b":2}"#,
            r#"{"id":1]"#,
            r#"{"id":1"#,
            r#"{"id":"1}"#,
            "1 2",
        ] {
            assert!(!is_one_row(row.as_bytes()), "{row}");
        }
    }

    #[test]
    fn fields_are_found_beside_bad_ones() {
        let text = br#" {"a": {"x":NaN} , "b\"" :[1,"}"], "\u0063":"t" } "#;
        let shown: Vec<_> = fields_of(text)
            .unwrap()
            .into_iter()
            .map(|(name, value)| {
                (name.into_owned(), String::from_utf8_lossy(&text[value]).into_owned())
            })
            .collect();
        let expected = [("a", "{\"x\":NaN}"), ("b\"", "[1,\"}\"]"), ("c", "\"t\"")];
        assert_eq!(shown, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        for text in ["[]", "{\"a\":1", "{\"a\":\"1}", "{\"a\" 1}", "{\"a\":1}x", "{a:1}"] {
            assert_eq!(fields_of(text.as_bytes()), None, "{text}");
        }
    }
}
