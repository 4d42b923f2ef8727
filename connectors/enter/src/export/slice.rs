//! Cuts the body of a day into rows while it arrives.
//!
//! A day is a JSON object with a list `Tickets` and some fields about its branch, or a list of such
//! objects (`enter-central-export.txt`, the two methods). Nothing of it is decoded here. A row is
//! `{"Ticket":…,"Department":…}`: the ticket's bytes as they came, and what stood before the list, so
//! that a row says by itself in which zone it is. `DateTime`, the moment of the reply, is left out: it
//! is another in every reply, and the event's own times say it.

use std::ops::Range;

use bytes::Bytes;
use memchr::memchr2;
use serde::de::IgnoredAny;
use serde_json::Value;
use talon_sdk::Rows;
use talon_sdk::spelling::respelled;

/// What stands before the tickets may be so large.
const LARGEST_HEAD: usize = 64 * 1024;

/// By what the object of a branch is known, in the replies of both methods: its list. Without it, an object
/// tells nothing of the day, such as an error that comes with status 200.
const TICKETS: &[u8] = b"Tickets";

/// Why a body cannot be cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SliceFault {
    /// Another form.
    #[error("the reply is no list of a day's tickets (byte {0})")]
    Form(u64),
    /// It ends too early.
    #[error("the reply ends in the middle of its JSON (byte {0})")]
    Cut(u64),
    /// A part that is larger than allowed.
    #[error(
        "a ticket or field of the reply is larger than `upstream.response.max.bytes`, or not closed"
    )]
    TooLarge,
}

/// Takes a body piece by piece, and gives rows.
#[derive(Debug)]
pub struct Slicer {
    at: State,
    /// Containers that are open.
    depth: u32,
    /// The depth inside the object of a branch; 0 before the first one.
    level: u32,
    text: Option<Escape>,
    /// The name of a field, or its value, or a ticket, as far as it has come.
    part: Vec<u8>,
    name: Vec<u8>,
    /// Fields of the branch: `"Department":{…}`.
    head: Vec<u8>,
    is_away: bool,
    /// Whether the object of a branch has its list.
    is_answer: bool,
    /// Whether there was anything but blanks.
    has_content: bool,
    largest: usize,
    bytes: u64,
    body: Vec<u8>,
    spans: Vec<Range<usize>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Around the objects of branches.
    Outside,
    /// Inside one, before the name of a field.
    Field,
    /// In the name of a field.
    Name,
    /// Before the value of a field.
    Colon,
    /// In the value of a field.
    Value,
    /// Between tickets.
    Tickets,
    /// In a ticket.
    Ticket,
}

/// Inside a string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Escape {
    No,
    /// The next byte belongs to a backslash.
    Next,
}

impl Slicer {
    /// For tickets of at most so many bytes.
    pub fn new(largest: usize) -> Slicer {
        Slicer {
            at: State::Outside,
            depth: 0,
            level: 0,
            text: None,
            part: Vec::new(),
            name: Vec::new(),
            head: Vec::new(),
            is_away: false,
            is_answer: false,
            has_content: false,
            largest,
            bytes: 0,
            body: Vec::new(),
            spans: Vec::new(),
        }
    }

    /// Takes the next piece of the body.
    pub fn take(&mut self, piece: &[u8]) -> Result<(), SliceFault> {
        let mut place = 0;
        while place < piece.len() {
            place += match self.at {
                State::Value | State::Ticket => self.inside(&piece[place..])?,
                State::Name => self.in_name(&piece[place..])?,
                _ => {
                    self.between(piece[place])?;
                    1
                }
            };
        }
        self.bytes += piece.len() as u64;
        Ok(())
    }

    /// Says that the body is over. One without content is a day without tickets.
    pub fn finish(&self) -> Result<(), SliceFault> {
        let is_whole = self.at == State::Outside && self.depth == 0 && self.level > 0;
        if is_whole || !self.has_content { Ok(()) } else { Err(SliceFault::Cut(self.bytes)) }
    }

    /// Bytes of the rows that wait to be given.
    pub fn waiting(&self) -> usize {
        self.body.len()
    }

    /// The rows so far.
    pub fn rows(&mut self) -> Rows {
        Rows::of_spans(Bytes::from(std::mem::take(&mut self.body)), std::mem::take(&mut self.spans))
    }

    /// What the reply says of the branch, as a JSON object.
    pub fn head(&self) -> Vec<u8> {
        [b"{", self.head.as_slice(), b"}"].concat()
    }

    /// Whether a branch of the reply is not connected, by what has been taken so far.
    pub fn is_away(&self) -> bool {
        self.is_away
    }

