//! What things are called on NATS, and how a key becomes a subject token.
//!
//! | What | Name |
//! | --- | --- |
//! | stream of a connector's feeds | `{PREFIX}_{name}` |
//! | stream of its dead letters | `{PREFIX}_{name}_DLQ` |
//! | stream of its commands, and of what became of them | `{PREFIX}_{name}_COMMANDS`, `{PREFIX}_{name}_RESULTS` |
//! | bucket of the checkpoints | `{prefix}_checkpoints` |
//! | buckets of what is configured at run time, and of states | `{prefix}_configs`, `{prefix}_status` |
//!
//! A stream or a bucket may not have a `.` in its name, so one in the prefix becomes `-` there; the
//! subjects keep it. Two prefixes that become the same are told apart by the subjects of the stream,
//! and by the prefix in the metadata of the bucket: the second one is refused.
//!
//! # Keys
//!
//! A key is one subject token, as [`escape`] makes it. Control characters, the blank, `.`, `*`, `>`, `%` and DEL become `%`
//! and two hexadecimal digits, as in a URL; everything else, Cyrillic too, stays as it is. The empty
//! key is a `%` alone. Every token leads back to exactly one key.
//!
//! A key of a bucket, such as that of the checkpoints (`{connector}/{feed}`), may have ASCII letters, digits, `_`,
//! `-` and `/`; every other byte becomes `=` and two hexadecimal digits.

use std::fmt;

use talon_runtime::bus::escape;

/// Longest token, bytes. The server closes a connection whose control line has more than 4,096 bytes
/// (`max_control_line`), in which the subject stands beside the inbox for the acknowledgement.
pub(crate) const MAX_TOKEN: usize = 2_048;

/// The stream of a connector's feeds.
pub(crate) fn stream(prefix: &str, connector: &str) -> String {
    format!("{}_{connector}", undotted(prefix).to_uppercase())
}

/// The stream of its dead letters.
pub(crate) fn dead_letters(prefix: &str, connector: &str) -> String {
    format!("{}_DLQ", stream(prefix, connector))
}

/// The stream of its commands.
pub(crate) fn commands(prefix: &str, connector: &str) -> String {
    format!("{}_COMMANDS", stream(prefix, connector))
}

/// The stream of what became of them.
pub(crate) fn results(prefix: &str, connector: &str) -> String {
    format!("{}_RESULTS", stream(prefix, connector))
}

/// Where the records of a connector's topic are: the stream, and the subjects in it. None of a name that is no
/// topic of a connector.
pub(crate) fn place(prefix: &str, topic: &str) -> Option<(String, String)> {
    let rest = topic.strip_prefix(prefix)?.strip_prefix('.')?;
    let (connector, what) = rest.split_once('.')?;
    Some(match what {
        "commands" => (commands(prefix, connector), format!("{topic}.>")),
        "results" => (results(prefix, connector), format!("{topic}.>")),
        // Dead letters are all on one subject.
        "dlq" => (dead_letters(prefix, connector), topic.to_owned()),
        _ => (stream(prefix, connector), format!("{topic}.>")),
    })
}

/// The stream of a relay's dead letters.
pub(crate) fn relay_dead_letters(prefix: &str, relay: &str) -> String {
    format!("{}_DLQ", stream(&format!("{prefix}-relay"), &undotted(relay)))
}

/// The bucket of the checkpoints.
pub(crate) fn bucket(prefix: &str) -> String {
    format!("{}_checkpoints", undotted(prefix))
}

/// The bucket of the leases.
pub(crate) fn leases(prefix: &str) -> String {
    format!("{}_leases", undotted(prefix))
}

/// The bucket of a store, which the topic `{prefix}.{what}` is on Kafka.
pub(crate) fn store(prefix: &str, topic: &str) -> String {
    let what = topic.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('.'));
    format!("{}_{}", undotted(prefix), what.unwrap_or(topic))
}

/// The stream below a bucket.
pub(crate) fn bucket_stream(bucket: &str) -> String {
    format!("KV_{bucket}")
}

/// The key in the bucket that says that a stream was created.
pub(crate) fn created_key(stream: &str) -> String {
    // `=c` is no escape, so no checkpoint has such a key.
    format!("=created/{stream}")
}

/// Two connectors that would share a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collision {
    /// The name that can stay.
    pub first: String,
    /// The name that has to be another one.
    pub second: String,
    /// What the stream is called, without the prefix.
    pub stream: String,
}

impl fmt::Display for Collision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Collision { first, second, stream } = self;
        write!(
            f,
            "`{second}` would share the NATS stream `{{PREFIX}}_{stream}` with the connector `{first}`; choose another name"
        )
    }
}

/// The connectors that would share a stream, because one is called as another and `_COMMANDS`,
/// `_RESULTS` or `_DLQ`. A configuration with such names is to be refused.
pub fn collisions(connectors: &[&str]) -> Vec<Collision> {
    let mut collisions = Vec::new();
    for first in connectors {
        let beside = [commands, results, dead_letters].map(|name| name("", first));
        for second in connectors {
            let feeds = stream("", second);
            if beside.contains(&feeds) {
                collisions.push(Collision {
                    first: (*first).to_owned(),
                    second: (*second).to_owned(),
                    stream: (*second).to_owned(),
                });
            }
        }
    }
    collisions
}

fn undotted(prefix: &str) -> String {
    prefix.replace('.', "-")
}

