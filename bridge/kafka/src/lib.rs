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
#![warn(clippy::print_stdout, clippy::print_stderr)]
#![allow(rustdoc::private_intra_doc_links)]

mod client;
mod cluster;
mod coordinator;
mod dead_letters;
mod fault;
mod group;
mod inspection;
mod lane;
mod limits;
mod listing;
mod log;
mod look;
mod mock;
mod open_transactions;
mod patience;
mod policy;
mod producer;
mod properties;
mod reader;
mod recover;
mod relay;
mod store;
mod tail;
mod topics;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::producer::Producer as _;
use talon_runtime::bus::{
    Bus, BusFault, ConnectorTopics, DeadLetter, DeadLetterEnds, Delivery, Grant, LaneSpec, Look,
    Looked, Membership, MemoryStore, OpenLane, Place, Recovered, ShardLog, ShardSpec, Start, Stop,
    Store, Tailed, TopicSpec,
};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::client::EARSHOT;
use crate::cluster::{Cluster, Use};
use crate::fault::fault_of;
use crate::group::Member;
use crate::inspection::Inspection;
use crate::lane::{KafkaLane, KafkaReader};
use crate::log::{KafkaLog, LOOK_EVERY};
use crate::patience::PATIENCE;
use crate::producer::KafkaProducer;
use crate::reader::is_there;
use crate::recover::Sources;
use crate::store::KafkaStore;

pub use client::problems;
pub use mock::InProcess;
pub use properties::Properties;

/// How long opening waits to learn what topics take; not for a cluster that no other process uses, such as
/// that of `talon dev`, which never says.
const LEARN: Duration = Duration::from_millis(300);

/// A Kafka cluster, and how to reach it.
pub struct Kafka {
    cluster: Cluster,
    prefix: String,
    group: String,
    shared: bool,
    look_every: Duration,
    inspection: Inspection,
    /// Of relays.
    targets: relay::Targets,
}

impl Kafka {
    /// Does no I/O. `properties` are librdkafka's, `bootstrap.servers` among them, as they stand.
    pub fn new(properties: BTreeMap<String, String>, prefix: &str, group: &str) -> Kafka {
        Kafka::following(properties.into(), prefix, group)
    }

    /// With properties that follow their files: a client is made with what they are then.
    pub fn following(properties: Properties, prefix: &str, group: &str) -> Kafka {
        let cluster = Cluster::new(properties);
        Kafka {
            cluster,
            prefix: prefix.to_owned(),
            group: group.to_owned(),
            shared: true,
            look_every: LOOK_EVERY,
            inspection: Inspection::default(),
            targets: relay::Targets::default(),
        }
    }

    /// A cluster that no other process uses: the whole work is granted at once, without a group.
    pub fn alone(properties: BTreeMap<String, String>, prefix: &str) -> Kafka {
        Kafka { shared: false, ..Kafka::new(properties, prefix, prefix) }
    }

    /// Looks so often whether topics are still those that were read, instead of every five minutes. For
    /// tests.
    pub fn looking_every(self, look_every: Duration) -> Kafka {
        Kafka { look_every, ..self }
    }

    /// The group of those that read back. It has no members, but the right to read is asked for by its
    /// name, which begins with that of the processes' group.
    fn recovery(&self) -> String {
        format!("{}.recovery", self.group)
    }

    /// A producer for these topics, which exist afterwards.
    fn producer(
        &self,
        transactional_id: Option<String>,
        topics: &[&TopicSpec],
        grant: &Grant,
    ) -> Result<KafkaProducer, BusFault> {
        let names = topics.iter().map(|topic| topic.name.clone()).collect();
        let wanted = Use { transactional_id, topics: names, ..Use::default() };
        let limits = self.cluster.limits();
        let asks_first = self.shared && !topics.iter().all(|topic| limits.knows(&topic.name));
        if asks_first {
            // A producer is made for what its topics take, and taking over twice costs more than a look.
            let scout = self.cluster.producer(&Use::default())?;
            let look = topics::ensure(&scout, &self.cluster, topics)?;
            // What is learnt later counts for the next opening, and the broker's refusal says it as well.
            Handle::current().block_on(async { timeout(LEARN, look).await }).ok();
        }
        let mut producer = KafkaProducer::new(&self.cluster, wanted, grant)?;
        if !asks_first {
            topics::ensure(producer.client(), &self.cluster, topics)?;
        }
        producer.take_over()?;
        Ok(producer)
    }
}

impl Bus for Kafka {
    fn describe(&self) -> String {
        format!("Kafka at {}", self.cluster.servers())
    }

    fn probe(&self) -> Result<String, BusFault> {
        let producer = self.cluster.producer(&Use::default())?;
        let metadata = producer.client().fetch_metadata(None, PATIENCE).map_err(|error| {
            producer.poll(EARSHOT);
            producer.context().trouble.explain(fault_of(&error))
        })?;
        let (brokers, topics) = (metadata.brokers().len(), metadata.topics().len());
        coordinator::ask_group(&self.cluster, &self.group, &group::topic(&self.prefix, 0).name)?;
        Ok(format!("{brokers} brokers, {topics} topics, the coordinator of groups answers"))
    }

