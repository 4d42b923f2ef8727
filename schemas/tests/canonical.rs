//! One spelling for every JSON value, whatever the value and however it was spelled.
#![allow(clippy::unwrap_used)]

use std::fmt::Write;

use proptest::prelude::*;
use talon_schemas::canonical::canonical;

/// A JSON value with all digits of its numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Value {
    Word(&'static str),
    /// Sign, digits without zeros around, and the power of ten they are multiplied with.
    Number(bool, String, i64),
    /// Code points, also halves of surrogate pairs.
    Text(Vec<u32>),
    List(Vec<Value>),
    Object(Vec<(Vec<u32>, Value)>),
}

fn text() -> impl Strategy<Value = Vec<u32>> {
    let point = prop_oneof![
        8 => 0x20..0x7f_u32,
        2 => 0..0x20_u32,
        2 => prop::sample::select(vec![0x22, 0x2f, 0x5c, 0x7f, 0xe9, 0x44e, 0xd83d, 0xde00, 0xffff]),
        1 => 0x1_f600..0x1_f610_u32,
    ];
    prop::collection::vec(point, 0..6).prop_map(paired)
}

/// Halves that stand side by side are one character.
fn paired(points: Vec<u32>) -> Vec<u32> {
    let mut all: Vec<u32> = Vec::new();
    for point in points {
        match all.last().copied() {
            Some(high @ 0xd800..0xdc00) if (0xdc00..0xe000).contains(&point) => {
                all.pop();
                all.push(0x1_0000 + ((high - 0xd800) << 10) + (point - 0xdc00));
            }
            _ => all.push(point),
        }
    }
    all
}

fn number() -> impl Strategy<Value = Value> {
    let digits = prop_oneof!["[1-9]([0-9]{0,40}[1-9])?", "[1-9]", Just(String::new())];
    let exponent = prop_oneof![-30..30_i64, -500..500_i64, Just(0)];
    (any::<bool>(), digits, exponent).prop_map(|(is_negative, digits, exponent)| {
        if digits.is_empty() {
            Value::Number(false, digits, 0)
        } else {
            Value::Number(is_negative, digits, exponent)
        }
    })
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        prop::sample::select(vec!["true", "false", "null"]).prop_map(Value::Word),
        number(),
        text().prop_map(Value::Text),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::List),
            prop::collection::vec((text(), inner), 0..6).prop_map(|mut fields| {
                fields.sort_by(|(a, _), (b, _)| a.cmp(b));
                fields.dedup_by(|(a, _), (b, _)| a == b);
                Value::Object(fields)
            }),
        ]
    })
}

/// Where a speller takes its choices from.
struct Choices(Vec<u8>, usize);

impl Choices {
    fn below(&mut self, end: usize) -> usize {
        self.1 += 1;
        usize::from(self.0[self.1 % self.0.len()]).wrapping_mul(31).wrapping_add(self.1) % end
    }

    fn blank(&mut self, out: &mut String) {
        out.push_str(["", "", " ", "\n\t", "\r\n  "][self.below(5)]);
    }
}

fn spell(value: &Value, choices: &mut Choices, out: &mut String) {
    choices.blank(out);
    match value {
        Value::Word(word) => out.push_str(word),
        Value::Number(is_negative, digits, exponent) => {
            spell_number(*is_negative, digits, *exponent, choices, out);
        }
        Value::Text(points) => spell_text(points, choices, out),
        Value::List(items) => {
            out.push('[');
            for (place, item) in items.iter().enumerate() {
                out.push_str(if place > 0 { "," } else { "" });
                spell(item, choices, out);
            }
            choices.blank(out);
            out.push(']');
        }
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            for place in (1..fields.len()).rev() {
                fields.swap(place, choices.below(place + 1));
            }
            out.push('{');
            for (place, (key, value)) in fields.into_iter().enumerate() {
                out.push_str(if place > 0 { "," } else { "" });
                choices.blank(out);
                spell_text(key, choices, out);
                choices.blank(out);
                out.push(':');
                spell(value, choices, out);
            }
            choices.blank(out);
            out.push('}');
        }
    }
    choices.blank(out);
}

fn spell_number(
    is_negative: bool,
    digits: &str,
    exponent: i64,
    choices: &mut Choices,
    out: &mut String,
) {
    if is_negative || (digits.is_empty() && choices.below(2) == 0) {
        out.push('-');
    }
    let mut digits = format!("{digits}{}", "0".repeat(choices.below(4)));
    let mut exponent = exponent - (digits.len() - digits.trim_end_matches('0').len()) as i64;
    if digits.trim_end_matches('0').is_empty() {
        // Nothing, whatever the power.
        exponent = choices.below(9) as i64;
        digits.push('0');
    }
    // Some of them behind the point.
    let behind = choices.below(digits.len() + 3);
    let digits = format!("{}{digits}", "0".repeat((behind + 1).saturating_sub(digits.len())));
    let (whole, fraction) = digits.split_at(digits.len() - behind);
    let whole = if whole.starts_with('0') { whole.trim_start_matches('0') } else { whole };
    out.push_str(if whole.is_empty() { "0" } else { whole });
    if !fraction.is_empty() {
        write!(out, ".{fraction}").unwrap();
    }
    let exponent = exponent + behind as i64;
    if exponent != 0 || choices.below(2) == 0 {
        let e = ["e", "E"][choices.below(2)];
        let sign = if exponent < 0 { "-" } else { ["", "+"][choices.below(2)] };
        write!(out, "{e}{sign}{}{}", ["", "0"][choices.below(2)], exponent.abs()).unwrap();
    }
}

