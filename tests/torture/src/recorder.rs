//! A consumer that reads topics as others do, and what it makes of them.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{Headers, Message as _};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use talon_runtime::checkpoint::Checkpoint;
use talon_runtime::commands::ResultRecord;
use talon_schemas::result::RESULT;
use talon_schemas::wire::{Payload, Wire};
use talon_schemas::{Contract, Message};
use xxhash_rust::xxh3::xxh3_128;

use crate::facts::{Content, Facts, FeedFacts, Published, Sight};
use crate::subject::{Feed, Subject};

/// Longest reading of a topic.
const PATIENCE: Duration = Duration::from_secs(20);

/// A record as read.
#[derive(Debug, Clone)]
pub struct Record {
    /// Its key.
    pub key: String,
    /// Its value; none is a tombstone.
    pub value: Option<Vec<u8>>,
    /// Its headers.
    pub headers: BTreeMap<String, String>,
}

/// Where the topics are.
#[derive(Debug, Clone)]
pub struct Recorder {
    /// Of the broker; a URL where it is NATS.
    pub address: String,
    /// What topics begin with.
    pub prefix: String,
    /// Name of the connector.
    pub connector: String,
}

impl Recorder {
    /// Everything that a subject's topics tell, beside what is true. The facts lack `sights`, what was
    /// issued, and what was told elsewhere.
    ///
    /// # Errors
    /// A topic cannot be read to its end.
    pub async fn facts(&self, subject: &dyn Subject) -> anyhow::Result<Facts> {
        let mut facts = Facts { canaries: subject.canaries(), ..Facts::default() };
        for feed in subject.feeds() {
            let records = self.read(feed.name).await?;
            let mut published: BTreeMap<String, Vec<Published>> = BTreeMap::new();
            for record in records {
                let headers = format!("{:?}", record.headers);
                facts.told.push((format!("a header of `{}`", feed.name), headers));
                let event = event(feed.contract, &record);
                published.entry(record.key).or_default().push(event);
            }
            let truth = truth(&feed, subject)?;
            facts.feeds.push(FeedFacts { feed: feed.name.to_owned(), published, truth });
        }
        for record in self.read("dlq").await? {
            facts.told.push(("a dead letter's header".to_owned(), format!("{:?}", record.headers)));
        }
        for record in self.read("results").await? {
            let result = result(&record).context("a result that cannot be read")?;
            facts.told.push(("a result".to_owned(), format!("{result:?} {:?}", record.headers)));
            if let Some(outcome) = result.outcome {
                facts.commands.outcomes.entry(result.command_id).or_default().push(outcome);
            }
        }
        // After the outcomes: what is said to be done was done before that.
        facts.commands.effects = subject.effects();
        Ok(facts)
    }

    /// A look at the checkpoints, and then at what is published.
    ///
    /// # Errors
    /// A topic cannot be read to its end.
    pub async fn sights(&self, subject: &dyn Subject) -> anyhow::Result<Vec<Sight>> {
        let mut sights = Vec::new();
        let cursors = self.cursors().await?;
        for feed in subject.feeds() {
            let key = talon_runtime::checkpoint::key(&self.connector, feed.name);
            let Some(cursor) = cursors.get(&key).cloned() else { continue };
            let mut published = BTreeMap::new();
            for record in self.read(feed.name).await? {
                if let Published::Change { after, .. } = event(feed.contract, &record) {
                    published.insert(record.key, after);
                }
            }
            let claimed = subject.claimed(feed.name, &cursor);
            sights.push(Sight { feed: feed.name.to_owned(), cursor, claimed, published });
        }
        Ok(sights)
    }

    async fn read(&self, topic: &str) -> anyhow::Result<Vec<Record>> {
        read(&self.address, &format!("{}.{}.{topic}", self.prefix, self.connector)).await
    }

