//! Kafka as the bus.
//!
//! One transactional producer serves a shard: events, dead letters and checkpoints of a commit become
//! visible together, and taking the shard over fences the earlier owner by its `transactional.id`.
//! With `delivery: at-least-once` the producer is idempotent without transactions.
//!
//! Which process runs which shard is decided by the group protocol; see [`group`].
//!
//! [`fault`](mod@fault) is the one place that says what an error of the client means.
#![forbid(unsafe_code)]
#![allow(rustdoc::private_intra_doc_links)]

mod client;
mod fault;
mod group;
mod lane;
mod log;
mod mock;
mod producer;
mod reader;
mod recover;
mod tail;
mod topics;

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::config::ClientConfig;
use rdkafka::producer::{BaseProducer, Producer};
use talon_runtime::bus::{
    Bus, BusFault, Delivery, Grant, LaneSpec, Membership, OpenLane, ShardLog, ShardSpec, Start,
    Stop, Tailed, TopicSpec,
};
use tokio::task::JoinHandle;

use crate::client::{EARSHOT, Watch};
use crate::fault::fault_of;
use crate::group::Member;
use crate::lane::{KafkaLane, KafkaReader};
use crate::log::KafkaLog;
use crate::producer::{KafkaProducer, Transaction};

pub use client::problems;
pub use mock::InProcess;

/// How long the broker may be silent before it counts as away.
const PATIENCE: Duration = Duration::from_secs(10);

/// A Kafka cluster, and how to reach it.
pub struct Kafka {
    properties: BTreeMap<String, String>,
    prefix: String,
    group: String,
    shared: bool,
}

impl Kafka {
    /// Does no I/O. `properties` are librdkafka's, `bootstrap.servers` among them.
    pub fn new(properties: BTreeMap<String, String>, prefix: &str, group: &str) -> Kafka {
        Kafka { properties, prefix: prefix.to_owned(), group: group.to_owned(), shared: true }
    }

    /// A cluster that no other process uses: the whole work is granted at once, without a group.
    pub fn alone(properties: BTreeMap<String, String>, prefix: &str) -> Kafka {
        Kafka { shared: false, ..Kafka::new(properties, prefix, prefix) }
    }

    /// The group of those that read back. It has no members, but the right to read is asked for by its
    /// name, which begins with that of the processes' group.
    fn recovery(&self) -> String {
        format!("{}.recovery", self.group)
    }

    fn config(&self) -> ClientConfig {
        client::config(&self.properties)
    }

    fn producer(&self, transactional_id: Option<String>) -> Result<BaseProducer<Watch>, BusFault> {
        let mut config = self.config();
        config
            .set("enable.idempotence", "true")
            // As in the Java client, so that every producer puts a key into the same partition.
            .set("partitioner", "murmur2_random");
        for (name, value) in [
            ("compression.type", "lz4"),
            ("linger.ms", "2"),
            ("queue.buffering.max.kbytes", "65536"),
            // A coordinator that is still writing down the transaction before is busy for a few
            // milliseconds, not for the client's 100. The pause doubles with each retry.
            ("retry.backoff.ms", "10"),
        ] {
            if !self.properties.contains_key(name) {
                config.set(name, value);
            }
        }
        if let Some(id) = transactional_id {
            config.set("transactional.id", id);
        }
        config
            .create_with_context(Watch::default())
            .map_err(|error| client::refused(&config, &error))
    }
}

impl Bus for Kafka {
    fn describe(&self) -> String {
        let servers = self.properties.get("bootstrap.servers").map_or("", String::as_str);
        format!("Kafka at {servers}")
    }

    fn probe(&self) -> Result<String, BusFault> {
        let config = self.config();
        let producer: BaseProducer<Watch> = config
            .create_with_context(Watch::default())
            .map_err(|error| client::refused(&config, &error))?;
        let metadata = producer.client().fetch_metadata(None, PATIENCE).map_err(|error| {
            producer.poll(EARSHOT);
            producer.context().explain(fault_of(&error))
        })?;
        Ok(format!("{} brokers, {} topics", metadata.brokers().len(), metadata.topics().len()))
    }

    fn join(&self, membership: Membership) -> JoinHandle<()> {
        if !self.shared {
            return membership.alone();
        }
        let topic = group::topic(&self.prefix, membership.replication);
        let member = Member { config: self.config(), group: self.group.clone(), topic, membership };
        tokio::task::spawn_blocking(move || member.run())
    }

    fn tail(
        &self,
        topics: &[String],
        from: Start,
        stop: &Stop,
        each: &mut dyn FnMut(Tailed<'_>),
    ) -> Result<(), BusFault> {
        tail::tail(&self.config(), &format!("{}.console", self.group), topics, from, stop, each)
    }

    fn open(&self, shard: &ShardSpec, grant: &Grant) -> Result<Box<dyn ShardLog>, BusFault> {
        let (id, transaction) = match shard.delivery {
            Delivery::ExactlyOnce => {
                (Some(format!("{}.{}", self.prefix, shard.name)), Transaction::Closed)
            }
            Delivery::AtLeastOnce => (None, Transaction::Never),
        };
        let producer = self.producer(id)?;
        let topics: Vec<&TopicSpec> = shard.topics.iter().chain([&shard.checkpoints]).collect();
        topics::ensure(&producer, &self.config(), &topics)?;
        let producer = KafkaProducer::new(producer, transaction, grant.clone());
        if transaction == Transaction::Closed {
            producer.take_over()?;
        }
        Ok(Box::new(KafkaLog::new(producer, self.config(), self.recovery(), shard, grant)))
    }

    fn open_lane(&self, lane: &LaneSpec, grant: &Grant) -> Result<OpenLane, BusFault> {
        // Its own, so that a long commit of the feeds holds no command up.
        let producer = self.producer(Some(format!("{}.{}.commands", self.prefix, lane.name)))?;
        let topics = [&lane.commands, &lane.results, &lane.dead_letters];
        topics::ensure(&producer, &self.config(), &topics)?;
        let producer = KafkaProducer::new(producer, Transaction::Closed, grant.clone());
        // First: what an earlier owner committed stands still from here on.
        producer.take_over()?;
        let group = format!("{}.{}.commands", self.group, lane.name);
        let reader = KafkaReader::open(&self.config(), &group, &lane.commands.name)?;
        let (config, recovery) = (self.config(), self.recovery());
        let log = KafkaLane::new(producer, config, recovery, lane.clone(), grant.clone(), &reader);
        Ok((Box::new(reader), Box::new(log)))
    }

    fn send(&self, lane: &LaneSpec, key: &str, value: &[u8]) -> Result<(), BusFault> {
        let client = self.producer(None)?;
        topics::ensure(&client, &self.config(), &[&lane.commands])?;
        let mut producer = KafkaProducer::new(client, Transaction::Never, Grant::unlimited(""));
        producer.send(&lane.commands.name, None, key, Some(value), std::iter::empty())?;
        producer.commit()
    }
}
