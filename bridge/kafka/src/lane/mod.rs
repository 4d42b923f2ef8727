//! The commands of a connector: a consumer of the topic of commands, and one transactional producer
//! whose transactions carry intents and outcomes together with the offsets of the commands that they
//! settle.
//!
//! The consumer group of a lane, `{group}.{name}.commands`, has no members: partitions are assigned by
//! hand to the process that owns the connector's shard, and the offsets show in the usual tools.

mod reader;
mod settled;

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::Producer as _;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use talon_runtime::bus::{
    BusFault, Grant, LaneLog, LaneRecord, LaneSpec, LaneTopic, Position, Recovered,
};

use crate::fault::fault_of;
use crate::patience::PATIENCE;
use crate::producer::KafkaProducer;
use crate::reader::{PartitionReader, Topic};

pub(crate) use reader::KafkaReader;
use reader::Settled;

/// How often the places in all partitions are committed, whatever was settled: a broker forgets those of a
/// group without members that are not, each on its own, after `offsets.retention.minutes`.
const REPEAT_EVERY: Duration = Duration::from_secs(1_800);

pub(crate) struct KafkaLane {
    producer: KafkaProducer,
    /// Of the consumers that read back, and their group.
    config: ClientConfig,
    group: String,
    lane: LaneSpec,
    grant: Grant,
    consumer: Arc<BaseConsumer>,
    settled: Settled,
    /// When the places in all partitions were committed last.
    repeated: Option<Instant>,
}

impl KafkaLane {
    pub(crate) fn new(
        producer: KafkaProducer,
        config: ClientConfig,
        group: String,
        lane: LaneSpec,
        grant: Grant,
        reader: &KafkaReader,
    ) -> KafkaLane {
        let (consumer, settled) = (reader.consumer(), reader.settled());
        KafkaLane { producer, config, group, lane, grant, consumer, settled, repeated: None }
    }

    /// What of the commands is settled, as part of the transaction; in all partitions now and then.
    fn settle(&mut self, settled: &[Position]) -> Result<(), BusFault> {
        let all = self.repeated.is_none_or(|then| then.elapsed() >= REPEAT_EVERY);
        let mut offsets = TopicPartitionList::new();
        {
            let mut known = self.settled.lock().unwrap_or_else(PoisonError::into_inner);
            let mut touched = BTreeSet::new();
            for position in settled {
                known.entry(position.partition).or_default().settle(position.offset);
                touched.insert(position.partition);
            }
            if all {
                touched.extend(known.keys());
            }
            for partition in touched {
                let Some(offsets_of) = known.get_mut(&partition) else { continue };
                let Some((offset, metadata)) = offsets_of.commit() else { continue };
                let mut element = offsets.add_partition(&self.lane.commands.name, partition);
                element.set_offset(Offset::Offset(offset)).map_err(|error| fault_of(&error))?;
                element.set_metadata(metadata);
            }
        }
        if all {
            self.repeated = Some(Instant::now());
        }
        if offsets.count() == 0 {
            return Ok(());
        }
        let Some(group) = self.consumer.group_metadata() else {
            return Err(BusFault::Aborted("Kafka: the group of the commands is gone".to_owned()));
        };
        self.producer.begin()?;
        let sent = self.producer.client().send_offsets_to_transaction(&offsets, &group, PATIENCE);
        sent.map_err(|error| self.producer.explain(&error))
    }
}

impl LaneLog for KafkaLane {
    fn recover(
        &mut self,
        each: &mut dyn FnMut(Recovered<'_>) -> Result<(), BusFault>,
    ) -> Result<(), BusFault> {
        // All records of an id count, and in any order: an outcome stands, whatever comes behind it.
        let topics = [Topic { name: self.lane.results.name.clone(), by_key: false, own: None }];
        let reader = PartitionReader::new(&self.config, &self.group, &topics, &self.grant);
        reader.read(&mut |_, record| each(record)).map(drop)
    }

    fn append(&mut self, record: &LaneRecord) -> Result<(), BusFault> {
        let topic = match record.topic {
            LaneTopic::Results => &self.lane.results.name,
            LaneTopic::DeadLetters => &self.lane.dead_letters.name,
            LaneTopic::Commands => &self.lane.commands.name,
        };
        let headers = record.headers.iter().map(|(name, value)| (*name, value.as_slice()));
        self.producer.send(topic, None, &record.key, Some(&record.value), headers)
    }

    fn commit(&mut self, settled: &[Position]) -> Result<(), BusFault> {
        self.settle(settled)?;
        self.producer.commit()
    }
}
