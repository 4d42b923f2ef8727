//! A shard on a real broker, used as the runtime uses it: synchronously, inside a runtime.
#![allow(dead_code, clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, NewPartitions, NewTopic, ResourceSpecifier,
    TopicReplication,
};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use talon_kafka::Kafka;
use talon_runtime::bus::{
    Append, Bus, BusFault, ConnectorTopics, Delivery, Grant, LaneSpec, Place, Purpose, Recovered,
    ShardLog, ShardSpec, TopicSpec,
};
use talon_sdk::Kind;
use tokio::runtime::Runtime;

/// Places of the topics.
pub(crate) const TABLE: usize = 0;
pub(crate) const LOG: usize = 1;
pub(crate) const DEAD_LETTERS: usize = 2;

pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// A prefix on a broker.
pub(crate) struct World {
    pub(crate) runtime: Runtime,
    pub(crate) bootstrap: String,
    pub(crate) prefix: String,
    pub(crate) partitions: u32,
    pub(crate) record_bytes: Option<usize>,
    pub(crate) extra: Vec<(String, String)>,
}

impl World {
    pub(crate) fn new(bootstrap: &str) -> World {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        World {
            runtime: runtime.unwrap(),
            bootstrap: bootstrap.to_owned(),
            prefix: talon_brokers::unique("t"),
            partitions: 1,
            record_bytes: None,
            extra: Vec::new(),
        }
    }

    pub(crate) fn set(&mut self, property: &str, value: &str) {
        self.extra.push((property.to_owned(), value.to_owned()));
    }

    pub(crate) fn properties(&self) -> BTreeMap<String, String> {
        let mut properties =
            BTreeMap::from([("bootstrap.servers".to_owned(), self.bootstrap.clone())]);
        properties.extend(self.extra.iter().cloned());
        properties
    }

    /// A process of its own.
    pub(crate) fn process(&self) -> Kafka {
        Kafka::new(self.properties(), &self.prefix, &self.prefix)
    }

    pub(crate) fn name(&self, topic: &str) -> String {
        format!("{}.{topic}", self.prefix)
    }

    pub(crate) fn spec(&self, shard: &str) -> ShardSpec {
        let topic = |feed: &str, purpose| TopicSpec {
            name: self.name(&format!("{shard}.{feed}")),
            purpose,
            partitions: self.partitions,
            replication: 0,
            keep_ms: 86_400_000,
            record_bytes: self.record_bytes,
        };
        ShardSpec {
            name: shard.to_owned(),
            delivery: Delivery::ExactlyOnce,
            topics: vec![
                topic("call", Purpose::Changes(Kind::Table)),
                topic("message", Purpose::Changes(Kind::Log)),
                topic("dlq", Purpose::DeadLetters),
            ],
            checkpoints: TopicSpec {
                name: self.name("checkpoints"),
                purpose: Purpose::Checkpoints,
                partitions: 1,
                replication: 0,
                keep_ms: 0,
                record_bytes: None,
            },
        }
    }

    /// What is found at a look at the topics of a shard and its lane.
    pub(crate) fn look(&self, kafka: &Kafka, shard: &str) -> Vec<String> {
        let topics = ConnectorTopics { shard: self.spec(shard), lane: Some(self.lane_spec(shard)) };
        kafka.inspect(&[topics]).remove(0).unwrap()
    }

    pub(crate) fn lane_spec(&self, shard: &str) -> LaneSpec {
        let topic = |what: &str, purpose| TopicSpec {
            name: self.name(&format!("{shard}.{what}")),
            purpose,
            partitions: self.partitions,
            replication: 0,
            keep_ms: 86_400_000,
            record_bytes: None,
        };
        LaneSpec {
            name: shard.to_owned(),
            commands: topic("commands", Purpose::Commands),
            results: topic("results", Purpose::Results),
            dead_letters: topic("dlq", Purpose::DeadLetters),
        }
    }

