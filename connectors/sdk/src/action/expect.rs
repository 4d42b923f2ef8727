//! `expect`: what must hold of an entity before a command is sent.

use serde_json::Value as Json;

use crate::{Answer, ApplyFault, Command};

/// Compares what a command expects with what is `found`; `None` where there is no such field to expect.
///
/// Values are equal as JSON is, and a number is equal to the text that spells it. What was found is said
/// only where it is a word of letters or a number: another value may be personal.
///
/// # Errors
/// [`ApplyFault::Refused`] where something else is expected, or something that cannot be.
pub fn expected(command: &Command, found: impl Fn(&str) -> Option<Json>) -> Result<(), ApplyFault> {
    let refused = |words: String| Err(ApplyFault::Refused(Answer::saying(words)));
    for (field, wanted) in &command.expect {
        if !command.spec.expect.contains(&field.as_str()) {
            return refused("`expect` names a field that cannot be expected".to_owned());
        }
        let Some(found) = found(field) else {
            return refused("nothing can be expected".to_owned());
        };
        if !is_same(wanted, &found) {
            return refused(format!("expected another `{field}`; it is {}", shown(&found)));
        }
    }
    Ok(())
}

fn is_same(wanted: &Json, found: &Json) -> bool {
    match (wanted, found) {
        (Json::String(text), Json::Number(number)) | (Json::Number(number), Json::String(text)) => {
            text.trim() == number.to_string()
        }
        _ => wanted == found,
    }
}

fn shown(found: &Json) -> String {
    match found {
        Json::Null => "nothing".to_owned(),
        Json::Number(_) | Json::Bool(_) => format!("`{found}`"),
        Json::String(word) if is_word(word) => format!("`{word}`"),
        _ => "something else".to_owned(),
    }
}

fn is_word(text: &str) -> bool {
    let is_of_words = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    !text.is_empty() && text.len() <= 40 && text.bytes().all(is_of_words)
}
