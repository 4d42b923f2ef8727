//! A shard on a real server, used as the runtime uses it: synchronously, inside a runtime.
#![allow(dead_code)]

pub(crate) mod relay;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use async_nats::jetstream;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use futures_util::StreamExt;
use talon_nats::Nats;
use talon_runtime::bus::{
    Append, Bus, BusFault, ConnectorTopics, Delivery, Grant, LaneSpec, Place, Purpose, Recovered,
    ShardLog, ShardSpec, TopicSpec,
};
use talon_sdk::Kind;
use talon_sdk::config::{Secrets, Settings};
use tokio::runtime::Runtime;

/// Places of the topics.
pub(crate) const TABLE: usize = 0;
pub(crate) const LOG: usize = 1;
pub(crate) const DEAD_LETTERS: usize = 2;

/// A day.
pub(crate) const KEEP: Duration = Duration::from_secs(86_400);

/// A prefix on a server.
pub(crate) struct World {
    pub(crate) runtime: Runtime,
    /// Of one server, or of several, separated by commas.
    pub(crate) url: String,
    pub(crate) prefix: String,
    /// Replicas of what is created.
    pub(crate) replication: u16,
    /// How long the past is kept.
    pub(crate) keep: Duration,
    pub(crate) exactly_once: bool,
    pub(crate) extra: Vec<(&'static str, String)>,
}

impl World {
    pub(crate) fn new(url: &str) -> World {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        World {
            runtime: runtime.unwrap(),
            url: url.to_owned(),
            prefix: talon_brokers::unique("t"),
            replication: 0,
            keep: KEEP,
            exactly_once: true,
            extra: Vec::new(),
        }
    }

    /// A process of its own: with its own connection.
    pub(crate) fn process(&self) -> Nats {
        let mut texts = BTreeMap::from([
            ("servers".to_owned(), self.url.clone()),
            ("ping.interval.ms".to_owned(), "500".to_owned()),
        ]);
        for (key, value) in &self.extra {
            texts.insert((*key).to_owned(), value.clone());
        }
        let keys = talon_nats::keys();
        let secrets = Secrets::of_process();
        let mut settings = Settings::new(talon_nats::SECTION, &keys, texts, &secrets);
        let nats = Nats::new(&mut settings, &self.prefix);
        assert_eq!(settings.problems(), []);
        nats.unwrap()
    }

    pub(crate) fn spec(&self) -> ShardSpec {
        let topic = |feed: &str, purpose| TopicSpec {
            name: format!("{}.field.{feed}", self.prefix),
            purpose,
            partitions: 1,
            replication: self.replication,
            keep_ms: self.keep.as_millis() as u64,
            record_bytes: None,
        };
        ShardSpec {
            name: "field".to_owned(),
            delivery: match self.exactly_once {
                true => Delivery::ExactlyOnce,
                false => Delivery::AtLeastOnce,
            },
            topics: vec![
                topic("call", Purpose::Changes(Kind::Table)),
                topic("message", Purpose::Changes(Kind::Log)),
                topic("dlq", Purpose::DeadLetters),
            ],
            checkpoints: TopicSpec {
                name: format!("{}.checkpoints", self.prefix),
                purpose: Purpose::Checkpoints,
                partitions: 1,
                replication: self.replication,
                keep_ms: 0,
                record_bytes: None,
            },
        }
    }

    /// What is found at a look at the streams of the shard and its lane.
    pub(crate) fn look(&self, nats: &Nats) -> Vec<String> {
        let topics = ConnectorTopics { shard: self.spec(), lane: Some(self.lane_spec()) };
        nats.inspect(&[topics]).remove(0).unwrap()
    }

    pub(crate) fn lane_spec(&self) -> LaneSpec {
        let topic = |what: &str, purpose| TopicSpec {
            name: format!("{}.field.{what}", self.prefix),
            purpose,
            partitions: 1,
            replication: self.replication,
            keep_ms: self.keep.as_millis() as u64,
            record_bytes: None,
        };
        LaneSpec {
            name: "field".to_owned(),
            commands: topic("commands", Purpose::Commands),
            results: topic("results", Purpose::Results),
            dead_letters: topic("dlq", Purpose::DeadLetters),
        }
    }

    pub(crate) fn stream(&self) -> String {
        format!("{}_field", self.prefix.to_uppercase())
    }

    pub(crate) fn bucket(&self) -> String {
        format!("{}_checkpoints", self.prefix)
    }

    pub(crate) fn try_open(&self, nats: &Nats) -> Result<Box<dyn ShardLog>, BusFault> {
        let _inside = self.runtime.enter();
        nats.open(&self.spec(), &Grant::unlimited("test"))
    }

    /// Opens and recovers, if the server is there.
    pub(crate) fn try_log(&self, nats: &Nats) -> Result<(Log<'_>, Found), BusFault> {
        let mut log = Log { world: self, log: self.try_open(nats)? };
        let found = log.recover()?;
        Ok((log, found))
    }