fn spell_text(points: &[u32], choices: &mut Choices, out: &mut String) {
    out.push('"');
    for point in points {
        let short = match point {
            0x22 => Some("\\\""),
            0x5c => Some("\\\\"),
            0x2f => Some("\\/"),
            8 => Some("\\b"),
            9 => Some("\\t"),
            10 => Some("\\n"),
            12 => Some("\\f"),
            13 => Some("\\r"),
            _ => None,
        };
        let plain =
            char::from_u32(*point).filter(|_| *point >= 0x20 && !matches!(point, 0x22 | 0x5c));
        match (choices.below(3), short, plain) {
            (0, Some(short), _) => out.push_str(short),
            (1, _, Some(plain)) => out.push(plain),
            _ => {
                let mut units = [0_u16; 2];
                let units = match char::from_u32(*point) {
                    Some(char) => &*char.encode_utf16(&mut units),
                    None => &[*point as u16],
                };
                for unit in units {
                    let upper = choices.below(2) == 0;
                    let hex = if upper { format!("{unit:04X}") } else { format!("{unit:04x}") };
                    write!(out, "\\u{hex}").unwrap();
                }
            }
        }
    }
    out.push('"');
}

/// A reader of its own, which knows no more of the spelling than JSON does.
struct Reader<'t>(&'t str);

impl Reader<'_> {
    fn value(&mut self) -> Value {
        for word in ["true", "false", "null"] {
            if self.takes(word) {
                return Value::Word(word);
            }
        }
        if self.0.starts_with('"') {
            return Value::Text(self.text());
        }
        if self.takes("[") {
            let mut items = Vec::new();
            while !self.takes("]") {
                items.push(self.value());
                self.takes(",");
            }
            return Value::List(items);
        }
        if self.takes("{") {
            let mut fields = Vec::new();
            while !self.takes("}") {
                let key = self.text();
                assert!(self.takes(":"));
                fields.push((key, self.value()));
                self.takes(",");
            }
            return Value::Object(fields);
        }
        let end = self.0.find([',', ']', '}']).unwrap_or(self.0.len());
        let (number, rest) = self.0.split_at(end);
        self.0 = rest;
        let unsigned = number.trim_start_matches('-');
        let (mantissa, exponent) = unsigned.split_once('e').unwrap_or((unsigned, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all = format!("{whole}{fraction}");
        let digits = all.trim_end_matches('0');
        let exponent = exponent.parse::<i64>().unwrap() - fraction.len() as i64
            + (all.len() - digits.len()) as i64;
        let digits = digits.trim_start_matches('0');
        let exponent = if digits.is_empty() { 0 } else { exponent };
        Value::Number(unsigned.len() < number.len(), digits.to_owned(), exponent)
    }

    fn takes(&mut self, word: &str) -> bool {
        let rest = self.0.strip_prefix(word);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    fn text(&mut self) -> Vec<u32> {
        assert!(self.takes("\""));
        let mut points = Vec::new();
        while !self.takes("\"") {
            let mut chars = self.0.chars();
            let point = match chars.next().unwrap() {
                '\\' => match chars.next().unwrap() {
                    'b' => 8,
                    't' => 9,
                    'n' => 10,
                    'f' => 12,
                    'r' => 13,
                    'u' => {
                        let hex: String = chars.by_ref().take(4).collect();
                        u32::from_str_radix(&hex, 16).unwrap()
                    }
                    char => u32::from(char),
                },
                char => u32::from(char),
            };
            points.push(point);
            self.0 = chars.as_str();
        }
        points
    }
}

proptest! {
    #[test]
    fn noise_any_spelling_of_a_value_has_the_same_canonical_text(
        value in value(),
        one in prop::collection::vec(any::<u8>(), 1..50),
        other in prop::collection::vec(any::<u8>(), 1..50),
    ) {
        let [one, other] = [one, other].map(|choices| {
            let mut text = String::new();
            spell(&value, &mut Choices(choices, 0), &mut text);
            text
        });
        let text = canonical(&one).into_owned();
        prop_assert_eq!(&text, &canonical(&other), "{} and {}", one, other);
        prop_assert_eq!(&text, &canonical(&text));
        let mut reader = Reader(&text);
        prop_assert_eq!(reader.value(), value);
        prop_assert_eq!(reader.0, "");
        prop_assert!(serde_json::from_str::<&serde_json::value::RawValue>(&text).is_ok());
    }

    #[test]
    fn noise_any_text_at_all_stays_what_it_is_or_becomes_canonical(text in "[\\[\\]{}:,\"\\\\0-9eE.\\-+ a-bnu/]{0,24}") {
        let once = canonical(&text).into_owned();
        prop_assert_eq!(&once, &canonical(&once));
        let is_json = |text: &str| serde_json::from_str::<&serde_json::value::RawValue>(text).is_ok();
        prop_assert_eq!(is_json(&once), is_json(&text));
    }
}
