//! Following topics as any consumer would, for the console of `talon dev`.

use std::time::Duration;

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use talon_runtime::bus::{BusFault, GiveUp, Tailed};

use crate::PATIENCE;
use crate::client::refused;
use crate::fault::fault_of;

/// Reads topics from their beginnings, committed records only, until told to stop.
///
/// # Errors
/// Where the broker does not know a topic or does not answer at the start; later it waits.
pub(crate) fn tail(
    config: &ClientConfig,
    topics: &[String],
    stop: &GiveUp,
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
            assignment
                .add_partition_offset(topic.name(), partition.id(), Offset::Beginning)
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