    /// One byte around fields and tickets.
    fn between(&mut self, byte: u8) -> Result<(), SliceFault> {
        // A byte order mark is as good as a blank.
        let is_mark = matches!(byte, 0xef | 0xbb | 0xbf) && self.at == State::Outside;
        if byte.is_ascii_whitespace() || is_mark && self.depth == 0 {
            return Ok(());
        }
        self.has_content = true;
        match (self.at, byte) {
            (State::Outside, b'[') if self.depth == 0 && self.level == 0 => self.depth = 1,
            (State::Outside, b'{') if self.depth <= 1 && (self.level == 0 || self.depth == 1) => {
                self.depth += 1;
                self.level = self.depth;
                self.head.clear();
                self.is_answer = false;
                self.at = State::Field;
            }
            (State::Outside, b',') if self.depth == 1 => {}
            (State::Outside, b']') if self.depth == 1 => (self.depth, self.level) = (0, 1),
            (State::Field, b'"') => {
                self.part.clear();
                self.text = Some(Escape::No);
                self.at = State::Name;
            }
            (State::Field, b',') => {}
            (State::Field, b'}') if self.is_answer => {
                self.depth -= 1;
                self.at = State::Outside;
                // A reply without a list around has but one object.
                self.level = if self.depth == 0 { 1 } else { 0 };
            }
            (State::Colon, b':') => {}
            (State::Colon, b'[') if self.name == TICKETS => {
                self.is_answer = true;
                self.depth += 1;
                self.at = State::Tickets;
            }
            (State::Colon, _) => return self.begin(State::Value, byte),
            (State::Tickets, b',') => {}
            (State::Tickets, b']') => {
                self.depth -= 1;
                self.at = State::Field;
            }
            (State::Tickets, _) => return self.begin(State::Ticket, byte),
            _ => return Err(SliceFault::Form(self.bytes)),
        }
        Ok(())
    }

    /// The first byte of a value or a ticket.
    fn begin(&mut self, at: State, byte: u8) -> Result<(), SliceFault> {
        if matches!(byte, b',' | b'}' | b']') {
            return Err(SliceFault::Form(self.bytes));
        }
        self.part.clear();
        self.at = at;
        self.inside(&[byte]).map(drop)
    }

    fn in_name(&mut self, piece: &[u8]) -> Result<usize, SliceFault> {
        for (place, &byte) in piece.iter().enumerate() {
            match (self.text, byte) {
                (Some(Escape::Next), _) => self.text = Some(Escape::No),
                (_, b'\\') => self.text = Some(Escape::Next),
                (_, b'"') => {
                    self.text = None;
                    self.name = name_of(&self.part);
                    self.at = State::Colon;
                    return Ok(place + 1);
                }
                _ => {}
            }
            self.part.push(byte);
            if self.part.len() > LARGEST_HEAD {
                return Err(SliceFault::Form(self.bytes));
            }
        }
        Ok(piece.len())
    }

    /// Takes as much of the piece as belongs to the value or ticket; gives how much.
    fn inside(&mut self, piece: &[u8]) -> Result<usize, SliceFault> {
        // Where the container is that the value stands in.
        let around = if self.at == State::Ticket { self.level + 1 } else { self.level };
        let mut end = None;
        let mut place = 0;
        while let Some(&byte) = piece.get(place) {
            match self.text {
                Some(Escape::Next) => self.text = Some(Escape::No),
                // Most of a ticket is texts.
                Some(Escape::No) => match memchr2(b'"', b'\\', &piece[place..]) {
                    Some(ahead) => {
                        place += ahead;
                        self.text = (piece[place] == b'\\').then_some(Escape::Next);
                    }
                    None => place = piece.len() - 1,
                },
                None => match byte {
                    b'"' => self.text = Some(Escape::No),
                    b'{' | b'[' => self.depth += 1,
                    b'}' | b']' if self.depth > around => {
                        self.depth -= 1;
                        if self.depth == around {
                            end = Some(place + 1);
                            break;
                        }
                    }
                    // What ends a value that is no container stands behind it.
                    b',' | b'}' | b']' if self.depth == around => {
                        end = Some(place);
                        break;
                    }
                    _ => {}
                },
            }
            place += 1;
        }
        let taken = end.unwrap_or(piece.len());
        self.part.extend_from_slice(&piece[..taken]);
        let largest = if self.at == State::Ticket { self.largest } else { LARGEST_HEAD };
        if self.part.len() > largest {
            return Err(SliceFault::TooLarge);
        }
        if end.is_some() {
            self.end()?;
        }
        Ok(taken)
    }

