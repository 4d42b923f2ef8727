//! Reading the dead letters of a connector, for whoever lists or settles them.

use std::collections::BTreeMap;

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use talon_runtime::bus::{
    BusFault, DeadLetter, DeadLetterEnds, Grant, Purpose, ShardSpec, settled_key,
};

use crate::client::{reads_committed, refused};
use crate::fault::fault_of;
use crate::patience::PATIENCE;
use crate::reader::{Ends, Topic, offsets, partitions, to_ends};

/// Reads the topic to the end that its leader says now, committed records only; then what is recorded of those
/// that are settled, up to the last stable offset of the checkpoints. In this order: a letter that is settled in
/// between is found settled.
pub(crate) fn read(
    config: &ClientConfig,
    group: &str,
    shard: &ShardSpec,
    each: &mut dyn FnMut(DeadLetter),
) -> Result<DeadLetterEnds, BusFault> {
    let mut found = DeadLetterEnds::default();
    let Some(topic) = shard.topics.iter().find(|topic| topic.purpose == Purpose::DeadLetters)
    else {
        return Ok(found);
    };
    let mut config = reads_committed(config, group);
    config.set("fetch.wait.max.ms", "5");
    let consumer: BaseConsumer = config.create().map_err(|error| refused(&config, &error))?;
    let grant = Grant::unlimited(&shard.name);
    let [count] = partitions(&consumer, &[&topic.name], PATIENCE)?[..] else { return Ok(found) };
    if count != 1 {
        return Err(BusFault::Misconfigured(format!(
            "Kafka: the topic `{}` has {count} partitions; a dead letter is known by its offset, for which there must be one",
            topic.name
        )));
    }
    let (begin, end) = part(&consumer, &grant, &topic.name, &mut |message| {
        each(letter(message));
    })?;
    (found.oldest, found.next) = (number(begin), number(end));
    let key = settled_key(&shard.name);
    let checkpoints = &shard.checkpoints.name;
    match part(&consumer, &grant, checkpoints, &mut |message| {
        if message.key() == Some(key.as_bytes()) {
            found.settled = message.payload().map(<[u8]>::to_vec);
        }
    }) {
        // Nothing was ever committed.
        Err(BusFault::Aborted(_)) => {}
        other => drop(other?),
    }
    Ok(found)
}

/// Reads the only partition of a topic; where it begins and ends.
fn part(
    consumer: &BaseConsumer,
    grant: &Grant,
    name: &str,
    each: &mut dyn FnMut(&BorrowedMessage<'_>),
) -> Result<(i64, i64), BusFault> {
    // Somebody may have added partitions to that of the checkpoints.
    let [count] = partitions(consumer, &[name], PATIENCE)?[..] else { return Ok((0, 0)) };
    let all: Vec<(&str, i32)> = (0..count).map(|number| (name, number)).collect();
    let begins = offsets(consumer, &all, Offset::Beginning, PATIENCE)?;
    let stable = offsets(consumer, &all, Offset::End, PATIENCE)?;
    let mut assignment = TopicPartitionList::new();
    let mut ends: Ends = BTreeMap::new();
    for ((number, begin), end) in (0..count).zip(&begins).zip(&stable).filter(|((_, b), e)| *b < *e)
    {
        let added = assignment.add_partition_offset(name, number, Offset::Offset(*begin));
        added.map_err(|error| fault_of(&error))?;
        ends.insert((0, number), *end);
    }
    if !ends.is_empty() {
        consumer.assign(&assignment).map_err(|error| fault_of(&error))?;
        let topics = [Topic { name: name.to_owned(), by_key: false, own: None }];
        to_ends(&topics, grant, consumer, ends, &mut |_, message| {
            each(message);
            Ok(true)
        })?;
        consumer.unassign().map_err(|error| fault_of(&error))?;
    }
    Ok((begins.first().copied().unwrap_or(0), stable.first().copied().unwrap_or(0)))
}

fn letter(message: &BorrowedMessage<'_>) -> DeadLetter {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let headers = message.headers().map(|headers| {
        let pair = |header: rdkafka::message::Header<'_, &[u8]>| {
            (header.key.to_owned(), text(header.value.unwrap_or_default()))
        };
        headers.iter().map(pair).collect()
    });
    DeadLetter {
        at: number(message.offset()),
        at_ms: message.timestamp().to_millis().unwrap_or(0),
        key: message.key().map(text).unwrap_or_default(),
        value: message.payload().unwrap_or_default().to_vec(),
        headers: headers.unwrap_or_default(),
    }
}

fn number(offset: i64) -> u64 {
    u64::try_from(offset).unwrap_or(0)
}
