//! Reading a topic from its beginning to its end.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{Headers, Message as _};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

/// Longest reading of a topic.
const PATIENCE: Duration = Duration::from_secs(60);

/// A record as read.
#[derive(Debug, Clone)]
pub(super) struct Record {
    /// When it was made, in ms of Unix time.
    pub(super) at_ms: i64,
    /// Its partition; 0 on NATS.
    pub(super) partition: i32,
    /// Its key.
    pub(super) key: String,
    /// Its value; none is a tombstone.
    pub(super) value: Option<Vec<u8>>,
    /// Its headers.
    pub(super) headers: BTreeMap<String, String>,
}

/// All committed records of a topic, from its beginning to its end; those of a key in order. The topic
/// is on NATS where the address is a URL of it, else on Kafka. One that is not there yet is empty.
///
/// # Errors
/// It cannot be read to its end.
pub(super) async fn read(address: &str, topic: &str) -> anyhow::Result<Vec<Record>> {
    if address.starts_with("nats://") {
        return read_nats(address, topic).await;
    }
    let (address, topic) = (address.to_owned(), topic.to_owned());
    tokio::task::spawn_blocking(move || read_kafka(&address, &topic)).await?
}

pub(super) async fn read_nats(address: &str, topic: &str) -> anyhow::Result<Vec<Record>> {
    use async_nats::jetstream::consumer::pull::OrderedConfig;
    use futures_util::StreamExt;

    let reading = async {
        let client = async_nats::connect(address).await?;
        let jetstream = async_nats::jetstream::new(client);
        let mut records = Vec::new();
        let Ok(stream) = jetstream.stream_by_subject(format!("{topic}.x")).await else {
            return Ok(records);
        };
        let stream = jetstream.get_stream(stream).await?;
        let filter_subject = format!("{topic}.>");
        let config = OrderedConfig { filter_subject, ..OrderedConfig::default() };
        let mut consumer = stream.create_consumer(config).await?;
        let mut pending = consumer.info().await?.num_pending;
        let mut messages = consumer.messages().await?;
        while pending > 0 {
            let message = messages.next().await.context("the stream ends")??;
            pending = message.info().map_err(anyhow::Error::msg)?.pending;
            let token = message.subject.rsplit_once('.').map_or("", |(_, token)| token);
            let headers = message.headers.iter().flat_map(|headers| headers.iter());
            let published = message.info().map_err(anyhow::Error::msg)?.published;
            records.push(Record {
                at_ms: (published.unix_timestamp_nanos() / 1_000_000) as i64,
                partition: 0,
                key: talon_nats::key(token).context("a subject that is no key")?,
                value: (!message.payload.is_empty()).then(|| message.payload.to_vec()),
                headers: headers
                    .filter_map(|(name, values)| {
                        Some((name.to_string(), values.first()?.to_string()))
                    })
                    .collect(),
            });
        }
        anyhow::Ok(records)
    };
    tokio::time::timeout(PATIENCE, reading)
        .await
        .with_context(|| format!("`{topic}` cannot be read to its end"))?
}

fn read_kafka(bootstrap: &str, topic: &str) -> anyhow::Result<Vec<Record>> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", "torture")
        .set("isolation.level", "read_committed")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .set("fetch.wait.max.ms", "10")
        .set_log_level(rdkafka::config::RDKafkaLogLevel::Emerg)
        .create()?;
    let metadata = consumer.fetch_metadata(None, PATIENCE)?;
    let mut assignment = TopicPartitionList::new();
    for topic in metadata.topics().iter().filter(|known| known.name() == topic) {
        for partition in topic.partitions() {
            assignment.add_partition_offset(topic.name(), partition.id(), Offset::Beginning)?;
        }
    }
    let mut open: BTreeSet<i32> =
        assignment.elements().iter().map(|element| element.partition()).collect();
    consumer.assign(&assignment)?;
    let mut records = Vec::new();
    let since = Instant::now();
    while !open.is_empty() {
        ensure!(since.elapsed() < PATIENCE, "`{topic}` cannot be read to its end");
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => records.push(Record {
                at_ms: message.timestamp().to_millis().unwrap_or_default(),
                partition: message.partition(),
                key: String::from_utf8_lossy(message.key().unwrap_or_default()).into_owned(),
                value: message.payload().map(<[u8]>::to_vec),
                headers: message.headers().map_or_else(BTreeMap::new, |headers| {
                    let text = |bytes: Option<&[u8]>| {
                        String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned()
                    };
                    headers.iter().map(|one| (one.key.to_owned(), text(one.value))).collect()
                }),
            }),
            // It comes again where a partition has grown since.
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                open.remove(&partition);
            }
            // The client tries again by itself.
            Some(Err(KafkaError::MessageConsumption(_))) | None => {}
            Some(Err(error)) => bail!("`{topic}`: {error}"),
        }
    }
    Ok(records)
}
