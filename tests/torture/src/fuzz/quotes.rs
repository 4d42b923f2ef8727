//! Whether the text of a fault quotes what was read.

/// Shorter words come together by chance.
const WORD: usize = 5;
/// Shorter numbers are positions.
const NUMBER: usize = 7;
/// Bytes that are no UTF-8 stand as these characters while the input is looked at as text.
const STRAY: u32 = 0xF700;

/// Panics where `text`, said of `input`, has a word or a number of it: of its JSON strings and numbers,
/// names of fields aside. A word of ours may stand in the input by chance; then it is also said
/// (`again`) of an input with another word in its places.
pub(super) fn assert_quotes_nothing(
    input: &[u8],
    text: &str,
    again: impl Fn(&[u8]) -> Option<String>,
) {
    let input = to_text(input);
    let mut words = Vec::new();
    for part in parts(&input) {
        match part {
            Part::Name(_) => {}
            Part::Text(text) => {
                for (_, plain) in escapes(text) {
                    take_words(plain, WORD, char::is_alphanumeric, &mut words);
                }
            }
            Part::Between(text) => take_words(text, NUMBER, char::is_numeric, &mut words),
        }
    }
    for word in words.into_iter().filter(|word| text.contains(*word)) {
        let other = again(&to_bytes(&without(&input, word))).unwrap_or_default();
        assert!(other.contains(word), "`{word}` of the input is quoted: {text}");
    }
}

/// A part of JSON, or of what may be meant as JSON.
enum Part<'a> {
    /// A string before a colon, with its quotes.
    Name(&'a str),
    /// Another string, with its quotes.
    Text(&'a str),
    /// What is in no string.
    Between(&'a str),
}

fn parts(mut rest: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    while let Some(start) = rest.find('"') {
        let (before, text) = rest.split_at(start);
        let (text, after) = text.split_at(string_end(text));
        parts.push(Part::Between(before));
        let is_name = after.trim_start().starts_with(':');
        parts.push(if is_name { Part::Name(text) } else { Part::Text(text) });
        rest = after;
    }
    parts.push(Part::Between(rest));
    parts
}

/// Where a JSON string ends that begins at 0.
fn string_end(text: &str) -> usize {
    let mut escaped = false;
    for (at, char) in text.char_indices().skip(1) {
        match char {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// A string's escapes, each with what stands behind it up to the next one.
fn escapes(text: &str) -> Vec<(&str, &str)> {
    let mut escapes = Vec::new();
    let (mut escape, mut rest) = ("", text);
    loop {
        let at = rest.find('\\').unwrap_or(rest.len());
        let (plain, after) = rest.split_at(at);
        escapes.push((escape, plain));
        if after.is_empty() {
            return escapes;
        }
        // One that is cut short, or is none, ends where the text does.
        let chars = if after[1..].starts_with('u') { 6 } else { 2 };
        let end = after.char_indices().nth(chars).map_or(after.len(), |(at, _)| at);
        (escape, rest) = after.split_at(end);
    }
}

fn take_words<'a>(
    text: &'a str,
    least: usize,
    is_part: fn(char) -> bool,
    words: &mut Vec<&'a str>,
) {
    words.extend(text.split(|char| !is_part(char)).filter(|word| word.chars().count() >= least));
}

/// The input with another word, as long, wherever this one stands as one of [`parts`]' words.
fn without(input: &str, word: &str) -> String {
    let other: String =
        word.chars().map(|char| if char.is_ascii_digit() { '7' } else { 'q' }).collect();
    let mut text = String::with_capacity(input.len());
    for part in parts(input) {
        match part {
            Part::Name(name) => text.push_str(name),
            Part::Between(between) => text.push_str(&between.replace(word, &other)),
            Part::Text(string) => {
                for (escape, plain) in escapes(string) {
                    text.push_str(escape);
                    text.push_str(&plain.replace(word, &other));
                }
            }
        }
    }
    text
}

fn to_text(input: &[u8]) -> String {
    let stray = |byte: &u8| char::from_u32(STRAY + u32::from(*byte)).unwrap_or_default();
    let mut text = String::with_capacity(input.len());
    for chunk in input.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(stray));
    }
    text
}

fn to_bytes(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    for char in text.chars() {
        match (u32::from(char).checked_sub(STRAY)).and_then(|byte| u8::try_from(byte).ok()) {
            Some(byte) => bytes.push(byte),
            None => bytes.extend(char.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quote_is_found_and_a_word_of_ours_is_none() {
        let row = r#"{"name":"Иванов Missing", "id" : "ab\u0041cd", "n": 79001234567}"#;
        let ours = |_: &[u8]| Some("Missing field `name`".to_owned());
        assert_quotes_nothing(row.as_bytes(), "Missing field `name`", ours);
        for leak in ["no `Иванов`", "is 79001234567", "row \"Missing\""] {
            let found = || assert_quotes_nothing(row.as_bytes(), leak, |_| Some("is".to_owned()));
            assert!(std::panic::catch_unwind(found).is_err(), "{leak}");
        }
        // Whoever quotes all of it is found, too.
        let all = |row: &[u8]| Some(String::from_utf8_lossy(row).into_owned());
        let found = || assert_quotes_nothing(row.as_bytes(), row, all);
        assert!(std::panic::catch_unwind(found).is_err());
    }

    #[test]
    fn one_word_is_another_and_all_else_is_as_it_was() {
        let row = b"{\"Missing\":\"Missing \xff\", \"n\": \"\xd0\xaf\\u00ffMissing\\";
        let other = to_bytes(&without(&to_text(row), "Missing"));
        assert_eq!(other, b"{\"Missing\":\"qqqqqqq \xff\", \"n\": \"\xd0\xaf\\u00ffqqqqqqq\\");
    }
}
