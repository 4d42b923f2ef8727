//! Whether the text of a fault quotes what was read.

/// Shorter words come together by chance.
const WORD: usize = 5;
/// Shorter numbers are positions.
const NUMBER: usize = 7;

/// Panics where `text`, said of `input`, has a word or a number of it: of its JSON strings and numbers,
/// names of fields aside. A word of ours may stand in the input by chance; then it is also said
/// (`again`) of an input with other words in the same places.
pub(super) fn assert_quotes_nothing(
    input: &[u8],
    text: &str,
    again: impl FnOnce(&[u8]) -> Option<String>,
) {
    let Content { words, scrambled } = content(&String::from_utf8_lossy(input));
    let quoted: Vec<&String> = words.iter().filter(|word| text.contains(word.as_str())).collect();
    if quoted.is_empty() {
        return;
    }
    let other = again(scrambled.as_bytes()).unwrap_or_default();
    for word in quoted {
        assert!(other.contains(word.as_str()), "`{word}` of the input is quoted: {text}");
    }
}

struct Content {
    words: Vec<String>,
    /// The input with other letters and digits in its strings.
    scrambled: String,
}

fn content(input: &str) -> Content {
    let mut words = Vec::new();
    let mut scrambled = String::with_capacity(input.len());
    let mut rest = input;
    while let Some(start) = rest.find('"') {
        let (before, text) = rest.split_at(start);
        take_words(before, NUMBER, char::is_numeric, &mut words);
        scrambled.push_str(before);
        let end = string_end(text);
        let (text, after) = text.split_at(end);
        if after.trim_start().starts_with(':') {
            scrambled.push_str(text);
        } else {
            take_words(text, WORD, char::is_alphanumeric, &mut words);
            scrambled.push_str(&other(text));
        }
        rest = after;
    }
    take_words(rest, NUMBER, char::is_numeric, &mut words);
    scrambled.push_str(rest);
    Content { words, scrambled }
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

fn take_words(text: &str, least: usize, is_part: fn(char) -> bool, words: &mut Vec<String>) {
    let found = text.split(|char| !is_part(char)).filter(|word| word.chars().count() >= least);
    words.extend(found.map(str::to_owned));
}

/// The string with other words; escapes stay.
fn other(text: &str) -> String {
    let mut escape = 0;
    let each = text.chars().map(|char| {
        if escape > 0 {
            escape = if char == 'u' && escape == 1 { 4 } else { escape - 1 };
            return char;
        }
        match char {
            '\\' => escape = 1,
            _ if char.is_ascii_digit() => return '7',
            _ if char.is_alphanumeric() => return 'q',
            _ => {}
        }
        char
    });
    each.collect()
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
        let Content { scrambled, .. } = content(row);
        assert_eq!(
            scrambled,
            r#"{"name":"qqqqqq qqqqqqq", "id" : "qq\u0041qq", "n": 79001234567}"#
        );
    }
}
