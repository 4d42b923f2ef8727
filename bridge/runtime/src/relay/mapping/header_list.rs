//! The headers of a record as one text: names in their order, and the values that no header of NATS can hold.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bytes::Bytes;

use super::super::record::Header;
use crate::bus::escape::{push_escaped, push_hex, unescape};

/// How the value of a header travels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Carried {
    /// In a header of its own.
    Beside,
    /// It is null.
    Null,
    /// In the list.
    Inside(Bytes),
}

/// How the value of this header travels. A client cuts blanks off at both ends.
pub(super) fn carried(header: &Header) -> Carried {
    let Some(value) = &header.value else { return Carried::Null };
    match std::str::from_utf8(value) {
        Ok(text) if is_plain(text) => Carried::Beside,
        _ => Carried::Inside(value.clone()),
    }
}

fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.trim().len() == text.len() && !text.chars().any(char::is_control)
}

/// Appends an entry.
pub(super) fn push(name: &str, carried: &Carried, list: &mut String) {
    if !list.is_empty() {
        list.push(',');
    }
    push_name(name, list);
    match carried {
        Carried::Beside => {}
        Carried::Null => list.push('!'),
        Carried::Inside(value) => {
            list.push('=');
            STANDARD_NO_PAD.encode_string(value, list);
        }
    }
}

/// A name in ASCII; one without a character is `%`.
pub(super) fn push_name(name: &str, to: &mut String) {
    if name.is_empty() {
        to.push('%');
    }
    let mut ascii = String::with_capacity(name.len());
    push_escaped(name, &mut ascii, |byte| matches!(byte, b',' | b'=' | b'!' | b':'));
    for c in ascii.chars() {
        if c.is_ascii() {
            to.push(c);
        } else {
            c.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| push_hex(byte, to));
        }
    }
}

/// The entries of a list; none where it is no list.
pub(super) fn parse(list: &str) -> Option<Vec<(String, Carried)>> {
    list.split(',').map(entry).collect()
}

fn entry(text: &str) -> Option<(String, Carried)> {
    let (name, carried) = if let Some((name, value)) = text.split_once('=') {
        (name, Carried::Inside(STANDARD_NO_PAD.decode(value).ok()?.into()))
    } else if let Some(name) = text.strip_suffix('!') {
        (name, Carried::Null)
    } else {
        (text, Carried::Beside)
    };
    let name = if name == "%" { Vec::new() } else { unescape(name)? };
    Some((String::from_utf8(name).ok()?, carried))
}
