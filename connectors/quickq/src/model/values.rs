//! Values as builds write them.

use serde::Deserialize;
use serde::de::{Deserializer, Error, Unexpected, Visitor};
use talon_sdk::record::{Field, Text};

/// A whole number, also as a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Int(pub i64);

/// A switch: a boolean, or 0 or 1, also as a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flag(pub bool);

/// A number that the row is nothing without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Id(pub i64);

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

impl Field<'_> for Id {
    type Wire = Int;

    fn of(wire: Option<Int>) -> Option<Id> {
        wire.map(|number| Id(number.0))
    }
}

/// Texts, also one alone.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Texts<'a> {
    /// One.
    #[serde(borrow)]
    One(Text<'a>),
    /// Several.
    #[serde(borrow)]
    Many(Vec<Text<'a>>),
}
