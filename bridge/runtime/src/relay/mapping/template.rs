//! Subjects, topics and keys with placeholders.

use std::fmt;

use super::super::record::{Key, Record};
use crate::bus::escape;

/// Longest subject, bytes. The server closes a connection whose control line has more than 4,096
/// (`max_control_line`), in which the subject stands beside others.
const MAX_SUBJECT: usize = 3_000;

/// The token of a null key, which no key has: behind a `%` of a key stand two digits, or nothing.
const NULL_KEY: &str = "%-";

/// Why a record has no place on the other side.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unroutable(pub(super) String);

/// A text with placeholders: `{topic}`, `{key}`, `{partition}`, `{header:NAME}`, `{subject:1}` (the first token),
/// `{subject:2..}` (all from the second on).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Topic,
    Key,
    Partition,
    Header(String),
    Token(usize),
    TokensFrom(usize),
}

/// How the parts of a subject, topic or key are put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Each placeholder but `{topic}` and `{subject:2..}` is one token, or part of one.
    Subject,
    /// As they are.
    Plain,
}

impl Template {
    /// # Errors
    /// What is wrong with it, for people.
    pub fn parse(text: &str) -> Result<Template, String> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(begin) = rest.find(['{', '}']) {
            if begin > 0 {
                pieces.push(Piece::Text(rest[..begin].to_owned()));
            }
            let inside = rest[begin..].strip_prefix('{').and_then(|rest| rest.split_once('}'));
            let (name, behind) = inside.ok_or("has a `{` or `}` that stands alone")?;
            pieces.push(Piece::parse(name)?);
            rest = behind;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        if pieces.is_empty() {
            return Err("is empty".to_owned());
        }
        Ok(Template(pieces))
    }

    /// The subject of a record.
    ///
    /// # Errors
    /// Where a placeholder has nothing to stand for, or a server would refuse the subject.
    pub fn subject(&self, record: &Record) -> Result<String, Unroutable> {
        let subject = self.fill(record, Form::Subject)?;
        if subject.len() > MAX_SUBJECT {
            let bytes = subject.len();
            let why = format!("its subject would have {bytes} bytes, more than {MAX_SUBJECT}");
            return Err(Unroutable(why));
        }
        // A key must not name what belongs to the server; a configuration may.
        let is_literal = matches!(self.0.first(), Some(Piece::Text(text)) if text.starts_with('$'));
        if subject.starts_with('$') && !is_literal {
            let why = "its subject would begin with `$`, as those of the server do".to_owned();
            return Err(Unroutable(why));
        }
        match subject_problem(&subject) {
            None => Ok(subject),
            Some(problem) => Err(Unroutable(format!("its subject {problem}"))),
        }
    }

    /// A topic or a key of a record.
    ///
    /// # Errors
    /// Where a placeholder has nothing to stand for.
    pub fn plain(&self, record: &Record) -> Result<String, Unroutable> {
        self.fill(record, Form::Plain)
    }

    /// What is wrong with it as a subject, whatever the record.
    pub fn problem_as_subject(&self) -> Option<String> {
        let shape: String = self.0.iter().map(Piece::stand_in).collect();
        subject_problem(&shape)
    }

    /// What all records of a topic get, where nothing else tells them apart; none where something does.
    pub fn of_topic(&self, topic: &str) -> Option<String> {
        let piece = |piece: &Piece| match piece {
            Piece::Text(text) => Some(text.clone()),
            Piece::Topic => Some(topic.to_owned()).filter(|topic| !topic.is_empty()),
            _ => None,
        };
        self.0.iter().map(piece).collect()
    }

    /// The topics that it makes of records of this one, as a pattern: `*` stands for what is not known.
    pub fn as_pattern(&self, topic: &str) -> String {
        let shape = |piece: &Piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Topic => topic.to_owned(),
            _ => "*".to_owned(),
        };
        self.0.iter().map(shape).collect()
    }

    /// Its placeholders, as they are written.
    pub fn placeholders(&self) -> Vec<String> {
        let named = |piece: &Piece| !matches!(piece, Piece::Text(_));
        self.0.iter().filter(|piece| named(piece)).map(Piece::to_string).collect()
    }

    /// Whether two placeholders follow each other with nothing between: `ab` and `c` then make what `a` and `bc`
    /// make.
    pub fn runs_together(&self) -> bool {
        self.0.windows(2).any(|two| two.iter().all(|piece| !matches!(piece, Piece::Text(_))))
    }

    /// A filter that takes in all subjects that it makes of records of these topics; none where that would be all
    /// subjects there are. `topics` is a name, or a pattern in which `*` stands for any characters.
    pub fn as_filter(&self, topics: &str) -> Option<String> {
        let shape: String = self.0.iter().map(|piece| piece.filter(topics)).collect();
        let mut tokens: Vec<&str> = Vec::new();
        for token in shape.split('.') {
            if token.contains('>') {
                tokens.push(">");
                break;
            }
            tokens.push(if token.contains('*') { "*" } else { token });
        }
        let is_known = !matches!(tokens.first(), Some(&"*" | &">"));
        is_known.then(|| tokens.join("."))
    }

    fn fill(&self, record: &Record, form: Form) -> Result<String, Unroutable> {
        let mut text = String::with_capacity(64);
        for piece in &self.0 {
            piece.fill(record, form, &mut text)?;
        }
        Ok(text)
    }
}

