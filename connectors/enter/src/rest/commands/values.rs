//! Values of replies, which come as texts and as numbers, and what commands say of them.

use serde_json::Value as Json;
use talon_sdk::action::Unseen;
use talon_sdk::{Answer, ApplyFault, Finding};

/// The longest text that is taken for an identifier or a number of a ticket.
const LONGEST_ID: usize = 64;

/// A text or a whole number that is not empty and not too long.
pub(super) fn text(value: &Json) -> Option<String> {
    let text = match value {
        Json::String(text) => text.clone(),
        Json::Number(number) => number.to_string(),
        _ => return None,
    };
    (!text.is_empty() && text.len() <= LONGEST_ID).then_some(text)
}

/// A whole number, also as a text.
pub(super) fn number(value: &Json) -> Option<i64> {
    match value {
        Json::Number(number) => number.as_i64().or_else(|| {
            let number = number.as_f64().filter(|number| number.fract() == 0.0)?;
            (number.abs() < 1e15).then_some(number as i64)
        }),
        Json::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// A switch, also as a number or a text.
pub(super) fn flag(value: &Json) -> Option<bool> {
    match value {
        Json::Bool(flag) => Some(*flag),
        Json::String(text) if text.eq_ignore_ascii_case("true") => Some(true),
        Json::String(text) if text.eq_ignore_ascii_case("false") => Some(false),
        value => number(value).map(|number| number != 0),
    }
}

/// What a look that saw nothing means for sending.
pub(super) fn unread(unseen: Unseen) -> ApplyFault {
    match unseen {
        Unseen::Blind(why) => refused(why),
        Unseen::Missing(answer) => ApplyFault::Refused(answer),
        Unseen::Fault(fault) => ApplyFault::NotApplied(fault),
    }
}

pub(super) fn refused(words: impl Into<String>) -> ApplyFault {
    ApplyFault::Refused(Answer::saying(words))
}

pub(super) fn unclear(words: impl Into<String>) -> Finding {
    Finding::Unclear(words.into())
}