    fn probe_transactions(&self) -> Result<(), BusFault> {
        // No connector's: theirs are `{prefix}.{name}` and `{prefix}.{name}.commands`.
        let transactional_id = Some(format!("{}.talon.probe", self.prefix));
        let wanted = Use { transactional_id, ..Use::default() };
        KafkaProducer::new(&self.cluster, wanted, &Grant::unlimited(""))?.take_over()
    }

    fn join(&self, membership: Membership) -> JoinHandle<()> {
        if !self.shared {
            return membership.alone();
        }
        let topic = group::topic(&self.prefix, membership.replication);
        let (cluster, group) = (self.cluster.clone(), self.group.clone());
        let member = Member { cluster, group, topic, membership, name: group::name() };
        tokio::task::spawn_blocking(move || member.run())
    }

    fn owner(&self, shard: &str) -> Result<Option<String>, BusFault> {
        if !self.shared {
            return Ok(None);
        }
        let topic = group::topic(&self.prefix, 0).name;
        group::owner(&self.cluster, &self.group, &topic, shard)
    }

    fn look(&self, look: &Look) -> Result<Looked, BusFault> {
        let group = format!("{}.console", self.group);
        look::look(&self.cluster.config(), &group, look)
    }

    fn tail(
        &self,
        topics: &[String],
        from: Start,
        stop: &Stop,
        each: &mut dyn FnMut(Tailed<'_>),
    ) -> Result<(), BusFault> {
        let group = format!("{}.console", self.group);
        tail::tail(&self.cluster.config(), &group, topics, from, stop, each)
    }

    fn dead_letters(
        &self,
        shard: &ShardSpec,
        each: &mut dyn FnMut(DeadLetter),
    ) -> Result<DeadLetterEnds, BusFault> {
        dead_letters::read(&self.cluster.config(), &self.recovery(), shard, each)
    }

    fn store(&self, topic: &TopicSpec) -> Arc<dyn Store> {
        if !self.shared {
            return Arc::new(MemoryStore::default());
        }
        let (group, every) = (self.recovery(), self.look_every);
        Arc::new(KafkaStore::new(&self.cluster, group, topic.clone(), every))
    }

    fn open(&self, shard: &ShardSpec, grant: &Grant) -> Result<Box<dyn ShardLog>, BusFault> {
        let id = match shard.delivery {
            Delivery::ExactlyOnce => Some(format!("{}.{}", self.prefix, shard.name)),
            Delivery::AtLeastOnce => None,
        };
        let topics: Vec<&TopicSpec> = shard.topics.iter().chain([&shard.checkpoints]).collect();
        let producer = self.producer(id, &topics, grant)?;
        let (config, recovery) = (self.cluster.config(), self.recovery());
        Ok(Box::new(KafkaLog::new(producer, config, recovery, shard, grant, self.look_every)))
    }

    fn read_back(
        &self,
        shard: &ShardSpec,
        each: &mut dyn FnMut(Place, Recovered<'_>) -> Result<(), BusFault>,
    ) -> Result<(), BusFault> {
        let config = self.cluster.config();
        let asker = self.cluster.asker()?;
        let sources = Sources::of(shard).there(|topic| is_there(&asker, topic, PATIENCE))?;
        let grant = Grant::unlimited(&shard.name);
        sources.read(&config, &self.recovery(), &grant, each)?;
        Ok(())
    }

    fn open_lane(&self, lane: &LaneSpec, grant: &Grant) -> Result<OpenLane, BusFault> {
        // Its own, so that a long commit of the feeds holds no command up.
        let id = format!("{}.{}.commands", self.prefix, lane.name);
        let topics = [&lane.commands, &lane.results, &lane.dead_letters];
        // First: what an earlier owner committed stands still from here on.
        let producer = self.producer(Some(id), &topics, grant)?;
        let group = format!("{}.{}.commands", self.group, lane.name);
        let config = self.cluster.config();
        let reader = KafkaReader::open(&config, &group, &lane.commands.name)?;
        let recovery = self.recovery();
        let log = KafkaLane::new(producer, config, recovery, lane.clone(), grant.clone(), &reader);
        Ok((Box::new(reader), Box::new(log)))
    }

    fn inspect(&self, connectors: &[ConnectorTopics]) -> Vec<Result<Vec<String>, BusFault>> {
        match self.inspection.look(&self.cluster, connectors) {
            Ok(found) => found.into_iter().map(Ok).collect(),
            Err(fault) => connectors.iter().map(|_| Err(fault.clone())).collect(),
        }
    }

    fn send(&self, lane: &LaneSpec, key: &str, value: &[u8]) -> Result<(), BusFault> {
        let mut producer = self.producer(None, &[&lane.commands], &Grant::unlimited(""))?;
        producer.send(&lane.commands.name, None, key, Some(value), std::iter::empty())?;
        producer.commit()
    }
}
