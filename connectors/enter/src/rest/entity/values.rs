//! Values that one generation of the upstream writes as numbers and another as texts.

use std::borrow::Cow;
use std::cmp::Ordering;

use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};
use serde_json::{Value as Json, json};
use talon_schemas::datum::put_text;
use talon_sdk::entity::{Item, Names, Place};
use talon_sdk::record::Extra;

/// A text, or a whole number as one: the number of a ticket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AnyText<'a>(pub(crate) Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for AnyText<'a> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<AnyText<'a>, D::Error> {
        struct AsText;
        impl<'de> Visitor<'de> for AsText {
            type Value = AnyText<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a text or a whole number")
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<AnyText<'de>, E> {
                Ok(AnyText(Cow::Borrowed(text)))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<AnyText<'de>, E> {
                Ok(AnyText(Cow::Owned(text.to_owned())))
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<AnyText<'de>, E> {
                Ok(AnyText(Cow::Owned(number.to_string())))
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<AnyText<'de>, E> {
                Ok(AnyText(Cow::Owned(number.to_string())))
            }
        }
        d.deserialize_any(AsText)
    }
}

impl<'a> Item<'a> for AnyText<'a> {
    fn avro(_: &mut Names) -> Json {
        json!("string")
    }

    fn settle(&mut self, _: &Place<'_>, _: &mut Extra<'a>) -> bool {
        true
    }

    fn write(&self, out: &mut Vec<u8>) {
        put_text(out, &self.0);
    }

    fn before(&self, other: &AnyText<'a>) -> Ordering {
        self.0.cmp(&other.0)
    }
}
