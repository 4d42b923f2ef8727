//! The topics of a connector, and what stands in their records.
//!
//! They follow from the name and the class alone, so those of a connector that runs elsewhere, or not at all, can be
//! looked at too.

use std::sync::Arc;

use serde_json::Value;
use talon_runtime::bus::Found;
use talon_runtime::topic;

use talon_schemas::wire::{Payload, Wire};
use talon_schemas::{Contract, Instants, Message};

use super::state::Console;
use crate::connectors;
use crate::instances::{CLASS, Config};

/// A feed that can be looked at.
pub(super) struct Feed {
    pub(super) name: Arc<str>,
    pub(super) topic: String,
    /// What its key is made of.
    pub(super) key: String,
    pub(super) contract: &'static Contract,
}

/// Where a connector's records are.
pub(super) struct Topics {
    pub(super) feeds: Vec<Feed>,
    /// Its commands and their results, where its class carries any.
    pub(super) lane: Option<[String; 2]>,
}

impl Topics {
    /// None of a class that is not known here.
    pub(super) fn of(console: &Console, name: &str, config: &Config) -> Option<Topics> {
        let class = connectors::class(config.get(CLASS)?)?;
        let prefix = &console.about.prefix;
        let instants = match config.get("instants").map(String::as_str) {
            Some("millis") => Instants::Millis,
            _ => Instants::Micros,
        };
        let feeds = class.feeds().into_iter().map(|spec| Feed {
            topic: topic(prefix, name, &spec.name),
            key: spec.key.to_string(),
            contract: spec.contract().with_instants(instants),
            name: spec.name.clone(),
        });
        let feeds = feeds.collect();
        let of_lane = |what| topic(prefix, name, what);
        let lane = class.commands().map(|_| ["commands", "results"].map(of_lane));
        Some(Topics { feeds, lane })
    }
}

/// What stands in a record, whichever version wrote it; none where that cannot be told.
pub(super) fn json(of: &Message, found: &Found) -> Option<Value> {
    let value = found.value.as_deref()?;
    let datum = match Wire::SingleObject.open(&of, value) {
        Payload::Json(json) => return serde_json::from_slice(json).ok(),
        Payload::Own(datum) => datum.to_vec(),
        Payload::Fingerprinted(fingerprint, datum) => {
            of.upgrade(of.earlier(fingerprint)?, datum).ok()?
        }
        // Whose id it is only the registry knows; the topic holds nothing but versions of this.
        Payload::Registered(_, datum) => of.recognise(datum, |_| true)?,
        Payload::Foreign => return None,
    };
    of.to_json(&datum).ok()
}
