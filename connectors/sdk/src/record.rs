//! Rows of an upstream as typed records that lose nothing.
//!
//! [`derive(Record)`](crate::entity::Record) declares what an upstream sends. Unlike serde's
//! `derive(Deserialize)`, it keeps the fields that it does not know: they end up in `extra`.
//! [`decode`] reads one row as such a record, and moves a field whose value has another type than
//! declared into `extra` too, so that one odd value costs neither the row nor the value.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::de::{Deserializer, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

pub use crate::text::Text;

use crate::RowFault;
use crate::member::member;
use crate::privacy::Policy;
use crate::spelling::respelled;

/// Fields that a schema does not know: JSON text under the upstream's name, in the order of names.
///
/// The texts stay as they came; the contract spells them in their one way when it encodes the entity.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Extra<'a>(pub BTreeMap<Cow<'a, str>, Cow<'a, str>>);

impl<'a> Extra<'a> {
    /// Keeps a value as JSON text.
    pub fn keep(&mut self, name: impl Into<Cow<'a, str>>, json: impl Into<Cow<'a, str>>) {
        self.0.insert(name.into(), json.into());
    }

    /// Takes over what was kept of an object inside, under the names of both.
    pub fn take(&mut self, object: &str, of: Extra<'a>) {
        for (name, json) in of.0 {
            self.keep(format!("{object}.{name}"), json);
        }
    }

    /// Takes over what was kept of an object inside whose fields stand beside those of the record: under their
    /// own names, and under the names of both where the record has kept something under that name itself.
    pub fn take_beside(&mut self, object: &str, of: Extra<'a>) {
        for (name, json) in of.0 {
            match self.0.contains_key(&name) {
                true => self.keep(format!("{object}.{name}"), json),
                false => self.keep(name, json),
            }
        }
    }

    /// Lets a policy hold for what stands under that name.
    pub fn guard(&mut self, name: &str, policy: Policy) {
        match policy {
            Policy::Keep => {}
            Policy::Drop => {
                self.0.remove(name);
            }
            Policy::Mask | Policy::Hash => {
                if let Some(json) = self.0.get_mut(name) {
                    *json = Cow::Borrowed("\"****\"");
                }
            }
        }
    }

    /// Keeps a text that did not read as what it should be, as a JSON string.
    pub fn keep_text(&mut self, name: &'static str, text: &str) {
        self.keep(name, serde_json::Value::from(text).to_string());
    }
}

/// A word of an enumeration; one that is not known becomes `unknown(word)`.
pub fn word<'a>(text: Cow<'a, str>, known: &[&str]) -> Cow<'a, str> {
    if known.contains(&&*text) { text } else { Cow::Owned(format!("unknown({text})")) }
}

/// A decimal number without the noise of binary fractions: rounded to nine places, where a double can
/// hold that many.
pub fn steady(number: f64) -> f64 {
    const PLACES: f64 = 1e9;
    if number.abs() < 4e6 { (number * PLACES).round() / PLACES + 0.0 } else { number }
}

/// Reads a row as a record; `use_record` takes it while the row's bytes are borrowed.
///
/// # Errors
/// Where the row is no JSON object, a field without which there is no entity is missing or has another
/// type, or a field is there twice, since one of its values would be lost. The reason names position and
/// kind, never content.
pub fn decode<'r, T, R>(
    row: &'r [u8],
    use_record: impl FnOnce(T::Of<'_>) -> Result<R, RowFault>,
) -> Result<R, RowFault>
where
    T: Record,
{
    match serde_json::from_slice::<T::Of<'r>>(row) {
        Ok(record) => use_record(record),
        Err(error) if may_fit(&error) => {
            let row = respelled(row);
            match serde_json::from_slice::<T::Of<'_>>(&row) {
                Ok(record) => use_record(record),
                Err(_) => salvage::<T, R>(&row, &error, use_record),
            }
        }
        Err(error) => Err(fault(&error)),
    }
}

/// Whether a row may be JSON all the same, with a value that does not fit: of another type, a number
/// that is too large for its type, or half a character. serde calls the last two errors of syntax.
fn may_fit(error: &serde_json::Error) -> bool {
    error.is_data() || error.is_syntax()
}

/// A record that borrows from its row. Implemented by [`derive(Record)`](crate::entity::Record).
pub trait Record {
    /// The record with the lifetime of a row.
    type Of<'a>: Deserialize<'a>;

    /// Puts a field back that had to be taken out for the rest to decode.
    fn keep<'a>(record: &mut Self::Of<'a>, name: &'a str, json: &'a str);
}