/// The subject token of a key.
pub fn token(key: &str) -> String {
    escape::token(key.as_bytes())
}

/// Appends the subject token of a key.
pub(crate) fn push_token(key: &str, to: &mut String) {
    escape::push_token(key.as_bytes(), to);
}

/// The key of a subject token; `None` where it is not the token of any key.
pub fn key(token: &str) -> Option<String> {
    String::from_utf8(escape::bytes(token)?).ok()
}

/// The key in the bucket for a checkpoint's key.
pub fn bucket_key(key: &str) -> String {
    let mut out = String::with_capacity(key.len());
    for byte in key.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-' | b'/' => out.push(byte as char),
            _ => push_hex(byte, &mut out),
        }
    }
    out
}

/// The checkpoint's key for a key in the bucket; `None` where it is something else.
pub fn checkpoint_key(bucket_key: &str) -> Option<String> {
    let key = unescape(bucket_key)?;
    (self::bucket_key(&key) == bucket_key).then_some(key)
}

fn push_hex(byte: u8, to: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    to.push('=');
    to.push(DIGITS[usize::from(byte >> 4)] as char);
    to.push(DIGITS[usize::from(byte & 15)] as char);
}

fn unescape(text: &str) -> Option<String> {
    let mut parts = text.split('=');
    let mut out = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let digits = part.get(..2)?;
        out.push(u8::from_str_radix(digits, 16).ok()?);
        out.extend_from_slice(&part.as_bytes()[2..]);
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_hold_no_dots() {
        assert_eq!(stream("talon", "field-service"), "TALON_field-service");
        assert_eq!(stream("eu.talon", "field"), "EU-TALON_field");
        assert_eq!(dead_letters("talon", "field"), "TALON_field_DLQ");
        assert_eq!(bucket("eu.talon"), "eu-talon_checkpoints");
        assert_eq!(store("eu.talon", "eu.talon.configs"), "eu-talon_configs");
    }

    #[test]
    fn a_topic_is_found_in_its_stream() {
        for (topic, stream, subject) in [
            ("eu.talon.field.call", "EU-TALON_field", "eu.talon.field.call.>"),
            ("eu.talon.field.results", "EU-TALON_field_RESULTS", "eu.talon.field.results.>"),
            ("eu.talon.field.dlq", "EU-TALON_field_DLQ", "eu.talon.field.dlq"),
        ] {
            let found = place("eu.talon", topic);
            assert_eq!(found, Some((stream.to_owned(), subject.to_owned())), "{topic}");
        }
        assert_eq!((place("eu.talon", "eu.talon.configs"), place("eu", "us.a.b")), (None, None));
    }

    #[test]
    fn names_of_connectors_that_would_share_a_stream_are_told() {
        assert_eq!(collisions(&["x", "x-COMMANDS", "x_commands", "COMMANDS", "y_DLQ"]), []);
        for second in ["x_COMMANDS", "x_RESULTS", "x_DLQ"] {
            let found = collisions(&[second, "y", "x"]);
            assert_eq!(found.len(), 1, "{second}");
            assert_eq!((found[0].first.as_str(), found[0].second.as_str()), ("x", second));
            assert!(found[0].to_string().contains(second));
        }
        assert_eq!(collisions(&["x", "x_DLQ", "x_DLQ_DLQ"]).len(), 2);
    }

    #[test]
    fn a_key_becomes_a_token_as_documented() {
        for (key, expected) in [
            ("42", "42"),
            ("7/42", "7/42"),
            ("", "%"),
            ("%", "%25"),
            ("a.b c", "a%2Eb%20c"),
            ("*", "%2A"),
            (">", "%3E"),
            ("50%", "50%25"),
            ("талон №7", "талон%20№7"),
            ("$SYS", "$SYS"),
            ("a\r\nb\t\0", "a%0D%0Ab%09%00"),
        ] {
            assert_eq!(token(key), expected);
            assert_eq!(super::key(expected).as_deref(), Some(key));
        }
    }

    #[test]
    fn a_token_in_another_spelling_is_no_key() {
        for token in ["", "%2", "%zz", "%2e", "%41", "a.b", "%D0", "a b", "x%", "%+1"] {
            assert_eq!(key(token), None, "{token}");
        }
    }

    #[test]
    fn the_key_of_a_created_stream_is_no_checkpoint() {
        assert_eq!(checkpoint_key(&created_key("TALON_field")), None);
        assert_eq!(checkpoint_key(&bucket_key("field/call")).as_deref(), Some("field/call"));
        assert_eq!(bucket_key("a.b/c"), "a=2Eb/c");
    }

    proptest! {
        #[test]
        fn every_key_comes_back_from_its_token(text in any::<String>()) {
            let token = token(&text);
            prop_assert!(!token.is_empty());
            prop_assert!(!token.contains(['.', '*', '>', ' ', '\t', '\r', '\n', '\0']));
            prop_assert_eq!(key(&token), Some(text));
        }

        #[test]
        fn every_token_comes_back_from_its_key(token in "[a-c%.0-9A-F*> ]{0,8}") {
            if let Some(key) = key(&token) {
                prop_assert_eq!(super::token(&key), token);
            }
        }

        #[test]
        fn every_checkpoint_key_comes_back(key in any::<String>()) {
            let inside = bucket_key(&key);
            prop_assert!(inside.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-/=".contains(&b)));
            prop_assert_eq!(checkpoint_key(&inside), Some(key));
        }
    }
}
