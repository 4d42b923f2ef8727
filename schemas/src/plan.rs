//! How to step over an encoded value without decoding it.

use std::collections::HashMap;

use apache_avro::Schema;
use apache_avro::schema::Name;

pub use crate::datum::Malformed;
use crate::datum::{put_long, take, take_long};

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
                let fields = record.fields.iter().map(|f| Plan::compile(&f.schema, known));
                let plan = Plan::Record(fields.collect::<Option<_>>()?);
                known.insert(record.name.clone(), plan.clone());
                plan
            }
            Schema::Ref { name } => known.get(name)?.clone(),
            _ => return None,
        })
    }

    /// Moves `input` behind one value.
    ///
    /// Every flag is 0 or 1, every branch and symbol one that there is: all that costs next to nothing,
    /// because bytes of another schema are noticed by little else. An optional text that was put into a
    /// record takes the bytes of the one behind it, that one those of the next, and so on.
    pub fn skip(&self, input: &mut &[u8]) -> Result<(), Malformed> {
        self.walk::<false>(input)
    }

    /// Whether `datum` is one value, all of it: as [`Plan::skip`] has it, every text is UTF-8, and nothing
    /// is left. Allocates nothing, whatever lengths it claims.
    pub fn fits(&self, datum: &[u8]) -> bool {
        let mut input = datum;
        self.walk::<true>(&mut input).is_ok() && input.is_empty()
    }

    /// Appends one value to `out` with each instant as `convert` gives it, and moves `input` behind it.
    /// After an error `out` may hold a part of it.
    pub(crate) fn copy(
        &self,
        input: &mut &[u8],
        out: &mut Vec<u8>,
        convert: &impl Fn(i64) -> Option<i64>,
    ) -> Result<(), Malformed> {
        match self {
            Plan::Instant => put_long(out, convert(take_long(input)?).ok_or(Malformed)?),
            Plan::Array(item) => {
                copy_blocks(input, out, |input, out| item.copy(input, out, convert))?
            }
            Plan::Map(value) => copy_blocks(input, out, |input, out| {
                Plan::Text.copy(input, out, convert)?;
                value.copy(input, out, convert)
            })?,
            Plan::Union(branches) => {
                let branch = take_long(input)?;
                put_long(out, branch);
                let branch = usize::try_from(branch).map_err(|_| Malformed)?;
                branches.get(branch).ok_or(Malformed)?.copy(input, out, convert)?;
            }
            Plan::Record(fields) => {
                for field in fields {
                    field.copy(input, out, convert)?;
                }
            }
            plain => {
                let start = *input;
                plain.skip(input)?;
                out.extend_from_slice(&start[..start.len() - input.len()]);
            }
        }
        Ok(())
    }

    fn walk<const TEXTS: bool>(&self, input: &mut &[u8]) -> Result<(), Malformed> {
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
                let text = take(input, length)?;
                if TEXTS && std::str::from_utf8(text).is_err() {
                    return Err(Malformed);
                }
            }
            Plan::Array(item) => {
                blocks(input, |input| item.walk::<TEXTS>(input))?;
            }
            Plan::Map(value) => blocks(input, |input| {
                Plan::Text.walk::<TEXTS>(input)?;
                value.walk::<TEXTS>(input)
            })?,
            Plan::Union(branches) => {
                let branch = usize::try_from(take_long(input)?).map_err(|_| Malformed)?;
                branches.get(branch).ok_or(Malformed)?.walk::<TEXTS>(input)?;
            }
            Plan::Record(fields) => {
                for field in fields {
                    field.walk::<TEXTS>(input)?;
                }
            }
        }
        Ok(())
    }
}

/// Arrays and maps are blocks: a count and that many items, a negative count is followed by the
/// size of the block in bytes, zero ends them.
fn blocks(
    input: &mut &[u8],
    mut item: impl FnMut(&mut &[u8]) -> Result<(), Malformed>,
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

/// As [`blocks`], with the blocks in `out` without their sizes, which may be others.
fn copy_blocks(
    input: &mut &[u8],
    out: &mut Vec<u8>,
    mut item: impl FnMut(&mut &[u8], &mut Vec<u8>) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    loop {
        let mut count = take_long(input)?;
        if count < 0 {
            take_long(input)?;
            count = count.checked_neg().ok_or(Malformed)?;
        }
        put_long(out, count);
        if count == 0 {
            return Ok(());
        }
        for _ in 0..count {
            let before = input.len();
            item(input, out)?;
            if input.len() == before {
                return Err(Malformed);
            }
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

    #[test]
    fn a_copy_has_other_instants_and_nothing_else_that_differs() {
        let instant = r#"{"type": "long", "logicalType": "timestamp-micros"}"#;
        let plan = plan(&format!(
            r#"{{"type": "record", "name": "R", "fields": [
                {{"name": "n", "type": "long"}}, {{"name": "at", "type": ["null", {instant}]}},
                {{"name": "all", "type": {{"type": "array", "items": {instant}}}}},
                {{"name": "of", "type": {{"type": "map", "values": ["null", {instant}]}}}}]}}"#
        ));
        let of = |instants: [i64; 4], sized: bool| {
            let mut out = Vec::new();
            put_long(&mut out, 5_000);
            out.push(2);
            put_long(&mut out, instants[0]);
            let mut items = Vec::new();
            instants[1..3].iter().for_each(|instant| put_long(&mut items, *instant));
            put_long(&mut out, if sized { -2 } else { 2 });
            if sized {
                put_long(&mut out, items.len() as i64);
            }
            out.extend(items);
            out.extend([0, 4, 2, b'a', 0, 2, b'b', 2]);
            put_long(&mut out, instants[3]);
            out.push(0);
            out
        };
        let datum = of([1_999, -1, 0, 9_000_000], true);
        assert!(plan.fits(&datum));
        let (mut input, mut out) = (&datum[..], Vec::new());
        plan.copy(&mut input, &mut out, &|instant| Some(instant.div_euclid(1_000))).unwrap();
        assert_eq!(out, of([1, -1, 0, 9_000], false));
        assert!(input.is_empty());
        for end in 0..datum.len() {
            let copied = plan.copy(&mut &datum[..end], &mut Vec::new(), &Some);
            assert_eq!(copied, Err(Malformed), "cut at {end}");
        }
        assert_eq!(plan.copy(&mut &datum[..], &mut Vec::new(), &|_| None), Err(Malformed));
    }
}
