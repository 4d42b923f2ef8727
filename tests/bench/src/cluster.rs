//! Buses to measure on.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context;
use clap::ValueEnum;
use talon_kafka::{InProcess, Kafka};
use talon_nats::Nats;
use talon_runtime::bus::{Bus, Grant, ShardSpec};
use talon_runtime::shard_spec;
use talon_sdk::config::{Secrets, Settings};

use crate::bare::{self, Producer};
use crate::stage::Stage;

/// A bus that runs for real.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Real {
    Kafka,
    Nats,
}

/// Where records go.
pub(crate) struct Cluster {
    broker: Broker,
    /// Settings of the bus, for Talon's clients.
    properties: BTreeMap<String, String>,
}

enum Broker {
    /// librdkafka's own, in this process.
    Mock(InProcess),
    /// A real one, which ends when it is dropped.
    Kafka {
        _kafka: talon_brokers::Kafka,
    },
    Nats {
        _nats: talon_brokers::Nats,
    },
}

impl Cluster {
    pub(crate) fn mock() -> anyhow::Result<Cluster> {
        let mock = InProcess::start().map_err(anyhow::Error::msg)?;
        let servers = mock.bootstrap_servers();
        Ok(Cluster::of(Broker::Mock(mock), servers))
    }

    /// One of its own, or that of `TALON_TEST_KAFKA` or `TALON_TEST_NATS`.
    pub(crate) fn real(bus: Real) -> anyhow::Result<Cluster> {
        Ok(match bus {
            Real::Kafka => {
                let kafka = talon_brokers::Kafka::find()?;
                let servers = kafka.bootstrap().to_owned();
                Cluster::of(Broker::Kafka { _kafka: kafka }, servers)
            }
            Real::Nats => {
                let nats = talon_brokers::Nats::find()?;
                let servers = nats.url().to_owned();
                Cluster::of(Broker::Nats { _nats: nats }, servers)
            }
        })
    }

    fn of(broker: Broker, servers: String) -> Cluster {
        let name = if let Broker::Nats { .. } = broker { "servers" } else { "bootstrap.servers" };
        Cluster { broker, properties: BTreeMap::from([(name.to_owned(), servers)]) }
    }

    /// With further settings, each `name=value`.
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
            Broker::Kafka { .. } => "kafka",
            Broker::Nats { .. } => "nats",
        }
    }

    pub(crate) fn servers(&self) -> &str {
        let servers = self.properties.get("servers");
        servers.or(self.properties.get("bootstrap.servers")).map_or("", String::as_str)
    }

    /// The line of a configuration that says which bus it is.
    pub(crate) fn setting(&self) -> String {
        let key = match self.broker {
            Broker::Nats { .. } => "bus.nats.servers",
            _ => "bus.kafka.bootstrap.servers",
        };
        format!("{key}: {}", self.servers())
    }

    /// The bus on it.
    pub(crate) fn bus(&self, prefix: &str) -> anyhow::Result<Arc<dyn Bus>> {
        let properties = self.properties.clone();
        if let Broker::Nats { .. } = self.broker {
            let (keys, secrets) = (talon_nats::keys(), Secrets::of_process());
            let mut settings = Settings::new(talon_nats::SECTION, &keys, properties, &secrets);
            let nats = Nats::new(&mut settings, prefix);
            return Ok(Arc::new(nats.with_context(|| format!("{:?}", settings.problems()))?));
        }
        Ok(Arc::new(Kafka::new(properties, prefix, "bench")))
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
            Broker::Kafka { .. } | Broker::Nats { .. } => Ok(()),
        }
    }

    /// A bare producer with the settings of Talon's, to the topic of a shard; on NATS to a stream of
    /// its own, since a subject has one writer.
    pub(crate) fn producer(
        &self,
        shard: &ShardSpec,
        headers: bool,
    ) -> anyhow::Result<Box<dyn Producer>> {
        let topic = |shard: &ShardSpec| shard.topics.first().map(|topic| topic.name.clone());
        if let Broker::Nats { .. } = self.broker {
            let prefix = talon_brokers::unique("peer");
            let shard = self.shard(&prefix, false)?;
            // Creates the streams.
            drop(self.bus(&prefix)?.open(&shard, &Grant::unlimited(&shard.name))?);
            let topic = topic(&shard).context("a topic for calls")?;
            return Ok(Box::new(bare::nats::Producer::new(self.servers(), topic, headers)?));
        }
        let topic = topic(shard).context("a topic for calls")?;
        Ok(Box::new(bare::kafka::Producer::new(self.servers(), topic, headers)?))
    }

    /// Reads the topic of a shard to its end as plainly as the client allows, and keeps nothing; how
    /// many records there were.
    pub(crate) fn read(&self, shard: &ShardSpec) -> anyhow::Result<usize> {
        let topic = &shard.topics.first().context("a topic for calls")?.name;
        match self.broker {
            Broker::Nats { .. } => bare::nats::read(self.servers(), topic),
            _ => bare::kafka::read(self.servers(), topic),
        }
    }
}
