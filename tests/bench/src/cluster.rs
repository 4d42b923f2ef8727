//! Kafka clusters to measure against, and plain clients for them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use talon_kafka::{InProcess, Kafka};
use talon_runtime::bus::ShardSpec;
use talon_runtime::shard_spec;
use talon_schemas::contractor::CALL;

use crate::stage::Stage;

fn servers(servers: String) -> BTreeMap<String, String> {
    BTreeMap::from([("bootstrap.servers".to_owned(), servers)])
}

/// How long a broker may be silent.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Where records go.
pub(crate) struct Cluster {
    broker: Broker,
    /// Of librdkafka, for Talon's clients.
    properties: BTreeMap<String, String>,
}

enum Broker {
    /// librdkafka's own, in this process.
    Mock(InProcess),
    /// A real one, which ends when it is dropped.
    Real { _kafka: talon_brokers::Kafka },
}

impl Cluster {
    pub(crate) fn mock() -> anyhow::Result<Cluster> {
        let mock = InProcess::start().map_err(anyhow::Error::msg)?;
        Ok(Cluster { properties: servers(mock.bootstrap_servers()), broker: Broker::Mock(mock) })
    }

    /// One of its own, or that of `TALON_TEST_KAFKA`.
    pub(crate) fn real() -> anyhow::Result<Cluster> {
        let kafka = talon_brokers::Kafka::find()?;
        let properties = servers(kafka.bootstrap().to_owned());
        Ok(Cluster { properties, broker: Broker::Real { _kafka: kafka } })
    }

    /// With further properties, each `name=value`.
    pub(crate) fn with(mut self, properties: &[String]) -> anyhow::Result<Cluster> {
        for property in properties {
            let (name, value) = property.split_once('=').context("a property is `name=value`")?;
            self.properties.insert(name.to_owned(), value.to_owned());
        }
        Ok(self)
    }

    pub(crate) fn name(&self) -> &'static str {
        match self.broker {
            Broker::Mock(_) => "mock",
            Broker::Real { .. } => "kafka",
        }
    }

    pub(crate) fn servers(&self) -> &str {
        &self.properties["bootstrap.servers"]
    }

    /// The bus on it.
    pub(crate) fn bus(&self, prefix: &str) -> Arc<Kafka> {
        Arc::new(Kafka::new(self.properties.clone(), prefix, "bench"))
    }

    /// What the stage's connector writes; its topics are created where Talon could not.
    pub(crate) fn shard(&self, prefix: &str, before_images: bool) -> anyhow::Result<ShardSpec> {
        let (setup, _) = Stage::setup(before_images);
        let shard = shard_spec(prefix, &setup);
        self.create_topics(&shard)?;
        Ok(shard)
    }

    /// Creates a shard's topics where Talon could not.
    pub(crate) fn create_topics(&self, shard: &ShardSpec) -> anyhow::Result<()> {
        match &self.broker {
            Broker::Mock(mock) => mock.create_topics(shard).map_err(anyhow::Error::msg),
            Broker::Real { .. } => Ok(()),
        }
    }

    /// A transactional producer with the settings of Talon's.
    pub(crate) fn producer(&self, id: &str, headers: bool) -> anyhow::Result<BareProducer> {
        let producer: BaseProducer = ClientConfig::new()
            .set("bootstrap.servers", self.servers())
            .set("enable.idempotence", "true")
            .set("partitioner", "murmur2_random")
            .set("compression.type", "lz4")
            .set("linger.ms", "2")
            .set("queue.buffering.max.kbytes", "65536")
            .set("transactional.id", id)
            .create()?;
        producer.init_transactions(PATIENCE)?;
        Ok(BareProducer { producer, headers, sent: 0 })
    }
}

/// Produces in transactions, as plainly as the client allows.
pub(crate) struct BareProducer {
    producer: BaseProducer,
    headers: bool,
    sent: u32,
}

impl BareProducer {
    pub(crate) fn begin(&self) -> anyhow::Result<()> {
        Ok(self.producer.begin_transaction()?)
    }

    pub(crate) fn send(&mut self, topic: &str, key: &str, value: &[u8]) -> anyhow::Result<()> {
        let mut record = BaseRecord::to(topic).key(key).payload(value);
        if self.headers {
            // Something that compresses as badly as a hash.
            let id = u128::from(self.sent).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
            let schema = Header { key: "talon-schema", value: Some(CALL.full_name()) };
            let id = Header { key: "talon-event-id", value: Some(&format!("{id:032x}")) };
            let headers = OwnedHeaders::new_with_capacity(2).insert(schema).insert(id);
            record = record.headers(headers);
        }
        while let Err((error, back)) = self.producer.send(record) {
            if !matches!(error, KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull)) {
                return Err(error.into());
            }
            record = back;
            self.producer.poll(Duration::from_millis(1));
        }
        self.sent += 1;
        if self.sent.is_multiple_of(1_000) {
            self.producer.poll(Duration::ZERO);
        }
        Ok(())
    }

    /// The outstanding records first, by short polls: otherwise the commit takes 100 ms.
    pub(crate) fn commit(&self) -> anyhow::Result<()> {
        while self.producer.in_flight_count() > 0 {
            self.producer.poll(Duration::from_millis(1));
        }
        Ok(self.producer.commit_transaction(PATIENCE)?)
    }
}
