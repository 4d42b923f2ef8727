//! How far a feed has read: a record on `{prefix}.checkpoints`, committed with the events it covers.
//!
//! # Memory that is gone
//!
//! A cursor stands on what was published: it says "what lies before me is known". If the topic was
//! deleted, purged, or restored without its records, or if they cannot be read, that is not so, and a feed
//! that went on from its cursor would never publish again what lies before it. So a checkpoint says how
//! many entities were known, with their content, when it was written, and recovery holds against it what it
//! has read back:
//!
//! > If fewer entities of a table come back than its checkpoint says, less those of which a delete comes
//! > back that may be newer than the checkpoint, the cursor is dropped, and the feed reads from the
//! > beginning.
//!
//! Rows that are known and unchanged publish nothing, so a false alarm costs a read and no event. What is
//! missing is published under new event ids.
//!
//! * **Deletes after the checkpoint.** One is written with each commit that makes entities fewer, whether
//!   or not the cursor has moved. On Kafka both become visible together, so nothing is missing then. On
//!   NATS, and without transactions, a crash can fall between them; then the deletes come back. A delete
//!   event says when it was made, and counts if that is not before the checkpoint; a tombstone whose event
//!   is gone does not, and counts. The price: a loss that is no larger than such tombstones is not noticed.
//! * **Events after the checkpoint** (NATS) only add to what comes back.
//! * **Entities that are not on the topic**, because their event was larger than the bus takes, are not
//!   counted: they would be missed at every start.
//! * **No alarm for ever.** The first commit afterwards writes a checkpoint with what is known by then, so
//!   a process that is killed while it reads anew goes on from there, and entities that are gone from the
//!   upstream too, or stay unreadable, are not missed twice. A topic of a table whose policy deletes by age
//!   loses memory again and again, and each start after such a loss reads anew, which brings back what it
//!   lost; Kafka's look at the policy warns of it.
//! * **Logs** have no rule. Retention makes them shrink, and to read one from the beginning would publish
//!   facts again that were published, and that nobody remembers any more. Their cursor stands.
//! * **Facts that the rows of a table tell** have no cursor; they follow their table.
//! * **Feeds without a cursor** read whole lists, which publish again what is missing.
//! * **Checkpoints of versions that did not count** are believed, unless some entities cannot be read.

use serde::{Deserialize, Serialize};
use talon_sdk::Cursor;

/// The durable record, as JSON, under the key `{connector}/{feed}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The feed's own cursor.
    pub cursor: Option<String>,
    /// When it was written, milliseconds since 1970 UTC.
    pub ts_ms: i64,
    /// How many entities stood on the feed's topic then; see the [module](self).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entities: Option<u64>,
}

/// The key of a feed's checkpoint.
pub fn key(connector: &str, feed: &str) -> String {
    format!("{connector}/{feed}")
}

impl Checkpoint {
    /// As written.
    pub fn encode(cursor: Option<&Cursor>, ts_ms: i64, entities: u64) -> Vec<u8> {
        let cursor = cursor.map(|cursor| cursor.0.clone());
        let checkpoint = Checkpoint { cursor, ts_ms, entities: Some(entities) };
        serde_json::to_vec(&checkpoint).expect("plain fields always encode")
    }

    /// As read; `None` where it is something else, which makes the feed read from the beginning.
    pub fn decode(bytes: &[u8]) -> Option<Checkpoint> {
        serde_json::from_slice(bytes).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_is_read_as_it_was_written_and_so_is_one_that_did_not_count() {
        let written = Checkpoint::encode(Some(&Cursor("c".to_owned())), 5, 7);
        let checkpoint = Checkpoint { cursor: Some("c".to_owned()), ts_ms: 5, entities: Some(7) };
        assert_eq!(Checkpoint::decode(&written), Some(checkpoint));
        let earlier = Checkpoint::decode(br#"{"cursor": "c", "ts_ms": 5}"#).unwrap();
        assert_eq!((earlier.cursor.as_deref(), earlier.entities), (Some("c"), None));
    }
}
