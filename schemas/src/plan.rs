//! How to step over an encoded value without decoding it.

use std::collections::HashMap;

use apache_avro::Schema;
use apache_avro::schema::{Name, RecordField};
use serde_json::Value as Json;

pub use crate::datum::Malformed;
use crate::datum::{take, take_long};

/// A compiled schema that knows only where a value ends.
#[derive(Debug, Clone)]
pub enum Plan {
    /// Nothing is written.
    Null,
    /// One byte, 0 or 1.
    Flag,
    /// A fixed number of bytes: float, double, fixed.
    Fixed(usize),
    /// One variable-length number: int, long, and the logical types on them.
    Number,
    /// As a number: an instant.
    Instant,
    /// The number of a symbol, of so many.
    Symbol(usize),
    /// A length and that many bytes.
    Bytes,
    /// A length and that many bytes of UTF-8.
    Text,
    /// A text that is JSON.
    Json,
    /// Blocks of items.
    Array(Box<Plan>),
    /// Blocks of a string key and a value.
    Map(Box<Plan>),
    /// A branch number and the branch.
    Union(Vec<Plan>),
    /// The fields one after another.
    Record(Vec<Plan>),
}

impl Plan {
    /// Compiles a schema. `None` where it has a type that no feed uses, or refers to itself.
    pub fn of(schema: &Schema) -> Option<Plan> {
        Plan::compile(schema, &mut HashMap::new())
    }

    fn compile(schema: &Schema, known: &mut HashMap<Name, Plan>) -> Option<Plan> {
        Some(match schema {
            Schema::Null => Plan::Null,
            Schema::Boolean => Plan::Flag,
            Schema::Float => Plan::Fixed(4),
            Schema::Double => Plan::Fixed(8),
            Schema::Int | Schema::Long | Schema::Date => Plan::Number,
            Schema::TimestampMillis | Schema::TimestampMicros => Plan::Instant,
            Schema::Enum(symbols) => Plan::Symbol(symbols.symbols.len()),
            Schema::Bytes => Plan::Bytes,
            Schema::String => Plan::Text,
            Schema::Fixed(fixed) => Plan::Fixed(fixed.size),
            Schema::Array(array) => Plan::Array(Box::new(Plan::compile(&array.items, known)?)),
            Schema::Map(map) => Plan::Map(Box::new(Plan::compile(&map.types, known)?)),
            Schema::Union(union) => Plan::Union(
                union.variants().iter().map(|s| Plan::compile(s, known)).collect::<Option<_>>()?,
            ),
            Schema::Record(record) => {
                let fields = record.fields.iter().map(|field| {
                    let plan = Plan::compile(&field.schema, known)?;
                    Some(if is_json(field) { plan.of_json() } else { plan })
                });
                let plan = Plan::Record(fields.collect::<Option<_>>()?);
                known.insert(record.name.clone(), plan.clone());
                plan
            }
            Schema::Ref { name } => known.get(name)?.clone(),
            _ => return None,
        })
    }

    /// The same where its texts are JSON.
    fn of_json(self) -> Plan {
        match self {
            Plan::Text => Plan::Json,
            Plan::Map(values) => Plan::Map(Box::new(values.of_json())),
            Plan::Array(items) => Plan::Array(Box::new(items.of_json())),
            Plan::Union(branches) => Plan::Union(branches.into_iter().map(Plan::of_json).collect()),
            other => other,
        }
    }

    /// Moves `input` behind one value.
    ///
    /// Every flag is 0 or 1, every branch and symbol one that there is: all that costs next to nothing,
    /// because bytes of another schema are noticed by little else. An optional text that was put into a
    /// record takes the bytes of the one behind it, that one those of the next, and so on.
    pub fn skip(&self, input: &mut &[u8]) -> Result<(), Malformed> {
        self.walk(input, &mut Unread)
    }

    /// Whether `datum` is one value, all of it: as [`Plan::skip`] has it, every text is UTF-8, and nothing
    /// is left. Allocates nothing, whatever lengths it claims.
    pub fn fits(&self, datum: &[u8]) -> bool {
        let mut input = datum;
        self.walk(&mut input, &mut Utf8).is_ok() && input.is_empty()
    }

