//! Records on a real bus, as a version left them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use talon_kafka::Kafka;
use talon_nats::Nats;
use talon_runtime::bus::{Append, Bus, Grant, Place};
use talon_runtime::{Setup, shard_spec};
use talon_sdk::config::{Secrets, Settings};

use crate::fixture::Record;
use crate::support::consumer::read;
use crate::support::nats;

/// Where a process works.
#[derive(Clone)]
pub(crate) struct Site {
    pub(crate) address: String,
    pub(crate) prefix: String,
}

impl Site {
    /// A bus as a new process has it.
    pub(crate) fn bus(&self) -> Arc<dyn Bus> {
        let address = self.address.clone();
        if !address.starts_with("nats://") {
            let properties = [("bootstrap.servers".to_owned(), address)];
            return Arc::new(Kafka::alone(properties.into(), &self.prefix));
        }
        let keys = talon_nats::keys();
        let texts = [("servers".to_owned(), address)].into();
        let mut settings = Settings::new(talon_nats::SECTION, &keys, texts, &Secrets::Unresolved);
        Arc::new(Nats::new(&mut settings, &self.prefix).unwrap())
    }

    /// Everything on the topics of these connectors.
    pub(crate) fn records(&self, setups: &[Setup]) -> Vec<Record> {
        let mut records = Vec::new();
        for setup in setups {
            let spec = shard_spec(&self.prefix, setup);
            let mut topics: Vec<String> =
                spec.topics.iter().map(|topic| topic.name.clone()).collect();
            if !setup.connector.commands().is_empty() {
                topics.push(format!("{}.{}.results", self.prefix, setup.name));
            }
            for topic in topics {
                let name = topic.strip_prefix(&format!("{}.", self.prefix)).unwrap().to_owned();
                for record in read(&self.address, &topic) {
                    let (topic, key, value) = (name.clone(), record.key, record.value);
                    records.push(Record { topic, key, value, headers: record.headers });
                }
            }
            tokio::task::block_in_place(|| {
                let mut log = self.bus().open(&spec, &Grant::unlimited(&setup.name)).unwrap();
                log.recover(&mut |place, record| {
                    if place == Place::Checkpoints {
                        // The newest is all that is ever read.
                        records.retain(|other: &Record| {
                            other.topic != "checkpoints" || other.key != record.key
                        });
                        records.push(Record {
                            topic: "checkpoints".to_owned(),
                            key: record.key.to_owned(),
                            value: record.value.map(<[u8]>::to_vec),
                            headers: BTreeMap::new(),
                        });
                    }
                    Ok(())
                })
                .unwrap();
            });
        }
        records
    }

    /// Puts records on the topics of these connectors, which are there.
    pub(crate) async fn put(&self, setups: &[Setup], records: &[Record]) {
        for setup in setups {
            tokio::task::block_in_place(|| self.put_events(setup, records));
        }
        for record in records.iter().filter(|record| record.topic.ends_with(".results")) {
            let topic = format!("{}.{}", self.prefix, record.topic);
            let value = record.value.clone().unwrap();
            if self.address.starts_with("nats://") {
                let jetstream = nats::jetstream(&self.address).await;
                let sent = jetstream.publish(format!("{topic}.{}", record.key), value.into()).await;
                sent.unwrap().await.unwrap();
                continue;
            }
            let producer: BaseProducer = ClientConfig::new()
                .set("bootstrap.servers", &self.address)
                .set("partitioner", "murmur2_random")
                .create()
                .unwrap();
            let record = BaseRecord::to(&topic).key(&record.key).payload(&value);
            producer.send(record).map_err(|(error, _)| error).unwrap();
            producer.flush(Duration::from_secs(30)).unwrap();
        }
    }

    fn put_events(&self, setup: &Setup, records: &[Record]) {
        let spec = shard_spec(&self.prefix, setup);
        let mut log = self.bus().open(&spec, &Grant::unlimited(&setup.name)).unwrap();
        let mut checkpoints = Vec::new();
        for record in records {
            if record.topic == "checkpoints" {
                if record.key.starts_with(&format!("{}/", setup.name)) {
                    checkpoints.push((record.key.clone(), record.value.clone().unwrap()));
                }
                continue;
            }
            let name = format!("{}.{}", self.prefix, record.topic);
            let Some(topic) = spec.topics.iter().position(|topic| topic.name == name) else {
                continue;
            };
            // Those of the broker are its own again.
            let headers = record.headers.iter().filter(|(name, _)| !name.starts_with("Nats-"));
            let headers: Vec<(&str, &[u8])> =
                headers.map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
            let (key, value) = (record.key.as_str(), record.value.as_deref());
            log.append(&Append { topic, key, value, headers: &headers }).unwrap();
        }
        assert!(!checkpoints.is_empty(), "`{}` left checkpoints", setup.name);
        log.commit(&checkpoints).unwrap();
    }
}