    pub(crate) fn try_open(&self, kafka: &Kafka, shard: &str) -> Result<Log<'_>, BusFault> {
        self.open_under(kafka, shard, &Grant::unlimited(shard))
    }

    pub(crate) fn open_under(
        &self,
        kafka: &Kafka,
        shard: &str,
        grant: &Grant,
    ) -> Result<Log<'_>, BusFault> {
        let _inside = self.runtime.enter();
        let log = kafka.open(&self.spec(shard), grant)?;
        Ok(Log { world: self, shard: shard.to_owned(), log })
    }

    /// Opens and recovers, as a process of its own.
    pub(crate) fn open(&self, shard: &str) -> (Log<'_>, Found) {
        let mut log = self.try_open(&self.process(), shard).unwrap();
        let found = log.recover().unwrap();
        (log, found)
    }

    pub(crate) fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        for (name, value) in self.properties() {
            config.set(name, value);
        }
        config
    }

    pub(crate) fn admin(&self) -> AdminClient<DefaultClientContext> {
        self.config().create().unwrap()
    }

    pub(crate) fn create_topic(&self, topic: &str, partitions: i32) {
        self.create_topic_with(topic, partitions, &[]);
    }

    /// `false` where a topic of this name is still there.
    pub(crate) fn try_create_topic(&self, topic: &str) -> bool {
        let (admin, topic) = (self.admin(), self.name(topic));
        let new = NewTopic::new(&topic, 1, TopicReplication::Fixed(1));
        let created = self.runtime.block_on(admin.create_topics([&new], &AdminOptions::new()));
        created.unwrap().into_iter().all(|result| result.is_ok())
    }

    pub(crate) fn create_topic_with(
        &self,
        topic: &str,
        partitions: i32,
        settings: &[(&str, &str)],
    ) {
        let (admin, topic) = (self.admin(), self.name(topic));
        let mut new = NewTopic::new(&topic, partitions, TopicReplication::Fixed(1));
        for (name, value) in settings {
            new = new.set(name, value);
        }
        let created = self.runtime.block_on(admin.create_topics([&new], &AdminOptions::new()));
        created.unwrap().into_iter().for_each(|result| drop(result.unwrap()));
    }

    pub(crate) fn grow(&self, topic: &str, partitions: usize) {
        let (admin, topic) = (self.admin(), self.name(topic));
        let new = NewPartitions::new(&topic, partitions);
        let results =
            self.runtime.block_on(admin.create_partitions([&new], &AdminOptions::new())).unwrap();
        results.into_iter().for_each(|result| drop(result.unwrap()));
        let consumer: BaseConsumer = self.config().set("group.id", &self.prefix).create().unwrap();
        until("there are more partitions", || {
            let metadata = consumer.fetch_metadata(Some(&topic), LIMIT).unwrap();
            metadata.topics()[0].partitions().len() == partitions
        });
    }

    pub(crate) fn alter_topic(&self, topic: &str, name: &str, value: &str) {
        let (admin, topic) = (self.admin(), self.name(topic));
        let altered = AlterConfig::new(ResourceSpecifier::Topic(&topic)).set(name, value);
        let altered = self.runtime.block_on(admin.alter_configs([&altered], &AdminOptions::new()));
        altered.unwrap().into_iter().for_each(|result| drop(result.unwrap()));
    }

    pub(crate) fn delete_topic(&self, topic: &str) {
        let (admin, topic) = (self.admin(), self.name(topic));
        let deleted = self.runtime.block_on(admin.delete_topics(&[&topic], &AdminOptions::new()));
        deleted.unwrap().into_iter().for_each(|result| drop(result.unwrap()));
    }

    /// A transaction that somebody leaves open, for longer than any test waits.
    pub(crate) fn transaction(&self, id: &str, topic: &str, key: &str) -> BaseProducer {
        let producer: BaseProducer = self
            .config()
            .set("transactional.id", format!("{}.{id}", self.prefix))
            .set("transaction.timeout.ms", "900000")
            .create()
            .unwrap();
        producer.init_transactions(LIMIT).unwrap();
        producer.begin_transaction().unwrap();
        let topic = self.name(topic);
        producer.send(BaseRecord::to(&topic).key(key).payload("open")).map_err(|(e, _)| e).unwrap();
        until("the record is there", || {
            producer.poll(Duration::from_millis(10));
            producer.in_flight_count() == 0
        });
        producer
    }

    /// All committed records of a topic: partition, key, value.
    pub(crate) fn records(&self, topic: &str) -> Vec<(i32, String, Option<String>)> {
        let mut config = self.config();
        config.set("group.id", format!("{}-test", self.prefix));
        let consumer: BaseConsumer = config.create().unwrap();
        let topic = self.name(topic);
        let metadata = consumer.fetch_metadata(Some(&topic), LIMIT).unwrap();
        let mut assignment = TopicPartitionList::new();
        let mut ends = BTreeMap::new();
        for partition in metadata.topics()[0].partitions() {
            let (begin, end) = consumer.fetch_watermarks(&topic, partition.id(), LIMIT).unwrap();
            if begin < end {
                ends.insert(partition.id(), end);
                assignment.add_partition_offset(&topic, partition.id(), Offset::Beginning).unwrap();
            }
        }
        consumer.assign(&assignment).unwrap();
        let mut records = Vec::new();
        until("all records are read", || {
            while let Some(message) = consumer.poll(Duration::from_millis(50)) {
                let message = message.unwrap();
                let value = message.payload().map(text);
                records.push((message.partition(), text(message.key().unwrap()), value));
            }
            let position = consumer.position().unwrap();
            ends.iter().all(|(partition, end)| {
                let at = position.find_partition(&topic, *partition).unwrap().offset();
                matches!(at, Offset::Offset(at) if at >= *end)
            })
        });
        records
    }
}

