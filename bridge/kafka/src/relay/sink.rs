//! The target: records and positions in one transaction.
//!
//! Opening initialises `{prefix}.relay.{relay}.{task}`, which ends what an earlier owner left open and fences it;
//! then the topic of the positions is read to its end. What the earlier owner committed stands there by then, and
//! nothing of it can follow.
//!
//! Topics are made sure of when the first record for them comes, and asked what they take.

use std::collections::{BTreeMap, HashMap};
use std::sync::PoisonError;
use std::time::Instant;

use rdkafka::admin::AdminClient;
use rdkafka::client::DefaultClientContext;
use talon_runtime::bus::{BusFault, Grant, Purpose, TopicSpec};
use talon_runtime::relay::{Address, Key, Part, Position, Record, Resume, Sink, SinkSpec};
use tokio::runtime::Handle;
use tokio::time::timeout;

use super::records::Known;
use super::targets::Targets;
use super::{agreed, convert, dead_letter, records};
use crate::cluster::Cluster;
use crate::patience::PATIENCE;
use crate::policy::{Policy, policies};
use crate::producer::{KafkaProducer, Outgoing};
use crate::reader::partitions;
use crate::topics;
use crate::{Kafka, LEARN};

/// What a record has besides key, value and headers, at most.
const FRAME: usize = 128;

/// A topic that is written to.
struct Target {
    partitions: i32,
    /// None where it may not be seen.
    policy: Option<Policy>,
}

/// The target of one task.
pub(super) struct KafkaSink {
    bus: String,
    cluster: Cluster,
    producer: KafkaProducer,
    reader: rdkafka::ClientConfig,
    group: String,
    spec: SinkSpec,
    positions: TopicSpec,
    dead_letters: TopicSpec,
    grant: Grant,
    id: String,
    targets: Targets,
    /// The topics that were written to.
    known: HashMap<String, Target>,
    /// Of what was written since the last commit.
    written: BTreeMap<Part, Position>,
    begun: bool,
}

impl KafkaSink {
    pub(super) fn open(
        kafka: &Kafka,
        bus: String,
        spec: &SinkSpec,
        grant: &Grant,
    ) -> Result<KafkaSink, BusFault> {
        let prefix = &kafka.prefix;
        let positions = records::topic(prefix, spec.replication);
        let dead_letters = records::dead_letters(prefix, spec);
        let id = agreed::id(prefix, &spec.relay, spec.task);
        let targets = kafka.targets.clone();
        let known = targets.lock().unwrap_or_else(PoisonError::into_inner).get(&id).cloned();
        let relayed = known.into_iter().flatten().map(|name| relayed(name, spec));
        let mut topics = vec![positions.clone(), dead_letters.clone()];
        topics.extend(relayed);
        let all: Vec<&TopicSpec> = topics.iter().collect();
        let take_over = || kafka.producer(Some(id.clone()), &all, grant);
        let mut producer = take_over()?;
        if agreed::settle(kafka, spec, grant, Instant::now())? {
            producer = take_over()?;
        }
        Ok(KafkaSink {
            bus,
            cluster: kafka.cluster.clone(),
            producer,
            reader: kafka.cluster.config(),
            group: kafka.recovery(),
            spec: spec.clone(),
            positions,
            dead_letters,
            grant: grant.clone(),
            id,
            targets,
            known: HashMap::new(),
            written: BTreeMap::new(),
            begun: false,
        })
    }

    /// Makes sure of a topic, and of a partition of it.
    fn ensure(&mut self, topic: &str, partition: Option<i32>) -> Result<(), BusFault> {
        let needed = partition.unwrap_or(0);
        if self.known.get(topic).is_some_and(|known| needed < known.partitions) {
            return Ok(());
        }
        if !self.known.contains_key(topic) {
            let wanted = relayed(topic.to_owned(), &self.spec);
            let look = topics::ensure(self.producer.client(), &self.cluster, &[&wanted])?;
            // What is learnt later counts for the next opening, and the broker's refusal says it as well.
            Handle::current().block_on(async { timeout(LEARN, look).await }).ok();
            self.producer.write_to(topic);
            let mut targets = self.targets.lock().unwrap_or_else(PoisonError::into_inner);
            targets.entry(self.id.clone()).or_default().insert(topic.to_owned());
        }
        let count = partitions(&self.cluster.asker()?, &[topic], PATIENCE)?[0];
        let policy = self.policy(topic);
        for change in policy.iter().flat_map(Policy::changes) {
            tracing::warn!(relay = self.spec.relay, topic, "{change}");
        }
        self.known.insert(topic.to_owned(), Target { partitions: count, policy });
        if needed < count {
            return Ok(());
        }
        Err(BusFault::Misconfigured(format!(
            "Kafka: the topic `{topic}` has {count} partitions, and a record of partition {needed} is to keep its own: add partitions, or leave `to.partition` out"
        )))
    }

