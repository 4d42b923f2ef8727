//! The same content in other bytes: what an upstream may do at each read without meaning anything by it.
//!
//! JSON says nothing of blanks, of the order of an object's fields, of how many zeros end a fraction or
//! which escapes a text has. So a reply that is spelled anew each time is what the document promises, as
//! long as whole numbers stay whole where it declares them. Inside a field that no document has
//! ([`UNKNOWN`]) every number is spelled in any way.

mod node;

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value;

use node::{Choices, Node};
pub use node::{UNKNOWN, UNKNOWN_VALUE};

/// The text with the field [`UNKNOWN`] in every object that has an identifier. The same text gives the
/// same one again.
pub fn extended(json: &str) -> String {
    let Some(mut node) = Node::read(json) else { return json.to_owned() };
    node.extend();
    let mut out = String::with_capacity(json.len() * 2);
    node.write(&mut out);
    out
}

/// As [`extended`], for a value.
pub fn extend(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(extend),
        Value::Object(fields) => {
            let is_entity = ["id", "Id"].iter().any(|name| fields.contains_key(*name));
            fields
                .iter_mut()
                .filter(|(name, _)| *name != UNKNOWN)
                .for_each(|(_, field)| extend(field));
            if is_entity && !fields.contains_key(UNKNOWN) {
                let unknown = serde_json::from_str(UNKNOWN_VALUE);
                fields.insert(UNKNOWN.to_owned(), unknown.expect("a constant that is JSON"));
            }
        }
        _ => {}
    }
}

/// How replies are spelled.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Noise {
    pub(crate) seed: u64,
    /// The share of texts that are spelled anew, 0–1.
    pub(crate) share: f64,
}

impl Noise {
    /// Whether there is any.
    pub(crate) fn is_any(self) -> bool {
        self.share > 0.0
    }

    /// The text as it is sent this time; as it is where it is no JSON.
    pub(crate) fn respelled(self, json: String) -> String {
        // One for all simulators of the process: no two replies are spelled alike.
        static TURN: AtomicU64 = AtomicU64::new(0);
        if !self.is_any() {
            return json;
        }
        let turn = TURN.fetch_add(1, Ordering::Relaxed);
        let mut choices = Choices(self.seed ^ turn.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        if choices.below(1_000) as f64 >= self.share * 1_000.0 {
            return json;
        }
        respelled_by(&json, &mut choices, false)
    }
}

/// The text spelled anew by a seed alone, every number of it; as it is where it is no JSON.
pub fn respelled_whole(json: &str, seed: u64) -> String {
    respelled_by(json, &mut Choices(seed), true)
}

fn respelled_by(json: &str, choices: &mut Choices, is_free: bool) -> String {
    let Some(node) = Node::read(json) else { return json.to_owned() };
    let mut out = String::with_capacity(json.len() * 2);
    node.respell(choices, is_free, &mut out);
    out
}
