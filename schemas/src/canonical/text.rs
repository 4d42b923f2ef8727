//! One spelling for every text.

use std::cmp::Ordering;

/// Where the text that begins with the quotation mark at `at` ends: behind its last one. `None` where
/// it has no end, or a control character or an escape that JSON does not have.
pub(super) fn end(text: &[u8], at: usize) -> Option<usize> {
    let mut at = at + 1;
    loop {
        match text.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += escape(&text[at..])?.1,
            0..0x20 => return None,
            _ => at += 1,
        }
    }
}

/// What the escape at the beginning of `text` says, and its length. Half a surrogate pair says itself.
fn escape(text: &[u8]) -> Option<(u32, usize)> {
    let said = match text.get(1)? {
        byte @ (b'"' | b'\\' | b'/') => u32::from(*byte),
        b'b' => 8,
        b't' => 9,
        b'n' => 10,
        b'f' => 12,
        b'r' => 13,
        b'u' => {
            let unit = unit(text)?;
            let next = text.get(6..).and_then(unit_of_pair);
            return Some(match (unit, next) {
                (0xd800..0xdc00, Some(low)) => {
                    (0x1_0000 + ((unit - 0xd800) << 10 | (low - 0xdc00)), 12)
                }
                _ => (unit, 6),
            });
        }
        _ => return None,
    };
    Some((said, 2))
}

/// The number in `\u0041`.
fn unit(text: &[u8]) -> Option<u32> {
    let digits = text.strip_prefix(b"\\u")?.get(..4)?;
    digits.iter().try_fold(0, |unit, digit| Some(unit << 4 | char::from(*digit).to_digit(16)?))
}

fn unit_of_pair(text: &[u8]) -> Option<u32> {
    unit(text).filter(|unit| (0xdc00..0xe000).contains(unit))
}

/// Appends a text that is whole, quotation marks and all, in its one spelling.
pub(super) fn spell(text: &str, out: &mut String) {
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let Some((said, length)) = escape(&rest.as_bytes()[at..]) else { break };
        match said {
            0x22 => out.push_str("\\\""),
            0x5c => out.push_str("\\\\"),
            0x08 => out.push_str("\\b"),
            0x09 => out.push_str("\\t"),
            0x0a => out.push_str("\\n"),
            0x0c => out.push_str("\\f"),
            0x0d => out.push_str("\\r"),
            _ => match char::from_u32(said).filter(|_| said >= 0x20) {
                Some(char) => out.push(char),
                None => out.push_str(&format!("\\u{said:04x}")),
            },
        }
        rest = &rest[at + length..];
    }
    out.push_str(rest);
}

/// The order of two keys that are spelled so, quotation marks and all.
pub(super) fn order(a: &str, b: &str) -> Ordering {
    if a.contains('\\') || b.contains('\\') {
        return points(inside(a)).cmp(points(inside(b)));
    }
    inside(a).cmp(inside(b))
}

fn inside(key: &str) -> &str {
    key.get(1..key.len() - 1).unwrap_or_default()
}

/// The code points that a text says.
fn points(text: &str) -> impl Iterator<Item = u32> + '_ {
    let mut rest = text;
    std::iter::from_fn(move || {
        let first = rest.chars().next()?;
        let (said, length) = match first {
            '\\' => escape(rest.as_bytes())?,
            char => (u32::from(char), char.len_utf8()),
        };
        rest = &rest[length..];
        Some(said)
    })
}
