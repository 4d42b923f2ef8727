//! The Avro schema of a record, as it is declared.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json, json};

/// The records that a schema has defined so far.
#[derive(Debug, Default)]
pub struct Names(BTreeSet<&'static str>);

/// A field, as it is declared.
#[derive(Debug)]
pub struct Described<'d> {
    /// Its name in the record.
    pub name: &'d str,
    /// What it means.
    pub doc: &'d str,
    /// Personal data.
    pub personal: bool,
    /// A change of it alone is no change.
    pub volatile: bool,
}

/// The fields of a record, while they are added.
#[derive(Debug)]
pub struct Description<'n> {
    /// The records that are defined so far.
    pub names: &'n mut Names,
    fields: Vec<Json>,
}

/// What stands in `extra`, where a declaration says nothing else of it.
const EXTRA: &str = "What this schema does not know, as JSON text under its upstream name.";

impl Names {
    /// A record: its definition where it stands for the first time, its name after that.
    pub fn record(
        &mut self,
        name: &'static str,
        namespace: Option<&str>,
        doc: &str,
        describe: impl FnOnce(&mut Description<'_>),
    ) -> Json {
        // What stands in it is in its namespace.
        let is_outermost = self.0.is_empty();
        if !self.0.insert(name) {
            return json!(name);
        }
        let mut description = Description { names: self, fields: Vec::new() };
        describe(&mut description);
        let fields = description.fields;
        let mut record = Map::new();
        record.insert("type".to_owned(), json!("record"));
        record.insert("name".to_owned(), json!(name));
        if let (Some(namespace), true) = (namespace, is_outermost) {
            record.insert("namespace".to_owned(), json!(namespace));
        }
        if !doc.is_empty() {
            record.insert("doc".to_owned(), json!(doc));
        }
        record.insert("fields".to_owned(), json!(fields));
        Json::Object(record)
    }
}

impl Description<'_> {
    /// A field that is always there.
    pub fn required(&mut self, of: &Described<'_>, avro: Json) {
        self.add(of, of.name, avro, None);
    }

    /// As [`Description::optional`], of a word; see [`Word`](super::Word).
    pub fn word(&mut self, of: &Described<'_>, known: &[&str]) {
        let known = format!("{}; another text appears as unknown(text).", known.join(", "));
        let doc = if of.doc.is_empty() { known } else { format!("{known} {}", of.doc) };
        self.optional(&Described { doc: &doc, ..*of }, json!("string"));
    }

    /// A field that may be null.
    pub fn optional(&mut self, of: &Described<'_>, avro: Json) {
        self.add(of, of.name, json!(["null", avro]), Some(Json::Null));
    }

    /// As [`Description::optional`], under another name.
    pub fn optional_as(&mut self, of: &Described<'_>, name: &str, avro: Json) {
        self.add(of, name, json!(["null", avro]), Some(Json::Null));
    }

    /// A list.
    pub fn list(&mut self, of: &Described<'_>, items: Json) {
        self.add(of, of.name, json!({"type": "array", "items": items}), Some(json!([])));
    }

    /// What is not declared.
    pub fn extra(&mut self, of: &Described<'_>) {
        let doc = if of.doc.is_empty() { EXTRA } else { of.doc };
        let avro = json!({"type": "map", "values": "string"});
        self.add(&Described { doc, ..*of }, of.name, avro, Some(json!({})));
        self.of_json();
    }

    /// A field whose text is JSON, or null.
    pub fn json(&mut self, of: &Described<'_>) {
        self.optional(of, json!("string"));
        self.of_json();
    }

    /// Says that the texts of the field that was added last are JSON.
    fn of_json(&mut self) {
        if let Some(Json::Object(field)) = self.fields.last_mut() {
            field.insert("talon.json".to_owned(), json!(true));
        }
    }

    fn add(&mut self, of: &Described<'_>, name: &str, avro: Json, default: Option<Json>) {
        let mut field = Map::new();
        field.insert("name".to_owned(), json!(name));
        field.insert("type".to_owned(), avro);
        if let Some(default) = default {
            field.insert("default".to_owned(), default);
        }
        if !of.doc.is_empty() {
            field.insert("doc".to_owned(), json!(of.doc));
        }
        for (is_set, property) in [(of.personal, "talon.pii"), (of.volatile, "talon.volatile")] {
            if is_set {
                field.insert(property.to_owned(), json!(true));
            }
        }
        self.fields.push(Json::Object(field));
    }
}
