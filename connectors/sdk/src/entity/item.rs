//! What a field holds: a number, a text, a record.

use std::borrow::Cow;
use std::cmp::Ordering;

use serde::Deserialize;
use serde_json::{Value as Json, json};
use talon_schemas::datum::{put_long, put_text};

use super::how::{How, Place};
use super::schema::{Described, Description, Names};
use crate::privacy::Policy;
use crate::record::{Extra, Text, steady};

/// A value, once it is there.
pub trait Item<'a>: Deserialize<'a> {
    /// Its Avro type.
    fn avro(names: &mut Names) -> Json;

    /// Adds the field that holds it, or null.
    fn describe(of: &Described<'_>, record: &mut Description<'_>) {
        let avro = Self::avro(record.names);
        record.optional(of, avro);
    }

    /// Puts it into the form in which it is written. `false` takes it out.
    fn settle(&mut self, place: &Place<'_>, extra: &mut Extra<'a>) -> bool;

    /// Appends its datum.
    fn write(&self, out: &mut Vec<u8>);

    /// The strictest policy of what stands in it.
    fn strictest(_: &How<'_>) -> Policy {
        Policy::Keep
    }

    /// How it stands to another in a list. Upstreams promise no order, and another order is no change.
    /// By default the list stays as it came.
    fn before(&self, _: &Self) -> Ordering {
        Ordering::Equal
    }
}

/// The schema of a record, as JSON.
pub fn schema_of<'a, T: Item<'a>>() -> Json {
    T::avro(&mut Names::default())
}

/// For the test that a schema file is what is declared.
///
/// # Panics
/// Where it is not; the message has what is declared.
pub fn assert_checked_in<'a, T: Item<'a>>(file: &str) {
    let checked_in: Json = serde_json::from_str(file).unwrap_or_default();
    let declared = schema_of::<T>();
    assert_eq!(declared, checked_in, "\n{declared:#}\n");
}

/// Of what is neither text nor record there is no half: it is kept, or it is not there.
fn is_kept(place: &Place<'_>) -> bool {
    place.policy == Policy::Keep
}

impl Item<'_> for i64 {
    fn avro(_: &mut Names) -> Json {
        json!("long")
    }

    fn settle(&mut self, place: &Place<'_>, _: &mut Extra<'_>) -> bool {
        is_kept(place)
    }

    fn write(&self, out: &mut Vec<u8>) {
        put_long(out, *self);
    }

    fn before(&self, other: &i64) -> Ordering {
        self.cmp(other)
    }
}

impl Item<'_> for bool {
    fn avro(_: &mut Names) -> Json {
        json!("boolean")
    }

    fn settle(&mut self, place: &Place<'_>, _: &mut Extra<'_>) -> bool {
        is_kept(place)
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }
}

impl Item<'_> for f64 {
    fn avro(_: &mut Names) -> Json {
        json!("double")
    }

    fn settle(&mut self, place: &Place<'_>, _: &mut Extra<'_>) -> bool {
        *self = steady(*self);
        is_kept(place)
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_le_bytes());
    }
}

impl<'a> Item<'a> for Text<'a> {
    fn avro(_: &mut Names) -> Json {
        json!("string")
    }

    fn settle(&mut self, place: &Place<'_>, _: &mut Extra<'a>) -> bool {
        if place.policy == Policy::Keep {
            return true;
        }
        let text = std::mem::take(&mut self.0);
        let text = place.how.privacy.text(place.policy, Some(text));
        text.is_some_and(|text| {
            self.0 = text;
            true
        })
    }

    fn write(&self, out: &mut Vec<u8>) {
        put_text(out, &self.0);
    }

    fn before(&self, other: &Text<'a>) -> Ordering {
        self.0.cmp(&other.0)
    }
}

/// A text that code has made; serde reads it as a copy.
impl<'a> Item<'a> for Cow<'a, str> {
    fn avro(_: &mut Names) -> Json {
        json!("string")
    }

    fn settle(&mut self, _: &Place<'_>, _: &mut Extra<'a>) -> bool {
        true
    }

    fn write(&self, out: &mut Vec<u8>) {
        put_text(out, self);
    }
}
