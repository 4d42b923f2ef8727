//! Values that builds of an upstream write in one way or another.

use serde::Deserialize;
use serde::de::{Deserializer, Error, Unexpected, Visitor};
use serde_json::value::RawValue;
use serde_json::{Value as Json, json};
use std::cmp::Ordering;
use talon_schemas::canonical::canonical;
use talon_schemas::datum::{put_long, put_text};

use super::how::Place;
use super::item::Item;
use super::schema::{Described, Description, Names};
use crate::privacy::Policy;
use crate::record::Extra;

/// A whole number, also as a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Int(pub i64);

/// A switch: a boolean, or 0 or 1, also as a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flag(pub bool);

/// A value that stays JSON, whatever it is: a text with JSON in it.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(transparent)]
pub struct RawJson<'a>(#[serde(borrow)] pub &'a RawValue);

impl<'de> Deserialize<'de> for Int {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Int, D::Error> {
        struct AsInt;
        impl Visitor<'_> for AsInt {
            type Value = Int;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a whole number")
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Int, E> {
                Ok(Int(number))
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Int, E> {
                i64::try_from(number)
                    .map(Int)
                    .map_err(|_| E::invalid_value(Unexpected::Unsigned(number), &self))
            }

            /// `7.0`. Above this bound a float no longer says which whole number it was; such a
            /// number reads after the row is spelled anew.
            fn visit_f64<E: Error>(self, number: f64) -> Result<Int, E> {
                if number.fract() == 0.0 && number.abs() < 9_007_199_254_740_992.0 {
                    Ok(Int(number as i64))
                } else {
                    Err(E::invalid_type(Unexpected::Other("a float"), &self))
                }
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Int, E> {
                text.trim()
                    .parse()
                    .map(Int)
                    .map_err(|_| E::invalid_value(Unexpected::Str("…"), &self))
            }
        }
        d.deserialize_any(AsInt)
    }
}

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Flag, D::Error> {
        struct AsFlag;
        impl Visitor<'_> for AsFlag {
            type Value = Flag;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a switch")
            }

            fn visit_bool<E: Error>(self, is_on: bool) -> Result<Flag, E> {
                Ok(Flag(is_on))
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Flag, E> {
                match number {
                    0 | 1 => Ok(Flag(number == 1)),
                    _ => Err(E::invalid_value(Unexpected::Unsigned(number), &self)),
                }
            }

            fn visit_f64<E: Error>(self, number: f64) -> Result<Flag, E> {
                match number {
                    0.0 | 1.0 => Ok(Flag(number == 1.0)),
                    _ => Err(E::invalid_type(Unexpected::Other("a float"), &self)),
                }
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Flag, E> {
                match text {
                    "0" | "false" => Ok(Flag(false)),
                    "1" | "true" => Ok(Flag(true)),
                    _ => Err(E::invalid_value(Unexpected::Str("…"), &self)),
                }
            }
        }
        d.deserialize_any(AsFlag)
    }
}

impl Item<'_> for Int {
    fn avro(_: &mut Names) -> Json {
        json!("long")
    }

    fn settle(&mut self, place: &Place<'_>, _: &mut Extra<'_>) -> bool {
        place.policy == Policy::Keep
    }

    fn write(&self, out: &mut Vec<u8>) {
        put_long(out, self.0);
    }

    fn before(&self, other: &Int) -> Ordering {
        self.cmp(other)
    }
}

impl Item<'_> for Flag {
    fn avro(_: &mut Names) -> Json {
        json!("boolean")
    }

    fn settle(&mut self, place: &Place<'_>, _: &mut Extra<'_>) -> bool {
        place.policy == Policy::Keep
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.push(u8::from(self.0));
    }
}

impl<'a> Item<'a> for RawJson<'a> {
    fn avro(_: &mut Names) -> Json {
        json!("string")
    }

    fn describe(of: &Described<'_>, record: &mut Description<'_>) {
        record.json(of);
    }

    fn settle(&mut self, place: &Place<'_>, _: &mut Extra<'a>) -> bool {
        place.policy == Policy::Keep
    }

    fn write(&self, out: &mut Vec<u8>) {
        put_text(out, &canonical(self.0.get()));
    }
}
