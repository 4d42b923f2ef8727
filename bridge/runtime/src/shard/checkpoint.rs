//! How far a feed has read: a record on `{prefix}.checkpoints`, committed with the events it covers.

use serde::{Deserialize, Serialize};
use talon_sdk::Cursor;

/// The durable record, as JSON, under the key `{connector}/{feed}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The feed's own cursor.
    pub cursor: Option<String>,
    /// When it was written, milliseconds since 1970 UTC.
    pub ts_ms: i64,
}

/// The key of a feed's checkpoint.
pub fn key(connector: &str, feed: &str) -> String {
    format!("{connector}/{feed}")
}

impl Checkpoint {
    /// As written.
    pub fn encode(cursor: Option<&Cursor>, ts_ms: i64) -> Vec<u8> {
        let checkpoint = Checkpoint { cursor: cursor.map(|cursor| cursor.0.clone()), ts_ms };
        serde_json::to_vec(&checkpoint).expect("two plain fields always encode")
    }

    /// As read; `None` where it is something else, which makes the feed read from the beginning.
    pub fn decode(bytes: &[u8]) -> Option<Checkpoint> {
        serde_json::from_slice(bytes).ok()
    }
}
