//! Writes what was put, whatever stands there.

use std::sync::Arc;

use rdkafka::consumer::BaseConsumer;
use talon_runtime::bus::{BusFault, Grant, Put};

use super::topic::{StoreTopic, WRITE_ID};
use crate::cluster::Use;
use crate::patience::PATIENCE;
use crate::producer::KafkaProducer;
use crate::reader::partitions;

/// Writes what was put, with clients that are made at the first use, and anew after a fault.
pub(super) struct Puts {
    topic: Arc<StoreTopic>,
    clients: Option<Clients>,
}

struct Clients {
    producer: KafkaProducer,
    asker: BaseConsumer,
    /// Of the properties that they were made with.
    version: u64,
}

impl Puts {
    pub(super) fn new(topic: Arc<StoreTopic>) -> Puts {
        Puts { topic, clients: None }
    }

    /// Writes all of them, and waits until they are acknowledged.
    pub(super) fn write(&mut self, puts: &[Put]) -> Result<(), BusFault> {
        let version = self.topic.cluster.version();
        let mut clients = match self.clients.take() {
            Some(clients) if clients.version == version => clients,
            _ => self.connect(version)?,
        };
        let name = &self.topic.spec.name;
        // A producer that writes to a topic which is gone makes the broker create it, with any policy.
        partitions(&clients.asker, &[name], PATIENCE).map_err(|fault| self.topic.gone(fault))?;
        for put in puts {
            let headers = [(WRITE_ID, put.id.as_bytes())].into_iter();
            match clients.producer.send(name, Some(0), &put.key, put.value.as_deref(), headers) {
                Err(BusFault::TooLarge(why)) => {
                    tracing::warn!(key = put.key, "an entry is left out: {why}");
                }
                sent => sent?,
            }
        }
        clients.producer.commit()?;
        self.clients = Some(clients);
        Ok(())
    }

    fn connect(&self, version: u64) -> Result<Clients, BusFault> {
        self.topic.ensure()?;
        let cluster = &self.topic.cluster;
        let topics = vec![self.topic.spec.name.clone()];
        let wanted = Use { topics, ..Use::default() };
        let grant = Grant::unlimited(&self.topic.spec.name);
        let producer = KafkaProducer::new(cluster, wanted, &grant)?;
        Ok(Clients { producer, asker: cluster.asker()?, version })
    }
}
