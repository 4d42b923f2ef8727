//! Tells a text that has its one spelling already, without writing it.

use super::{number, text};

/// Texts that are nested deeper are left to the slow way.
const DEEPEST: usize = 16;

pub(super) fn is_canonical(text: &str) -> bool {
    value(text, 0, DEEPEST) == Some(text.len())
}

/// Where the value at `at` ends; `None` where it is not surely in its one spelling.
fn value(json: &str, at: usize, depth: usize) -> Option<usize> {
    let bytes = json.as_bytes();
    let rest = &bytes[at..];
    match rest.first()? {
        b'"' => plain_text(bytes, at),
        b'{' => object(json, at + 1, depth.checked_sub(1)?),
        b'[' => array(json, at + 1, depth.checked_sub(1)?),
        b't' => rest.starts_with(b"true").then_some(at + 4),
        b'f' => rest.starts_with(b"false").then_some(at + 5),
        b'n' => rest.starts_with(b"null").then_some(at + 4),
        _ => {
            let length = number::length(rest)?;
            number::is_canonical(&rest[..length]).then_some(at + length)
        }
    }
}

fn object(json: &str, mut at: usize, depth: usize) -> Option<usize> {
    let bytes = json.as_bytes();
    if bytes.get(at) == Some(&b'}') {
        return Some(at + 1);
    }
    let mut before: Option<&str> = None;
    loop {
        let end = plain_text(bytes, at)?;
        let key = json.get(at..end)?;
        if before.is_some_and(|before| text::order(before, key).is_gt()) {
            return None;
        }
        before = Some(key);
        if bytes.get(end) != Some(&b':') {
            return None;
        }
        at = value(json, end + 1, depth)?;
        match bytes.get(at)? {
            b',' => at += 1,
            b'}' => return Some(at + 1),
            _ => return None,
        }
    }
}

fn array(json: &str, mut at: usize, depth: usize) -> Option<usize> {
    let bytes = json.as_bytes();
    if bytes.get(at) == Some(&b']') {
        return Some(at + 1);
    }
    loop {
        at = value(json, at, depth)?;
        match bytes.get(at)? {
            b',' => at += 1,
            b']' => return Some(at + 1),
            _ => return None,
        }
    }
}

/// Where a text without `\u` and `\/` ends.
fn plain_text(bytes: &[u8], at: usize) -> Option<usize> {
    if bytes.get(at) != Some(&b'"') {
        return None;
    }
    let mut at = at + 1;
    loop {
        match bytes.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => match bytes.get(at + 1)? {
                b'"' | b'\\' | b'b' | b'f' | b'n' | b'r' | b't' => at += 2,
                _ => return None,
            },
            0..0x20 => return None,
            _ => at += 1,
        }
    }
}
