//! Following topics as any consumer would.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use talon_runtime::bus::{BusFault, Start, Stop, Tailed};

use crate::client::refused;
use crate::fault::fault_of;
use crate::patience::PATIENCE;
use crate::reader::{offsets, partitions_of_each};

/// How often it is looked for topics that were not there, and for partitions that were added.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Reads topics, committed records only, until told to stop. One that is not there yet is followed from
/// when it is.
///
/// # Errors
/// Where the broker does not answer at the start, or refuses a topic; later it waits.
pub(crate) fn tail(
    config: &ClientConfig,
    group: &str,
    topics: &[String],
    from: Start,
    stop: &Stop,
    each: &mut dyn FnMut(Tailed<'_>),
) -> Result<(), BusFault> {
    let mut config = config.clone();
    config
        .set("group.id", group)
        .set("isolation.level", "read_committed")
        .set("enable.auto.commit", "false")
        .set("auto.offset.reset", "earliest")
        .set("fetch.wait.max.ms", "100");
    let consumer: BaseConsumer = config.create().map_err(|error| refused(&config, &error))?;
    let mut followed = BTreeMap::new();
    follow(&consumer, topics, from, &mut followed)?;
    let mut looked = Instant::now();
    while !stop.is_set() {
        if looked.elapsed() > LOOK_EVERY {
            looked = Instant::now();
            // What the broker has to say against it now, it says again.
            follow(&consumer, topics, from, &mut followed).ok();
        }
        if let Some(Ok(message)) = consumer.poll(Duration::from_millis(100)) {
            let key = message.key().map(String::from_utf8_lossy).unwrap_or_default();
            each(Tailed { topic: message.topic(), key: &key, value: message.payload() });
        }
    }
    Ok(())
}

/// Takes in the partitions that are not followed yet.
fn follow<'t>(
    consumer: &BaseConsumer,
    topics: &'t [String],
    from: Start,
    followed: &mut BTreeMap<&'t str, i32>,
) -> Result<(), BusFault> {
    let mut new: Vec<(&'t str, i32)> = Vec::new();
    let names: Vec<&str> = topics.iter().map(String::as_str).collect();
    let counts = partitions_of_each(consumer, &names, PATIENCE)?;
    for (topic, count) in topics.iter().zip(counts) {
        let count = match count {
            Err(BusFault::Aborted(_)) => 0,
            count => count?,
        };
        let known = followed.insert(topic, count).unwrap_or_default();
        new.extend((known..count).map(|partition| (topic.as_str(), partition)));
    }
    let mut assignment = TopicPartitionList::new();
    for ((topic, partition), start) in new.iter().zip(starts(consumer, &new, from)?) {
        let added = assignment.add_partition_offset(topic, *partition, start);
        added.map_err(|error| fault_of(&error))?;
    }
    if new.is_empty() {
        return Ok(());
    }
    consumer.incremental_assign(&assignment).map_err(|error| fault_of(&error))
}

/// Where following begins. The ends are asked for first: a record that comes in between is behind them,
/// and not passed over.
fn starts(
    consumer: &BaseConsumer,
    partitions: &[(&str, i32)],
    from: Start,
) -> Result<Vec<Offset>, BusFault> {
    let Start::Time(ms) = from else { return Ok(vec![Offset::Beginning; partitions.len()]) };
    let ends = offsets(consumer, partitions, Offset::End, PATIENCE)?;
    let mut times = TopicPartitionList::new();
    for (topic, partition) in partitions {
        let added = times.add_partition_offset(topic, *partition, Offset::Offset(ms));
        added.map_err(|error| fault_of(&error))?;
    }
    if partitions.is_empty() {
        return Ok(Vec::new());
    }
    let found = consumer.offsets_for_times(times, PATIENCE).map_err(|error| fault_of(&error))?;
    let start = |((topic, partition), end): (&(&str, i32), i64)| {
        match found.find_partition(topic, *partition).map(|element| element.offset()) {
            Some(Offset::Offset(offset)) => Offset::Offset(offset),
            // Nothing was taken since then.
            _ => Offset::Offset(end),
        }
    };
    Ok(partitions.iter().zip(ends).map(start).collect())
}
