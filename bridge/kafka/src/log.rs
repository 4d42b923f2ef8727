//! The log of a shard: one producer, and what it has not committed yet.

use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use talon_runtime::bus::{Append, BusFault, Grant, Place, Recovered, ShardLog, ShardSpec};

use crate::producer::{KafkaProducer, Transaction};
use crate::reader::{Ends, Read, home};
use crate::recover::Sources;

/// How often it is looked whether partitions were added, or topics made anew: as often as the client looks
/// at partitions by default.
pub(crate) const LOOK_EVERY: Duration = Duration::from_secs(300);

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
    look_every: Duration,
}

impl KafkaLog {
    pub(crate) fn new(
        producer: KafkaProducer,
        consumer: ClientConfig,
        group: String,
        shard: &ShardSpec,
        grant: &Grant,
        look_every: Duration,
    ) -> KafkaLog {
        let (sources, shard, grant) = (Sources::of(shard), shard.clone(), grant.clone());
        let (read, looked) = (Read::default(), Instant::now());
        KafkaLog { producer, consumer, group, shard, grant, sources, read, looked, look_every }
    }

    /// The partition of a key; none where it is the client's to choose.
    fn home(&self, place: Place, key: &str) -> Option<i32> {
        let count = self.read.partitions.get(self.sources.place_of(place)?)?;
        Some(home(key.as_bytes(), *count))
    }

    /// Where partitions were added, or a topic is another one than was read, the shard is opened anew:
    /// what belongs where, and what is missing, is found by reading back.
    ///
    /// A topic that was deleted and made again begins with offset 0, so an end that has gone back tells of
    /// it, and of records that were lost. What is published takes an end forward only.
    fn look_at_topics(&mut self) -> Result<(), BusFault> {
        if self.looked.elapsed() < self.look_every || self.read.partitions.is_empty() {
            return Ok(());
        }
        self.looked = Instant::now();
        let names = self.sources.names();
        let (counts, ends) = match self.producer.ends(&names) {
            Ok(found) => found,
            // A broker that does not answer is noticed elsewhere.
            Err(BusFault::Unavailable(_)) => return Ok(()),
            Err(fault) => return Err(fault),
        };
        if let Some(topic) = grown(&self.read.partitions, &counts) {
            return Err(BusFault::Aborted(format!(
                "Kafka: the topic `{}` has {} partitions now, and had {} when it was read",
                names[topic], counts[topic], self.read.partitions[topic]
            )));
        }
        if let Some((topic, partition)) = gone_back(&self.read.ends, &ends) {
            return Err(BusFault::Aborted(format!(
                "Kafka: partition {partition} of the topic `{}` ends before where it ended: the topic was made anew, or has lost records",
                names[topic]
            )));
        }
        self.read.ends = ends;
        Ok(())
    }
}

/// The first topic with another number of partitions.
fn grown(then: &[i32], now: &[i32]) -> Option<usize> {
    then.iter().zip(now).position(|(then, now)| then != now)
}

/// The first partition that ends before where it did.
fn gone_back(then: &Ends, now: &Ends) -> Option<(usize, i32)> {
    let is_back =
        |(place, end): &(&(usize, i32), &i64)| now.get(place).is_some_and(|now| now < end);
    then.iter().find(is_back).map(|(place, _)| *place)
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
            self.look_at_topics()?;
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

    /// As of the last look.
    fn ends(&self, topic: usize) -> Vec<u64> {
        let Some(at) = self.sources.place_of(Place::Topic(topic)) else { return Vec::new() };
        let count = self.read.partitions.get(at).copied().unwrap_or_default();
        let end = |partition| self.read.ends.get(&(at, partition)).copied().unwrap_or_default();
        (0..count).map(|partition| end(partition).try_into().unwrap_or_default()).collect()
    }

    fn idle(&mut self) -> Result<(), BusFault> {
        self.look_at_topics()?;
        self.producer.look(&self.shard.checkpoints.name)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_partition_that_ends_before_where_it_did_is_another_one() {
        let then = BTreeMap::from([((0, 0), 7), ((0, 1), 3)]);
        assert_eq!(gone_back(&then, &then), None);
        let mut now = then.clone();
        now.insert((0, 0), 9);
        now.insert((1, 0), 0);
        assert_eq!(gone_back(&then, &now), None);
        now.insert((0, 1), 2);
        assert_eq!(gone_back(&then, &now), Some((0, 1)));
        assert_eq!((grown(&[1, 2], &[1, 2]), grown(&[1, 2], &[1, 3])), (None, Some(1)));
    }
}
