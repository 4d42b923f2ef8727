//! How a new schema must go with those that are registered.

use talon_schemas::compatibility::{Mismatch, can_read};

use apache_avro::Schema;

/// Confluent's levels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Level {
    /// The new one reads what was written with the old one.
    reads_old: bool,
    /// The old one reads what is written with the new one.
    is_read_by_old: bool,
    /// With every version, not the newest alone.
    transitive: bool,
}

impl Level {
    /// Their names.
    pub const NAMES: [&str; 7] = [
        "BACKWARD",
        "BACKWARD_TRANSITIVE",
        "FORWARD",
        "FORWARD_TRANSITIVE",
        "FULL",
        "FULL_TRANSITIVE",
        "NONE",
    ];

    /// The level of a name; that of `FULL_TRANSITIVE`, the strictest, for any other text.
    pub fn named(name: &str) -> Level {
        let transitive = name.ends_with("_TRANSITIVE");
        let (reads_old, is_read_by_old) = match name.trim_end_matches("_TRANSITIVE") {
            "NONE" => (false, false),
            "BACKWARD" => (true, false),
            "FORWARD" => (false, true),
            _ => (true, true),
        };
        Level { reads_old, is_read_by_old, transitive }
    }

    /// Whether versions other than the newest count.
    pub(super) fn is_transitive(self) -> bool {
        self.transitive
    }

    /// Holds a new schema against a registered one.
    ///
    /// # Errors
    /// Who cannot read whom, and the first field at which that shows.
    pub(super) fn compare(self, new: &Schema, old: &Schema) -> Result<(), (Reader, Mismatch)> {
        if self.reads_old {
            can_read(new, old).map_err(|mismatch| (Reader::New, mismatch))?;
        }
        if self.is_read_by_old {
            can_read(old, new).map_err(|mismatch| (Reader::Old, mismatch))?;
        }
        Ok(())
    }
}

/// Who cannot read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reader {
    /// A consumer with the new schema.
    New,
    /// A consumer with the old one.
    Old,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(fields: &str) -> Schema {
        let text = format!(r#"{{"type":"record","name":"R","fields":[{fields}]}}"#);
        Schema::parse_str(&text).unwrap()
    }

    #[test]
    fn each_level_of_confluents_refuses_what_it_must() {
        let bare = record(r#"{"name":"a","type":"long"}"#);
        let more = record(r#"{"name":"a","type":"long"},{"name":"b","type":"long"}"#);
        let foreign = record(r#"{"name":"a","type":"string"}"#);
        for (name, transitive, adds, removes, changes) in [
            ("NONE", false, true, true, true),
            ("BACKWARD", false, false, true, false),
            ("BACKWARD_TRANSITIVE", true, false, true, false),
            ("FORWARD", false, true, false, false),
            ("FORWARD_TRANSITIVE", true, true, false, false),
            ("FULL", false, false, false, false),
            ("FULL_TRANSITIVE", true, false, false, false),
        ] {
            assert!(Level::NAMES.contains(&name));
            let level = Level::named(name);
            let allowed = [(&more, &bare), (&bare, &more), (&foreign, &bare)]
                .map(|(new, old)| level.compare(new, old).is_ok());
            assert_eq!(
                (level.is_transitive(), allowed),
                (transitive, [adds, removes, changes]),
                "{name}"
            );
        }
    }
}
