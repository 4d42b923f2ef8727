//! The commands of a connector: one Avro record of parameters for each type, and around them the
//! record that is put on the topic `{prefix}.{name}.commands`.
//!
//! A schema file (`contractor/commands.avsc`) is a JSON array of records; the name of a record is the
//! type of the command. Properties of a field, beside its Avro type, bound its values:
//! `talon.min` and `talon.max` a number, `talon.min.length` and `talon.max.length` a text in
//! characters, bytes in bytes, an array or a map in items.
//! `talon.json` marks an Avro `string` that is the text of a JSON object; in a JSON command the
//! parameter is that object itself.

mod params;
mod written;

use std::collections::BTreeSet;

use apache_avro::Schema;
use serde_json::{Map, Value as Json, json};

use crate::message::{Message, leak};
use crate::{SchemaError, Writer};

pub use params::{Param, Params};

/// The schema of a connector's commands, and of each one's parameters.
pub struct CommandContract {
    message: Message,
    params: Vec<Params>,
}

impl std::fmt::Debug for CommandContract {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.message.fmt(f)
    }
}

impl AsRef<Message> for CommandContract {
    fn as_ref(&self) -> &Message {
        &self.message
    }
}

impl CommandContract {
    /// Compiles the text of a schema file.
    ///
    /// # Panics
    /// Where the file is no array of record schemas, or has a type of which a parameter cannot be.
    /// The files are part of the program, and a test compiles all.
    pub fn of(file: &str) -> CommandContract {
        CommandContract::with_earlier(file, &[])
    }

    /// As [`CommandContract::of`], with the texts of earlier schemas beside those that are shipped; see
    /// [`Message::with_earlier`].
    ///
    /// # Panics
    /// As [`CommandContract::of`], for all of them.
    pub fn with_earlier(file: &str, earlier: &[&str]) -> CommandContract {
        let records: Vec<Json> = serde_json::from_str(file).expect("a JSON array of records");
        let namespace = records[0]["namespace"].as_str().expect("the first record has a namespace");
        let records: Vec<Json> =
            records.iter().map(|record| with_namespace(record, namespace)).collect();
        let texts: Vec<String> = records.iter().map(Json::to_string).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let parsed = Schema::parse_list(texts).expect("Avro schemas");
        let params = parsed.into_iter().map(|schema| Params::of(leak(schema))).collect();
        let message = Message::with_earlier(command_json(namespace, &records), earlier);
        CommandContract { message, params }
    }

    /// All types of commands.
    pub fn all(&self) -> &[Params] {
        &self.params
    }

    /// The parameters of a type; `None` where there is no such type.
    pub fn params(&self, kind: &str) -> Option<&Params> {
        self.params.iter().find(|params| params.name() == kind)
    }

    /// A command's datum as the JSON object that a sender of JSON would have put on the topic: what the
    /// checks say of it is the same. All of the datum must be one command: what is read with a wrong
    /// schema would be run.
    ///
    /// `writer` is the schema it was written with, where that is not this one; how is said in `command/written.rs`.
    ///
    /// # Errors
    /// Where the datum is not exactly one record of that schema, or holds a value that JSON cannot.
    pub fn read(
        &self,
        datum: &[u8],
        writer: Option<&'static Writer>,
    ) -> Result<Map<String, Json>, SchemaError> {
        written::command(&self.params, writer.unwrap_or_else(|| self.message.writer()), datum)
    }
}

fn with_namespace(record: &Json, namespace: &str) -> Json {
    let mut record = record.clone();
    record["namespace"] = Json::from(namespace);
    record
}

/// The union of parameters begins with the records of the fewest fields. A serialiser that is given a plain
/// map, and not the name of a branch, takes the first of those with the most of its keys (fastavro), or
/// the first that fits: so a record must stand before those that contain it.
fn command_json(namespace: &str, records: &[Json]) -> Json {
    let mut branches: Vec<&Json> = records.iter().collect();
    branches.sort_by_key(|record| record["fields"].as_array().map_or(0, Vec::len));
    let instant = json!(["null", {"type": "long", "logicalType": "timestamp-micros"}]);
    let names: BTreeSet<&str> =
        records.iter().filter_map(|record| record["name"].as_str()).collect();
    let types: Vec<&str> = names.into_iter().collect();
    json!({
        "type": "record", "name": "Command", "namespace": namespace,
        "doc": "A command: something to do upstream, which gets exactly one outcome.",
        "fields": [
            {"name": "id", "type": "string",
             "doc": "Given by the sender, unique: a second command with the same id is not run."},
            {"name": "type", "type": "string", "doc": format!("One of {}.", types.join(", "))},
            {"name": "params", "type": branches, "doc": "The record of the type."},
            {"name": "issued_at", "type": instant, "default": null},
            {"name": "expires_at", "type": instant, "default": null,
             "doc": "Not sent to the upstream after this."},
            {"name": "expect", "type": ["null", {"type": "map", "values": "string"}], "default": null,
             "doc": "What must hold of the entity before the command is sent, by field."},
            {"name": "as", "type": ["null", "string"], "default": null,
             "doc": "In whose name, where the connector has several configured users."}
        ]
    })
}
