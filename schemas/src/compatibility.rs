//! Whether what was written with one schema can be read with another.
//!
//! The rules are those of the Avro specification's schema resolution, with two that are stricter, since
//! consumers rely on more than on what resolves:
//!
//! - A record, enum or fixed has the same full name, or the reader has the other as an alias. Libraries
//!   differ here: some compare the last part of the name, some refuse another namespace.
//! - A logical type is the same on both sides. On the wire a `timestamp-micros` is a `timestamp-millis`,
//!   so every library reads it, a thousandfold wrong.
//!
//! `apache-avro` has a check of its own, which knows neither rule and no difference between a definition
//! and a reference to it. Not needed any more when it does.

use std::collections::{BTreeMap, BTreeSet};

use apache_avro::Schema;
use apache_avro::schema::{Alias, Name, RecordSchema, SchemaKind, UnionSchema};
use serde_json::Value as Json;

/// The first place where a reader cannot go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct Mismatch {
    /// The way to the field, such as `after.status`; empty for the record itself.
    pub field: String,
    /// What is wrong with it.
    pub what: String,
}

/// Whether all that `writer` can write is read by `reader`.
///
/// # Errors
/// The first place where it is not.
pub fn can_read(reader: &Schema, writer: &Schema) -> Result<(), Mismatch> {
    let (mut of_reader, mut of_writer) = (BTreeMap::new(), BTreeMap::new());
    collect(reader, &mut of_reader);
    collect(writer, &mut of_writer);
    let mut check = Check { of_reader, of_writer, seen: BTreeSet::new() };
    check.read(reader, writer, "")
}

/// True if two schemas differ in their spelling at most.
pub fn is_same(one: &Schema, other: &Schema) -> bool {
    matches!((serde_json::to_value(one), serde_json::to_value(other)), (Ok(one), Ok(other)) if one == other)
}

/// True if the same bytes say the same in both: they differ in docs, aliases and properties at most.
pub fn is_same_on_the_wire(one: &Schema, other: &Schema) -> bool {
    let shape = |schema: &Schema| {
        let mut json = serde_json::to_value(schema).ok()?;
        keep_what_is_written(&mut json);
        Some(json)
    };
    matches!((shape(one), shape(other)), (Some(one), Some(other)) if one == other)
}

fn keep_what_is_written(schema: &mut Json) {
    const KEPT: [&str; 11] = [
        "type",
        "name",
        "namespace",
        "fields",
        "symbols",
        "items",
        "values",
        "size",
        "logicalType",
        "precision",
        "scale",
    ];
    match schema {
        Json::Object(map) => {
            map.retain(|key, _| KEPT.contains(&key.as_str()));
            map.values_mut().for_each(keep_what_is_written);
        }
        Json::Array(items) => items.iter_mut().for_each(keep_what_is_written),
        _ => {}
    }
}

/// The named types of a schema, by their full names.
fn collect<'a>(schema: &'a Schema, named: &mut BTreeMap<String, &'a Schema>) {
    match schema {
        Schema::Ref { .. } => {}
        Schema::Record(record) => {
            named.insert(record.name.fullname(None), schema);
            record.fields.iter().for_each(|field| collect(&field.schema, named));
        }
        Schema::Array(array) => collect(&array.items, named),
        Schema::Map(map) => collect(&map.types, named),
        Schema::Union(union) => union.variants().iter().for_each(|one| collect(one, named)),
        other => {
            if let Some(name) = other.name() {
                named.insert(name.fullname(None), other);
            }
        }
    }
}

struct Check<'a> {
    of_reader: BTreeMap<String, &'a Schema>,
    of_writer: BTreeMap<String, &'a Schema>,
    /// Pairs of records that are compared already, or are being compared: a record may contain itself.
    seen: BTreeSet<(String, String)>,
}

impl<'a> Check<'a> {
    fn read(&mut self, reader: &'a Schema, writer: &'a Schema, at: &str) -> Result<(), Mismatch> {
        let reader = resolved(&self.of_reader, reader);
        let writer = resolved(&self.of_writer, writer);
        match (reader, writer) {
            (reader, Schema::Union(writers)) => {
                writers.variants().iter().try_for_each(|writer| self.read(reader, writer, at))
            }
            (Schema::Union(readers), writer) => self.read_one_of(readers, writer, at),
            (reader, writer) if SchemaKind::from(reader) != SchemaKind::from(writer) => {
                if promotes(reader, writer) { Ok(()) } else { Err(other_type(reader, writer, at)) }
            }
            (reader, writer) => {
                same_name(reader, writer, at)?;
                self.read_same_kind(reader, writer, at)
            }
        }
    }

    /// What one branch of the reader's can read, the union can.
    fn read_one_of(
        &mut self,
        readers: &'a UnionSchema,
        writer: &'a Schema,
        at: &str,
    ) -> Result<(), Mismatch> {
        // What is told is the mismatch of the branch that was meant: of the same kind and name.
        let mut told = None;
        for reader in readers.variants() {
            match self.read(reader, writer, at) {
                Ok(()) => return Ok(()),
                Err(mismatch) => {
                    let reader = resolved(&self.of_reader, reader);
                    let is_meant = SchemaKind::from(reader) == SchemaKind::from(writer)
                        && same_name(reader, writer, at).is_ok();
                    if is_meant || told.is_none() && !matches!(reader, Schema::Null) {
                        told = Some(mismatch);
                    }
                }
            }
        }
        Err(told
            .unwrap_or_else(|| mismatch(at, format!("can be {}, which is not read", kind(writer)))))
    }

