//! The log of a shard: one producer, and what it has not committed yet.

use rdkafka::ClientConfig;
use talon_runtime::bus::{Append, BusFault, Grant, Place, Recovered, ShardLog, ShardSpec};

use crate::outbox::{Outbox, Transaction};
use crate::recover::{places, recover};

pub(crate) struct KafkaLog {
    pub(crate) outbox: Outbox,
    pub(crate) consumer: ClientConfig,
    pub(crate) shard: ShardSpec,
    pub(crate) grant: Grant,
}

impl ShardLog for KafkaLog {
    fn recover(
        &mut self,
        each: &mut dyn FnMut(Place, Recovered<'_>) -> Result<(), BusFault>,
    ) -> Result<(), BusFault> {
        recover(&self.consumer, &places(&self.shard), &self.grant, each)
    }

    fn append(&mut self, record: &Append<'_>) -> Result<(), BusFault> {
        let topic = &self.shard.topics[record.topic].name;
        let headers = record.headers.iter().copied();
        self.outbox.send(topic, record.key, record.value, headers)
    }

    fn commit(&mut self, checkpoints: &[(String, Vec<u8>)]) -> Result<(), BusFault> {
        if self.outbox.transaction == Transaction::Never {
            // Events first: a checkpoint must never be ahead of them.
            self.outbox.drain()?;
        }
        let topic = &self.shard.checkpoints.name;
        for (key, value) in checkpoints {
            self.outbox.send(topic, key, Some(value), std::iter::empty())?;
        }
        self.outbox.commit()
    }

    fn idle(&mut self) -> Result<(), BusFault> {
        self.outbox.look(&self.shard.checkpoints.name)
    }
}