    /// Moves `input` behind one value, and shows its texts.
    pub(crate) fn walk<'d>(
        &self,
        input: &mut &'d [u8],
        texts: &mut impl Texts<'d>,
    ) -> Result<(), Malformed> {
        match self {
            Plan::Null => {}
            Plan::Flag => {
                let flag = take(input, 1)?;
                if flag[0] > 1 {
                    return Err(Malformed);
                }
            }
            Plan::Fixed(size) => {
                take(input, *size as i64)?;
            }
            Plan::Number | Plan::Instant => {
                take_long(input)?;
            }
            Plan::Symbol(count) => {
                let symbol = take_long(input)?;
                if usize::try_from(symbol).map_or(true, |symbol| symbol >= *count) {
                    return Err(Malformed);
                }
            }
            Plan::Bytes => {
                let length = take_long(input)?;
                take(input, length)?;
            }
            Plan::Text => {
                let length = take_long(input)?;
                texts.text(take(input, length)?)?;
            }
            Plan::Json => {
                let length = take_long(input)?;
                texts.json(take(input, length)?)?;
            }
            Plan::Array(item) => {
                blocks(input, |input| item.walk(input, texts))?;
            }
            Plan::Map(value) => {
                texts.map();
                blocks(input, |input| {
                    let length = take_long(input)?;
                    texts.key(take(input, length)?)?;
                    value.walk(input, texts)
                })?;
            }
            Plan::Union(branches) => {
                let branch = usize::try_from(take_long(input)?).map_err(|_| Malformed)?;
                branches.get(branch).ok_or(Malformed)?.walk(input, texts)?;
            }
            Plan::Record(fields) => {
                for field in fields {
                    field.walk(input, texts)?;
                }
            }
        }
        Ok(())
    }
}

/// The property of a field whose texts are JSON.
fn is_json(field: &RecordField) -> bool {
    field.custom_attributes.get("talon.json") == Some(&Json::Bool(true))
}

/// Looks at the texts of a datum while it is walked over.
pub(crate) trait Texts<'d> {
    /// A text.
    fn text(&mut self, text: &'d [u8]) -> Result<(), Malformed>;

    /// A text that is JSON.
    fn json(&mut self, text: &'d [u8]) -> Result<(), Malformed> {
        self.text(text)
    }

    /// A map begins.
    fn map(&mut self) {}

    /// A key of the map that began last; no map stands in another one.
    fn key(&mut self, key: &'d [u8]) -> Result<(), Malformed> {
        self.text(key)
    }
}

/// Does not look.
struct Unread;

impl Texts<'_> for Unread {
    fn text(&mut self, _: &[u8]) -> Result<(), Malformed> {
        Ok(())
    }
}

/// All must be UTF-8.
struct Utf8;

impl Texts<'_> for Utf8 {
    fn text(&mut self, text: &[u8]) -> Result<(), Malformed> {
        std::str::from_utf8(text).map(drop).map_err(|_| Malformed)
    }
}

/// Arrays and maps are blocks: a count and that many items, a negative count is followed by the
/// size of the block in bytes, zero ends them.
pub(crate) fn blocks<'d>(
    input: &mut &'d [u8],
    mut item: impl FnMut(&mut &'d [u8]) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    loop {
        let mut count = take_long(input)?;
        if count == 0 {
            return Ok(());
        }
        let mut end = None;
        if count < 0 {
            let size = take_long(input)?;
            let mut behind = *input;
            take(&mut behind, size)?;
            count = count.checked_neg().ok_or(Malformed)?;
            end = Some(behind.len());
        }
        for _ in 0..count {
            let before = input.len();
            item(input)?;
            // An item that takes no bytes would let a bad count spin for ever.
            if input.len() == before {
                return Err(Malformed);
            }
        }
        if end.is_some_and(|end| input.len() != end) {
            return Err(Malformed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(schema: &str) -> Plan {
        Plan::of(&Schema::parse_str(schema).unwrap()).unwrap()
    }

    #[test]
    fn a_value_fits_only_where_all_of_it_is_what_the_schema_says() {
        let flag = plan(r#""boolean""#);
        assert!(flag.fits(&[0]) && flag.fits(&[1]));
        assert!(!flag.fits(&[2]) && !flag.fits(&[]) && !flag.fits(&[1, 0]));
        let text = plan(r#""string""#);
        assert!(text.fits(&[4, 0xc3, 0xbc]));
        assert!(!text.fits(&[4, 0xc3, 0x28]) && text.skip(&mut [4, 0xc3, 0x28].as_slice()).is_ok());
        let symbol = plan(r#"{"type": "enum", "name": "E", "symbols": ["A", "B"]}"#);
        assert!(symbol.fits(&[2]) && !symbol.fits(&[4]) && !symbol.fits(&[1]));
        let texts = plan(r#"{"type": "array", "items": "string"}"#);
        assert!(texts.fits(&[2, 2, b'x', 0]));
        assert!(texts.fits(&[1, 4, 2, b'x', 0]), "a block that tells its size");
        assert!(!texts.fits(&[1, 6, 2, b'x', 0, 0]), "and a wrong one");
        assert!(!text.fits(&[0xfe, 0xff, 0xff, 0xff, 0x0f, b'x']), "a length of gigabytes");
    }
}
