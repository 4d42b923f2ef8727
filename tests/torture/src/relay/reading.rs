//! Reading topics and streams whole, as any consumer would.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use futures_util::StreamExt;
use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Headers, Message};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use talon_runtime::relay::mapping::{Stored, read_message};
use talon_runtime::relay::{Key, Part, Position, Record};

use super::odd::Whole;

/// Longest reading of a topic or stream.
const PATIENCE: Duration = Duration::from_secs(120);

/// A client that says nothing of brokers that are away.
pub(super) fn client(address: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", address).set_log_level(RDKafkaLogLevel::Emerg);
    config
}

/// The names of the topics that there are.
pub(super) fn topics(address: &str) -> anyhow::Result<Vec<String>> {
    let consumer: BaseConsumer = client(address).create()?;
    let metadata = consumer.fetch_metadata(None, PATIENCE)?;
    Ok(metadata.topics().iter().map(|topic| topic.name().to_owned()).collect())
}

/// All committed records of a topic, by partition; nothing of one that is not there. Blocks.
pub(super) fn read_topic(address: &str, topic: &str) -> anyhow::Result<BTreeMap<i32, Vec<Whole>>> {
    let since = Instant::now();
    let mut config = client(address);
    config.set("group.id", "torture").set("allow.auto.create.topics", "false");
    let consumer: BaseConsumer = config.create()?;
    let metadata = consumer.fetch_metadata(Some(topic), PATIENCE)?;
    let (mut list, mut ends) = (TopicPartitionList::new(), BTreeMap::new());
    for partition in metadata.topics().first().context("no topic")?.partitions() {
        let end = loop {
            match consumer.fetch_watermarks(topic, partition.id(), PATIENCE) {
                Ok((_, end)) => break end,
                // A partition that was just added, or whose broker was just away.
                Err(error) if since.elapsed() > PATIENCE => return Err(error.into()),
                Err(_) => std::thread::sleep(Duration::from_millis(200)),
            }
        };
        if end > 0 {
            ends.insert(partition.id(), end);
            list.add_partition_offset(topic, partition.id(), Offset::Beginning)?;
        }
    }
    let mut all: BTreeMap<i32, Vec<Whole>> = BTreeMap::new();
    consumer.assign(&list)?;
    loop {
        // A client that lost its broker goes on by itself.
        while let Some(polled) = consumer.poll(Duration::from_millis(50)) {
            if let Ok(message) = polled {
                all.entry(message.partition()).or_default().push(whole(&message));
            }
        }
        let position = consumer.position()?;
        let is_read = |(partition, end): (&i32, &i64)| {
            let at = position.find_partition(topic, *partition).map(|element| element.offset());
            matches!(at, Some(Offset::Offset(at)) if at >= *end)
        };
        if ends.iter().all(is_read) {
            return Ok(all);
        }
        ensure!(since.elapsed() < PATIENCE, "`{topic}` cannot be read to its end");
    }
}

fn whole(message: &impl Message) -> Whole {
    let headers = message.headers().into_iter().flat_map(|headers| headers.iter());
    let headers = headers.map(|one| (one.key.to_owned(), one.value.map(<[u8]>::to_vec)));
    Whole {
        key: message.key().map(<[u8]>::to_vec),
        value: message.payload().map(<[u8]>::to_vec),
        headers: headers.collect(),
        at_ms: message.timestamp().to_millis(),
    }
}

/// All records of a stream; those of a relay's positions are none.
pub(super) async fn read_stream(url: &str, stream: &str) -> anyhow::Result<Vec<Record>> {
    use async_nats::jetstream::consumer::pull::OrderedConfig;

    let reading = async {
        let jetstream = async_nats::jetstream::new(async_nats::connect(url).await?);
        let stream = jetstream.get_stream(stream).await?;
        let mut consumer = stream.create_consumer(OrderedConfig::default()).await?;
        let mut pending = consumer.info().await?.num_pending;
        let mut messages = consumer.messages().await?;
        let mut records = Vec::new();
        while pending > 0 {
            let message = messages.next().await.context("the stream ends")??;
            let info = message.info().map_err(anyhow::Error::msg)?;
            pending = info.pending;
            let headers = message.headers.clone().unwrap_or_default();
            if headers.get("Talon-Relay-Position").is_some() {
                continue;
            }
            let pairs = headers.iter().flat_map(|(name, values)| {
                values.iter().map(move |value| (name.to_string(), value.to_string()))
            });
            records.push(read_message(Stored {
                part: Part::new("stream", 0),
                position: Position { next: info.stream_sequence + 1, of: 0 },
                subject: message.subject.to_string(),
                headers: pairs.collect(),
                taken_ms: (info.published.unix_timestamp_nanos() / 1_000_000) as i64,
                payload: message.message.payload.clone(),
            }));
        }
        anyhow::Ok(records)
    };
    let read = tokio::time::timeout(PATIENCE, reading).await;
    read.with_context(|| format!("the stream `{stream}` cannot be read to its end"))?
}

/// A record of a stream, as a record of Kafka; this is its key where it brings none.
pub(super) fn as_whole(record: &Record, key: Option<Vec<u8>>) -> Whole {
    let headers = record.headers.iter();
    let headers = headers.map(|one| (one.name.clone(), one.value.as_ref().map(|v| v.to_vec())));
    Whole {
        key: match &record.key {
            Key::Bytes(key) => Some(key.to_vec()),
            Key::Null => None,
            Key::Absent => key,
        },
        value: record.value.as_ref().map(|value| value.to_vec()),
        headers: headers.collect(),
        at_ms: record.timestamp_ms,
    }
}
