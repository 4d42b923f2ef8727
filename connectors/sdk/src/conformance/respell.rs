//! JSON in other bytes: order of fields, blanks, spelling of numbers, escapes.

use std::borrow::Cow;
use std::fmt::Write;

use serde_json::value::RawValue;

use crate::record::fields;

/// Choices that follow from a seed.
pub(super) struct Choices(pub(super) u64);

impl Choices {
    fn below(&mut self, bound: u64) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

/// The same JSON in other bytes; `None` where it is none, or has a field twice.
pub(super) fn respelled(json: &[u8], choices: &mut Choices) -> Option<Vec<u8>> {
    let mut out = String::new();
    value(std::str::from_utf8(json).ok()?.trim(), choices, &mut out)?;
    Some(out.into_bytes())
}

fn value(json: &str, choices: &mut Choices, out: &mut String) -> Option<()> {
    blank(choices, out);
    match json.as_bytes().first()? {
        b'{' => object(json, choices, out)?,
        b'[' => {
            let items: Vec<&RawValue> = serde_json::from_str(json).ok()?;
            out.push('[');
            for (place, item) in items.into_iter().enumerate() {
                if place > 0 {
                    out.push(',');
                }
                value(item.get(), choices, out)?;
            }
            out.push(']');
        }
        b'"' => text(&serde_json::from_str::<Cow<'_, str>>(json).ok()?, choices, out),
        b'-' | b'0'..=b'9' => number(json, choices, out),
        b't' | b'f' | b'n' => out.push_str(json),
        _ => return None,
    }
    blank(choices, out);
    Some(())
}

fn object(json: &str, choices: &mut Choices, out: &mut String) -> Option<()> {
    let mut left: Vec<_> = fields(json.as_bytes()).ok()??.into_iter().collect();
    out.push('{');
    while !left.is_empty() {
        let place = usize::try_from(choices.below(left.len() as u64)).ok()?;
        let (name, field) = left.swap_remove(place);
        blank(choices, out);
        text(&name, choices, out);
        blank(choices, out);
        out.push(':');
        value(field.get(), choices, out)?;
        if !left.is_empty() {
            out.push(',');
        }
    }
    blank(choices, out);
    out.push('}');
    Some(())
}

fn blank(choices: &mut Choices, out: &mut String) {
    out.push_str(["", "", "", " ", "\n", "\t"][usize::from(choices.below(6) as u8)]);
}

fn text(text: &str, choices: &mut Choices, out: &mut String) {
    out.push('"');
    for char in text.chars() {
        let must = char < ' ' || char == '"' || char == '\\';
        if must || choices.below(4) == 0 {
            let mut units = [0; 2];
            for unit in char.encode_utf16(&mut units) {
                write!(out, "\\u{unit:04x}").ok();
            }
        } else {
            out.push(char);
        }
    }
    out.push('"');
}

/// A number with an exponent stays as it is; a whole one may have a fraction of zeros or an exponent, and
/// a fraction may have more of them.
fn number(number: &str, choices: &mut Choices, out: &mut String) {
    out.push_str(number);
    match (number.contains(['e', 'E']), number.contains('.'), choices.below(3)) {
        (true, ..) | (_, _, 0) => {}
        (false, true, _) => out.push('0'),
        (false, false, 1) => out.push_str(".0"),
        (false, false, _) => out.push_str("e0"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_value_comes_in_other_bytes() {
        let json = r#"{"id":7,"a":"ü\"\n𝄞","b":[1.5,-0,1e2,true,null,{}],"c":{"x":"","y":[]}}"#;
        let whole = |text: &[u8]| {
            let text = String::from_utf8(text.to_vec()).unwrap();
            talon_schemas::canonical::canonical(&text).into_owned()
        };
        let mut spellings = std::collections::BTreeSet::new();
        for seed in 0..20 {
            let other = respelled(json.as_bytes(), &mut Choices(seed)).unwrap();
            assert_eq!(whole(&other), whole(json.as_bytes()));
            spellings.insert(other);
        }
        assert!(spellings.len() > 15);
        assert_eq!(respelled(b"<a/>", &mut Choices(1)), None);
        assert_eq!(respelled(br#"{"a":1,"a":2}"#, &mut Choices(1)), None);
    }
}