    /// Without the right to look there is nothing to say.
    fn policy(&self, topic: &str) -> Option<Policy> {
        let admin: AdminClient<DefaultClientContext> = self.reader.create().ok()?;
        let looked = Handle::current().block_on(policies(&admin, &[topic]));
        // An admin client takes 100 ms to close.
        std::thread::spawn(move || drop(admin));
        looked.ok()?.remove(topic)
    }

    fn put(
        &mut self,
        (topic, partition): (&str, Option<i32>),
        key: Option<&[u8]>,
        record: &Record,
    ) -> Result<(), BusFault> {
        let (headers, bytes) = convert::headers(record);
        let (value, timestamp_ms) = (record.value.as_deref(), record.timestamp_ms);
        let size = FRAME + bytes + key.map_or(0, <[u8]>::len) + value.map_or(0, <[u8]>::len);
        self.producer.put(Outgoing { topic, partition, key, value, timestamp_ms, headers, size })
    }

    fn put_letter(&mut self, letter: &Record) -> Result<(), BusFault> {
        let key = if let Key::Bytes(key) = &letter.key { Some(&key[..]) } else { None };
        let topic = self.dead_letters.name.clone();
        self.put((&topic, Some(0)), key, letter)
    }

    fn position(&mut self, part: &Part, position: Position) -> Result<(), BusFault> {
        let key = records::key(&self.spec.relay, part);
        let value = records::value(position);
        self.producer.send(&self.positions.name, Some(0), &key, Some(&value), std::iter::empty())
    }
}

/// A topic that a relay writes to.
fn relayed(name: String, spec: &SinkSpec) -> TopicSpec {
    TopicSpec {
        name,
        purpose: Purpose::Relayed,
        partitions: spec.partitions,
        replication: spec.replication,
        keep_ms: 0,
        record_bytes: None,
    }
}

impl Sink for KafkaSink {
    fn bus(&self) -> &str {
        &self.bus
    }

    fn resume(&mut self) -> Result<Resume, BusFault> {
        let reader = (&self.reader, &*self.group);
        let Known { mut resume, tasks } =
            agreed::read(reader, &self.spec, &self.positions, &self.grant)?;
        self.spec.tasks.check(&self.spec.relay, tasks)?;
        self.begun = resume.begun;
        resume.begun |= tasks.is_some_and(|tasks| tasks.changed);
        Ok(resume)
    }

    fn write(&mut self, to: &Address, record: &Record) -> Result<(), BusFault> {
        self.ensure(&to.name, to.partition)?;
        let policy = self.known.get(&to.name).and_then(|known| known.policy.as_ref());
        let now_ms = talon_sdk::Clock::System.now_ms();
        let refuses =
            |policy: &Policy| policy.refuses(to.key.is_some(), record.timestamp_ms, now_ms);
        if let Some(why) = policy.and_then(refuses) {
            // It would take all with it that are sent in its batch.
            return Err(BusFault::TooLarge(format!("Kafka: the topic `{}` {why}", to.name)));
        }
        self.put((&to.name, to.partition), to.key.as_deref(), record)?;
        self.written.insert(record.part.clone(), record.position);
        Ok(())
    }

    fn write_dead_letter(&mut self, record: &Record, why: &str) -> Result<(), BusFault> {
        let letter = dead_letter::whole(record, &self.spec, why);
        match self.put_letter(&letter) {
            Err(BusFault::TooLarge(_)) => {
                self.put_letter(&dead_letter::cut(&letter, record.headers.len()))?;
            }
            put => put?,
        }
        self.written.insert(record.part.clone(), record.position);
        Ok(())
    }

    fn commit(&mut self, positions: &[(Part, Position)]) -> Result<(), BusFault> {
        if self.written.is_empty() && positions.is_empty() && self.begun {
            return self.producer.look(&self.positions.name);
        }
        let mut all = std::mem::take(&mut self.written);
        for (part, position) in positions {
            let known = all.entry(part.clone()).or_insert(*position);
            if known.of != position.of || known.next < position.next {
                *known = *position;
            }
        }
        for (part, position) in all {
            self.position(&part, position)?;
        }
        if !self.begun {
            let key = records::begun(&self.spec.relay, self.spec.task);
            let topic = &self.positions.name;
            self.producer.send(topic, Some(0), &key, Some(b"{}"), std::iter::empty())?;
        }
        self.producer.commit()?;
        self.begun = true;
        Ok(())
    }
}
