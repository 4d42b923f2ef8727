//! JSON with the slips of the document's samples, made whole.

/// Mends what can be mended without guessing at content, and gives `None` where that is not all:
///
/// * a brace too many at the end, or in the middle where more fields of the top follow;
/// * the very last brace missing, where everything inside is complete;
/// * a comma before a closing bracket, or none between what is closed too early and the next field.
pub(crate) fn repaired(text: &[u8]) -> Option<Vec<u8>> {
    let mut out: Vec<u8> = Vec::with_capacity(text.len() + 1);
    let mut open: Vec<u8> = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let byte = text[at];
        match byte {
            b'"' => {
                let end = string_end(text, at)?;
                if open.as_slice() == b"{"
                    && matches!(out.trim_ascii_end().last(), Some(b'}' | b']'))
                {
                    out.push(b',');
                }
                out.extend_from_slice(&text[at..end]);
                at = end;
                continue;
            }
            b'{' | b'[' => open.push(byte),
            b'}' | b']' => {
                let is_last = byte == b'}' && open.as_slice() == b"{";
                if is_last && !text[at + 1..].trim_ascii().is_empty() {
                    // More of the top follows: this brace is one too many.
                    at += 1;
                    continue;
                }
                let expected = if byte == b'}' { b'{' } else { b'[' };
                if open.pop() != Some(expected) {
                    return None;
                }
                drop_comma(&mut out);
            }
            _ if open.is_empty() && !byte.is_ascii_whitespace() => return None,
            _ => {}
        }
        out.push(byte);
        at += 1;
    }
    match open.as_slice() {
        [] => {}
        [b'{'] => {
            drop_comma(&mut out);
            out.push(b'}');
        }
        _ => return None,
    }
    Some(out)
}

fn string_end(text: &[u8], start: usize) -> Option<usize> {
    let mut at = start + 1;
    while at < text.len() {
        match text[at] {
            b'\\' => at += 2,
            b'"' => return Some(at + 1),
            _ => at += 1,
        }
    }
    None
}

fn drop_comma(out: &mut Vec<u8>) {
    let end = out.trim_ascii_end().len();
    if end > 0 && out[end - 1] == b',' {
        out.truncate(end - 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mend(text: &str) -> Option<String> {
        repaired(text.as_bytes()).map(|out| String::from_utf8(out).unwrap())
    }

    #[test]
    fn slips_of_the_samples_are_mended() {
        for (slip, whole) in [
            (r#"{"a":[1,2,],"b":{"c":3,},}"#, r#"{"a":[1,2],"b":{"c":3}}"#),
            (r#"{"a":{"b":1}}}"#, r#"{"a":{"b":1}}"#),
            (r#"{"a":{"b":1}},"c":2}"#, r#"{"a":{"b":1},"c":2}"#),
            (r#"{"a":{"b":1}"#, r#"{"a":{"b":1}}"#),
            (r#"{"a":{"b":1,}} "c":2},"d":3}"#, r#"{"a":{"b":1} ,"c":2,"d":3}"#),
            (r#"{"a":"},{","b":1}}"#, r#"{"a":"},{","b":1}"#),
        ] {
            assert_eq!(mend(slip).as_deref(), Some(whole), "{slip}");
        }
    }

    #[test]
    fn what_is_cut_stays_broken() {
        for text in
            [r#"{"a":[{"id":1}"#, r#"{"a":[{"id":1},"#, r#"{"a":{"b":"c"#, r#"{"a":[1}"#, "no JSON"]
        {
            let mended = mend(text);
            let is_json =
                mended.is_some_and(|text| serde_json::from_str::<serde_json::Value>(&text).is_ok());
            assert!(!is_json, "{text}");
        }
    }
}
