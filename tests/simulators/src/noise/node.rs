//! JSON as a tree of texts, and other spellings of it.

use std::fmt::Write;

/// The name of the field that no document has.
pub const UNKNOWN: &str = "extension";

/// Its value: nested, and with numbers that are easily lost or spelled in another way.
pub const UNKNOWN_VALUE: &str = r#"{"weight":35.5,"count":100,"exact":9007199254740993,"tiny":1e-7,"none":0,"list":[{"b":"/é\"","a":[true,null]}]}"#;

/// SplitMix64.
pub(super) struct Choices(pub(super) u64);

impl Choices {
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }

    fn blank(&mut self, out: &mut String) {
        match self.below(12) {
            0 => out.push(' '),
            1 => out.push_str("\n\t"),
            2 => out.push_str("\r\n  "),
            _ => {}
        }
    }
}

/// A JSON value whose scalars are texts of JSON: no digit is lost.
pub(super) enum Node<'j> {
    Scalar(&'j str),
    List(Vec<Node<'j>>),
    /// Names with their quotation marks.
    Object(Vec<(&'j str, Node<'j>)>),
}

impl<'j> Node<'j> {
    /// `None` where the text is no JSON.
    pub(super) fn read(json: &'j str) -> Option<Node<'j>> {
        serde_json::from_str::<serde::de::IgnoredAny>(json).ok()?;
        let mut rest = json;
        Node::take(&mut rest)
    }

    /// Takes the value at the beginning of a text that is JSON.
    fn take(rest: &mut &'j str) -> Option<Node<'j>> {
        *rest = rest.trim_start();
        if let Some(inside) = rest.strip_prefix('[') {
            *rest = inside;
            let mut items = Vec::new();
            while !ends(rest, ']') {
                items.push(Node::take(rest)?);
            }
            return Some(Node::List(items));
        }
        if let Some(inside) = rest.strip_prefix('{') {
            *rest = inside;
            let mut fields = Vec::new();
            while !ends(rest, '}') {
                let name = scalar(rest);
                *rest = rest.trim_start().strip_prefix(':')?;
                fields.push((name, Node::take(rest)?));
            }
            return Some(Node::Object(fields));
        }
        Some(Node::Scalar(scalar(rest)))
    }

    /// Adds the unknown field to every object that has an identifier.
    pub(super) fn extend(&mut self) {
        match self {
            Node::Scalar(_) => {}
            Node::List(items) => items.iter_mut().for_each(Node::extend),
            Node::Object(fields) => {
                let is_unknown = |name: &str| name.trim_matches('"') == UNKNOWN;
                for (name, field) in fields.iter_mut() {
                    if !is_unknown(name) {
                        field.extend();
                    }
                }
                let is_entity = fields.iter().any(|(name, _)| matches!(*name, "\"id\"" | "\"Id\""));
                if is_entity && !fields.iter().any(|(name, _)| is_unknown(name)) {
                    fields.push(("\"extension\"", Node::Scalar(UNKNOWN_VALUE)));
                }
            }
        }
    }

    /// Appends it as it came, without blanks.
    pub(super) fn write(&self, out: &mut String) {
        match self {
            Node::Scalar(text) => out.push_str(text),
            Node::List(items) => {
                out.push('[');
                for (place, item) in items.iter().enumerate() {
                    out.push_str(if place > 0 { "," } else { "" });
                    item.write(out);
                }
                out.push(']');
            }
            Node::Object(fields) => {
                out.push('{');
                for (place, (name, field)) in fields.iter().enumerate() {
                    out.push_str(if place > 0 { "," } else { "" });
                    out.push_str(name);
                    out.push(':');
                    field.write(out);
                }
                out.push('}');
            }
        }
    }

    /// Appends it in another spelling; whole numbers too where `is_free`.
    pub(super) fn respell(&self, choices: &mut Choices, is_free: bool, out: &mut String) {
        choices.blank(out);
        match self {
            Node::Scalar(text) if text.starts_with('"') => spell_text(text, choices, out),
            Node::Scalar(text) if text.starts_with(|c: char| c == '-' || c.is_ascii_digit()) => {
                spell_number(text, is_free, choices, out);
            }
            Node::Scalar(word) => out.push_str(word),
            Node::List(items) => {
                out.push('[');
                for (place, item) in items.iter().enumerate() {
                    out.push_str(if place > 0 { "," } else { "" });
                    item.respell(choices, is_free, out);
                }
                choices.blank(out);
                out.push(']');
            }
            Node::Object(fields) => {
                let mut fields: Vec<&(&str, Node<'_>)> = fields.iter().collect();
                for place in (1..fields.len()).rev() {
                    let other = choices.below(place as u64 + 1);
                    fields.swap(place, usize::try_from(other).unwrap_or(0));
                }
                out.push('{');
                for (place, (name, field)) in fields.into_iter().enumerate() {
                    out.push_str(if place > 0 { "," } else { "" });
                    choices.blank(out);
                    spell_text(name, choices, out);
                    choices.blank(out);
                    out.push(':');
                    let is_free = is_free || name.trim_matches('"') == UNKNOWN;
                    field.respell(choices, is_free, out);
                }
                choices.blank(out);
                out.push('}');
            }
        }
        choices.blank(out);
    }
}

/// Whether a list or an object ends here; steps over the comma before another item.
fn ends(rest: &mut &str, close: char) -> bool {
    *rest = rest.trim_start();
    *rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
    let behind = rest.strip_prefix(close);
    *rest = behind.unwrap_or(rest);
    behind.is_some()
}

/// Takes a text, a number or a word.
fn scalar<'j>(rest: &mut &'j str) -> &'j str {
    *rest = rest.trim_start();
    let bytes = rest.as_bytes();
    let mut end = 1;
    if bytes.first() == Some(&b'"') {
        while bytes.get(end).is_some_and(|byte| *byte != b'"') {
            end += if bytes[end] == b'\\' { 2 } else { 1 };
        }
        end += 1;
    } else {
        let is_part = |byte: &&u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
        end = bytes.iter().take_while(is_part).count();
    }
    let (scalar, behind) = rest.split_at(end);
    *rest = behind;
    scalar
}

fn spell_text(text: &str, choices: &mut Choices, out: &mut String) {
    out.push('"');
    let mut inside = text.get(1..text.len() - 1).unwrap_or_default().chars();
    while let Some(char) = inside.next() {
        match char {
            // An escape that is there stays.
            '\\' => {
                out.push(char);
                out.extend(inside.next());
            }
            '/' if choices.below(2) == 0 => out.push_str("\\/"),
            _ if choices.below(16) == 0 => {
                for unit in char.encode_utf16(&mut [0; 2]) {
                    let spelled = if choices.below(2) == 0 {
                        write!(out, "\\u{unit:04X}")
                    } else {
                        write!(out, "\\u{unit:04x}")
                    };
                    spelled.expect("a string takes what is written to it");
                }
            }
            _ => out.push(char),
        }
    }
    out.push('"');
}

/// Another spelling of a number: zeros behind a fraction, an exponent.
fn spell_number(number: &str, is_free: bool, choices: &mut Choices, out: &mut String) {
    let has_exponent = number.contains(['e', 'E']);
    let is_whole = !has_exponent && !number.contains('.');
    if has_exponent || (is_whole && !is_free) {
        out.push_str(number);
        return;
    }
    let hundreds = number.strip_suffix("00").filter(|rest| is_whole && !rest.is_empty());
    match (choices.below(4), hundreds) {
        (0, Some(hundreds)) => {
            out.push_str(hundreds);
            out.push_str("e2");
            return;
        }
        (0 | 1, _) => {
            out.push_str(number);
            out.push_str(if is_whole { ".0" } else { "00" });
        }
        _ => out.push_str(number),
    }
    match choices.below(6) {
        0 => out.push_str("e0"),
        1 => out.push_str("E+00"),
        _ => {}
    }
}
