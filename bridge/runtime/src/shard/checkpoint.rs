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
//! It also says where the topic ended. That counts what the number of entities cannot: a topic that was restored
//! with as many entities as before, and older data of some.
//!
//! > If the topic of a table ends before where its checkpoint says it ended, the cursor is dropped too.
//!
//! Rows that are known and unchanged publish nothing, so a false alarm costs a read and no event. What is
//! missing is published under new event ids.
//!
//! * **Deletes after the checkpoint.** One is written with each commit that makes entities fewer, whether
//!   or not the cursor has moved. On Kafka both become visible together, so nothing is missing then. On
//!   NATS, and without transactions, a crash can fall between them; then the deletes come back. A delete
//!   event says when it was made, and counts if that is not before the checkpoint; a tombstone whose event
//!   is gone does not, and counts. The price: a loss that is no larger than such tombstones is not noticed.
//! * **Ends that are older than they could be.** A checkpoint says where the topic ended as far as the bus had
//!   told: before its own commit on NATS, at the last look on Kafka, five minutes ago at the most. It is written
//!   again when more is known, so a quiet topic is known to its end. One that was restored as it was after that
//!   is not noticed.
//! * **Another cluster.** A topic that was copied elsewhere ends elsewhere, and before where it did, if the copy
//!   left out markers of transactions or what was compacted. That is a false alarm, once.
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
    /// Where the parts of the feed's topic ended, as far as was known then; see the [module](self).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ends: Vec<u64>,
}

/// The key of a feed's checkpoint.
pub fn key(connector: &str, feed: &str) -> String {
    format!("{connector}/{feed}")
}

/// The feed whose checkpoint stands under a key, if it is the connector's.
pub(crate) fn feed<'k>(connector: &str, key: &'k str) -> Option<&'k str> {
    key.strip_prefix(connector)?.strip_prefix('/')
}

impl Checkpoint {
    /// As written.
    pub fn encode(cursor: Option<&Cursor>, ts_ms: i64, entities: u64, ends: Vec<u64>) -> Vec<u8> {
        let cursor = cursor.map(|cursor| cursor.0.clone());
        Checkpoint { cursor, ts_ms, entities: Some(entities), ends }.written()
    }

    /// As written.
    pub(crate) fn written(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("plain fields always encode")
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
        let written = Checkpoint::encode(Some(&Cursor("c".to_owned())), 5, 7, vec![3, 0]);
        let (cursor, ends) = (Some("c".to_owned()), vec![3, 0]);
        let checkpoint = Checkpoint { cursor, ts_ms: 5, entities: Some(7), ends };
        assert_eq!(Checkpoint::decode(&written), Some(checkpoint));
        let earlier = Checkpoint::decode(br#"{"cursor": "c", "ts_ms": 5}"#).unwrap();
        assert_eq!((earlier.cursor.as_deref(), earlier.entities), (Some("c"), None));
        assert_eq!(earlier.ends, [0; 0]);
    }
}