/// The slow way for a row with a value of an unexpected type: decodes each field alone, keeps those
/// that fail as text, and decodes the rest.
fn salvage<T: Record, R>(
    row: &[u8],
    first: &serde_json::Error,
    use_record: impl FnOnce(T::Of<'_>) -> Result<R, RowFault>,
) -> Result<R, RowFault> {
    let Fitted { json, odd } = fit_after::<T>(row, first)?;
    let mut record: T::Of<'_> = serde_json::from_str(&json).map_err(|_| fault(first))?;
    for (name, json) in &odd {
        T::keep(&mut record, name, json);
    }
    use_record(record)
}

/// A JSON object without the fields that have another type than a record declares, and those fields.
#[derive(Debug)]
pub struct Fitted {
    /// What the record decodes from.
    pub json: String,
    /// Names and JSON texts for [`Record::keep`].
    pub odd: Vec<(String, String)>,
}

/// Fits a nested object to its record, where the list that holds it does not decode as a whole.
///
/// # Errors
/// As [`decode`].
pub fn fit<T: Record>(object: &[u8]) -> Result<Fitted, RowFault> {
    match serde_json::from_slice::<T::Of<'_>>(object) {
        Ok(_) => Ok(Fitted { json: String::from_utf8_lossy(object).into_owned(), odd: Vec::new() }),
        Err(error) if may_fit(&error) => fit_after::<T>(object, &error),
        Err(error) => Err(fault(&error)),
    }
}

fn fit_after<T: Record>(row: &[u8], first: &serde_json::Error) -> Result<Fitted, RowFault> {
    let Some(fields) = fields(row)? else { return Err(fault(first)) };
    let (mut fit, mut odd) = (String::from("{"), Vec::new());
    for (name, value) in &fields {
        let field = format!("{}:{}", serde_json::Value::from(&**name), value.get());
        let alone = format!("{{{field}}}");
        match serde_json::from_str::<T::Of<'_>>(&alone) {
            // A required field that is missing from this one-field object says nothing about it.
            Err(error) if may_fit(&error) && !(is_missing(&error) && is_at_end(&error, &alone)) => {
                odd.push((name.clone().into_owned(), value.get().to_owned()));
            }
            _ => {
                if fit.len() > 1 {
                    fit.push(',');
                }
                fit.push_str(&field);
            }
        }
    }
    fit.push('}');
    if odd.is_empty() { Err(fault(first)) } else { Ok(Fitted { json: fit, odd }) }
}

/// The fields of a JSON object as JSON texts; `None` where it is none.
///
/// # Errors
/// A field is there twice.
pub fn fields(object: &[u8]) -> Result<Option<BTreeMap<Cow<'_, str>, &RawValue>>, RowFault> {
    let Ok(Fields { fields, twice }) = serde_json::from_slice(object) else { return Ok(None) };
    if twice { Err(RowFault("a field that is there twice".to_owned())) } else { Ok(Some(fields)) }
}

#[derive(Default)]
struct Fields<'a> {
    fields: BTreeMap<Cow<'a, str>, &'a RawValue>,
    twice: bool,
}

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Fields<'de>, D::Error> {
        json.deserialize_map(Fields::default())
    }
}

impl<'de> Visitor<'de> for Fields<'de> {
    type Value = Fields<'de>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: serde::de::MapAccess<'de>>(mut self, mut map: A) -> Result<Self, A::Error> {
        while let Some((Text(name), value)) = map.next_entry()? {
            self.twice |= self.fields.insert(name, value).is_some();
        }
        Ok(self)
    }
}

fn is_missing(error: &serde_json::Error) -> bool {
    // serde gives no kinds of data errors; the wording of this one is its documented constructor's.
    error.to_string().starts_with("missing field")
}

/// Whether an error is of an object itself: of one inside, it is told where that one ends.
fn is_at_end(error: &serde_json::Error, object: &str) -> bool {
    let last = object.lines().last().unwrap_or_default();
    (error.line(), error.column()) == (object.lines().count(), last.len())
}

/// Says where and of which kind, not what: the library's text may quote the value.
fn fault(error: &serde_json::Error) -> RowFault {
    let what = match error.classify() {
        serde_json::error::Category::Data if is_missing(error) => {
            let text = error.to_string();
            return RowFault(text.split(" at line").next().unwrap_or("missing field").to_owned());
        }
        serde_json::error::Category::Data => "a value of another type than the schema's",
        serde_json::error::Category::Syntax => "no JSON",
        serde_json::error::Category::Eof => "cut JSON",
        serde_json::error::Category::Io => "unreadable",
    };
    RowFault(format!("{what} at line {} column {}", error.line(), error.column()))
}

/// Reads the scalar under `name` on the top level of a JSON object into `key`, reading no further
/// than that field.
pub fn peek_scalar(row: &[u8], name: &str, key: &mut String) -> bool {
    // The common form, the field first and an integer: {"id":123,
    if let Some(rest) = row.strip_prefix(b"{\"")
        && let Some(rest) = rest.strip_prefix(name.as_bytes())
        && let Some(rest) = rest.strip_prefix(b"\":")
        && let Some(digits) = rest.iter().position(|byte| !byte.is_ascii_digit())
        && digits > 0
        && matches!(rest[digits], b',' | b'}')
    {
        key.extend(rest[..digits].iter().map(|&digit| char::from(digit)));
        return true;
    }
    let Some(value) = member(row, name).map(RawValue::get) else { return false };
    let is_number = value.starts_with(|c: char| c == '-' || c.is_ascii_digit());
    if is_number && !value.contains(['.', 'e', 'E']) && value != "-0" {
        key.push_str(value);
        return true;
    }
    let text = serde_json::from_str::<Cow<'_, str>>(value);
    text.map(|text| key.push_str(&text)).is_ok()
}

#[cfg(test)]
mod tests;