    /// Opens and recovers when the server is there again.
    pub(crate) fn open_when_up(&self, nats: &Nats) -> (Log<'_>, Found) {
        let since = Instant::now();
        loop {
            match self.try_log(nats) {
                Err(BusFault::Unavailable(_)) if since.elapsed() < Duration::from_secs(30) => {}
                result => return result.unwrap(),
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Opens and recovers.
    pub(crate) fn open(&self, nats: &Nats) -> (Log<'_>, Found) {
        self.try_log(nats).unwrap()
    }

    pub(crate) fn jetstream(&self) -> jetstream::Context {
        let servers: Vec<&str> = self.url.split(',').collect();
        self.runtime
            .block_on(async { jetstream::new(async_nats::connect(&servers[..]).await.unwrap()) })
    }

    /// Whether the server can end records by itself, so that a marker is published behind a delete.
    pub(crate) fn markers(&self) -> bool {
        self.jetstream().client().is_server_compatible(2, 11, 0)
    }

    /// All messages of a stream.
    pub(crate) fn messages(&self, stream: &str) -> Vec<jetstream::Message> {
        let jetstream = self.jetstream();
        self.runtime.block_on(async {
            let mut stream = jetstream.get_stream(stream).await.unwrap();
            let config = pull::Config {
                deliver_policy: DeliverPolicy::All,
                ack_policy: AckPolicy::None,
                ..pull::Config::default()
            };
            let since = Instant::now();
            loop {
                // Counted anew each time: some may go by their age meanwhile.
                let count = stream.info().await.unwrap().state.messages as usize;
                // The consumer lives on one server of a cluster, and goes with it.
                let consumer = stream.create_consumer(config.clone()).await.unwrap();
                let mut all = Vec::new();
                while all.len() < count {
                    let before = all.len();
                    let fetch = consumer.fetch().max_messages(1_000);
                    let Ok(mut messages) = fetch.messages().await else { break };
                    while let Some(Ok(message)) = messages.next().await {
                        all.push(message);
                    }
                    if all.len() == before {
                        break;
                    }
                }
                if all.len() == count {
                    return all;
                }
                assert!(since.elapsed() < Duration::from_secs(60), "only {} of {count}", all.len());
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
    }
}

/// A log, used inside the runtime.
pub(crate) struct Log<'w> {
    world: &'w World,
    log: Box<dyn ShardLog>,
}

/// What was read back: by topic and key, and the checkpoints.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) records: BTreeMap<(usize, String), Option<String>>,
    pub(crate) ids: BTreeMap<(usize, String), String>,
    pub(crate) checkpoints: BTreeMap<String, String>,
}

impl Found {
    pub(crate) fn value(&self, topic: usize, key: &str) -> Option<Option<&str>> {
        self.records.get(&(topic, key.to_owned())).map(Option::as_deref)
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

impl Log<'_> {
    pub(crate) fn recover(&mut self) -> Result<Found, BusFault> {
        let _inside = self.world.runtime.enter();
        let mut found = Found::default();
        self.log.recover(&mut |place, record: Recovered<'_>| {
            match place {
                Place::Topic(topic) => {
                    let key = (topic, record.key.to_owned());
                    found.ids.insert(key.clone(), text(record.event_id.unwrap_or_default()));
                    let before = found.records.insert(key, record.value.map(text));
                    assert_eq!(before, None, "{} twice", record.key);
                }
                Place::Checkpoints => {
                    found.checkpoints.insert(record.key.to_owned(), text(record.value.unwrap()));
                }
            }
            Ok(())
        })?;
        Ok(found)
    }

    pub(crate) fn append(
        &mut self,
        topic: usize,
        key: &str,
        value: Option<&str>,
        id: &str,
    ) -> Result<(), BusFault> {
        let _inside = self.world.runtime.enter();
        self.log.append(&Append {
            topic,
            key,
            value: value.map(str::as_bytes),
            headers: &[("talon-schema", b"Call"), ("talon-event-id", id.as_bytes())],
        })
    }

    pub(crate) fn put(&mut self, key: &str, value: &str, id: &str) {
        self.append(TABLE, key, Some(value), id).unwrap();
    }

    /// As the runtime deletes: the event, then the tombstone.
    pub(crate) fn delete(&mut self, key: &str, id: &str) {
        self.append(TABLE, key, Some("deleted"), id).unwrap();
        self.append(TABLE, key, None, id).unwrap();
    }

    pub(crate) fn commit(&mut self, checkpoint: Option<&str>) -> Result<(), BusFault> {
        let checkpoint: Vec<_> =
            checkpoint.map(|value| ("field/call", value)).into_iter().collect();
        self.commit_all(&checkpoint)
    }

    pub(crate) fn commit_all(&mut self, checkpoints: &[(&str, &str)]) -> Result<(), BusFault> {
        let _inside = self.world.runtime.enter();
        let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), value.as_bytes().to_vec());
        let checkpoints: Vec<_> = checkpoints.iter().map(owned).collect();
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

    /// Idle until it fails.
    pub(crate) fn idle_fault(&mut self) -> BusFault {
        let since = Instant::now();
        loop {
            match self.idle() {
                Err(fault) => return fault,
                Ok(()) => assert!(since.elapsed() < Duration::from_secs(30), "all is well"),
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

pub(crate) fn header<'m>(message: &'m jetstream::Message, name: &str) -> Option<&'m str> {
    message.headers.as_ref()?.get(name).map(|value| value.as_str())
}
