//! Rows as JSON.

use std::ops::Range;

use super::elements::{Kind, ValueType};

/// Rows that are whole, one behind the other.
#[derive(Debug, Default)]
pub(super) struct RowBuffer {
    pub(super) bytes: Vec<u8>,
    pub(super) spans: Vec<Range<usize>>,
}

impl RowBuffer {
    /// Bytes of the whole rows; behind them may be the beginning of another.
    pub(super) fn whole(&self) -> usize {
        self.spans.last().map_or(0, |span| span.end)
    }
}

/// The row that is being written.
#[derive(Debug, Default)]
pub(super) struct RowWriter {
    /// `"Name":` of each column.
    keys: Vec<Vec<u8>>,
    /// Where the row begins.
    begin: usize,
    /// How many values it has.
    values: usize,
}

impl RowWriter {
    /// Adds a column, under another name if there is one of its name already.
    pub(super) fn add_column(&mut self, name: &str) {
        let key = |name: &str| [&text(name)[..], b":"].concat();
        let mut own = key(name);
        let mut number = 2;
        while self.keys.contains(&own) {
            own = key(&format!("{name}#{number}"));
            number += 1;
        }
        self.keys.push(own);
    }

    pub(super) fn columns(&self) -> usize {
        self.keys.len()
    }

    pub(super) fn begin(&mut self, rows: &mut RowBuffer) {
        self.begin = rows.bytes.len();
        self.values = 0;
        rows.bytes.push(b'{');
    }

    /// The next value. More than there are columns go on by number.
    pub(super) fn value(&mut self, value: ValueType, content: &str, rows: &mut RowBuffer) {
        let out = &mut rows.bytes;
        if self.values > 0 {
            out.push(b',');
        }
        match self.keys.get(self.values) {
            Some(key) => out.extend_from_slice(key),
            None => out.extend_from_slice(format!("\"#{}\":", self.values + 1).as_bytes()),
        }
        self.values += 1;
        write(value, content, out);
    }

    /// Takes the whole rows away, and leaves the one that is begun.
    pub(super) fn take(&mut self, rows: &mut RowBuffer) -> RowBuffer {
        let begun = rows.bytes.split_off(rows.whole());
        self.begin = 0;
        std::mem::replace(rows, RowBuffer { bytes: begun, spans: Vec::new() })
    }

    /// The row is whole.
    pub(super) fn end(&mut self, rows: &mut RowBuffer) {
        rows.bytes.push(b'}');
        if self.values != self.keys.len() {
            rows.bytes.insert(self.begin, b'[');
            rows.bytes.push(b']');
        }
        rows.spans.push(self.begin..rows.bytes.len());
    }
}

/// Nothing is `null`, also where it is an empty number or time; an empty text is one. What is not what its
/// type says is a text, as it came.
fn write(value: ValueType, content: &str, out: &mut Vec<u8>) {
    if value.is_nil {
        out.extend_from_slice(b"null");
        return;
    }
    if matches!(value.kind, Kind::Text | Kind::Table) {
        return put_text(content, out);
    }
    let trimmed = content.trim_matches([' ', '\t', '\r', '\n']);
    match value.kind {
        _ if trimmed.is_empty() => out.extend_from_slice(b"null"),
        Kind::Time => put_text(trimmed, out),
        Kind::Flag if matches!(trimmed, "true" | "1") => out.extend_from_slice(b"true"),
        Kind::Flag if matches!(trimmed, "false" | "0") => out.extend_from_slice(b"false"),
        Kind::Number => match put_number(trimmed, out) {
            Some(()) => {}
            None => put_text(content, out),
        },
        _ => put_text(content, out),
    }
}

/// A decimal of XMLSchema as a JSON number: without a plus, without leading zeros, with a digit on either
/// side of its point.
fn put_number(text: &str, out: &mut Vec<u8>) -> Option<()> {
    let (sign, rest) = match text.split_at_checked(1)? {
        ("-", rest) => ("-", rest),
        ("+", rest) => ("", rest),
        _ => ("", text),
    };
    let (whole, part) = rest.split_once('.').unwrap_or((rest, ""));
    let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.len() + part.len() == 0 || !are_digits(whole) || !are_digits(part) {
        return None;
    }
    let whole = whole.trim_start_matches('0');
    out.extend_from_slice(sign.as_bytes());
    out.extend_from_slice(if whole.is_empty() { b"0" } else { whole.as_bytes() });
    if !part.is_empty() {
        out.push(b'.');
        out.extend_from_slice(part.as_bytes());
    }
    Some(())
}

fn text(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    put_text(text, &mut out);
    out
}

fn put_text(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    // Almost no text needs it. To look at all bytes is faster than to stop at the first that does.
    let is_special = |byte: u8| byte < 0x20 || byte == b'"' || byte == b'\\';
    if !text.bytes().fold(false, |any, byte| any | is_special(byte)) {
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
        return;
    }
    let mut from = 0;
    for (place, byte) in text.bytes().enumerate() {
        let escape: &[u8] = match byte {
            b'"' => b"\\\"",
            b'\\' => b"\\\\",
            b'\n' => b"\\n",
            b'\r' => b"\\r",
            b'\t' => b"\\t",
            0..0x20 => {
                out.extend_from_slice(&text.as_bytes()[from..place]);
                out.extend_from_slice(format!("\\u{byte:04x}").as_bytes());
                from = place + 1;
                continue;
            }
            _ => continue,
        };
        out.extend_from_slice(&text.as_bytes()[from..place]);
        out.extend_from_slice(escape);
        from = place + 1;
    }
    out.extend_from_slice(&text.as_bytes()[from..]);
    out.push(b'"');
}
