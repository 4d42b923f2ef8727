//! Who runs what, for people.
//!
//! A process leaves a record on `{prefix}.shards` for each shard that it was granted, and says so again
//! now and then; with a tombstone it takes the record back. A process that stands by for a shard reads
//! them. Where there is none for longer than it takes to say it again, the group has assigned the
//! shard's partition to a process that does not have the connector, and nobody runs it.
//!
//! Nothing in the group rests on it: the group says who may run a shard. [`owner`](mod@super::owner) asks it for tools.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use serde_json::{Value, json};
use talon_runtime::bus::{BusFault, Membership, Owner, Ownership, Shards};

use super::shards::{PARTITIONS, partition};
use crate::client::{Watch, refused};
use crate::cluster::{Cluster, Use};
use crate::fault::fault_of;

/// After so many sessions a process says again what it runs.
const REPEAT: u32 = 6;

/// After so many without a record nobody runs a shard.
const MISSING: u32 = 7;

/// After so many a record that was not repeated is one of a process that is gone.
pub(super) const STALE: u32 = 13;

/// Pause between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How long the last records are waited for when the process leaves.
const FAREWELL: Duration = Duration::from_secs(1);

/// Says what this process runs, and finds who runs the rest.
pub(super) struct Presence<'m> {
    cluster: &'m Cluster,
    group: &'m str,
    topic: &'m str,
    shards: &'m Shards,
    ownership: &'m Ownership,
    session: Duration,
    /// For people: host and process.
    name: &'m str,
    looked: Option<Instant>,
    producer: Option<BaseProducer<Watch>>,
    /// When it was said of what runs here.
    said: BTreeMap<String, Instant>,
    warned: bool,
    reader: Option<Reader>,
}

/// What others have said.
pub(super) struct Reader {
    consumer: BaseConsumer,
    /// Partitions that were read to their ends.
    pub(super) whole: BTreeSet<i32>,
    pub(super) heard: BTreeMap<String, Heard>,
}

#[derive(Debug, Clone)]
pub(super) struct Heard {
    /// None where there is no record.
    pub(super) name: Option<String>,
    /// When it was said, by the clock of who said it.
    pub(super) said_ms: Option<i64>,
    at: Instant,
}

