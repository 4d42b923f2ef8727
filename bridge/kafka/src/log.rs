//! The log of a shard: one producer, and what it has not committed yet.

use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use talon_runtime::bus::{Append, BusFault, Grant, Place, Recovered, ShardLog, ShardSpec};

use crate::producer::{KafkaProducer, Transaction};
use crate::reader::{Read, home};
use crate::recover::Sources;

/// How often it is looked whether partitions were added: as often as the client does by default.
const GROWTH_EVERY: Duration = Duration::from_secs(300);

/// The log of a shard that was taken over.
pub(crate) struct KafkaLog {
    producer: KafkaProducer,
    /// Of the consumers that read back, and their group.
    consumer: ClientConfig,
    group: String,
    shard: ShardSpec,
    grant: Grant,
    sources: Sources,
    /// What was found when all was read back. The partition of a key follows from the number of
    /// partitions then, so that a key does not move while the shard lives.
    read: Read,
    looked: Instant,
}

impl KafkaLog {
    pub(crate) fn new(
        producer: KafkaProducer,
        consumer: ClientConfig,
        group: String,
        shard: &ShardSpec,
        grant: &Grant,
    ) -> KafkaLog {
        let (sources, shard, grant) = (Sources::of(shard), shard.clone(), grant.clone());
        let (read, looked) = (Read::default(), Instant::now());
        KafkaLog { producer, consumer, group, shard, grant, sources, read, looked }
    }

    /// The partition of a key; none where it is the client's to choose.
    fn home(&self, place: Place, key: &str) -> Option<i32> {
        let count = self.read.partitions.get(self.sources.place_of(place)?)?;
        Some(home(key.as_bytes(), *count))
    }

    /// Where partitions were added, the shard is opened anew: what belongs where is found by reading back.
    fn look_for_growth(&mut self) -> Result<(), BusFault> {
        if self.looked.elapsed() < GROWTH_EVERY || self.read.partitions.is_empty() {
            return Ok(());
        }
        self.looked = Instant::now();
        let now = self.producer.partitions(&self.sources.names());
        // A broker that does not answer is noticed elsewhere.
        let Some(now) = now else { return Ok(()) };
        let changed = self.read.partitions.iter().zip(&now).position(|(then, now)| then != now);
        let Some(topic) = changed else { return Ok(()) };
        Err(BusFault::Aborted(format!(
            "Kafka: the topic `{}` has {} partitions now, and had {} when it was read",
            self.sources.name(topic),
            now[topic],
            self.read.partitions[topic]
        )))
    }
}

impl ShardLog for KafkaLog {
    fn recover(
        &mut self,
        each: &mut dyn FnMut(Place, Recovered<'_>) -> Result<(), BusFault>,
    ) -> Result<(), BusFault> {
        self.read = self.sources.read(&self.consumer, &self.group, &self.grant, each)?;
        Ok(())
    }

    fn append(&mut self, record: &Append<'_>) -> Result<(), BusFault> {
        if self.producer.transaction() != Transaction::Open {
            self.look_for_growth()?;
        }
        let place = Place::Topic(record.topic);
        let home = self.home(place, record.key);
        let topic = &self.shard.topics[record.topic].name;
        let headers = record.headers.iter().copied();
        self.producer.send(topic, home, record.key, record.value, headers.clone())?;
        if record.value.is_none()
            && let Some(at) = self.sources.place_of(place)
        {
            for stray in self.read.strays.take(at, record.key.as_bytes()) {
                self.producer.send(topic, Some(stray), record.key, None, headers.clone())?;
            }
        }
        Ok(())
    }

    fn commit(&mut self, checkpoints: &[(String, Vec<u8>)]) -> Result<(), BusFault> {
        if self.producer.transaction() == Transaction::Never {
            // Events first: a checkpoint must never be ahead of them.
            self.producer.drain()?;
        }
        let topic = &self.shard.checkpoints.name;
        for (key, value) in checkpoints {
            let home = self.home(Place::Checkpoints, key);
            self.producer.send(topic, home, key, Some(value), std::iter::empty())?;
        }
        self.producer.commit()
    }

    fn idle(&mut self) -> Result<(), BusFault> {
        self.look_for_growth()?;
        self.producer.look(&self.shard.checkpoints.name)
    }
}
