//! Several JSON texts in one frame: some builds write two messages without a break.

use bytes::Bytes;

/// The texts of a frame: cut where one object has ended and the next begins. A text that is damaged is one
/// of its own, so that it costs no other; what has no such place is one text, as it is.
pub(crate) fn texts(frame: &Bytes) -> impl Iterator<Item = Bytes> {
    let mut rest = frame.clone();
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = end_of_first(&rest).unwrap_or(rest.len());
        Some(rest.split_to(end))
    })
    // A frame without anything in it is a message that cannot be read.
    .chain(frame.is_empty().then(Bytes::new))
}

/// Where the second object begins. Brackets in texts do not count, and of those that close, what is too
/// many does not either.
fn end_of_first(text: &[u8]) -> Option<usize> {
    let (mut depth, mut in_text, mut is_over) = (0_usize, false, false);
    let mut at = 0;
    while at < text.len() {
        match text[at] {
            b'\\' if in_text => at += 1,
            b'"' => in_text = !in_text,
            _ if in_text => {}
            b'{' if is_over => return Some(at),
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                is_over = depth == 0;
                at += 1;
                continue;
            }
            byte if byte.is_ascii_whitespace() || byte == 0 || byte == 0x1e => {
                at += 1;
                continue;
            }
            _ => {}
        }
        is_over = false;
        at += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_texts_in_a_frame_are_two_messages() {
        for (frame, expected) in [
            (r#"{"a":1}{"b":2}"#, vec![r#"{"a":1}"#, r#"{"b":2}"#]),
            ("{\"a\":1}\r\n {\"b\":2}", vec!["{\"a\":1}\r\n ", r#"{"b":2}"#]),
            ("{\"a\":1}\0{\"b\":2}\0", vec!["{\"a\":1}\0", "{\"b\":2}\0"]),
            (
                r#"{"a":[{},{}]}{"b":{}}{"c":3}"#,
                vec![r#"{"a":[{},{}]}"#, r#"{"b":{}}"#, r#"{"c":3}"#],
            ),
            // What is damaged costs no other.
            (r#"{"a":x}{"b":2}"#, vec![r#"{"a":x}"#, r#"{"b":2}"#]),
            (r#"{"a":1}{"b":"#, vec![r#"{"a":1}"#, r#"{"b":"#]),
            (r#"{"a":1}}{"b":2}"#, vec![r#"{"a":1}}"#, r#"{"b":2}"#]),
            // One text stays one, also where a brace closes it too early.
            (r#"{"a":1}"#, vec![r#"{"a":1}"#]),
            (r#"{"a":{}},"b":[{"c":1},{"d":2}]}"#, vec![r#"{"a":{}},"b":[{"c":1},{"d":2}]}"#]),
            (r#"{"a":"}{\"}{"}"#, vec![r#"{"a":"}{\"}{"}"#]),
            (r#"[{"a":1},{"b":2}]"#, vec![r#"[{"a":1},{"b":2}]"#]),
            ("garbage", vec!["garbage"]),
            ("\"\\", vec!["\"\\"]),
            ("", vec![""]),
        ] {
            let found: Vec<Bytes> = texts(&Bytes::from_static(frame.as_bytes())).collect();
            assert_eq!(found, expected, "{frame}");
        }
    }
}
