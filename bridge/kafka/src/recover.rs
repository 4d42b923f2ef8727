//! Reading back what was published.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{Headers, Message};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use talon_runtime::bus::{BusFault, Grant, Place, Purpose, Recovered, ShardSpec};

use crate::PATIENCE;
use crate::client::refused;
use crate::fault::fault_of;

/// Where the records of each topic of a shard belong.
pub(crate) fn places(shard: &ShardSpec) -> HashMap<&str, Place> {
    let mut places: HashMap<&str, Place> = HashMap::new();
    places.insert(&shard.checkpoints.name, Place::Checkpoints);
    for (i, topic) in shard.topics.iter().enumerate() {
        if topic.purpose != Purpose::DeadLetters {
            places.insert(&topic.name, Place::Topic(i));
        }
    }
    places
}

/// Reads topics to their ends.
///
/// The end of a partition is what `read_committed` shows when the transactions of earlier owners are
/// decided, which taking the shard over has seen to.
pub(crate) fn recover(
    config: &ClientConfig,
    places: &HashMap<&str, Place>,
    grant: &Grant,
    each: &mut dyn FnMut(Place, Recovered<'_>) -> Result<(), BusFault>,
) -> Result<(), BusFault> {
    let mut config = config.clone();
    config
        .set("group.id", "talon.recovery")
        .set("isolation.level", "read_committed")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .set("auto.offset.reset", "earliest")
        // An empty partition is answered at once instead of after half a second.
        .set("fetch.wait.max.ms", "5")
        .set("fetch.error.backoff.ms", "50")
        .set("fetch.message.max.bytes", "8388608")
        .set("queued.min.messages", "1000000")
        // The index is filled more slowly than the client fetches. With the default of a second, the
        // client stops for longer than its full queue lasts (tests/bench, `recovery`).
        .set("fetch.queue.backoff.ms", "10");
    let consumer: BaseConsumer = config.create().map_err(|error| refused(&config, &error))?;

    let mut assignment = TopicPartitionList::new();
    let metadata = consumer.fetch_metadata(None, PATIENCE).map_err(|error| fault_of(&error))?;
    for topic in metadata.topics().iter().filter(|topic| places.contains_key(topic.name())) {
        for partition in topic.partitions() {
            assignment
                .add_partition_offset(topic.name(), partition.id(), Offset::Beginning)
                .map_err(|error| fault_of(&error))?;
        }
    }
    let mut open = assignment.count();
    consumer.assign(&assignment).map_err(|error| fault_of(&error))?;

    let mut last = Instant::now();
    while open > 0 {
        grant.may_begin()?;
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => {
                last = Instant::now();
                // A key that is no text is no event of ours.
                let key = message.key().and_then(|key| std::str::from_utf8(key).ok());
                let at_ms = message.timestamp().to_millis().unwrap_or(0);
                if let (Some(&place), Some(key)) = (places.get(message.topic()), key) {
                    let event_id = message.headers().and_then(|headers| {
                        headers.iter().find(|header| header.key == "talon-event-id")?.value
                    });
                    each(place, Recovered { key, value: message.payload(), event_id, at_ms })?;
                }
            }
            Some(Err(KafkaError::PartitionEOF(_))) => open -= 1,
            Some(Err(error)) => match fault_of(&error) {
                BusFault::Unavailable(_) if last.elapsed() < PATIENCE => {}
                fault => return Err(fault),
            },
            None if last.elapsed() > PATIENCE => {
                return Err(BusFault::Unavailable("Kafka: reading back stalls".to_owned()));
            }
            None => {}
        }
    }
    Ok(())
}