impl Piece {
    fn parse(name: &str) -> Result<Piece, String> {
        let known = "expected `{topic}`, `{key}`, `{partition}`, `{header:NAME}`, `{subject:1}` or `{subject:2..}`";
        let number = |text: &str| text.parse::<usize>().ok().filter(|number| *number > 0);
        match name {
            "topic" => return Ok(Piece::Topic),
            "key" => return Ok(Piece::Key),
            "partition" => return Ok(Piece::Partition),
            _ => {}
        }
        if let Some(header) = name.strip_prefix("header:").filter(|header| !header.is_empty()) {
            return Ok(Piece::Header(header.to_owned()));
        }
        let tokens = name.strip_prefix("subject:");
        let piece = tokens.and_then(|tokens| match tokens.strip_suffix("..") {
            Some(from) => number(from).map(Piece::TokensFrom),
            None => number(tokens).map(Piece::Token),
        });
        piece.ok_or_else(|| format!("has the placeholder `{{{name}}}`, {known}"))
    }

    fn fill(&self, record: &Record, form: Form, to: &mut String) -> Result<(), Unroutable> {
        let lacks = |what: &str| Unroutable(format!("it has no {what}, and `{self}` needs it"));
        match self {
            Piece::Text(text) => to.push_str(text),
            Piece::Topic => {
                let topic = &record.origin.as_ref().ok_or_else(|| lacks("topic"))?.topic;
                match form {
                    Form::Plain => to.push_str(topic),
                    // Its dots are levels of the subject.
                    Form::Subject => {
                        for (at, level) in topic.split('.').enumerate() {
                            if at > 0 {
                                to.push('.');
                            }
                            escape::push_token(level.as_bytes(), to);
                        }
                    }
                }
            }
            Piece::Key => match (&record.key, form) {
                (Key::Bytes(key), form) => {
                    push(key, form, to).ok_or_else(|| lacks("key in UTF-8"))?
                }
                (Key::Null, Form::Subject) => to.push_str(NULL_KEY),
                (Key::Null | Key::Absent, _) => return Err(lacks("key")),
            },
            Piece::Partition => {
                let origin = record.origin.as_ref().ok_or_else(|| lacks("partition"))?;
                to.push_str(&origin.partition.to_string());
            }
            Piece::Header(name) => {
                let value =
                    record.header(name).ok_or_else(|| lacks(&format!("header `{name}`")))?;
                push(value, form, to).ok_or_else(|| lacks(&format!("header `{name}` in UTF-8")))?;
            }
            Piece::Token(number) => {
                let token = tokens(record).and_then(|mut tokens| tokens.nth(number - 1));
                let token = token.ok_or_else(|| lacks("such token in its subject"))?;
                match form {
                    Form::Subject => to.push_str(token),
                    // The key that it was made of, where it was made of one.
                    Form::Plain => match escape::bytes(token).map(String::from_utf8) {
                        Some(Ok(key)) => to.push_str(&key),
                        _ => to.push_str(token),
                    },
                }
            }
            Piece::TokensFrom(number) => {
                let tokens: Vec<&str> =
                    tokens(record).map(|all| all.skip(number - 1).collect()).unwrap_or_default();
                if tokens.is_empty() {
                    return Err(lacks("such token in its subject"));
                }
                to.push_str(&tokens.join("."));
            }
        }
        Ok(())
    }

    /// Something that it can stand for.
    fn stand_in(&self) -> &str {
        if let Piece::Text(text) = self { text } else { "x" }
    }

    fn filter(&self, topics: &str) -> String {
        match self {
            Piece::Text(text) => text.clone(),
            Piece::Topic => {
                let (known, is_pattern) = match topics.split_once('*') {
                    Some((known, _)) => (known, true),
                    None => (topics, false),
                };
                let levels = known.split('.').map(|level| match level {
                    "" if is_pattern => String::new(),
                    level => escape::token(level.as_bytes()),
                });
                let levels = levels.collect::<Vec<_>>().join(".");
                if is_pattern { levels + ">" } else { levels }
            }
            Piece::TokensFrom(_) => ">".to_owned(),
            _ => "*".to_owned(),
        }
    }
}

impl fmt::Display for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Piece::Text(text) => f.write_str(text),
            Piece::Topic => f.write_str("{topic}"),
            Piece::Key => f.write_str("{key}"),
            Piece::Partition => f.write_str("{partition}"),
            Piece::Header(name) => write!(f, "{{header:{name}}}"),
            Piece::Token(number) => write!(f, "{{subject:{number}}}"),
            Piece::TokensFrom(number) => write!(f, "{{subject:{number}..}}"),
        }
    }
}

fn tokens(record: &Record) -> Option<impl Iterator<Item = &str>> {
    Some(record.subject.as_deref()?.split('.'))
}

/// None where bytes that are no text would have to be a text.
fn push(bytes: &[u8], form: Form, to: &mut String) -> Option<()> {
    match form {
        Form::Subject => escape::push_token(bytes, to),
        Form::Plain => to.push_str(std::str::from_utf8(bytes).ok()?),
    }
    Some(())
}

/// Why a server would refuse a subject to publish to.
fn subject_problem(subject: &str) -> Option<String> {
    if subject.split('.').any(str::is_empty) {
        return Some("has a token without a character".to_owned());
    }
    if subject.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
        return Some("has a blank".to_owned());
    }
    let is_wild = |token: &str| matches!(token, "*" | ">");
    subject.split('.').any(is_wild).then(|| "has `*` or `>` as a token".to_owned())
}

#[cfg(test)]
#[path = "template_tests.rs"]
mod tests;