impl Drop for World {
    /// A test that fails does not wait for what it started.
    fn drop(&mut self) {
        let idle = tokio::runtime::Builder::new_current_thread().build().unwrap();
        std::mem::replace(&mut self.runtime, idle).shutdown_background();
    }
}

pub(crate) fn until(what: &str, mut met: impl FnMut() -> bool) {
    let since = Instant::now();
    while !met() {
        assert!(since.elapsed() < 2 * LIMIT, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A log, used inside the runtime.
pub(crate) struct Log<'w> {
    world: &'w World,
    shard: String,
    log: Box<dyn ShardLog>,
}

/// What was read back: by topic and key, and the checkpoints. The last record of a key counts.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) records: BTreeMap<(usize, String), String>,
    pub(crate) checkpoints: BTreeMap<String, String>,
}

impl Found {
    pub(crate) fn value(&self, key: &str) -> Option<&str> {
        self.records.get(&(TABLE, key.to_owned())).map(String::as_str)
    }
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

impl Log<'_> {
    pub(crate) fn recover(&mut self) -> Result<Found, BusFault> {
        let mut found = Found::default();
        self.recover_each(&mut |place, record| {
            match place {
                Place::Topic(topic) => {
                    let key = (topic, record.key.to_owned());
                    match record.value {
                        Some(value) => found.records.insert(key, text(value)),
                        None => found.records.remove(&key),
                    };
                }
                Place::Checkpoints => {
                    found.checkpoints.insert(record.key.to_owned(), text(record.value.unwrap()));
                }
            }
            Ok(())
        })?;
        Ok(found)
    }

    pub(crate) fn recover_each(
        &mut self,
        each: &mut dyn FnMut(Place, Recovered<'_>) -> Result<(), BusFault>,
    ) -> Result<(), BusFault> {
        let _inside = self.world.runtime.enter();
        self.log.recover(each)
    }

    pub(crate) fn append(
        &mut self,
        topic: usize,
        key: &str,
        value: Option<&str>,
    ) -> Result<(), BusFault> {
        let _inside = self.world.runtime.enter();
        let headers: &[(&str, &[u8])] = &[("talon-schema", b"Call"), ("talon-event-id", b"00")];
        self.log.append(&Append { topic, key, value: value.map(str::as_bytes), headers })
    }

    pub(crate) fn put(&mut self, key: &str, value: &str) {
        self.append(TABLE, key, Some(value)).unwrap();
    }

    /// As the runtime deletes: the event, then the tombstone.
    pub(crate) fn delete(&mut self, key: &str) {
        self.append(TABLE, key, Some("deleted")).unwrap();
        self.append(TABLE, key, None).unwrap();
    }

    pub(crate) fn commit(&mut self, checkpoint: Option<&str>) -> Result<(), BusFault> {
        let _inside = self.world.runtime.enter();
        let key = format!("{}/call", self.shard);
        let checkpoints: Vec<_> =
            checkpoint.map(|value| (key, value.as_bytes().to_vec())).into_iter().collect();
        self.log.commit(&checkpoints)
    }

    /// Where the parts of a topic end.
    pub(crate) fn ends(&self, topic: usize) -> Vec<u64> {
        self.log.ends(topic)
    }

    pub(crate) fn idle(&mut self) -> Result<(), BusFault> {
        let _inside = self.world.runtime.enter();
        self.log.idle()
    }
}
