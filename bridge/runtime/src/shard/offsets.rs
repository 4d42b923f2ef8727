//! How far the feeds of a connector have read, as a person shows, sets and resets it: the words are those of
//! Kafka Connect (KIP-875), whose offset is a feed's cursor here.
//!
//! The connector must not run: [`Offsets::take_over`] asks the bus who runs it, and refuses. Then it takes the
//! connector over, as its next owner does, so a process that starts in between is fenced, reads back, and goes on
//! from what was set; with `delivery: at-least-once` on Kafka nobody is fenced, and that process may write its own
//! offset over it. What is read again and known publishes nothing.

use std::collections::BTreeMap;

use talon_sdk::Cursor;

use super::checkpoint::{self, Checkpoint};
use crate::bus::{Bus, BusFault, Delivery, Grant, Place, ShardLog, ShardSpec};

/// The offsets of a connector. Blocks; used by one thread.
pub struct Offsets {
    log: Box<dyn ShardLog>,
    connector: String,
    known: BTreeMap<String, Checkpoint>,
}

/// Why offsets cannot be changed.
#[derive(Debug, thiserror::Error)]
pub enum OffsetsError {
    /// A process runs the connector.
    #[error(
        "`{process}` runs `{connector}`: stop every process that runs it, and set the offset then; it goes on from there when it is started"
    )]
    Owned {
        /// The process, for people.
        process: String,
        /// The connector.
        connector: String,
    },
    /// The bus fails.
    #[error(transparent)]
    Bus(#[from] BusFault),
}

impl Offsets {
    /// Reads them. Reads back all that the connector has published, as its owner would, and makes topics that
    /// are missing.
    ///
    /// # Errors
    /// What the bus says.
    pub fn read(bus: &dyn Bus, shard: &ShardSpec) -> Result<Offsets, BusFault> {
        // Fences nobody.
        let shard = ShardSpec { delivery: Delivery::AtLeastOnce, ..shard.clone() };
        Offsets::open(bus, &shard)
    }

    /// Reads them to change them: takes the connector over, if nobody runs it.
    ///
    /// # Errors
    /// Who runs it, or what the bus says.
    pub fn take_over(bus: &dyn Bus, shard: &ShardSpec) -> Result<Offsets, OffsetsError> {
        if let Some(process) = bus.owner(&shard.name)? {
            return Err(OffsetsError::Owned { process, connector: shard.name.clone() });
        }
        Ok(Offsets::open(bus, shard)?)
    }

    fn open(bus: &dyn Bus, shard: &ShardSpec) -> Result<Offsets, BusFault> {
        let mut log = bus.open(shard, &Grant::unlimited(&shard.name))?;
        let connector = shard.name.clone();
        let mut known = BTreeMap::new();
        log.recover(&mut |place, record| {
            if place == Place::Checkpoints
                && let Some(feed) = checkpoint::feed(&connector, record.key)
            {
                match record.value.and_then(Checkpoint::decode) {
                    Some(checkpoint) => known.insert(feed.to_owned(), checkpoint),
                    None => known.remove(feed),
                };
            }
            Ok(())
        })?;
        Ok(Offsets { log, connector, known })
    }

    /// By feed; `None` is a feed that reads from the beginning.
    pub fn all(&self) -> BTreeMap<&str, Option<&str>> {
        let known = self.known.iter();
        known.map(|(feed, checkpoint)| (feed.as_str(), checkpoint.cursor.as_deref())).collect()
    }

    /// Sets the offsets of feeds, or resets them where none is given: then they read from the beginning. On Kafka all
    /// together.
    ///
    /// # Errors
    /// What the bus says; then the connector is to be taken over anew.
    pub fn set(
        &mut self,
        feeds: Vec<(String, Option<Cursor>)>,
        now_ms: i64,
    ) -> Result<(), BusFault> {
        let changed = feeds.into_iter().map(|(feed, offset)| {
            // What is known of the topic stays known.
            let none = Checkpoint { cursor: None, ts_ms: now_ms, entities: None, ends: Vec::new() };
            let mut checkpoint = self.known.get(&feed).cloned().unwrap_or(none);
            checkpoint.cursor = offset.map(|offset| offset.0);
            (feed, checkpoint)
        });
        // Of a feed that is named twice the last counts.
        let changed: BTreeMap<String, Checkpoint> = changed.collect();
        let key = |feed: &String| checkpoint::key(&self.connector, feed);
        let records: Vec<(String, Vec<u8>)> =
            changed.iter().map(|(feed, checkpoint)| (key(feed), checkpoint.written())).collect();
        self.log.commit(&records)?;
        self.known.extend(changed);
        Ok(())
    }
}
