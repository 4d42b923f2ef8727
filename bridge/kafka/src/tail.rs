//! Following topics as any consumer would.

use std::time::Duration;

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use talon_runtime::bus::{BusFault, Start, Stop, Tailed};

use crate::PATIENCE;
use crate::client::refused;
use crate::fault::fault_of;

/// Reads topics, committed records only, until told to stop.
///
/// # Errors
/// Where the broker does not know a topic or does not answer at the start; later it waits.
pub(crate) fn tail(
    config: &ClientConfig,
    topics: &[String],
    from: Start,
    stop: &Stop,
    each: &mut dyn FnMut(Tailed<'_>),
) -> Result<(), BusFault> {
    let mut config = config.clone();
    config
        .set("group.id", "talon.console")
        .set("isolation.level", "read_committed")
        .set("enable.auto.commit", "false")
        .set("fetch.wait.max.ms", "100");
    let consumer: BaseConsumer = config.create().map_err(|error| refused(&config, &error))?;
    let metadata = consumer.fetch_metadata(None, PATIENCE).map_err(|error| fault_of(&error))?;
    let mut assignment = TopicPartitionList::new();
    for topic in metadata.topics().iter().filter(|topic| topics.iter().any(|t| t == topic.name())) {
        for partition in topic.partitions() {
            let start = match from {
                Start::Beginning => Offset::Beginning,
                Start::Time(ms) => since(&consumer, topic.name(), partition.id(), ms)?,
            };
            assignment
                .add_partition_offset(topic.name(), partition.id(), start)
                .map_err(|error| fault_of(&error))?;
        }
    }
    consumer.assign(&assignment).map_err(|error| fault_of(&error))?;
    while !stop.is_set() {
        if let Some(Ok(message)) = consumer.poll(Duration::from_millis(100)) {
            let key = message.key().map(String::from_utf8_lossy).unwrap_or_default();
            each(Tailed { topic: message.topic(), key: &key, value: message.payload() });
        }
    }
    Ok(())
}

/// Where the records of a time begin. The end is asked for first: a record that comes in between is
/// behind it, and not passed over.
fn since(
    consumer: &BaseConsumer,
    topic: &str,
    partition: i32,
    ms: i64,
) -> Result<Offset, BusFault> {
    let found = || -> Result<Offset, KafkaError> {
        let (_, end) = consumer.fetch_watermarks(topic, partition, PATIENCE)?;
        let mut times = TopicPartitionList::new();
        times.add_partition_offset(topic, partition, Offset::Offset(ms))?;
        let offsets = consumer.offsets_for_times(times, PATIENCE)?;
        let found = offsets.find_partition(topic, partition).map(|element| element.offset());
        Ok(match found {
            Some(Offset::Offset(offset)) => Offset::Offset(offset),
            _ => Offset::Offset(end),
        })
    };
    found().map_err(|error| fault_of(&error))
}