    /// The cursors of all checkpoints by key.
    async fn cursors(&self) -> anyhow::Result<BTreeMap<String, String>> {
        let records = if self.address.starts_with("nats://") {
            let subject = format!("$KV.{}_checkpoints", self.prefix.replace('.', "-"));
            read_nats(&self.address, &subject).await?
        } else {
            read(&self.address, &format!("{}.checkpoints", self.prefix)).await?
        };
        let mut cursors = BTreeMap::new();
        for record in records {
            let checkpoint = record.value.as_deref().and_then(Checkpoint::decode);
            if let Some(cursor) = checkpoint.and_then(|checkpoint| checkpoint.cursor) {
                cursors.insert(record.key, cursor);
            }
        }
        Ok(cursors)
    }
}

/// All committed records of a topic, from its beginning to its end; those of a key in order. The topic
/// is on NATS where the address is a URL of it, else on Kafka. One that is not there yet is empty.
///
/// # Errors
/// It cannot be read to its end.
pub async fn read(address: &str, topic: &str) -> anyhow::Result<Vec<Record>> {
    if address.starts_with("nats://") {
        return read_nats(address, topic).await;
    }
    let (address, topic) = (address.to_owned(), topic.to_owned());
    tokio::task::spawn_blocking(move || read_kafka(&address, &topic)).await?
}

async fn read_nats(address: &str, topic: &str) -> anyhow::Result<Vec<Record>> {
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
            records.push(Record {
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
    let mut open = assignment.count();
    consumer.assign(&assignment)?;
    let mut records = Vec::new();
    let since = Instant::now();
    while open > 0 {
        ensure!(since.elapsed() < PATIENCE, "`{topic}` cannot be read to its end");
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => records.push(Record {
                key: String::from_utf8_lossy(message.key().unwrap_or_default()).into_owned(),
                value: message.payload().map(<[u8]>::to_vec),
                headers: message.headers().map_or_else(BTreeMap::new, |headers| {
                    let text = |bytes: Option<&[u8]>| {
                        String::from_utf8_lossy(bytes.unwrap_or_default()).into_owned()
                    };
                    headers.iter().map(|one| (one.key.to_owned(), text(one.value))).collect()
                }),
            }),
            Some(Err(KafkaError::PartitionEOF(_))) => open -= 1,
            // The client tries again by itself.
            Some(Err(KafkaError::MessageConsumption(_))) | None => {}
            Some(Err(error)) => bail!("`{topic}`: {error}"),
        }
    }
    Ok(records)
}

fn event(contract: &Contract, record: &Record) -> Published {
    let Some(value) = record.value.as_deref() else { return Published::Tombstone };
    let Some(datum) = datum(contract, value) else { return Published::Unreadable };
    let Ok(parts) = contract.cut(datum) else { return Published::Unreadable };
    let content =
        |entity: Option<&[u8]>| entity.map(|entity| content(contract, entity)).transpose();
    match (content(parts.before), content(parts.after)) {
        (Ok(before), Ok(after)) => {
            let id = record.headers.get("talon-event-id").cloned().unwrap_or_default();
            Published::Change { id, before, after }
        }
        _ => Published::Unreadable,
    }
}

fn content(contract: &Contract, entity: &[u8]) -> anyhow::Result<Content> {
    let stable = contract.stable_len(entity).map_err(|_| anyhow::anyhow!("malformed"))?;
    Ok(xxh3_128(&entity[..stable]))
}

fn truth(
    feed: &Feed,
    subject: &dyn Subject,
) -> anyhow::Result<BTreeMap<String, Vec<Option<Content>>>> {
    let of = |state: Option<Vec<u8>>| state.map(|datum| content(feed.contract, &datum)).transpose();
    let entities = subject.truth(feed.name)?.into_iter();
    entities
        .map(|(key, states)| Ok((key, states.into_iter().map(of).collect::<Result<_, _>>()?)))
        .collect()
}

fn result(record: &Record) -> Option<ResultRecord> {
    RESULT.decode(datum(&*RESULT, record.value.as_deref()?)?).ok()
}

/// The datum of a message, with or without a registry: there is but one version of each schema.
fn datum<'m>(of: &impl AsRef<Message>, message: &'m [u8]) -> Option<&'m [u8]> {
    match Wire::SingleObject.open(of, message) {
        Payload::Own(datum) | Payload::Registered(_, datum) => Some(datum),
        _ => None,
    }
}
