//! JSON as a datum. The schema leads.

use apache_avro::Schema;
use apache_avro::schema::{InnerDecimalSchema, RecordSchema, UnionSchema, UuidSchema};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value as Json;

use super::decimal;
use super::names::{DEEPEST, Names, UUID};
use crate::datum::{put_end, put_long, put_text};

/// What becomes of fields of an object that its record does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unknown {
    /// They are left out, as those of another version.
    LeftOut,
    /// The JSON does not fit.
    Refused,
}

/// The datum of `json` as a value of `schema`; `None` where it does not fit.
pub(crate) fn read(
    schema: &Schema,
    names: &Names<'_>,
    unknown: Unknown,
    json: &Json,
) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let reader = Reader { names, unknown, bytes: Bytes::Base64 };
    reader.put(schema, json, DEEPEST, &mut out)?;
    Some(out)
}

/// How bytes stand in the JSON.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Bytes {
    Base64,
    /// A character a byte, as in the defaults of a schema.
    Characters,
}

#[derive(Clone, Copy)]
struct Reader<'s> {
    names: &'s Names<'s>,
    unknown: Unknown,
    bytes: Bytes,
}

impl Reader<'_> {
    /// Appends a value, nested at most so deep. Where it does not fit `out` may hold a part of it.
    fn put(&self, schema: &Schema, json: &Json, depth: usize, out: &mut Vec<u8>) -> Option<()> {
        match schema {
            Schema::Null => json.is_null().then_some(())?,
            Schema::Boolean => out.push(json.as_bool()?.into()),
            Schema::Int | Schema::Date | Schema::TimeMillis => {
                put_long(out, i32::try_from(json.as_i64()?).ok()?.into());
            }
            Schema::Long
            | Schema::TimeMicros
            | Schema::TimestampMillis
            | Schema::TimestampMicros
            | Schema::TimestampNanos
            | Schema::LocalTimestampMillis
            | Schema::LocalTimestampMicros
            | Schema::LocalTimestampNanos => put_long(out, json.as_i64()?),
            Schema::Float => {
                let (wide, narrow) = (float(json)?, float(json)? as f32);
                // A number that only a double has is not made another one.
                (narrow.is_finite() || !wide.is_finite()).then_some(())?;
                out.extend(narrow.to_le_bytes());
            }
            Schema::Double => out.extend(float(json)?.to_le_bytes()),
            Schema::String | Schema::Uuid(UuidSchema::String) => put_text(out, json.as_str()?),
            Schema::Bytes => put_bytes(out, &self.bytes_of(json)?),
            Schema::Fixed(fixed) => {
                let bytes = self.bytes_of(json).filter(|bytes| bytes.len() == fixed.size)?;
                out.extend(bytes);
            }
            Schema::Enum(symbols) => {
                let symbol = json.as_str()?;
                let at = symbols.symbols.iter().position(|known| known == symbol)?;
                put_long(out, at as i64);
            }
            Schema::Uuid(UuidSchema::Bytes) => put_bytes(out, &self.uuid(json)?),
            Schema::Uuid(UuidSchema::Fixed(_)) => out.extend(self.uuid(json)?),
            Schema::Decimal(of) => match &of.inner {
                InnerDecimalSchema::Bytes => put_bytes(out, &self.decimal(json, of.scale)?),
                InnerDecimalSchema::Fixed(fixed) => {
                    out.extend(decimal::widened(self.decimal(json, of.scale)?, fixed.size)?);
                }
            },
            Schema::BigDecimal => {
                let text = json.as_str()?;
                let scale = text.split_once('.').map_or(0, |(_, part)| part.len());
                let mut inner = Vec::new();
                put_bytes(&mut inner, &decimal::unscaled(text, scale)?);
                put_long(&mut inner, scale as i64);
                put_bytes(out, &inner);
            }
            Schema::Duration(_) => {
                for part in ["months", "days", "millis"] {
                    let part = u32::try_from(json.get(part)?.as_u64()?).ok()?;
                    out.extend(part.to_le_bytes());
                }
            }
            Schema::Union(union) => self.put_branch(union, json, depth, out)?,
            Schema::Ref { name } => self.put(self.names.get(name)?, json, depth, out)?,
            Schema::Array(array) => {
                let (items, depth) = (json.as_array()?, depth.checked_sub(1)?);
                put_count(out, items.len());
                items.iter().try_for_each(|item| self.put(&array.items, item, depth, out))?;
                put_end(out);
            }
            Schema::Map(map) => {
                let (entries, depth) = (json.as_object()?, depth.checked_sub(1)?);
                put_count(out, entries.len());
                for (key, value) in entries {
                    put_text(out, key);
                    self.put(&map.types, value, depth, out)?;
                }
                put_end(out);
            }
            Schema::Record(record) => {
                self.put_record(record, json, depth.checked_sub(1)?, out)?;
            }
        }
        Some(())
    }

    /// The first branch that fits.
    fn put_branch(
        &self,
        union: &UnionSchema,
        json: &Json,
        depth: usize,
        out: &mut Vec<u8>,
    ) -> Option<()> {
        let from = out.len();
        for (at, variant) in union.variants().iter().enumerate() {
            put_long(out, at as i64);
            if self.put(variant, json, depth, out).is_some() {
                return Some(());
            }
            out.truncate(from);
        }
        None
    }

    fn put_record(
        &self,
        record: &RecordSchema,
        json: &Json,
        depth: usize,
        out: &mut Vec<u8>,
    ) -> Option<()> {
        let object = json.as_object()?;
        let is_known = |name: &String| record.fields.iter().any(|field| field.name == *name);
        if self.unknown == Unknown::Refused && !object.keys().all(is_known) {
            return None;
        }
        for field in &record.fields {
            match (object.get(&field.name), &field.default) {
                (Some(json), _) => self.put(&field.schema, json, depth, out)?,
                // What an earlier version did not write has its default.
                (None, Some(default)) => {
                    let of_default = Reader { bytes: Bytes::Characters, ..*self };
                    of_default.put(&field.schema, default, depth, out)?;
                }
                (None, None) => self.put(&field.schema, &Json::Null, depth, out)?,
            }
        }
        Some(())
    }

    fn bytes_of(&self, json: &Json) -> Option<Vec<u8>> {
        let text = json.as_str()?;
        match self.bytes {
            Bytes::Base64 => BASE64_STANDARD.decode(text).ok(),
            Bytes::Characters => text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect(),
        }
    }

    fn decimal(&self, json: &Json, scale: usize) -> Option<Vec<u8>> {
        match (json, self.bytes) {
            (Json::String(_), Bytes::Characters) => self.bytes_of(json),
            (Json::String(text), Bytes::Base64) => decimal::unscaled(text, scale),
            (Json::Number(number), _) => decimal::unscaled(&number.to_string(), scale),
            _ => None,
        }
    }

    fn uuid(&self, json: &Json) -> Option<Vec<u8>> {
        if self.bytes == Bytes::Characters {
            return self.bytes_of(json).filter(|bytes| bytes.len() == UUID);
        }
        let digits: String = json.as_str()?.chars().filter(|c| *c != '-').collect();
        let is_hex =
            digits.len() == 2 * UUID && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_hex.then_some(())?;
        (0..UUID).map(|at| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).ok()).collect()
    }
}

fn float(json: &Json) -> Option<f64> {
    match json.as_str() {
        None => json.as_f64(),
        Some("NaN") => Some(f64::NAN),
        Some("inf") => Some(f64::INFINITY),
        Some("-inf") => Some(f64::NEG_INFINITY),
        Some(_) => None,
    }
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_long(out, bytes.len() as i64);
    out.extend_from_slice(bytes);
}

/// The items of an array or map stand in one block.
fn put_count(out: &mut Vec<u8>, count: usize) {
    if count > 0 {
        put_long(out, count as i64);
    }
}
