//! What the upstream says of an error, in its own words.
//!
//! The document says nothing of errors. The vendor's other interfaces answer with a text, or with
//! `ErrorResponse{UserMessage}`; proxies and frameworks with a page, or with nothing. A framework may quote
//! the path of the request, in which credentials stand.

use serde_json::{Map, Value as Json};
use talon_http::Reply;

/// The longest that is passed on, in characters.
const LONGEST: usize = 300;

/// The longest that is looked at, in characters: a page is mostly something else.
const LOOKED_AT: usize = 20_000;

/// What stands in the place of what must not be seen.
const HIDDEN: &str = "…";

/// What a reply says itself: of a refusal all that it says, of a success only an error in its place.
/// `hidden` must not be seen.
pub(super) fn words(reply: &Reply, hidden: &[String]) -> Option<String> {
    let body = String::from_utf8_lossy(&reply.body);
    let text = body.trim_start_matches('\u{feff}').trim();
    let said = match serde_json::from_str::<Json>(text) {
        Ok(Json::Object(fields)) => of_object(&fields, reply.is_success())?,
        _ if reply.is_success() => return None,
        Ok(Json::String(text)) => text,
        Ok(_) => return None,
        Err(_) => {
            let text: String = text.chars().take(LOOKED_AT).collect();
            if text.starts_with('<') { without_tags(&text) } else { text }
        }
    };
    let shown = shown(said, hidden);
    (!shown.is_empty()).then_some(shown)
}

/// `UserMessage`, or what frameworks call it where nothing was done.
fn of_object(fields: &Map<String, Json>, is_success: bool) -> Option<String> {
    let names: &[&str] =
        if is_success { &["UserMessage"] } else { &["UserMessage", "Message", "message"] };
    names.iter().find_map(|name| fields.get(*name)?.as_str().map(str::to_owned))
}

/// The words of a page.
fn without_tags(page: &str) -> String {
    let (mut words, mut rest) = (String::new(), page);
    while let Some((text, tag)) = rest.split_once('<') {
        words.push_str(text);
        words.push(' ');
        let lower = tag.to_ascii_lowercase();
        let of_machine = ["script", "style"].into_iter().find(|name| lower.starts_with(name));
        let end = of_machine.map_or(Some(0), |name| lower.find(&format!("</{name}")));
        let tag = end.and_then(|end| tag.get(end..)).unwrap_or_default();
        rest = tag.split_once('>').map_or("", |(_, rest)| rest);
    }
    words.push_str(rest);
    words
}

/// Without what must not be seen and without addresses, on one line, cut.
fn shown(mut text: String, hidden: &[String]) -> String {
    let mut all: Vec<String> = hidden.iter().filter(|one| !one.is_empty()).cloned().collect();
    all.extend(hidden.iter().map(|one| percent_encoded(one)).filter(|one| !one.is_empty()));
    // One may stand in another.
    all.sort_by_key(|one| std::cmp::Reverse(one.len()));
    for one in &all {
        if text.contains(one.as_str()) {
            text = text.replace(one.as_str(), HIDDEN);
        }
    }
    let words = text.split(|char: char| char.is_whitespace() || char.is_control());
    let words = words.filter(|word| !word.is_empty()).map(|word| match word.find("://") {
        Some(_) => HIDDEN,
        None => word,
    });
    let line = words.collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}{HIDDEN}", &line[..end]),
        None => line,
    }
}

fn percent_encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                out.push(char::from(byte));
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn said(status: u16, body: &str) -> Option<String> {
        let reply = Reply {
            status,
            retry_after: None,
            content_type: None,
            date_ms: None,
            redirect_origin: None,
            body: Bytes::copy_from_slice(body.as_bytes()),
        };
        words(&reply, &["кенар/7".to_owned(), "кенар/7-admin".to_owned()])
    }

    #[test]
    fn an_error_is_read_as_a_text_as_a_user_message_as_a_page_and_as_nothing() {
        for (body, expected) in [
            ("Очередь пуста", Some("Очередь пуста")),
            ("\u{feff} \"Очередь\\nпуста\" ", Some("Очередь пуста")),
            (r#"{"UserMessage":"Очередь пуста","Code":7}"#, Some("Очередь пуста")),
            (r#"{"Message":"Очередь пуста"}"#, Some("Очередь пуста")),
            (
                "<!DOCTYPE html><style>p{}</style><title>Ошибка</title><p>Очередь пуста</p>",
                Some("Ошибка Очередь пуста"),
            ),
            ("", None),
            ("{}", None),
            ("7", None),
            ("[1]", None),
        ] {
            assert_eq!(said(409, body).as_deref(), expected, "{body}");
        }
    }

    #[test]
    fn a_success_says_something_only_where_an_error_stands_in_its_place() {
        assert_eq!(said(200, r#"{"UserMessage":"нельзя"}"#).as_deref(), Some("нельзя"));
        for body in [r#"{"Id":"a","Message":"привет"}"#, "готово", "\"готово\"", "", "<p>вход</p>"]
        {
            assert_eq!(said(200, body), None, "{body}");
        }
    }

    #[test]
    fn words_are_bounded_and_have_no_credentials_and_no_addresses_in_them() {
        let long = said(400, &"слово ".repeat(1000)).unwrap();
        assert_eq!(long.chars().count(), LONGEST + 1);
        for body in [
            "нет пользователя кенар/7 здесь",
            "нет пользователя кенар/7-admin здесь",
            "нет пользователя %D0%BA%D0%B5%D0%BD%D0%B0%D1%80%2F7 здесь",
            "нет пользователя http://host/operation/login/%D0%BA/x здесь",
        ] {
            assert_eq!(said(400, body).as_deref(), Some("нет пользователя … здесь"), "{body}");
        }
    }
}
