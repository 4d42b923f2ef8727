//! Fields: what the type of one says of a row that lacks it, and how it stands in a record.

use serde::Deserialize;
use talon_schemas::canonical::canonical;
use talon_schemas::datum::{put_end, put_long, put_text};

use super::how::{How, Place};
use super::item::Item;
use super::schema::{Described, Description};
use crate::privacy::Policy;
use crate::record::Extra;

/// The type of a field.
pub trait Field<'a>: Sized {
    /// What is read where the field is there.
    type Wire: Deserialize<'a>;

    /// The field's value; `None` where the row is nothing without it.
    fn read(wire: Option<Self::Wire>) -> Option<Self>;

    /// Puts the value into the form in which it is written. What does not fit goes to `extra`.
    fn settle(&mut self, place: &Place<'_>, extra: &mut Extra<'a>);

    /// Adds what it is in the record: a field, or several.
    fn describe(of: &Described<'_>, record: &mut Description<'_>);

    /// Appends its datum.
    fn write(&self, out: &mut Vec<u8>);

    /// The strictest policy of what stands in it.
    fn strictest(how: &How<'_>) -> Policy;
}

/// Missing and `null` are the same.
impl<'a, T: Item<'a>> Field<'a> for Option<T> {
    type Wire = Option<T>;

    fn read(wire: Option<Option<T>>) -> Option<Option<T>> {
        Some(wire.flatten())
    }

    fn settle(&mut self, place: &Place<'_>, extra: &mut Extra<'a>) {
        if let Some(value) = self
            && !value.settle(place, extra)
        {
            *self = None;
        }
    }

    fn describe(of: &Described<'_>, record: &mut Description<'_>) {
        T::describe(of, record);
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            None => put_long(out, 0),
            Some(value) => {
                put_long(out, 1);
                value.write(out);
            }
        }
    }

    fn strictest(how: &How<'_>) -> Policy {
        T::strictest(how)
    }
}

/// Missing and `null` are empty. In the order that its items have; see [`Item::before`].
impl<'a, T: Item<'a>> Field<'a> for Vec<T> {
    type Wire = Option<Vec<T>>;

    fn read(wire: Option<Option<Vec<T>>>) -> Option<Vec<T>> {
        Some(wire.flatten().unwrap_or_default())
    }

    fn settle(&mut self, place: &Place<'_>, extra: &mut Extra<'a>) {
        self.retain_mut(|item| item.settle(place, extra));
        self.sort_by(|one, other| one.before(other));
    }

    fn describe(of: &Described<'_>, record: &mut Description<'_>) {
        let items = T::avro(record.names);
        record.list(of, items);
    }

    fn write(&self, out: &mut Vec<u8>) {
        if !self.is_empty() {
            put_long(out, self.len() as i64);
            self.iter().for_each(|item| item.write(out));
        }
        put_end(out);
    }

    fn strictest(how: &How<'_>) -> Policy {
        T::strictest(how)
    }
}

impl<'a> Field<'a> for Extra<'a> {
    type Wire = serde::de::IgnoredAny;

    fn read(_: Option<serde::de::IgnoredAny>) -> Option<Extra<'a>> {
        Some(Extra::default())
    }

    fn settle(&mut self, _: &Place<'_>, _: &mut Extra<'a>) {}

    fn describe(of: &Described<'_>, record: &mut Description<'_>) {
        record.extra(of);
    }

    fn write(&self, out: &mut Vec<u8>) {
        if !self.0.is_empty() {
            put_long(out, self.0.len() as i64);
            for (name, json) in &self.0 {
                put_text(out, name);
                put_text(out, &canonical(json));
            }
        }
        put_end(out);
    }

    fn strictest(_: &How<'_>) -> Policy {
        Policy::Keep
    }
}

/// An item without which the row is no entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Required<T>(pub T);

impl<'a, T: Item<'a>> Field<'a> for Required<T> {
    type Wire = T;

    fn read(wire: Option<T>) -> Option<Required<T>> {
        wire.map(Required)
    }

    fn settle(&mut self, place: &Place<'_>, extra: &mut Extra<'a>) {
        // It has no policy: without it there is nothing.
        self.0.settle(place, extra);
    }

    fn describe(of: &Described<'_>, record: &mut Description<'_>) {
        let avro = T::avro(record.names);
        record.required(of, avro);
    }

    fn write(&self, out: &mut Vec<u8>) {
        self.0.write(out);
    }

    fn strictest(how: &How<'_>) -> Policy {
        T::strictest(how)
    }
}

/// Items that stand for themselves where a row must have them; see [`Required`].
macro_rules! required {
    ($($item:ty),*) => {$(
        impl<'a> Field<'a> for $item {
            type Wire = $item;

            fn read(wire: Option<$item>) -> Option<$item> {
                wire
            }

            fn settle(&mut self, place: &Place<'_>, extra: &mut Extra<'a>) {
                // A key has no policy: without it there is nothing.
                Item::settle(self, place, extra);
            }

            fn describe(of: &Described<'_>, record: &mut Description<'_>) {
                let avro = <$item as Item<'a>>::avro(record.names);
                record.required(of, avro);
            }

            fn write(&self, out: &mut Vec<u8>) {
                Item::write(self, out);
            }

            fn strictest(_: &How<'_>) -> Policy {
                Policy::Keep
            }
        }
    )*};
}

required!(i64, bool, crate::record::Text<'a>, std::borrow::Cow<'a, str>);
