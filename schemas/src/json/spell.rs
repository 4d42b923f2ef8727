//! A datum as JSON text.

use apache_avro::Schema;
use apache_avro::schema::{InnerDecimalSchema, UuidSchema};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::decimal;
use super::names::{DEEPEST, DURATION, Names, UUID};
use crate::datum::{Malformed, take, take_long, take_text};
use crate::plan::blocks;

/// The JSON text of one value of `schema`, which is all of `datum`.
pub(crate) fn spell(schema: &Schema, names: &Names<'_>, datum: &[u8]) -> Result<String, Malformed> {
    let (mut input, out) = (datum, String::with_capacity(datum.len() * 2));
    let mut speller = Speller { names, out };
    speller.value(schema, &mut input, DEEPEST)?;
    if input.is_empty() { Ok(speller.out) } else { Err(Malformed) }
}

struct Speller<'s> {
    names: &'s Names<'s>,
    out: String,
}

impl Speller<'_> {
    /// Appends one value, nested at most so deep, and moves `input` behind it.
    fn value(&mut self, schema: &Schema, input: &mut &[u8], depth: usize) -> Result<(), Malformed> {
        match schema {
            Schema::Null => self.out.push_str("null"),
            Schema::Boolean => self.out.push_str(match take(input, 1)? {
                [0] => "false",
                [1] => "true",
                _ => return Err(Malformed),
            }),
            Schema::Int | Schema::Date | Schema::TimeMillis => {
                let number = i32::try_from(take_long(input)?).map_err(|_| Malformed)?;
                self.out.push_str(&number.to_string());
            }
            Schema::Long
            | Schema::TimeMicros
            | Schema::TimestampMillis
            | Schema::TimestampMicros
            | Schema::TimestampNanos
            | Schema::LocalTimestampMillis
            | Schema::LocalTimestampMicros
            | Schema::LocalTimestampNanos => self.out.push_str(&take_long(input)?.to_string()),
            Schema::Float => {
                let bytes = take(input, 4)?.try_into().map_err(|_| Malformed)?;
                self.float(f32::from_le_bytes(bytes).into());
            }
            Schema::Double => {
                let bytes = take(input, 8)?.try_into().map_err(|_| Malformed)?;
                self.float(f64::from_le_bytes(bytes));
            }
            Schema::String | Schema::Uuid(UuidSchema::String) => {
                let text = take_text(input)?;
                self.text(text);
            }
            Schema::Bytes => {
                let bytes = take_bytes(input)?;
                self.base64(bytes);
            }
            Schema::Fixed(fixed) => {
                let bytes = take_fixed(input, fixed.size)?;
                self.base64(bytes);
            }
            Schema::Enum(symbols) => {
                let symbol = usize::try_from(take_long(input)?).map_err(|_| Malformed)?;
                self.text(symbols.symbols.get(symbol).ok_or(Malformed)?);
            }
            Schema::Uuid(UuidSchema::Bytes) => {
                let bytes = take_bytes(input)?;
                self.uuid(bytes)?;
            }
            Schema::Uuid(UuidSchema::Fixed(_)) => {
                let bytes = take_fixed(input, UUID)?;
                self.uuid(bytes)?;
            }
            Schema::Decimal(of) => {
                let unscaled = match &of.inner {
                    InnerDecimalSchema::Bytes => take_bytes(input)?,
                    InnerDecimalSchema::Fixed(fixed) => take_fixed(input, fixed.size)?,
                };
                self.decimal(unscaled, of.scale as i64)?;
            }
            Schema::BigDecimal => {
                let mut inner = take_bytes(input)?;
                let unscaled = take_bytes(&mut inner)?;
                let scale = take_long(&mut inner)?;
                self.decimal(unscaled, scale)?;
            }
            Schema::Duration(_) => {
                let bytes = take_fixed(input, DURATION)?;
                let part = |at: usize| -> Result<u32, Malformed> {
                    let part = bytes.get(at..at + 4).ok_or(Malformed)?;
                    Ok(u32::from_le_bytes(part.try_into().map_err(|_| Malformed)?))
                };
                let (months, days, millis) = (part(0)?, part(4)?, part(8)?);
                let text = format!(r#"{{"months":{months},"days":{days},"millis":{millis}}}"#);
                self.out.push_str(&text);
            }
            Schema::Union(union) => {
                let branch = usize::try_from(take_long(input)?).map_err(|_| Malformed)?;
                let branch = union.variants().get(branch).ok_or(Malformed)?;
                self.value(branch, input, depth)?;
            }
            Schema::Ref { name } => {
                let schema = *self.names.get(name).ok_or(Malformed)?;
                self.value(schema, input, depth)?;
            }
            Schema::Array(array) => {
                let depth = depth.checked_sub(1).ok_or(Malformed)?;
                let mut between = Between::new('[', self);
                blocks(input, |input| {
                    between.put(self);
                    self.value(&array.items, input, depth)
                })?;
                self.out.push(']');
            }
            Schema::Map(map) => {
                let depth = depth.checked_sub(1).ok_or(Malformed)?;
                let mut between = Between::new('{', self);
                blocks(input, |input| {
                    between.put(self);
                    let key = take_text(input)?;
                    self.text(key);
                    self.out.push(':');
                    self.value(&map.types, input, depth)
                })?;
                self.out.push('}');
            }
            Schema::Record(record) => {
                let depth = depth.checked_sub(1).ok_or(Malformed)?;
                let mut between = Between::new('{', self);
                for field in &record.fields {
                    between.put(self);
                    self.text(&field.name);
                    self.out.push(':');
                    self.value(&field.schema, input, depth)?;
                }
                self.out.push('}');
            }
        }
        Ok(())
    }

    fn text(&mut self, text: &str) {
        self.out.push_str(&serde_json::Value::from(text).to_string());
    }

    fn base64(&mut self, bytes: &[u8]) {
        self.out.push('"');
        BASE64_STANDARD.encode_string(bytes, &mut self.out);
        self.out.push('"');
    }

    fn float(&mut self, value: f64) {
        match serde_json::Number::from_f64(value) {
            Some(number) => self.out.push_str(&number.to_string()),
            None => self.text(&value.to_string()),
        }
    }

    fn decimal(&mut self, unscaled: &[u8], scale: i64) -> Result<(), Malformed> {
        let text = decimal::text(unscaled, scale).ok_or(Malformed)?;
        self.text(&text);
        Ok(())
    }

    fn uuid(&mut self, bytes: &[u8]) -> Result<(), Malformed> {
        if bytes.len() != UUID {
            return Err(Malformed);
        }
        self.out.push('"');
        for (at, byte) in bytes.iter().enumerate() {
            if matches!(at, 4 | 6 | 8 | 10) {
                self.out.push('-');
            }
            self.out.push_str(&format!("{byte:02x}"));
        }
        self.out.push('"');
        Ok(())
    }
}

/// Puts a comma before all items but the first.
struct Between {
    is_first: bool,
}

impl Between {
    fn new(open: char, speller: &mut Speller<'_>) -> Between {
        speller.out.push(open);
        Between { is_first: true }
    }

    fn put(&mut self, speller: &mut Speller<'_>) {
        if !std::mem::take(&mut self.is_first) {
            speller.out.push(',');
        }
    }
}

fn take_bytes<'d>(input: &mut &'d [u8]) -> Result<&'d [u8], Malformed> {
    let length = take_long(input)?;
    take(input, length)
}

fn take_fixed<'d>(input: &mut &'d [u8], size: usize) -> Result<&'d [u8], Malformed> {
    take(input, i64::try_from(size).map_err(|_| Malformed)?)
}