    /// A value or a ticket is whole. A ticket may be no JSON, which is a matter of its row; a field of the
    /// branch would make all rows of the day such.
    fn end(&mut self) -> Result<(), SliceFault> {
        if self.at == State::Ticket {
            let start = self.body.len();
            self.body.extend_from_slice(b"{\"Ticket\":");
            self.body.extend_from_slice(&self.part);
            if !self.head.is_empty() {
                self.body.push(b',');
                self.body.extend_from_slice(&self.head);
            }
            self.body.push(b'}');
            self.spans.push(start..self.body.len());
            self.at = State::Tickets;
            return Ok(());
        }
        self.at = State::Field;
        let part = self.part.trim_ascii_end();
        if self.name == TICKETS {
            // No list is an empty one; anything else is another thing.
            self.is_answer = true;
            return if part == b"null" { Ok(()) } else { Err(SliceFault::Form(self.bytes)) };
        }
        let field = [b"\"", self.name.as_slice(), b"\":", part].concat();
        let is_json = std::str::from_utf8(&field)
            .is_ok_and(|field| serde_json::from_str::<IgnoredAny>(&format!("{{{field}}}")).is_ok());
        if !is_json {
            return Err(SliceFault::Form(self.bytes));
        }
        if self.name == b"Department" {
            self.is_away |= is_away(&self.part);
        }
        if self.name != b"DateTime" && self.head.len() < LARGEST_HEAD {
            if !self.head.is_empty() {
                self.head.push(b',');
            }
            self.head.extend_from_slice(&field);
        }
        Ok(())
    }
}

/// Whether a reply says of its branch that the central server is not connected to it, or cannot talk to
/// it: then what is not in the reply may be there all the same.
fn is_away(department: &[u8]) -> bool {
    let said: Value = serde_json::from_slice(department).unwrap_or_default();
    !matches!(said["IsConnected"], Value::Null | Value::Bool(true)) || said["WrongProtocol"] == true
}