impl<'m> Presence<'m> {
    pub(super) fn new(
        cluster: &'m Cluster,
        group: &'m str,
        topic: &'m str,
        membership: &'m Membership,
        name: &'m str,
        session: Duration,
    ) -> Presence<'m> {
        Presence {
            cluster,
            group,
            topic,
            shards: &membership.shards,
            ownership: &membership.ownership,
            session,
            name,
            looked: None,
            producer: None,
            said: BTreeMap::new(),
            warned: false,
            reader: None,
        }
    }

    /// Does what is due. Waits for nothing; called all the time. `well` is false while the broker is away.
    pub(super) fn turn(&mut self, well: bool) {
        if self.looked.is_some_and(|then| then.elapsed() < LOOK_EVERY) {
            return;
        }
        self.looked = Some(Instant::now());
        let granted = self.ownership.granted();
        let said = self.say(&granted);
        let shards = self.shards.current();
        let found = if shards.is_subset(&granted) {
            self.reader = None;
            Ok(())
        } else {
            self.find(&shards, &granted, well)
        };
        if let Err(fault) = said.and(found) {
            self.producer = None;
            self.reader = None;
            if !std::mem::replace(&mut self.warned, true) {
                tracing::warn!("who runs a connector cannot be said or found: {fault}");
            }
        }
    }

    /// Takes back what was said.
    pub(super) fn leave(&mut self) {
        if self.say(&BTreeSet::new()).is_ok()
            && let Some(producer) = &self.producer
        {
            producer.flush(FAREWELL).ok();
        }
    }

    fn say(&mut self, granted: &BTreeSet<String>) -> Result<(), BusFault> {
        let repeat = self.session * REPEAT;
        let is_due =
            |shard: &&String| self.said.get(*shard).is_none_or(|then| then.elapsed() >= repeat);
        let due: Vec<String> = granted.iter().filter(is_due).cloned().collect();
        let over: Vec<String> =
            self.said.keys().filter(|shard| !granted.contains(*shard)).cloned().collect();
        if !(due.is_empty() && over.is_empty()) {
            let record = json!({ "process": self.name }).to_string();
            let producer = match &mut self.producer {
                Some(producer) => producer,
                none => {
                    let topics = vec![self.topic.to_owned()];
                    none.insert(self.cluster.producer(&Use { topics, ..Use::default() })?)
                }
            };
            for (shard, value) in
                due.iter().map(|s| (s, Some(&record))).chain(over.iter().map(|s| (s, None)))
            {
                let key = format!("{}/{shard}", self.group);
                let mut record =
                    BaseRecord::<_, str>::to(self.topic).key(&key).partition(partition(shard));
                record.payload = value.map(String::as_str);
                producer.send(record).map_err(|(error, _)| fault_of(&error))?;
                match value {
                    Some(_) => self.said.insert(shard.clone(), Instant::now()),
                    None => self.said.remove(shard),
                };
            }
        }
        if let Some(producer) = &self.producer {
            producer.poll(Duration::ZERO);
            if let Some(failed) = producer.context().failed_delivery() {
                return Err(failed.fault);
            }
        }
        Ok(())
    }

    fn find(
        &mut self,
        shards: &BTreeSet<String>,
        granted: &BTreeSet<String>,
        well: bool,
    ) -> Result<(), BusFault> {
        let reader = match &mut self.reader {
            Some(reader) => reader,
            none => none.insert(Reader::new(self.cluster, self.group, self.topic)?),
        };
        reader.read(self.group)?;
        // One that comes back has had no time to be said.
        reader.heard.retain(|shard, heard| heard.name.is_some() || shards.contains(shard));
        for shard in shards.difference(granted) {
            if !reader.whole.contains(&partition(shard)) {
                continue;
            }
            let now = Instant::now();
            let heard = reader.heard.entry(shard.clone()).or_insert(Heard {
                name: None,
                said_ms: None,
                at: now,
            });
            if !well {
                // Others can say nothing either.
                heard.at = now;
            }
            let since = heard.at.elapsed();
            match &heard.name {
                // Of a life of this process that is over.
                Some(name) if name == self.name => {}
                Some(name) if since < self.session * STALE => {
                    self.ownership.tell_owner(shard, Owner::Process(name.clone()));
                }
                None if since < self.session * MISSING => {
                    self.ownership.tell_owner(shard, Owner::Unknown);
                }
                _ => self.ownership.tell_owner(shard, Owner::Nobody),
            }
        }
        Ok(())
    }
}

impl Reader {
    pub(super) fn new(cluster: &Cluster, group: &str, topic: &str) -> Result<Reader, BusFault> {
        let mut config = cluster.config();
        config
            .set("group.id", format!("{group}.presence"))
            .set("enable.auto.commit", "false")
            .set("enable.partition.eof", "true")
            .set("auto.offset.reset", "earliest");
        let consumer: BaseConsumer = config.create().map_err(|error| refused(&config, &error))?;
        let mut all = TopicPartitionList::new();
        all.add_partition_range(topic, 0, PARTITIONS.cast_signed() - 1);
        let beginning = all.set_all_offsets(Offset::Beginning);
        beginning.and_then(|()| consumer.assign(&all)).map_err(|error| fault_of(&error))?;
        Ok(Reader { consumer, whole: BTreeSet::new(), heard: BTreeMap::new() })
    }

    /// Takes in what has come.
    pub(super) fn read(&mut self, group: &str) -> Result<(), BusFault> {
        while let Some(polled) = self.consumer.poll(Duration::ZERO) {
            match polled {
                Ok(message) => {
                    let key = message.key().and_then(|key| std::str::from_utf8(key).ok());
                    let shard = key.and_then(|key| key.strip_prefix(group)?.strip_prefix('/'));
                    if let Some(shard) = shard {
                        let name = message.payload().and_then(name);
                        let (said_ms, at) = (message.timestamp().to_millis(), Instant::now());
                        self.heard.insert(shard.to_owned(), Heard { name, said_ms, at });
                    }
                }
                Err(KafkaError::PartitionEOF(partition)) => {
                    self.whole.insert(partition);
                }
                Err(error) => match fault_of(&error) {
                    BusFault::Unavailable(_) => {}
                    fault => return Err(fault),
                },
            }
        }
        Ok(())
    }
}

fn name(record: &[u8]) -> Option<String> {
    let record: Value = serde_json::from_slice(record).ok()?;
    record.get("process")?.as_str().map(str::to_owned)
}
