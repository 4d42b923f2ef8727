//! YAML whose values stay as they are written.
//!
//! Settings are texts. A library that makes numbers, switches and dates of plain values would send the
//! token `0123456` as `123456`, and `1_000` as `1000`. So this works on the parser's events, and takes
//! every value as it stands. Only a plain `null`, `~` or nothing is no value.

use std::borrow::Cow;
use std::collections::HashMap;
use std::iter::Peekable;

use granit_parser::{Event, Parser, ScalarStyle, ScanError, Span, StrInput, Tag};
use talon_sdk::config::Problem;

/// Most values of a file, with those that its aliases repeat.
const MAX_VALUES: usize = 100_000;

/// A value of a YAML text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Yaml {
    /// None.
    Null,
    /// As it is written, without quotes and escapes.
    Text(String),
    /// A list.
    List(Vec<Yaml>),
    /// A map, in the order of the text.
    Map(Vec<(String, Yaml)>),
}

/// Reads a text; none where there is nothing in it but comments.
///
/// # Errors
/// One problem, which says where and what, and shows nothing of the text: a secret may stand there.
pub(super) fn parse(text: &str) -> Result<Option<Yaml>, Problem> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader {
        events: Parser::new_from_str(text).peekable(),
        anchors: HashMap::new(),
        values: 0,
    };
    let mut found = None;
    loop {
        match reader.next()? {
            (Event::StreamEnd, _) => return Ok(found),
            (Event::DocumentStart(..), span) => {
                if found.is_some() {
                    let what = "begins a second document, and only one is read: put all settings into one, or remove the `---`";
                    return Err(problem(span, what));
                }
                found = Some(reader.value()?);
            }
            _ => {}
        }
    }
}

fn problem(span: Span, what: &str) -> Problem {
    let (line, column) = (span.start.line(), span.start.col() + 1);
    Problem { key: "(file)".to_owned(), message: format!("line {line} column {column} {what}") }
}

struct Reader<'t> {
    events: Peekable<Parser<'t, StrInput<'t>>>,
    anchors: HashMap<usize, Yaml>,
    values: usize,
}

