//! Values as text for people.

use std::fmt::{self, Display, Formatter, Write};

use maud::{Markup, html};
use talon_runtime::health::{Component, Severity, State};

/// Milliseconds in one unit.
pub(super) struct Span(pub(super) i64);

impl Display for Span {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        const NO_BREAK: char = '\u{a0}';
        let seconds = self.0.max(0) / 1000;
        let (count, unit) = match seconds {
            0 if self.0 > 0 => (self.0, "ms"),
            0..120 => (seconds, "s"),
            120..7_200 => (seconds / 60, "min"),
            7_200..172_800 => (seconds / 3_600, "h"),
            _ => (seconds / 86_400, "d"),
        };
        write!(f, "{count}{NO_BREAK}{unit}")
    }
}

/// Time of day of milliseconds since 1970, as in the log.
pub(super) struct TimeOfDay(pub(super) i64);

impl Display for TimeOfDay {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let seconds = self.0.div_euclid(1000).rem_euclid(86_400);
        write!(f, "{:02}:{:02}:{:02} UTC", seconds / 3_600, seconds / 60 % 60, seconds % 60)
    }
}

/// Day and time of milliseconds since 1970, for machines and for people.
pub(super) fn instant(at_ms: i64) -> Markup {
    match jiff::Timestamp::from_millisecond(at_ms) {
        Ok(at) if at_ms > 0 => html! {
            time datetime=(at) { (at.strftime("%F %T")) " UTC" }
        },
        _ => html! { "not known" },
    }
}

/// A number with its thousands apart.
pub(super) struct Count(pub(super) u64);

impl Display for Count {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        for (place, digit) in digits.chars().enumerate() {
            if place > 0 && (digits.len() - place).is_multiple_of(3) {
                f.write_char('\u{202f}')?;
            }
            f.write_char(digit)?;
        }
        Ok(())
    }
}

/// How a state looks: the class of the style, and a sign for those who see no colours.
pub(super) fn look(state: State, severity: Severity) -> (&'static str, &'static str) {
    match (state, severity) {
        (State::Up, _) => ("up", "●"),
        (State::Standby, _) => ("wait", "○"),
        (State::Starting | State::Recovering, _) => ("wait", "◌"),
        (_, Severity::Feed) => ("warn", "▲"),
        (_, Severity::Vital) => ("bad", "✕"),
    }
}

/// A word with its sign.
pub(super) fn state(class: &str, sign: &str, word: &str) -> Markup {
    html! {
        span class={ "state " (class) } { span aria-hidden="true" { (sign) } " " (word) }
    }
}

/// A warning with its sign.
pub(super) fn warning(words: impl Display) -> Markup {
    html! { strong.warn { span aria-hidden="true" { "▲" } " " (words) } }
}

/// The state of a component with its sign.
pub(super) fn badge(component: &Component) -> Markup {
    let Component { state: of, severity, .. } = component;
    let (class, sign) = look(*of, *severity);
    let hint = match of {
        State::Up | State::Starting | State::Recovering => "",
        State::Standby => "another process runs it",
        State::Degraded => "works, but needs a person",
        State::Unowned => "nobody runs it",
        State::Unavailable => "retried",
        State::Misconfigured => "needs a person",
        State::Fenced => "another process took over",
        State::Internal => "a defect of Talon",
    };
    html! {
        (state(class, sign, of.word()))
        @if !hint.is_empty() { " " span.hint { (hint) } }
    }
}

/// A state in the words of REST with its sign.
pub(super) fn connect(word: &str) -> Markup {
    let (class, sign) = match word {
        "RUNNING" => ("up", "●"),
        "PAUSED" => ("wait", "‖"),
        "STOPPED" => ("wait", "■"),
        "FAILED" => ("bad", "✕"),
        "RESTARTING" => ("wait", "◌"),
        _ => ("warn", "▲"),
    };
    state(class, sign, &word.to_lowercase())
}

/// The value of a query, in an address.
pub(super) struct Encoded<'a>(pub(super) &'a str);

impl Display for Encoded<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for byte in self.0.bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                    f.write_char(byte as char)?;
                }
                byte => write!(f, "%{byte:02X}")?,
            }
        }
        Ok(())
    }
}