    fn read_same_kind(
        &mut self,
        reader: &'a Schema,
        writer: &'a Schema,
        at: &str,
    ) -> Result<(), Mismatch> {
        match (reader, writer) {
            (Schema::Array(reader), Schema::Array(writer)) => {
                self.read(&reader.items, &writer.items, &format!("{at}[]"))
            }
            (Schema::Map(reader), Schema::Map(writer)) => {
                self.read(&reader.types, &writer.types, &format!("{at}{{}}"))
            }
            (Schema::Record(reader), Schema::Record(writer)) => {
                self.read_record(reader, writer, at)
            }
            (Schema::Enum(reader), Schema::Enum(writer)) => {
                let unknown = |symbol: &&String| !reader.symbols.contains(symbol);
                match writer.symbols.iter().find(unknown) {
                    Some(symbol) if reader.default.is_none() => Err(mismatch(
                        at,
                        format!(
                            "can be `{symbol}`, which the reader's enum does not have, nor a default"
                        ),
                    )),
                    _ => Ok(()),
                }
            }
            (Schema::Decimal(one), Schema::Decimal(other))
                if (one.precision, one.scale) != (other.precision, other.scale) =>
            {
                Err(mismatch(at, "has another precision or scale".to_owned()))
            }
            (reader, writer) if size(reader) != size(writer) => {
                Err(mismatch(at, "has another size".to_owned()))
            }
            _ => Ok(()),
        }
    }

    fn read_record(
        &mut self,
        reader: &'a RecordSchema,
        writer: &'a RecordSchema,
        at: &str,
    ) -> Result<(), Mismatch> {
        if !self.seen.insert((reader.name.fullname(None), writer.name.fullname(None))) {
            return Ok(());
        }
        for field in &reader.fields {
            let path =
                if at.is_empty() { field.name.clone() } else { format!("{at}.{}", field.name) };
            let mut names = std::iter::once(&field.name).chain(&field.aliases);
            let written =
                names.find_map(|name| writer.fields.iter().find(|field| field.name == *name));
            match written {
                Some(written) => self.read(&field.schema, &written.schema, &path)?,
                None if field.default.is_some() => {}
                None => {
                    let what = "is read, not written, and has no default".to_owned();
                    return Err(mismatch(&path, what));
                }
            }
        }
        Ok(())
    }
}

fn resolved<'a>(named: &BTreeMap<String, &'a Schema>, schema: &'a Schema) -> &'a Schema {
    match schema {
        Schema::Ref { name } => named.get(&name.fullname(None)).copied().unwrap_or(schema),
        schema => schema,
    }
}

/// What the specification lets a reader take for another type.
fn promotes(reader: &Schema, writer: &Schema) -> bool {
    use Schema::{Bytes, Double, Float, Int, Long, String};
    matches!(
        (writer, reader),
        (Int, Long | Float | Double)
            | (Long, Float | Double)
            | (Float, Double)
            | (String, Bytes)
            | (Bytes, String)
    )
}

fn same_name(reader: &Schema, writer: &Schema, at: &str) -> Result<(), Mismatch> {
    let (Some(of_reader), Some(of_writer)) = (reader.name(), writer.name()) else { return Ok(()) };
    let full = |name: &Name| name.fullname(None);
    let wanted = full(of_writer);
    let is_alias = |alias: &Alias| alias.fullname(of_reader.namespace()) == wanted;
    if full(of_reader) == wanted || reader.aliases().is_some_and(|all| all.iter().any(is_alias)) {
        return Ok(());
    }
    Err(mismatch(
        at,
        format!(
            "is a `{wanted}` where it is written, and a `{}` where it is read",
            full(of_reader)
        ),
    ))
}

fn size(schema: &Schema) -> Option<usize> {
    match schema {
        Schema::Fixed(fixed) | Schema::Duration(fixed) => Some(fixed.size),
        _ => None,
    }
}

fn other_type(reader: &Schema, writer: &Schema, at: &str) -> Mismatch {
    mismatch(
        at,
        format!("is {} where it is written, and {} where it is read", kind(writer), kind(reader)),
    )
}

/// The word of the specification for a type.
fn kind(schema: &Schema) -> String {
    let word = match schema {
        Schema::TimestampMillis => "timestamp-millis",
        Schema::TimestampMicros => "timestamp-micros",
        Schema::TimestampNanos => "timestamp-nanos",
        Schema::LocalTimestampMillis => "local-timestamp-millis",
        Schema::LocalTimestampMicros => "local-timestamp-micros",
        Schema::LocalTimestampNanos => "local-timestamp-nanos",
        Schema::TimeMillis => "time-millis",
        Schema::TimeMicros => "time-micros",
        Schema::BigDecimal => "big-decimal",
        other => return format!("`{:?}`", SchemaKind::from(other)).to_lowercase(),
    };
    format!("`{word}`")
}

fn mismatch(at: &str, what: String) -> Mismatch {
    Mismatch { field: at.to_owned(), what }
}
