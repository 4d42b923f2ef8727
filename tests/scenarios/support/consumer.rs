//! A consumer that reads topics as others do, and checks what holds for all of them.

use std::collections::{BTreeMap, HashSet};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{Headers, Message};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use serde_json::Value;
use talon_schemas::Contract;
use talon_schemas::wire::{Payload, Wire};

/// A record as read.
#[derive(Debug, Clone)]
pub struct Record {
    pub key: String,
    pub value: Option<Vec<u8>>,
    pub headers: BTreeMap<String, String>,
}

impl Record {
    /// The event in it; none for a tombstone.
    pub fn event(&self, contract: &Contract) -> Option<Value> {
        let message = self.value.as_deref()?;
        match Wire::SingleObject.open(contract, message) {
            Payload::Own(datum) | Payload::Registered(_, datum) => {
                Some(contract.to_json(datum).unwrap())
            }
            Payload::Json(json) => Some(serde_json::from_slice(json).unwrap()),
            other => panic!("no event: {other:?}"),
        }
    }
}

/// All committed records of a topic, from its beginning to its end; the records of a key in order. The
/// topic is on NATS where the address is a URL of it, else on Kafka.
pub fn read(address: &str, topic: &str) -> Vec<Record> {
    if address.starts_with("nats://") {
        tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(read_nats(address, topic))
        })
    } else {
        read_kafka(address, topic)
    }
}

async fn read_nats(address: &str, topic: &str) -> Vec<Record> {
    use async_nats::jetstream::consumer::pull::OrderedConfig;
    use futures_util::StreamExt;

    let jetstream = super::nats::jetstream(address).await;
    let mut records = Vec::new();
    // Dead letters are all on one subject, the records of other topics on one for each key.
    let keyed = !topic.ends_with(".dlq");
    let (one, filter_subject) = match keyed {
        true => (format!("{topic}.x"), format!("{topic}.>")),
        false => (topic.to_owned(), topic.to_owned()),
    };
    // Not there yet is empty.
    let Ok(stream) = jetstream.stream_by_subject(one).await else {
        return records;
    };
    let stream = jetstream.get_stream(stream).await.unwrap();
    let mut consumer = stream
        .create_consumer(OrderedConfig { filter_subject, ..OrderedConfig::default() })
        .await
        .unwrap();
    let info = consumer.info().await.unwrap();
    let (name, mut pending) = (info.name.clone(), info.num_pending);
    let mut messages = consumer.messages().await.unwrap();
    while pending > 0 {
        let message = tokio::time::timeout(super::PATIENCE, messages.next());
        let message = message.await.expect("the stream is read to its end").unwrap().unwrap();
        pending = message.info().unwrap().pending;
        let (_, token) = message.subject.rsplit_once('.').unwrap();
        let headers = message.headers.iter().flat_map(|headers| headers.iter());
        records.push(Record {
            key: if keyed { talon_nats::key(token).unwrap() } else { String::new() },
            value: (!message.payload.is_empty()).then(|| message.payload.to_vec()),
            headers: headers
                .filter_map(|(name, values)| Some((name.to_string(), values.first()?.to_string())))
                .collect(),
        });
    }
    // Tests look again and again, and a server has room for so many only.
    drop(messages);
    stream.delete_consumer(&name).await.ok();
    records
}

fn read_kafka(bootstrap: &str, topic: &str) -> Vec<Record> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", "scenario")
        .set("isolation.level", "read_committed")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "true")
        .set("fetch.wait.max.ms", "10")
        .create()
        .unwrap();
    let metadata = consumer.fetch_metadata(None, Duration::from_secs(30)).unwrap();
    let mut assignment = TopicPartitionList::new();
    for topic in metadata.topics().iter().filter(|known| known.name() == topic) {
        for partition in topic.partitions() {
            assignment
                .add_partition_offset(topic.name(), partition.id(), Offset::Beginning)
                .unwrap();
        }
    }
    let mut open = assignment.count();
    consumer.assign(&assignment).unwrap();
    let mut records = Vec::new();
    let since = Instant::now();
    while open > 0 {
        assert!(since.elapsed() < super::PATIENCE, "`{topic}` cannot be read to its end");
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => records.push(Record {
                key: String::from_utf8(message.key().unwrap().to_vec()).unwrap(),
                value: message.payload().map(<[u8]>::to_vec),
                headers: message.headers().map_or_else(BTreeMap::new, |headers| {
                    headers
                        .iter()
                        .map(|header| {
                            let value = String::from_utf8_lossy(header.value.unwrap()).into_owned();
                            (header.key.to_owned(), value)
                        })
                        .collect()
                }),
            }),
            Some(Err(KafkaError::PartitionEOF(_))) => open -= 1,
            Some(Err(error)) => panic!("`{topic}`: {error}"),
            None => {}
        }
    }
    records
}

