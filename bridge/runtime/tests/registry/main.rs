//! The client of the schema registry, against a registry that behaves as Confluent's, or worse.
#![allow(clippy::unwrap_used)]

#[path = "../../../../connectors/http/tests/http/authority.rs"]
mod authority;
mod converting;
mod probing;
mod proxied;
mod registering;
#[path = "../../../../connectors/http/tests/http/relay.rs"]
mod relay;
mod server;
mod tls;

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};
use talon_runtime::registry::{Options, Registry, keys};
use talon_schemas::Message;
use talon_sdk::config::{Secrets, Settings};

/// A client of a process of its own, with settings below `schema.registry.`.
fn client(url: &str, settings: &[(&str, &str)]) -> Registry {
    Registry::new(options(url, settings)).unwrap()
}

fn options(url: &str, settings: &[(&str, &str)]) -> Options {
    let named = |(name, text): (&str, &str)| (format!("schema.registry.{name}"), text.to_owned());
    let texts: BTreeMap<_, _> = settings.iter().copied().chain([("url", url)]).map(named).collect();
    let (keys, secrets) = (keys(), Secrets::of_process());
    let mut settings = Settings::new("", &keys, texts, &secrets);
    let options = Options::read(&mut settings).unwrap();
    assert_eq!(settings.problems(), []);
    options
}

/// A schema with a field `id` and those of `fields`.
fn message(fields: &[Json]) -> Message {
    let id = json!({"name": "id", "type": "long"});
    let fields: Vec<&Json> = std::iter::once(&id).chain(fields).collect();
    Message::of(
        json!({"type": "record", "name": "Envelope", "namespace": "talon.test", "fields": fields}),
    )
}

/// A schema that tells no other apart but by its docs.
fn documented(doc: &str) -> Message {
    message(&[json!({"name": "note", "type": ["null", "string"], "default": null, "doc": doc})])
}
