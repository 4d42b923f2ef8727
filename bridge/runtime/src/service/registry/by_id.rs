//! Schemas by their ids.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Deserialize;
use talon_schemas::Writer;

use super::client::{Client, Request};
use crate::bus::BusFault;

/// What is known of ids.
#[derive(Default)]
pub(super) struct ById(Mutex<HashMap<u32, Known>>);

/// What is known of an id.
#[derive(Debug, Clone, Copy)]
enum Known {
    /// Its schema, which never changes.
    Schema(&'static Writer),
    /// That there is none, or none of Avro records, as of then.
    Nothing(Instant),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Text {
    schema: String,
    /// Left out for Avro.
    schema_type: Option<String>,
}

impl ById {
    pub(super) async fn get(
        &self,
        client: &Client,
        id: u32,
        believed: Duration,
    ) -> Result<Option<&'static Writer>, BusFault> {
        if let Some(known) = self.remembered(id, believed) {
            return Ok(known);
        }
        let text =
            client.once(&Request::get(format!("/schemas/ids/{id}"))).await?.found::<Text>()?;
        let is_avro = |text: &Text| text.schema_type.as_deref().is_none_or(|kind| kind == "AVRO");
        let writer = text.filter(is_avro).and_then(|text| Writer::parse(&text.schema));
        let known = writer.map_or_else(|| Known::Nothing(Instant::now()), Known::Schema);
        self.known().insert(id, known);
        Ok(writer)
    }

    pub(super) fn remembered(
        &self,
        id: u32,
        believed: Duration,
    ) -> Option<Option<&'static Writer>> {
        match self.known().get(&id)? {
            Known::Schema(writer) => Some(Some(*writer)),
            Known::Nothing(since) => (since.elapsed() < believed).then_some(None),
        }
    }

    fn known(&self) -> MutexGuard<'_, HashMap<u32, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
