//! The commands of a connector: a consumer of the topic of commands, and one transactional producer
//! whose transactions carry intents and outcomes together with the offsets of the commands that they
//! settle.
//!
//! The consumer group of a lane, `{group}.{name}.commands`, has no members: partitions are assigned by
//! hand to the process that owns the connector's shard, and the offsets show in the usual tools.

mod reader;
mod window;

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::Producer;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use talon_runtime::bus::{
    BusFault, Grant, LaneLog, LaneRecord, LaneSpec, LaneTopic, Place, Position, Recovered,
};

use crate::PATIENCE;
use crate::fault::fault_of;
use crate::outbox::Outbox;
use crate::recover::recover;

pub(crate) use reader::{KafkaReader, Windows};

/// How often the places in all partitions are committed, whatever was settled: a broker forgets those of a
/// group without members that are not, each on its own, after `offsets.retention.minutes`.
const REPEAT_EVERY: Duration = Duration::from_secs(1_800);

pub(crate) struct KafkaLane {
    outbox: Outbox,
    config: ClientConfig,
    lane: LaneSpec,
    grant: Grant,
    consumer: Arc<BaseConsumer>,
    windows: Windows,
    /// When the places in all partitions were committed last.
    repeated: Option<Instant>,
}

impl KafkaLane {
    pub(crate) fn new(
        outbox: Outbox,
        config: ClientConfig,
        lane: LaneSpec,
        grant: Grant,
        reader: &KafkaReader,
    ) -> KafkaLane {
        let (consumer, windows) = (reader.consumer(), reader.windows());
        KafkaLane { outbox, config, lane, grant, consumer, windows, repeated: None }
    }

    /// What of the commands is settled, as part of the transaction; in all partitions now and then.
    fn settle(&mut self, settled: &[Position]) -> Result<(), BusFault> {
        let all = self.repeated.is_none_or(|then| then.elapsed() >= REPEAT_EVERY);
        let mut offsets = TopicPartitionList::new();
        {
            let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
            let mut touched = BTreeSet::new();
            for position in settled {
                windows.entry(position.partition).or_default().settle(position.offset);
                touched.insert(position.partition);
            }
            if all {
                touched.extend(windows.keys());
            }
            for partition in touched {
                let Some(window) = windows.get_mut(&partition) else { continue };
                let Some((offset, metadata)) = window.commit() else { continue };
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
        self.outbox.begin()?;
        let sent = self.outbox.producer.send_offsets_to_transaction(&offsets, &group, PATIENCE);
        sent.map_err(|error| self.outbox.explain(&error))
    }
}

impl LaneLog for KafkaLane {
    fn recover(
        &mut self,
        each: &mut dyn FnMut(Recovered<'_>) -> Result<(), BusFault>,
    ) -> Result<(), BusFault> {
        let places = HashMap::from([(self.lane.results.name.as_str(), Place::Topic(0))]);
        recover(&self.config, &places, &self.grant, &mut |_, record| each(record))
    }

    fn append(&mut self, record: &LaneRecord) -> Result<(), BusFault> {
        let topic = match record.topic {
            LaneTopic::Results => &self.lane.results.name,
            LaneTopic::DeadLetters => &self.lane.dead_letters.name,
            LaneTopic::Commands => &self.lane.commands.name,
        };
        let headers = record.headers.iter().map(|(name, value)| (*name, value.as_slice()));
        self.outbox.send(topic, &record.key, Some(&record.value), headers)
    }

    fn commit(&mut self, settled: &[Position]) -> Result<(), BusFault> {
        self.settle(settled)?;
        self.outbox.commit()
    }
}
