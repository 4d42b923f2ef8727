//! A datum as JSON text, and back: events of `format: json`, and values that a relay converts.
//!
//! | Avro | JSON |
//! | --- | --- |
//! | null, boolean, string | the same |
//! | int, long, and dates, times and instants | the number as it stands in the datum, in the unit of the schema |
//! | float, double | a number; one that JSON does not have as a text: `NaN`, `inf`, `-inf` |
//! | bytes, fixed | Base64 |
//! | decimal | a text with as many digits behind the point as the schema says: `-12.340` |
//! | uuid | its text |
//! | duration | `{"months":1,"days":2,"millis":3}` |
//! | enum | the symbol |
//! | array | an array |
//! | map, record | an object; all fields of a record are there, in their order, also those that are null |
//! | union | the value of its branch, without a word which one that is |
//!
//! The schema leads the way back. A union is the first of its branches that the JSON fits, so one whose branches look
//! alike in JSON may come back as another branch. A field that is not there has its default.
//!
//! What is nested deeper than [`DEEPEST`] is refused both ways, so that no bytes exhaust the stack.

mod decimal;
mod read;
mod spell;

#[cfg(test)]
mod tests;

use std::collections::HashMap;

use apache_avro::Schema;
use apache_avro::schema::{
    DecimalSchema, FixedSchema, InnerDecimalSchema, Name, RecordSchema, UuidSchema,
};

pub(crate) use read::{Unknown, read};
pub(crate) use spell::spell;

/// Deepest nesting of arrays, maps and records. Less than what `serde_json` reads.
const DEEPEST: usize = 100;

/// The named types of a schema.
pub(crate) type Names<'s> = HashMap<&'s Name, &'s Schema>;

/// All named types of a schema, wherever they stand.
pub(crate) fn names(schema: &Schema) -> Names<'_> {
    let mut names = HashMap::new();
    collect(schema, &mut names);
    names
}

fn collect<'s>(schema: &'s Schema, names: &mut Names<'s>) {
    match schema {
        Schema::Array(array) => collect(&array.items, names),
        Schema::Map(map) => collect(&map.types, names),
        Schema::Union(union) => {
            union.variants().iter().for_each(|variant| collect(variant, names));
        }
        Schema::Record(RecordSchema { name, fields, .. }) => {
            names.insert(name, schema);
            fields.iter().for_each(|field| collect(&field.schema, names));
        }
        Schema::Enum(symbols) => drop(names.insert(&symbols.name, schema)),
        Schema::Fixed(FixedSchema { name, .. })
        | Schema::Duration(FixedSchema { name, .. })
        | Schema::Uuid(UuidSchema::Fixed(FixedSchema { name, .. }))
        | Schema::Decimal(DecimalSchema {
            inner: InnerDecimalSchema::Fixed(FixedSchema { name, .. }),
            ..
        }) => drop(names.insert(name, schema)),
        _ => {}
    }
}

/// The size of what has the logical type `duration`.
const DURATION: usize = 12;

/// The size of a UUID in bytes.
const UUID: usize = 16;