/// The name of a field, however it is spelled.
fn name_of(part: &[u8]) -> Vec<u8> {
    if !part.contains(&b'\\') {
        return part.to_vec();
    }
    let quoted = [b"\"", part, b"\""].concat();
    let spelled = respelled(&quoted);
    spelled[1..spelled.len() - 1].to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HISTORY: &str = r#" [ {"Department": {"Name":"\"]},","Id":"b"} , "Tickets": [ {"Id":"1","P":[{"x":"}]"}]},
        {"Id":"2\\"} , 7 ] }, {"Department":{"Id":"c"},"Tickets":[{"Id":"3"}],"More":1}, {"Tickets":[]} ] "#;

    #[test]
    fn a_reply_says_itself_whether_its_branch_is_connected_wherever_that_stands() {
        for (department, is_away) in [
            (r#"{"IsConnected":true,"WrongProtocol":false}"#, false),
            (r#"{"IsConnected":null}"#, false),
            (r#"{"Name":"b"}"#, false),
            ("null", false),
            (r#"{"IsConnected":false}"#, true),
            (r#"{"IsConnected":"False"}"#, true),
            (r#"{"IsConnected":0}"#, true),
            (r#"{"IsConnected":true,"WrongProtocol":true}"#, true),
        ] {
            for text in [
                format!(r#"[{{"Department":{department},"Tickets":[{{"Id":"1"}}]}}]"#),
                format!(r#"{{"Tickets":[],"Department":{department}}}"#),
                format!(
                    r#"[{{"Tickets":[]}},{{"Department":{department},"Tickets":[]}},{{"Tickets":[]}}]"#
                ),
            ] {
                let mut slicer = Slicer::new(1000);
                slicer.take(text.as_bytes()).unwrap();
                assert_eq!((slicer.is_away(), slicer.finish()), (is_away, Ok(())), "{text}");
            }
        }
    }

    #[test]
    fn noise_the_name_of_a_field_is_known_however_it_is_spelled() {
        let text =
            r#"{"\u0044ateTime":"now","Depar\u0074ment":{"Id":"b"},"Ticket\u0073":[{"Id":"1"}]}"#;
        for pieces in [1, 1000] {
            let row = r#"{"Ticket":{"Id":"1"},"Department":{"Id":"b"}}"#;
            assert_eq!(cut(text, pieces), (vec![row.to_owned()], Ok(())));
        }
    }

    fn cut(text: &str, pieces: usize) -> (Vec<String>, Result<(), SliceFault>) {
        let mut slicer = Slicer::new(1000);
        let mut rows = Vec::new();
        for piece in text.as_bytes().chunks(pieces) {
            if let Err(fault) = slicer.take(piece) {
                return (rows, Err(fault));
            }
            rows.extend(slicer.rows().iter().map(|row| String::from_utf8(row.to_vec()).unwrap()));
        }
        (rows, slicer.finish())
    }

    #[test]
    fn rows_are_the_same_however_the_body_is_cut_into_pieces() {
        let expected = [
            r#"{"Ticket":{"Id":"1","P":[{"x":"}]"}]},"Department":{"Name":"\"]},","Id":"b"}}"#,
            r#"{"Ticket":{"Id":"2\\"},"Department":{"Name":"\"]},","Id":"b"}}"#,
            r#"{"Ticket":7 ,"Department":{"Name":"\"]},","Id":"b"}}"#,
            r#"{"Ticket":{"Id":"3"},"Department":{"Id":"c"}}"#,
        ];
        for pieces in 1..HISTORY.len() {
            let (rows, end) = cut(HISTORY, pieces);
            assert_eq!(
                (rows.as_slice(), end),
                (&expected.map(str::to_owned)[..], Ok(())),
                "{pieces}"
            );
        }
    }

    #[test]
    fn the_old_method_is_cut_too_and_its_moment_is_left_out() {
        let text =
            "\u{feff}{\"ServerId\":\"b\",\"DateTime\":\"2017\",\"N\":null,\"Tickets\":[{}]}\n";
        for pieces in [1, 7, 1000] {
            let (rows, end) = cut(text, pieces);
            assert_eq!(rows, [r#"{"Ticket":{},"ServerId":"b","N":null}"#]);
            assert_eq!(end, Ok(()));
        }
        assert_eq!(cut("[]", 1), (vec![], Ok(())));
        assert_eq!(cut("{\"Tickets\": null}", 1), (vec![], Ok(())));
        // No content.
        for text in ["", " \r\n", "\u{feff}"] {
            assert_eq!(cut(text, 1), (vec![], Ok(())));
        }
    }

    #[test]
    fn what_came_before_a_cut_is_given_and_the_cut_is_seen() {
        for length in 2..HISTORY.trim_end().len() {
            let Some(text) = HISTORY.get(..length) else { continue };
            assert!(cut(text, 5).1.is_err(), "{text}");
        }
        let at = HISTORY.find(", 7").unwrap();
        assert_eq!(cut(&HISTORY[..at], 3).0.len(), 2);
    }

    #[test]
    fn a_bad_ticket_of_a_streamed_day_hides_no_other() {
        for bad in [
            r#"{"Id":"2","n":NaN}"#,
            "{\"Id\":\"2\",\"t\":\"],[\n\u{1}},{\"}",
            r#"{"Id":"2","t":"\x \ud800"}"#,
            r#"{"Id":"2","t":[1,],}"#,
            "NaN",
        ] {
            let text = format!(
                r#"[{{"Department":{{"Id":"b"}},"Tickets":[{{"Id":"1"}},{bad},{{"Id":"3"}},]}}]"#
            );
            let row = |ticket: &str| format!(r#"{{"Ticket":{ticket},"Department":{{"Id":"b"}}}}"#);
            let expected = [row(r#"{"Id":"1"}"#), row(bad), row(r#"{"Id":"3"}"#)];
            for pieces in [1, 7, 1000] {
                assert_eq!(cut(&text, pieces), (expected.to_vec(), Ok(())), "{text}");
            }
            assert!(talon_sdk::split::is_one_row(row(bad).as_bytes()), "{bad}");
        }
        for open in [r#"{"Id":"2","t":"x}"#, r#"{"Id":"2","t":[1}"#] {
            let text = format!(r#"[{{"Tickets":[{{"Id":"1"}},{open},{{"Id":"3"}}]}}]"#);
            assert!(cut(&text, 7).1.is_err(), "{open}");
        }
    }

    #[test]
    fn other_things_than_days_are_refused() {
        let error = r#"{"UserMessage":"Неверные параметры","Code":5}"#;
        for text in [
            error,
            r#"[{"Tickets":[]},{"UserMessage":"x"}]"#,
            "{}",
            "[{}]",
            r#"{"DateTime":"2017","Message":"down"}"#,
            r#"[{"Department":{"Id":"b"}}]"#,
            r#"{"Tickets":{}}"#,
            r#"{"Tickets":"none"}"#,
            r#"{"Tickets":0}"#,
            r#"[{"Department":{"Id":NaN},"Tickets":[]}]"#,
            "[{\"Department\":{\"Id\":\"a\nb\"},\"Tickets\":[]}]",
            "<html>",
            "null",
            "[1]",
            "[[{}]]",
            "{}{}",
            "[{}]]",
            "{1}",
            "\"x\"",
        ] {
            assert!(matches!(cut(text, 3).1, Err(SliceFault::Form(_))), "{text}");
        }
        let large = format!("{{\"Tickets\":[\"{}\"]}}", "x".repeat(2000));
        assert_eq!(cut(&large, 100).1, Err(SliceFault::TooLarge));
    }
}
