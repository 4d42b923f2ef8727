//! What must not leave the process: `PinCode`, by which a visitor activates a booking.
//!
//! It is taken out of the bytes of a reply before anything else reads them, so it is in no row, no `extra`
//! and no dead letter, whatever object it stands in and however its name is spelled.

use bytes::Bytes;
use memchr::{memchr, memchr2};

const PIN: &str = "pincode";

/// The body with `null` under each `PinCode`.
pub(crate) fn without_pins(body: Bytes) -> Bytes {
    let mut out = Vec::new();
    let (mut kept, mut at) = (0, 0);
    while let Some(quote) = memchr(b'"', &body[at..]) {
        let start = at + quote;
        let Some(end) = end_of_text(&body, start) else { break };
        at = end;
        let colon = skip_blank(&body, end);
        if body.get(colon) == Some(&b':') && is_pin(&body[start..end]) {
            let value = skip_blank(&body, colon + 1);
            out.extend_from_slice(&body[kept..value]);
            out.extend_from_slice(b"null");
            kept = end_of_value(&body, value);
            at = kept;
        }
    }
    let body = if kept == 0 {
        body
    } else {
        out.extend_from_slice(&body[kept..]);
        Bytes::from(out)
    };
    without_strays(body)
}

/// Where quotes are missing, names and texts change places: there the digits behind the name go.
fn without_strays(body: Bytes) -> Bytes {
    let is_name = |part: &[u8]| part.eq_ignore_ascii_case(PIN.as_bytes());
    let mut hidden: Option<Vec<u8>> = None;
    for first in memchr::memchr2_iter(b'P', b'p', &body) {
        if !body.get(first..first + PIN.len()).is_some_and(is_name) {
            continue;
        }
        let behind = &body[first + PIN.len()..];
        let end = memchr::memchr3(b',', b'}', b']', behind).unwrap_or(behind.len());
        for (place, byte) in behind[..end].iter().enumerate() {
            if byte.is_ascii_digit() {
                hidden.get_or_insert_with(|| body.to_vec())[first + PIN.len() + place] = b'0';
            }
        }
    }
    hidden.map_or(body, Bytes::from)
}

fn is_pin(name: &[u8]) -> bool {
    let is = |name: &str| {
        let letters = name.chars().filter(|char| !matches!(char, '_' | '-' | ' '));
        letters.collect::<String>().eq_ignore_ascii_case(PIN)
    };
    match serde_json::from_slice::<String>(name) {
        Ok(name) => is(&name),
        Err(_) => is(&String::from_utf8_lossy(&name[1..name.len() - 1])),
    }
}

fn skip_blank(text: &[u8], mut at: usize) -> usize {
    while text.get(at).is_some_and(u8::is_ascii_whitespace) {
        at += 1;
    }
    at
}

/// Behind the quote that closes a text.
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

/// Where a value ends; the end of the text where it is not closed.
fn end_of_value(text: &[u8], start: usize) -> usize {
    let (mut depth, mut at) = (0_usize, start);
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => match end_of_text(text, at) {
                Some(end) => {
                    at = end;
                    continue;
                }
                None => return text.len(),
            },
            b'{' | b'[' => depth += 1,
            b'}' | b']' | b',' if depth == 0 => break,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hidden(body: &str) -> String {
        let body = without_pins(Bytes::copy_from_slice(body.as_bytes()));
        String::from_utf8(body.to_vec()).unwrap()
    }

    #[test]
    fn a_pin_code_is_taken_out_whatever_it_stands_in_and_however_it_is_spelled() {
        for (body, expected) in [
            (r#"[{"Id":"a","PinCode":"1234"}]"#, r#"[{"Id":"a","PinCode":null}]"#),
            (r#"{"PinCode" : 1234 ,"x":1}"#, r#"{"PinCode" : null,"x":1}"#),
            (r#"{"T":{"pin_code":["1234",{"a":"}"}]}}"#, r#"{"T":{"pin_code":null}}"#),
            (r#"{"P\u0069nCode":"12\"34","b":2}"#, r#"{"P\u0069nCode":null,"b":2}"#),
            (r#"{"PINCODE":"1234"}"#, r#"{"PINCODE":null}"#),
            (r#"{"a":"b","c":[1,"d"]}"#, r#"{"a":"b","c":[1,"d"]}"#),
            (r#"{"PinCode":"12"#, r#"{"PinCode":null"#),
        ] {
            assert_eq!(hidden(body), expected);
        }
    }

    #[test]
    fn a_pin_code_is_hidden_also_where_quotes_are_missing() {
        let body = r#"[{"Id":"1,"PinCode":"9876"},{"Id":"2,"PinCode":"5432"}]"#;
        let hidden = hidden(body);
        assert!(!hidden.contains("9876") && !hidden.contains("5432"), "{hidden}");
    }
}
