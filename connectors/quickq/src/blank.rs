//! Blanking what must not leave the process, in whatever it stands.

use std::borrow::Cow;
use std::ops::Range;

use bytes::Bytes;
use memchr::memmem;

const SECRETS: [&str; 3] = ["password", "hasp", "token"];

/// The text with the values of secret fields replaced by as many stars, whatever else it is. The digits
/// of a number become ones, which keep it a number.
pub(crate) fn blanked(text: Bytes) -> Bytes {
    let mut places = Vec::new();
    for name in SECRETS {
        let key = format!("\"{name}\"");
        for at in memmem::find_iter(&text, &key) {
            places.extend(value_after(&text, at + key.len()));
        }
    }
    places.extend(behind_escapes(&text));
    if places.is_empty() {
        return text;
    }
    let mut blank = text.to_vec();
    for place in places {
        let is_text = text[..place.start].ends_with(b"\"");
        for byte in &mut blank[place] {
            match (is_text, *byte) {
                (true, _) => *byte = b'*',
                (false, b'0'..=b'9') => *byte = b'1',
                (false, _) => {}
            }
        }
    }
    blank.into()
}

/// The values of secret fields whose names are written with escapes.
fn behind_escapes(text: &[u8]) -> Vec<Range<usize>> {
    let mut places = Vec::new();
    if memmem::find(text, b"\\u").is_none() {
        return places;
    }
    let mut at = 0;
    while let Some(start) = memchr::memchr(b'"', &text[at..]).map(|ahead| at + ahead) {
        let mut end = start + 1;
        while end < text.len() && text[end] != b'"' {
            end += if text[end] == b'\\' { 2 } else { 1 };
        }
        at = (end + 1).min(text.len());
        let name = serde_json::from_slice::<Cow<'_, str>>(&text[start..at]);
        if name.is_ok_and(|name| SECRETS.contains(&&*name)) {
            places.extend(value_after(text, at));
        }
    }
    places
}

/// The inside of the text or the number that follows a key. A text that is cut reaches to the end.
fn value_after(text: &[u8], mut at: usize) -> Option<Range<usize>> {
    let skip = |mut at: usize| {
        while text.get(at).is_some_and(u8::is_ascii_whitespace) {
            at += 1;
        }
        at
    };
    at = skip(at);
    if text.get(at) != Some(&b':') {
        return None;
    }
    at = skip(at + 1);
    let start = if text.get(at) == Some(&b'"') { at + 1 } else { at };
    let mut end = start;
    if start > at {
        while end < text.len() && text[end] != b'"' {
            end += if text[end] == b'\\' { 2 } else { 1 };
        }
    } else {
        let is_number = |byte: &u8| byte.is_ascii_digit() || b"-+.eE".contains(byte);
        while text.get(end).is_some_and(is_number) {
            end += 1;
        }
    }
    let end = end.min(text.len());
    (start < end).then_some(start..end)
}

/// The command of a text that is no JSON.
pub(crate) fn command_in(text: &[u8]) -> Option<String> {
    let key = b"\"command\"";
    let place = value_after(text, memmem::find(text, key)? + key.len())?;
    let name = std::str::from_utf8(&text[place]).ok()?;
    name.chars().all(|c| c.is_ascii_alphanumeric()).then(|| name.to_owned())
}
