//! Values of upstreams that a record has in another form.

use std::borrow::Cow;
use std::marker::PhantomData;

use serde::Deserialize;
use serde_json::{Value as Json, json};
use talon_schemas::datum::{put_long, put_text};

use super::field::Field;
use super::how::{How, Place};
use super::item::Item;
use super::loose::Int;
use super::schema::{Described, Description, Names};
use crate::instant;
use crate::privacy::Policy;
use crate::record::{Extra, Text, word};

/// A date and time; local time of the connector's zone where it says no other.
///
/// A text that is no date stands in `extra`. .NET's stand-in for none is none.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "Text<'a>")]
pub struct Instant<'a> {
    #[serde(borrow)]
    text: Cow<'a, str>,
    micros: i64,
}

impl<'a> From<Text<'a>> for Instant<'a> {
    fn from(text: Text<'a>) -> Instant<'a> {
        Instant { text: text.0, micros: 0 }
    }
}

impl Instant<'_> {
    /// Microseconds since 1970 UTC, once it has settled.
    pub fn micros(&self) -> i64 {
        self.micros
    }
}

impl<'a> Item<'a> for Instant<'a> {
    fn avro(_: &mut Names) -> Json {
        json!({"type": "long", "logicalType": "timestamp-micros"})
    }

    fn settle(&mut self, place: &Place<'_>, extra: &mut Extra<'a>) -> bool {
        match instant::micros(&self.text, place.zone()) {
            Some(micros) => self.micros = micros,
            None => {
                if !instant::is_none(&self.text) && !self.text.is_empty() {
                    extra.keep_text(place.from, &self.text);
                }
                return false;
            }
        }
        place.policy == Policy::Keep
    }

    fn write(&self, out: &mut Vec<u8>) {
        put_long(out, self.micros);
    }
}

/// An instant, and its text as it came: two fields, `{name}_at` and `{name}_local`.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stamp<'a> {
    micros: Option<i64>,
    text: Option<Cow<'a, str>>,
}

impl Stamp<'_> {
    /// Microseconds since 1970 UTC, once it has settled.
    pub fn micros(&self) -> Option<i64> {
        self.micros
    }

    /// As it came.
    pub fn text(&self) -> Option<&str> {
        self.text.as_deref()
    }
}

impl<'a> Field<'a> for Stamp<'a> {
    type Wire = Option<Text<'a>>;

    fn read(wire: Option<Option<Text<'a>>>) -> Option<Stamp<'a>> {
        Some(Stamp { text: wire.flatten().map(|text| text.0), micros: None })
    }

    fn settle(&mut self, place: &Place<'_>, extra: &mut Extra<'a>) {
        let Some(text) = &self.text else { return };
        self.micros = instant::micros(text, place.zone());
        if self.micros.is_none() && !instant::is_none(text) {
            extra.keep_text(place.from, text);
        }
    }

    fn describe(of: &Described<'_>, record: &mut Description<'_>) {
        let avro = <Instant<'_> as Item<'_>>::avro(record.names);
        record.optional_as(of, &format!("{}_at", of.name), avro);
        let local = Described { doc: "The same as it came: local time without a zone.", ..*of };
        record.optional_as(&local, &format!("{}_local", of.name), json!("string"));
    }

    fn write(&self, out: &mut Vec<u8>) {
        self.micros.write(out);
        match &self.text {
            None => put_long(out, 0),
            Some(text) => {
                put_long(out, 1);
                put_text(out, text);
            }
        }
    }

    fn strictest(_: &How<'_>) -> Policy {
        Policy::Keep
    }
}

/// The words of an enumeration.
pub trait Words {
    /// Those that the upstream documents.
    const KNOWN: &'static [&'static str];
}

/// A word of an enumeration; one that is not known becomes `unknown(word)`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "Text<'a>")]
pub struct Word<'a, W> {
    #[serde(borrow)]
    text: Cow<'a, str>,
    of: PhantomData<W>,
}

impl<'a, W> From<Text<'a>> for Word<'a, W> {
    fn from(text: Text<'a>) -> Word<'a, W> {
        Word { text: text.0, of: PhantomData }
    }
}

impl<W> Word<'_, W> {
    /// The word.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl<'a, W: Words> Item<'a> for Word<'a, W> {
    fn avro(_: &mut Names) -> Json {
        json!("string")
    }

    fn describe(of: &Described<'_>, record: &mut Description<'_>) {
        record.word(of, W::KNOWN);
    }

    fn settle(&mut self, _: &Place<'_>, _: &mut Extra<'a>) -> bool {
        self.text = word(std::mem::take(&mut self.text), W::KNOWN);
        true
    }

    fn write(&self, out: &mut Vec<u8>) {
        put_text(out, &self.text);
    }
}

/// The names of an enumeration's numbers.
pub trait Codes {
    /// Those that the upstream documents.
    const KNOWN: &'static [(i64, &'static str)];
}

/// A number of an enumeration, also as a text: two fields, `{name}_code` and `{name}` with its name. The
/// field's doc is that of the number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Code<C> {
    /// The number, as it came.
    pub number: Option<i64>,
    of: PhantomData<C>,
}

impl<'a, C: Codes> Field<'a> for Code<C> {
    type Wire = Option<Int>;

    fn read(wire: Option<Option<Int>>) -> Option<Code<C>> {
        Some(Code { number: wire.flatten().map(|Int(number)| number), of: PhantomData })
    }

    fn settle(&mut self, _: &Place<'_>, _: &mut Extra<'a>) {}

    fn describe(of: &Described<'_>, record: &mut Description<'_>) {
        record.optional_as(of, &format!("{}_code", of.name), json!("long"));
        let known: Vec<String> =
            C::KNOWN.iter().map(|(number, name)| format!("{name} {number}")).collect();
        let known = format!("{}; another number appears as unknown(number).", known.join(", "));
        record.optional(&Described { doc: &known, ..*of }, json!("string"));
    }

    fn write(&self, out: &mut Vec<u8>) {
        self.number.write(out);
        let Some(number) = self.number else { return put_long(out, 0) };
        put_long(out, 1);
        match C::KNOWN.iter().find(|(known, _)| *known == number) {
            Some((_, name)) => put_text(out, name),
            None => put_text(out, &format!("unknown({number})")),
        }
    }

    fn strictest(_: &How<'_>) -> Policy {
        Policy::Keep
    }
}
