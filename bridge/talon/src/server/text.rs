//! Values as text for people, safe in HTML.

use std::fmt::{self, Display, Formatter, Write};

use talon_runtime::health::{Component, Severity, State};

/// Text of others, in elements and in quoted attributes.
pub(super) struct Text<'a>(pub(super) &'a str);

impl Display for Text<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;"),
                '<' => f.write_str("&lt;"),
                '>' => f.write_str("&gt;"),
                '"' => f.write_str("&quot;"),
                '\'' => f.write_str("&#39;"),
                // Turn the direction of what follows, or hide: a name must look like what it is.
                '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => f.write_char('\u{fffd}'),
                c if c.is_control() && !c.is_whitespace() => f.write_char('\u{fffd}'),
                c => f.write_char(c),
            }?;
        }
        Ok(())
    }
}

/// A few names; the rest are counted.
pub(super) struct Names<'a>(pub(super) &'a [&'a str]);

impl Display for Names<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 4;
        for (place, name) in self.0.iter().take(SHOWN).enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            write!(f, "{comma}<strong>{}</strong>", Text(name))?;
        }
        match self.0.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

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

/// The state of a component with its sign.
pub(super) struct Badge<'a>(pub(super) &'a Component);

impl Display for Badge<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Component { state, severity, .. } = self.0;
        let (class, sign) = match (state, severity) {
            (State::Up, _) => ("up", "●"),
            (State::Standby, _) => ("wait", "○"),
            (State::Starting | State::Recovering, _) => ("wait", "◌"),
            (_, Severity::Feed) => ("warn", "▲"),
            (_, Severity::Vital) => ("bad", "✕"),
        };
        let word = word(*state);
        write!(
            f,
            "<span class=\"state {class}\"><span aria-hidden=\"true\">{sign}</span> {word}</span>"
        )?;
        match state {
            State::Up | State::Starting | State::Recovering => Ok(()),
            State::Standby => write!(f, " <span class=\"hint\">another process runs it</span>"),
            State::Degraded => write!(f, " <span class=\"hint\">works, but needs a person</span>"),
            State::Unowned => write!(f, " <span class=\"hint\">nobody runs it</span>"),
            State::Unavailable => write!(f, " <span class=\"hint\">retried</span>"),
            State::Misconfigured => write!(f, " <span class=\"hint\">needs a person</span>"),
            State::Fenced => write!(f, " <span class=\"hint\">another process took over</span>"),
            State::Internal => write!(f, " <span class=\"hint\">a defect of Talon</span>"),
        }
    }
}

/// A state in a word, as in `/health/ready`.
pub(super) fn word(state: State) -> &'static str {
    match state {
        State::Starting => "starting",
        State::Recovering => "recovering",
        State::Up => "up",
        State::Degraded => "degraded",
        State::Standby => "standby",
        State::Unowned => "unowned",
        State::Unavailable => "unavailable",
        State::Misconfigured => "misconfigured",
        State::Fenced => "fenced",
        State::Internal => "internal",
    }
}
