//! Which partitions topics have, and where these begin and end. The leaders are asked, one request each.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::metadata::MetadataTopic;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use talon_runtime::bus::BusFault;

use crate::fault::{fault_of, fault_of_code, of_topic};
use crate::patience::PATIENCE;

/// Pause before leaders are asked again that did not answer, or did not know of a partition.
const PAUSE: Duration = Duration::from_millis(50);

/// How many partitions each of these topics has.
///
/// # Errors
/// A topic that the cluster does not name, or of which no partition is known, is not there: it is never
/// taken for an empty one.
pub(crate) fn partitions(
    consumer: &BaseConsumer,
    topics: &[&str],
    patience: Duration,
) -> Result<Vec<i32>, BusFault> {
    partitions_of_each(consumer, topics, patience)?.into_iter().collect()
}

/// The same, for whom one that is not there does not end it.
///
/// # Errors
/// Where the cluster does not answer.
pub(crate) fn partitions_of_each(
    consumer: &BaseConsumer,
    topics: &[&str],
    patience: Duration,
) -> Result<Vec<Result<i32, BusFault>>, BusFault> {
    let one = if let [one] = topics { Some(*one) } else { None };
    let all = consumer.fetch_metadata(one, patience).map_err(|error| fault_of(&error))?;
    let count = |name: &&str| match all.topics().iter().find(|found| found.name() == *name) {
        Some(found) => count(found),
        // The list of all topics leaves out what may not be seen. Asked for by name, it is told why.
        None => {
            let named = consumer.fetch_metadata(Some(name), patience);
            let named = named.map_err(|error| of_topic(fault_of(&error), name))?;
            named.topics().first().map_or_else(|| Err(gone(name)), count)
        }
    };
    Ok(topics.iter().map(count).collect())
}

/// Whether the cluster has a topic of this name. One that may not be seen is an error, not absent.
pub(crate) fn is_there(
    consumer: &BaseConsumer,
    topic: &str,
    patience: Duration,
) -> Result<bool, BusFault> {
    let named = consumer.fetch_metadata(Some(topic), patience);
    let named = named.map_err(|error| of_topic(fault_of(&error), topic))?;
    let Some(found) = named.topics().first() else { return Ok(false) };
    match found.error().map(RDKafkaErrorCode::from) {
        Some(RDKafkaErrorCode::UnknownTopicOrPartition) => Ok(false),
        Some(code) => Err(of_topic(fault_of_code(code), topic)),
        None => Ok(!found.partitions().is_empty()),
    }
}

fn count(topic: &MetadataTopic) -> Result<i32, BusFault> {
    let name = topic.name();
    if let Some(error) = topic.error() {
        return Err(of_topic(fault_of_code(RDKafkaErrorCode::from(error)), name));
    }
    if topic.partitions().is_empty() {
        return Err(gone(name));
    }
    if let Some(partition) = topic.partitions().iter().find(|p| p.leader() < 0) {
        let number = partition.id();
        return Err(BusFault::Unavailable(format!(
            "Kafka: partition {number} of the topic `{name}` has no leader"
        )));
    }
    Ok(i32::try_from(topic.partitions().len()).unwrap_or(i32::MAX))
}

fn gone(topic: &str) -> BusFault {
    BusFault::Aborted(format!("Kafka: the topic `{topic}` is not there, or has no partitions"))
}

/// The offsets of partitions at their beginning or end, in the order asked. The end is the high
/// watermark, or for a client that reads committed records the last stable offset.
pub(crate) fn offsets(
    consumer: &BaseConsumer,
    partitions: &[(&str, i32)],
    at: Offset,
    patience: Duration,
) -> Result<Vec<i64>, BusFault> {
    if partitions.is_empty() {
        return Ok(Vec::new());
    }
    let since = Instant::now();
    loop {
        let fault = match ask(consumer, partitions, at, patience) {
            Ok(offsets) => return Ok(offsets),
            Err(fault) => fault,
        };
        // A leader that has just been elected does not know its end yet, or not that it leads.
        let passes = matches!(fault, BusFault::Unavailable(_) | BusFault::Aborted(_));
        if !passes || since.elapsed() >= patience.min(PATIENCE / 5) {
            return Err(fault);
        }
        std::thread::sleep(PAUSE);
    }
}

fn ask(
    consumer: &BaseConsumer,
    partitions: &[(&str, i32)],
    at: Offset,
    patience: Duration,
) -> Result<Vec<i64>, BusFault> {
    let mut list = TopicPartitionList::with_capacity(partitions.len());
    for (topic, partition) in partitions {
        // In the place of a time: the codes of both ends are those of the request.
        list.add_partition_offset(topic, *partition, at).map_err(|error| fault_of(&error))?;
    }
    let found = consumer.offsets_for_times(list, patience).map_err(|error| fault_of(&error))?;
    let offset = |(topic, partition): &(&str, i32)| {
        let element = found.find_partition(topic, *partition);
        let element = element.ok_or_else(|| gone(topic))?;
        element.error().map_err(|error| of_topic(fault_of(&error), topic))?;
        match element.offset() {
            Offset::Offset(offset) => Ok(offset),
            _ => Err(BusFault::Unavailable(format!(
                "Kafka: the leader of partition {partition} of the topic `{topic}` does not say where it ends"
            ))),
        }
    };
    partitions.iter().map(offset).collect()
}
