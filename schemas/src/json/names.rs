//! The named types of a schema, and what both ways agree on.

use std::collections::HashMap;

use apache_avro::Schema;
use apache_avro::schema::{
    DecimalSchema, FixedSchema, InnerDecimalSchema, Name, RecordSchema, UuidSchema,
};

/// Deepest nesting of arrays, maps and records. Less than what `serde_json` reads.
pub(super) const DEEPEST: usize = 100;

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
pub(super) const DURATION: usize = 12;

/// The size of a UUID in bytes.
pub(super) const UUID: usize = 16;
