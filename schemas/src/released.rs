//! The schemas of the versions that were released: `released/{version}/*.avsc`.
//!
//! They let this version read what those wrote also where no registry says how. The files are the golden
//! schemas as they stood at the release; a test says which are missing. Those of events in milliseconds
//! are made of them, as today's are.

use serde_json::Value as Json;

use crate::instants::Instants;
use crate::writer::{Writer, about};

include!(concat!(env!("OUT_DIR"), "/released.rs"));

/// All schemas of messages about this, with instants in this unit, in no order; several can be the same.
pub(crate) fn of(wanted: &str, instants: Instants) -> impl Iterator<Item = &'static Writer> {
    RELEASED.iter().filter_map(move |text| {
        let mut json: Json = serde_json::from_str(text).ok()?;
        if about(&json)? != wanted {
            return None;
        }
        instants.put(&mut json);
        Writer::of(&json)
    })
}
