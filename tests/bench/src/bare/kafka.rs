//! Kafka: a transaction for each list.

use std::hint::black_box;
use std::time::Duration;

use anyhow::Context;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, Message, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use talon_brokers::unique;
use talon_contractor::contracts::CALL;

use super::{PATIENCE, event_id};

pub(crate) struct Producer {
    producer: BaseProducer,
    topic: String,
    headers: bool,
    sent: u32,
}

impl Producer {
    pub(crate) fn new(servers: &str, topic: String, headers: bool) -> anyhow::Result<Producer> {
        let producer: BaseProducer = ClientConfig::new()
            .set("bootstrap.servers", servers)
            .set("enable.idempotence", "true")
            .set("partitioner", "murmur2_random")
            .set("compression.type", "lz4")
            .set("linger.ms", "2")
            .set("queue.buffering.max.kbytes", "65536")
            .set("transactional.id", unique("peer"))
            .create()?;
        producer.init_transactions(PATIENCE)?;
        Ok(Producer { producer, topic, headers, sent: 0 })
    }
}

impl super::Producer for Producer {
    fn begin(&mut self) -> anyhow::Result<()> {
        Ok(self.producer.begin_transaction()?)
    }

    fn send(&mut self, key: &str, value: &[u8]) -> anyhow::Result<()> {
        let mut record = BaseRecord::to(&self.topic).key(key).payload(value);
        if self.headers {
            let schema = Header { key: "talon-schema", value: Some(CALL.full_name()) };
            let id = Header { key: "talon-event-id", value: Some(&event_id(self.sent)) };
            let headers = OwnedHeaders::new_with_capacity(2).insert(schema).insert(id);
            record = record.headers(headers);
        }
        while let Err((error, back)) = self.producer.send(record) {
            if !matches!(error, KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull)) {
                return Err(error.into());
            }
            record = back;
            self.producer.poll(Duration::from_millis(1));
        }
        self.sent += 1;
        if self.sent.is_multiple_of(1_000) {
            self.producer.poll(Duration::ZERO);
        }
        Ok(())
    }

    /// The outstanding records first, by short polls: otherwise the commit takes 100 ms.
    fn commit(&mut self) -> anyhow::Result<()> {
        while self.producer.in_flight_count() > 0 {
            self.producer.poll(Duration::from_millis(1));
        }
        Ok(self.producer.commit_transaction(PATIENCE)?)
    }
}

/// Reads a topic to its end, and keeps nothing; how many records there were.
pub(crate) fn read(servers: &str, topic: &str) -> anyhow::Result<usize> {
    let mut read = 0;
    read_each(servers, topic, &mut |_, value| {
        black_box(value);
        read += 1;
        Ok(())
    })?;
    Ok(read)
}

/// Takes key and value of a record.
type Each<'e> = &'e mut dyn FnMut(&[u8], Option<&[u8]>) -> anyhow::Result<()>;

/// Reads a topic to its end: key and value of each record.
pub(crate) fn read_each(servers: &str, topic: &str, each: Each<'_>) -> anyhow::Result<()> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", servers)
        .set("group.id", "bench")
        .set("isolation.level", "read_committed")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .set("fetch.wait.max.ms", "5")
        .set("fetch.message.max.bytes", "8388608")
        .set("queued.min.messages", "1000000")
        .create()?;
    let metadata = consumer.fetch_metadata(Some(topic), PATIENCE)?;
    let partitions = metadata.topics().first().context("the topic")?.partitions();
    let mut assignment = TopicPartitionList::new();
    for partition in partitions {
        assignment.add_partition_offset(topic, partition.id(), Offset::Beginning)?;
    }
    consumer.assign(&assignment)?;
    let mut open = assignment.count();
    while open > 0 {
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => each(message.key().unwrap_or_default(), message.payload())?,
            Some(Err(KafkaError::PartitionEOF(_))) => open -= 1,
            Some(Err(error)) => return Err(error.into()),
            None => {}
        }
    }
    Ok(())
}
