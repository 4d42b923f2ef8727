//! Any bytes as one token of a subject, and back.
//!
//! Control characters, the blank, `.`, `*`, `>`, `%`, DEL, and bytes that are no UTF-8 become `%` and two
//! hexadecimal digits, as in a URL; all other text, Cyrillic too, stays as it is. Nothing at all is a `%` alone.
//! Every token leads back to exactly one sequence of bytes.

/// The token of these bytes.
pub fn token(bytes: &[u8]) -> String {
    let mut token = String::with_capacity(bytes.len());
    push_token(bytes, &mut token);
    token
}

/// Appends the token of these bytes.
pub fn push_token(bytes: &[u8], to: &mut String) {
    if bytes.is_empty() {
        to.push('%');
    }
    for chunk in bytes.utf8_chunks() {
        push_escaped(chunk.valid(), to, |byte| matches!(byte, b'.' | b'*' | b'>'));
        chunk.invalid().iter().for_each(|byte| push_hex(*byte, to));
    }
}

/// Appends a text of which the blank, control characters, `%` and those that `also` names are escaped. `also`
/// is asked of ASCII characters alone.
pub(crate) fn push_escaped(text: &str, to: &mut String, also: impl Fn(u8) -> bool) {
    let mut from = 0;
    for (at, byte) in text.bytes().enumerate() {
        if byte <= b' ' || matches!(byte, b'%' | 0x7f) || byte.is_ascii() && also(byte) {
            to.push_str(&text[from..at]);
            push_hex(byte, to);
            from = at + 1;
        }
    }
    to.push_str(&text[from..]);
}

/// The bytes of a token; `None` where it is not the token of any.
pub fn bytes(token: &str) -> Option<Vec<u8>> {
    match token {
        "" => return None,
        "%" => return Some(Vec::new()),
        _ => {}
    }
    let bytes = unescape(token)?;
    // Another spelling would be another subject of the same key.
    (self::token(&bytes) == token).then_some(bytes)
}

/// Takes back what was escaped.
pub(crate) fn unescape(text: &str) -> Option<Vec<u8>> {
    let mut parts = text.split('%');
    let mut out = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let digits = part.get(..2)?;
        out.push(u8::from_str_radix(digits, 16).ok()?);
        out.extend_from_slice(&part.as_bytes()[2..]);
    }
    Some(out)
}

pub(crate) fn push_hex(byte: u8, to: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    to.push('%');
    to.push(DIGITS[usize::from(byte >> 4)] as char);
    to.push(DIGITS[usize::from(byte & 15)] as char);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn bytes_that_are_no_text_are_escaped_one_by_one() {
        assert_eq!(token(b"a\xff.\xd0"), "a%FF%2E%D0");
        assert_eq!(bytes("a%FF%2E%D0").as_deref(), Some(&b"a\xff.\xd0"[..]));
        // The bytes of a letter, written in another way than they are.
        assert_eq!(bytes("%D0%90"), None);
    }

    proptest! {
        #[test]
        fn every_sequence_of_bytes_comes_back_from_its_token(all in any::<Vec<u8>>()) {
            let token = token(&all);
            prop_assert!(!token.is_empty());
            prop_assert!(!token.contains(['.', '*', '>', ' ', '\t', '\r', '\n', '\0']));
            prop_assert_eq!(bytes(&token), Some(all));
        }
    }
}
