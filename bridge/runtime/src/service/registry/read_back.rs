//! The schemas of a shard while it is opened.

use futures_util::{StreamExt, TryStreamExt, stream};
use talon_schemas::wire::{Payload, Wire};
use talon_schemas::{Message, Writer};
use tokio::runtime::Handle;

use super::handle::{RECOVERY, Registry};
use crate::bus::BusFault;

/// The schemas of a shard's topics, for a thread that may block.
#[derive(Clone)]
pub(crate) struct Schemas {
    pub(crate) registry: Option<Registry>,
    pub(crate) runtime: Handle,
}

impl Schemas {
    /// Of a registry, if there is one. Must be called inside a Tokio runtime.
    pub(crate) fn new(registry: Option<Registry>) -> Schemas {
        Schemas { registry, runtime: Handle::current() }
    }

    /// How values of topics are written: a topic and its schema each. Registers the schemas where there
    /// is a registry, and waits for these alone.
    pub(crate) fn wires(&self, wanted: &[(&str, &Message)]) -> Result<Vec<Wire>, BusFault> {
        let Some(registry) = &self.registry else {
            return Ok(vec![Wire::SingleObject; wanted.len()]);
        };
        let register = |&(topic, schema)| async move {
            let id = registry.register(topic, schema).await?;
            Ok(Wire::Confluent { id })
        };
        let all = stream::iter(wanted).map(register).buffered(wanted.len().max(1));
        self.runtime.block_on(all.try_collect())
    }

    /// The datum in a message that was read back, in today's schema; `None` where the message cannot be
    /// read. `is_ours` is asked of a datum in today's schema whether it holds what must stand in it.
    ///
    /// Whose schema the message names is not enough: a registry that was lost has given the id to another
    /// schema since, this one included.
    ///
    /// # Errors
    /// Where the registry is needed and does not answer.
    pub(crate) fn read_back(
        &self,
        of: &Message,
        payload: Payload<'_>,
        is_ours: impl Fn(&[u8]) -> bool,
    ) -> Result<Option<Vec<u8>>, BusFault> {
        let (named, datum) = match payload {
            Payload::Own(datum) => (None, datum),
            Payload::Fingerprinted(fingerprint, datum) => (of.earlier(fingerprint), datum),
            Payload::Registered(id, datum) => (self.by_id(id)?, datum),
            Payload::Json(json) => {
                return Ok(of.from_json(json).ok().filter(|datum| is_ours(datum)));
            }
            Payload::Foreign => return Ok(None),
        };
        let named = named
            .filter(|writer| of.is_written_by(writer))
            .and_then(|writer| of.upgrade(writer, datum).ok())
            .filter(|datum| is_ours(datum));
        Ok(match (named, payload) {
            (Some(datum), _) => Some(datum),
            // It says which schema it has, and that is none of those known.
            (None, Payload::Fingerprinted(..)) => None,
            (None, _) => of.recognise(datum, is_ours),
        })
    }

    /// Not by `block_on`: a bus may call from within a future of its own, where that panics.
    fn by_id(&self, id: u32) -> Result<Option<&'static Writer>, BusFault> {
        let Some(registry) = &self.registry else { return Ok(None) };
        if let Some(known) = registry.remembered(id, RECOVERY) {
            return Ok(known);
        }
        let (registry, (sender, answer)) = (registry.clone(), std::sync::mpsc::sync_channel(1));
        self.runtime.spawn(async move {
            // Who asked does not go away before the answer.
            sender.send(registry.by_id(id, RECOVERY).await).ok();
        });
        let stopping = |_| Err(BusFault::Unavailable("the process stops".to_owned()));
        answer.recv().unwrap_or_else(stopping)
    }
}