impl<'t> Reader<'t> {
    fn next(&mut self) -> Result<(Event<'t>, Span), Problem> {
        let wrong = |error: ScanError| Problem {
            key: "(file)".to_owned(),
            message: format!("is no YAML: {error}"),
        };
        match self.events.next() {
            Some(event) => event.map_err(wrong),
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    /// Whether the next event is the end of a list or map; takes it if so.
    fn ends(&mut self) -> bool {
        let next = self.events.peek();
        let ends = matches!(next, Some(Ok((Event::SequenceEnd | Event::MappingEnd, _))));
        if ends {
            self.events.next();
        }
        ends
    }

    /// The next value. Its depth is bounded by the parser.
    fn value(&mut self) -> Result<Yaml, Problem> {
        let (event, span) = self.next()?;
        let (value, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                plain_tag(tag.as_ref(), span)?;
                let is_null = style == ScalarStyle::Plain
                    && matches!(&*text, "" | "~" | "null" | "Null" | "NULL");
                let value = if is_null { Yaml::Null } else { Yaml::Text(text.into_owned()) };
                (value, anchor)
            }
            Event::SequenceStart(_, anchor, tag) => {
                plain_tag(tag.as_ref(), span)?;
                let mut items = Vec::new();
                while !self.ends() {
                    items.push(self.value()?);
                }
                (Yaml::List(items), anchor)
            }
            Event::MappingStart(_, anchor, tag) => {
                plain_tag(tag.as_ref(), span)?;
                (Yaml::Map(self.map(span)?), anchor)
            }
            Event::Alias(anchor) => {
                let known = self.anchors.get(&anchor);
                let value = known.ok_or_else(|| problem(span, "repeats what is not ended yet"))?;
                self.values += size(value);
                (value.clone(), 0)
            }
            _ => return Err(problem(span, "has no value")),
        };
        self.values += 1;
        if self.values > MAX_VALUES {
            let what = format!("is behind the {MAX_VALUES} values that are read at most");
            return Err(problem(span, &what));
        }
        if anchor > 0 {
            self.anchors.insert(anchor, value.clone());
        }
        Ok(value)
    }

    fn map(&mut self, start: Span) -> Result<Vec<(String, Yaml)>, Problem> {
        let (mut map, mut merged) = (Vec::<(String, Yaml)>::new(), Vec::new());
        while !self.ends() {
            let span =
                self.events.peek().and_then(|next| next.as_ref().ok()).map(|(_, span)| *span);
            let span = span.unwrap_or(start);
            let name = match self.value()? {
                Yaml::Text(name) => name,
                Yaml::Null => String::new(),
                _ => return Err(problem(span, "has a list or a map as a key")),
            };
            let value = self.value()?;
            match value {
                Yaml::Map(more) if name == "<<" => merged.extend(more),
                Yaml::List(maps) if name == "<<" => {
                    for map in maps {
                        let Yaml::Map(more) = map else {
                            return Err(problem(span, "merges what is no map"));
                        };
                        merged.extend(more);
                    }
                }
                value => {
                    if map.iter().any(|(known, _)| *known == name) {
                        return Err(problem(span, "has a key that is there already"));
                    }
                    map.push((name, value));
                }
            }
        }
        for (name, value) in merged {
            if map.iter().all(|(known, _)| *known != name) {
                map.push((name, value));
            }
        }
        Ok(map)
    }
}

/// Tags of YAML's own types change nothing; others ask for something that nobody does.
fn plain_tag(tag: Option<&Cow<'_, Tag>>, span: Span) -> Result<(), Problem> {
    match tag {
        Some(tag) if !tag.is_yaml_core_schema() => Err(problem(
            span,
            "has a tag, and none is known here: remove what begins with `!`, or quote the value",
        )),
        _ => Ok(()),
    }
}

fn size(value: &Yaml) -> usize {
    match value {
        Yaml::Null | Yaml::Text(_) => 1,
        Yaml::List(items) => 1 + items.iter().map(size).sum::<usize>(),
        Yaml::Map(map) => 1 + map.iter().map(|(_, value)| 1 + size(value)).sum::<usize>(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(yaml: &str) -> Yaml {
        let Some(Yaml::Map(mut map)) = parse(yaml).unwrap() else { panic!("no map: {yaml}") };
        map.remove(0).1
    }

    #[test]
    fn plain_values_stay_as_they_are_written() {
        for written in [
            "0123456",
            "1_000",
            "1e5",
            "0x1F",
            "0o17",
            "1.10",
            "+7",
            "yes",
            "on",
            "No",
            "True",
            ".5",
            "12:30",
            "2026-01-31",
            "0.1e+1",
            "18446744073709551617",
            "-0",
            ".inf",
            "a b",
            "=",
        ] {
            let expected = Yaml::Text(written.to_owned());
            assert_eq!(text(&format!("key: {written}\n")), expected, "{written}");
            assert_eq!(text(&format!("key: '{written}'\n")), expected, "{written}");
            assert_eq!(text(&format!("{{key: {written}}}")), expected, "{written}");
            assert_eq!(text(&format!("key: {written} # of course\n")), expected, "{written}");
        }
    }

    #[test]
    fn nothing_and_null_are_no_value_unless_they_are_quoted() {
        for written in ["", "~", "null", "Null"] {
            assert_eq!(text(&format!("key: {written}\n")), Yaml::Null, "{written}");
            assert_eq!(text(&format!("key: \"{written}\"\n")), Yaml::Text(written.to_owned()));
        }
    }

    #[test]
    fn anchors_and_merges_are_followed_and_bounded() {
        let yaml = "a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\n";
        let Some(Yaml::Map(map)) = parse(yaml).unwrap() else { panic!() };
        let of = |name: &str, value: &str| (name.to_owned(), Yaml::Text(value.to_owned()));
        assert_eq!(map[1].1, Yaml::Map(vec![of("y", "3"), of("x", "1")]));
        let mut many = "a0: &a0 x\n".to_owned();
        for i in 1..12 {
            let last = i - 1;
            many.push_str(&format!("a{i}: &a{i} [{}]\n", vec![format!("*a{last}"); 8].join(",")));
        }
        let problem = parse(&many).unwrap_err();
        assert!(problem.message.contains("100000"), "{problem}");
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_its_place() {
        for (yaml, expected) in [
            ("a: 1\n---\nb: 2\n", "line 2"),
            ("a: !vault x\n", "has a tag"),
            ("a: 1\na: 2\n", "line 2 column 1 has a key that is there already"),
            ("[a]: 1\n", "has a list or a map as a key"),
            ("a: &a [*a]\n", "repeats what is not ended yet"),
            ("a: *b\n", "is no YAML"),
            ("a: [", "is no YAML"),
        ] {
            let problem = parse(yaml).unwrap_err().to_string();
            assert!(problem.contains(expected), "{yaml:?}: {problem}");
        }
        assert_eq!(parse("# nothing\n"), Ok(None));
        assert_eq!(parse("\u{feff}a: 1\n").unwrap(), parse("a: 1\n").unwrap());
    }
}
