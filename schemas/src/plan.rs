//! How to step over an encoded value without decoding it.

use std::collections::HashMap;

use apache_avro::Schema;
use apache_avro::schema::Name;

pub use crate::datum::Malformed;
use crate::datum::{take, take_long};

/// A compiled schema that knows only where a value ends.
#[derive(Debug, Clone)]
pub enum Plan {
    /// Nothing is written.
    Null,
    /// A fixed number of bytes: boolean, float, double, fixed.
    Fixed(usize),
    /// One variable-length number: int, long, enum, and the logical types on them.
    Number,
    /// A length and that many bytes.
    Bytes,
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
            Schema::Boolean => Plan::Fixed(1),
            Schema::Float => Plan::Fixed(4),
            Schema::Double => Plan::Fixed(8),
            Schema::Int
            | Schema::Long
            | Schema::Enum(_)
            | Schema::Date
            | Schema::TimestampMillis
            | Schema::TimestampMicros => Plan::Number,
            Schema::Bytes | Schema::String => Plan::Bytes,
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
    pub fn skip(&self, input: &mut &[u8]) -> Result<(), Malformed> {
        match self {
            Plan::Null => {}
            Plan::Fixed(size) => {
                take(input, *size as i64)?;
            }
            Plan::Number => {
                take_long(input)?;
            }
            Plan::Bytes => {
                let length = take_long(input)?;
                take(input, length)?;
            }
            Plan::Array(item) => skip_blocks(input, |input| item.skip(input))?,
            Plan::Map(value) => skip_blocks(input, |input| {
                Plan::Bytes.skip(input)?;
                value.skip(input)
            })?,
            Plan::Union(branches) => {
                let branch = usize::try_from(take_long(input)?).map_err(|_| Malformed)?;
                branches.get(branch).ok_or(Malformed)?.skip(input)?;
            }
            Plan::Record(fields) => {
                for field in fields {
                    field.skip(input)?;
                }
            }
        }
        Ok(())
    }
}

/// Arrays and maps are blocks: a count and that many items, a negative count is followed by the
/// size of the block in bytes, zero ends them.
fn skip_blocks(
    input: &mut &[u8],
    mut item: impl FnMut(&mut &[u8]) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    loop {
        match take_long(input)? {
            0 => return Ok(()),
            count if count < 0 => {
                let size = take_long(input)?;
                take(input, size)?;
            }
            count => {
                for _ in 0..count {
                    let before = input.len();
                    item(input)?;
                    // An item that takes no bytes would let a bad count spin for ever.
                    if input.len() == before {
                        return Err(Malformed);
                    }
                }
            }
        }
    }
}
