//! Reading the one partition of a store.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use talon_runtime::bus::{BusFault, Grant, Record};

use super::topic::{StoreTopic, WRITE_ID};
use crate::client::refused;
use crate::fault::fault_of;
use crate::patience::PATIENCE;
use crate::reader::{Ends, Topic, offsets, partitions, to_ends};

/// Committed records of the partition, from its beginning on.
pub(super) struct Log {
    /// Until it is dropped.
    consumer: Option<BaseConsumer>,
    topic: [Topic; 1],
    ends: Ends,
    grant: Grant,
}

/// A record of the partition.
pub(super) struct Line {
    pub(super) key: String,
    pub(super) record: Record,
    pub(super) write_id: Option<String>,
}

impl Log {
    /// Asks where it ends now. `wait_ms` is how long the broker waits for records when there are none.
    pub(super) fn open(topic: &StoreTopic, wait_ms: &str) -> Result<Log, BusFault> {
        let name = topic.spec.name.clone();
        let mut config = topic.cluster.config();
        config.set("isolation.level", "read_uncommitted");
        let asker: BaseConsumer = config.create().map_err(|error| refused(&config, &error))?;
        let count = partitions(&asker, &[&name], PATIENCE).map_err(|fault| topic.gone(fault))?[0];
        if count != 1 {
            return Err(BusFault::Misconfigured(format!(
                "Kafka: the topic `{name}` has {count} partitions, and one is needed, so that its records have one order; stop all processes of the group, copy its records into a topic of this name with one partition, and start them"
            )));
        }
        let place = [(name.as_str(), 0)];
        let begin = offsets(&asker, &place, Offset::Beginning, PATIENCE)?[0];
        let end = offsets(&asker, &place, Offset::End, PATIENCE)?[0];
        config
            .set("group.id", &topic.group)
            .set("isolation.level", "read_committed")
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "true")
            // An offset that is not there is looked at, and never skipped by the client.
            .set("auto.offset.reset", "error")
            .set("fetch.wait.max.ms", wait_ms)
            .set("fetch.error.backoff.ms", "50");
        let consumer: BaseConsumer = config.create().map_err(|error| refused(&config, &error))?;
        let mut assignment = TopicPartitionList::new();
        let added = assignment.add_partition_offset(&name, 0, Offset::Offset(begin));
        added.map_err(|error| fault_of(&error))?;
        consumer.assign(&assignment).map_err(|error| fault_of(&error))?;
        let ends = if begin < end { BTreeMap::from([((0, 0), end)]) } else { BTreeMap::new() };
        let (topic, grant) = (Topic { name, by_key: false, own: None }, Grant::unlimited(""));
        Ok(Log { consumer: Some(consumer), topic: [topic], ends, grant })
    }

    /// Reads to where it ended when it was opened, or until `each` says no; whether it was read to there.
    pub(super) fn read(&mut self, each: &mut dyn FnMut(Line) -> bool) -> Result<bool, BusFault> {
        let ends = std::mem::take(&mut self.ends);
        let Some(consumer) = &self.consumer else { return Ok(false) };
        if ends.is_empty() {
            return Ok(true);
        }
        to_ends(&self.topic, &self.grant, consumer, ends, &mut |_, message| {
            Ok(line(message).is_none_or(&mut *each))
        })
    }

    /// The next record, if one comes soon.
    pub(super) fn next(&self, soon: Duration) -> Result<Option<Line>, BusFault> {
        match self.consumer.as_ref().and_then(|consumer| consumer.poll(soon)) {
            None | Some(Err(KafkaError::PartitionEOF(_))) => Ok(None),
            Some(Ok(message)) => Ok(line(&message)),
            Some(Err(error)) => Err(fault_of(&error)),
        }
    }
}

impl Drop for Log {
    /// A consumer takes 100 ms to close (rdkafka 0.39 polls for as long while it is dropped).
    fn drop(&mut self) {
        let consumer = self.consumer.take();
        std::thread::spawn(move || drop(consumer));
    }
}

/// One whose key is no text is nobody's entry.
fn line(message: &BorrowedMessage<'_>) -> Option<Line> {
    let key = std::str::from_utf8(message.key()?).ok()?.to_owned();
    let revision = u64::try_from(message.offset()).ok()?;
    let value = message.payload().map(Bytes::copy_from_slice);
    let write_id = message.headers().and_then(|headers| {
        let value = headers.iter().find(|header| header.key == WRITE_ID)?.value?;
        String::from_utf8(value.to_vec()).ok()
    });
    Some(Line { key, record: Record { revision, value }, write_id })
}
