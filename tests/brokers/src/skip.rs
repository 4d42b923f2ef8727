//! What happens where a broker cannot be had: a skip that is seen and counted, or a failure where brokers are required.

use std::fmt;
use std::io::{self, Write};
use std::path::PathBuf;

use crate::workspace;

/// Why one way to a broker, or to a tool, did not lead there.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It is not here; the next way may work.
    Absent(String),
    /// It is here and does not work, which no other way may hide.
    Broken(String),
}

impl Failure {
    /// For errors of the machine's own calls, under what was tried.
    pub(crate) fn broken(tried: &str, error: impl fmt::Display) -> Self {
        Self::Broken(format!("{tried}: {error}"))
    }
}

/// A broker, or a tool, that cannot be had, with the reason of each way that was tried.
#[derive(Debug)]
pub struct Unavailable {
    /// What cannot be had, such as `Kafka`.
    pub what: &'static str,
    /// The ways in the order they were tried, each with its reason.
    pub reasons: Vec<(&'static str, String)>,
    /// Whether the last way was there and failed; then the test fails rather than being skipped.
    pub broken: bool,
}

impl fmt::Display for Unavailable {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "no {}", self.what)?;
        for (place, (way, reason)) in self.reasons.iter().enumerate() {
            let before = if place == 0 { ": " } else { "; " };
            write!(out, "{before}{way}: {reason}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Unavailable {}

#[derive(Debug, PartialEq)]
enum Decision {
    Skip(String),
    Fail(String),
}

/// `Some` value, or `None` after the skip was shown and counted.
///
/// Panics with the reasons where brokers are required, and where one is there and broken.
pub(crate) fn or_skip<T>(test: &str, found: Result<T, &Unavailable>) -> Option<T> {
    let unavailable = match found {
        Ok(value) => return Some(value),
        Err(unavailable) => unavailable,
    };
    let required = std::env::var("TALON_REQUIRE_BROKERS").is_ok_and(|value| value == "1");
    match decide(test, unavailable, required) {
        Decision::Fail(message) => panic!("{message}"),
        Decision::Skip(line) => {
            // Straight to the stream: the test runner shows what the print macros write only for tests that fail.
            writeln!(io::stderr().lock(), "{line}").ok();
            if let Err(error) = count(&line) {
                panic!("{line}; the skip could not be counted: {error}");
            }
            None
        }
    }
}

fn decide(test: &str, unavailable: &Unavailable, required: bool) -> Decision {
    if required || unavailable.broken {
        return Decision::Fail(format!("{test}: {unavailable}"));
    }
    let line = format!("SKIPPED: {test}: {unavailable}").replace(['\n', '\r'], " ");
    Decision::Skip(line)
}

/// The file with one line for each skip since it was last deleted: `target/brokers/skipped.txt`.
pub fn skipped_file() -> io::Result<PathBuf> {
    Ok(workspace::directory()?.join("skipped.txt"))
}

/// One write of a whole line, so that lines of concurrent processes do not mix.
fn count(line: &str) -> io::Result<()> {
    workspace::append(&skipped_file()?)?.write_all(format!("{line}\n").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn no_kafka(broken: bool) -> Unavailable {
        let reasons = vec![
            ("address", "`TALON_TEST_KAFKA` is not set".to_owned()),
            ("program", "no `kafka-server-start`\non the PATH".to_owned()),
        ];
        Unavailable { what: "Kafka", reasons, broken }
    }

    #[test]
    fn a_missing_broker_is_one_visible_line_with_every_reason() {
        let line = "SKIPPED: t: no Kafka: address: `TALON_TEST_KAFKA` is not set; \
                    program: no `kafka-server-start` on the PATH";
        assert_eq!(decide("t", &no_kafka(false), false), Decision::Skip(line.to_owned()));
    }

    #[test]
    fn a_missing_broker_fails_where_brokers_are_required() {
        let decision = decide("t", &no_kafka(false), true);
        assert!(
            matches!(decision, Decision::Fail(message) if message.starts_with("t: no Kafka: "))
        );
    }

    #[test]
    fn a_broken_broker_is_never_a_skip() {
        assert!(matches!(decide("t", &no_kafka(true), false), Decision::Fail(_)));
    }
}
