//! Schemas by their ids.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Deserialize;
use talon_schemas::Writer;

use super::client::{Client, Request};
use crate::bus::BusFault;
use crate::bus::escape::push_hex;

/// Most schemas that one may refer to, those that they refer to included.
const MOST_REFERENCES: usize = 200;

/// What is known of ids.
#[derive(Default)]
pub(super) struct ById(Mutex<HashMap<u32, Known>>);

/// What is known of an id.
#[derive(Debug, Clone, Copy)]
enum Known {
    /// Its schema, which never changes.
    Schema(&'static Writer),
    /// That there is none, or none of Avro, as of then.
    Nothing(Instant),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Text {
    schema: String,
    /// Left out for Avro.
    schema_type: Option<String>,
    #[serde(default)]
    references: Vec<Reference>,
}

/// Another schema, of which a type is used.
#[derive(Deserialize)]
struct Reference {
    subject: String,
    version: u32,
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
        let writer = ask(client, id).await?;
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

/// The schema of an id, with those that it refers to.
async fn ask(client: &Client, id: u32) -> Result<Option<&'static Writer>, BusFault> {
    let get = |path: String| async move {
        let text = client.once(&Request::get(path)).await?.found::<Text>()?;
        let is_avro = |text: &Text| text.schema_type.as_deref().is_none_or(|kind| kind == "AVRO");
        Ok::<_, BusFault>(text.filter(is_avro))
    };
    let Some(root) = get(format!("/schemas/ids/{id}")).await? else { return Ok(None) };
    let (mut left, mut texts) = (root.references, BTreeMap::new());
    while let Some(Reference { subject, version }) = left.pop() {
        if texts.contains_key(&(subject.clone(), version)) {
            continue;
        }
        let path = format!("/subjects/{}/versions/{version}", escaped(&subject));
        match get(path).await? {
            Some(found) if texts.len() < MOST_REFERENCES => {
                left.extend(found.references);
                texts.insert((subject, version), found.schema);
            }
            _ => return Ok(None),
        }
    }
    let texts: Vec<String> = texts.into_values().collect();
    Ok(Writer::with_references(&root.schema, &texts))
}

/// A subject as a part of a path: it can be called after anything.
fn escaped(subject: &str) -> String {
    let mut path = String::with_capacity(subject.len());
    for byte in subject.bytes() {
        match byte {
            b'-' | b'.' | b'_' | b'~' => path.push(byte.into()),
            _ if byte.is_ascii_alphanumeric() => path.push(byte.into()),
            _ => push_hex(byte, &mut path),
        }
    }
    path
}