/// The names of all topics of a Kafka.
pub fn topics(bootstrap: &str) -> Vec<String> {
    let consumer: BaseConsumer =
        ClientConfig::new().set("bootstrap.servers", bootstrap).create().unwrap();
    let metadata = consumer.fetch_metadata(None, Duration::from_secs(30)).unwrap();
    metadata.topics().iter().map(|topic| topic.name().to_owned()).collect()
}

/// The newest record under each key, tombstones left out, as texts.
pub fn newest(bootstrap: &str, topic: &str) -> BTreeMap<String, String> {
    let mut newest = BTreeMap::new();
    for record in read(bootstrap, topic) {
        match record.value {
            Some(value) => newest.insert(record.key, String::from_utf8(value).unwrap()),
            None => newest.remove(&record.key),
        };
    }
    newest
}

/// The events of a topic by key, in order, after checking what holds for every table and log:
/// no event twice, each event begins where the last one of its key ended, content changes with each.
pub fn keyed_histories(
    bootstrap: &str,
    topic: &str,
    contract: &Contract,
) -> BTreeMap<String, Vec<Value>> {
    let volatile = volatile(contract);
    let content = |entity: &Value| without(entity, &volatile);
    let mut ids = HashSet::new();
    let mut histories: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for record in read(bootstrap, topic) {
        let Some(event) = record.event(contract) else { continue };
        let id = &record.headers["talon-event-id"];
        assert!(ids.insert(id.clone()), "`{topic}` key {}: event {id} twice", record.key);
        let history = histories.entry(record.key.clone()).or_default();
        let last = history.last().map_or(Value::Null, |last| last["after"].clone());
        assert_eq!(
            content(&event["before"]),
            content(&last),
            "`{topic}` key {}: an event does not begin where the last one ended",
            record.key
        );
        assert_ne!(
            content(&event["after"]),
            content(&last),
            "`{topic}` key {}: an event changes nothing",
            record.key
        );
        history.push(event);
    }
    histories
}

/// [`keyed_histories`] of a topic whose keys are numbers.
pub fn histories(bootstrap: &str, topic: &str, contract: &Contract) -> BTreeMap<i64, Vec<Value>> {
    let histories = keyed_histories(bootstrap, topic, contract).into_iter();
    histories.map(|(key, history)| (key.parse().unwrap(), history)).collect()
}

/// Names of the fields that are no content.
fn volatile(contract: &Contract) -> Vec<String> {
    let envelope: Value = serde_json::from_str(contract.text()).unwrap();
    let is_before = |field: &&Value| field["name"] == "before";
    let before = envelope["fields"].as_array().unwrap().iter().find(is_before).unwrap();
    let entity = before["type"].as_array().unwrap().iter().find(|of| of.is_object()).unwrap();
    let fields = entity["fields"].as_array().unwrap().iter();
    let volatile = fields.filter(|field| field["talon.volatile"] == true);
    volatile.map(|field| field["name"].as_str().unwrap().to_owned()).collect()
}

/// An entity without what is no content.
pub fn content(contract: &Contract, entity: &Value) -> Value {
    without(entity, &volatile(contract))
}

fn without(entity: &Value, volatile: &[String]) -> Value {
    let mut entity = entity.clone();
    if let Some(map) = entity.as_object_mut() {
        map.retain(|name, _| !volatile.contains(name));
    }
    entity
}
