//! The schemas of the versions that were released: `released/{version}/*.avsc`.
//!
//! They let this version read what those wrote also where no registry says how. The files are the golden
//! schemas as they stood at the release; a test says which are missing.

use serde_json::Value as Json;

use crate::writer::Writer;

include!(concat!(env!("OUT_DIR"), "/released.rs"));

/// All schemas of a record's full name, in no order; several can be the same.
pub(crate) fn of(full_name: &str) -> impl Iterator<Item = &'static Writer> {
    RELEASED.iter().filter_map(move |text| {
        let json: Json = serde_json::from_str(text).ok()?;
        let (namespace, name) = (json["namespace"].as_str()?, json["name"].as_str()?);
        let is_it = full_name.strip_prefix(namespace)?.strip_prefix('.')? == name;
        is_it.then(|| Writer::of(&json)).flatten()
    })
}
