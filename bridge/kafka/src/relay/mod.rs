//! Kafka as the source and as the target of relays.
//!
//! [`source`] reads decided records of assigned partitions; the positions are not Kafka's to keep. [`sink`] writes
//! records and positions in one transaction.

mod agreed;
mod convert;
mod dead_letter;
mod records;
mod sink;
mod source;
mod targets;

use rdkafka::admin::AdminClient;
use rdkafka::client::DefaultClientContext;
use talon_runtime::bus::{Bus, BusFault, Grant};
use talon_runtime::relay::{RelayBus, Selection, Sink, SinkSpec, Source, SourceSpec};
use tokio::runtime::Handle;

use crate::Kafka;
use crate::client::refused;
use crate::patience::PATIENCE;
use crate::policy::{Policy, policies};
use sink::KafkaSink;
use source::KafkaSource;
pub(crate) use targets::Targets;

impl RelayBus for Kafka {
    fn describe(&self) -> String {
        Bus::describe(self)
    }

    fn losses(&self, _: &SinkSpec, topics: &[String]) -> Result<Vec<String>, BusFault> {
        let config = self.cluster.config();
        let admin: AdminClient<DefaultClientContext> =
            config.create().map_err(|error| refused(&config, &error))?;
        let names: Vec<&str> = topics.iter().map(String::as_str).collect();
        let policies = Handle::current().block_on(policies(&admin, &names))?;
        let of = |(topic, policy): (&String, &Policy)| {
            let changes = policy.changes().into_iter();
            changes.map(|change| format!("the topic `{topic}`: {change}")).collect::<Vec<_>>()
        };
        Ok(policies.iter().flat_map(of).collect())
    }

    fn source(&self, spec: &SourceSpec, _: &Grant) -> Result<Box<dyn Source>, BusFault> {
        let Selection::Topics(patterns) = &spec.selection else {
            let why = format!("the relay `{}` reads topics from Kafka, and no streams", spec.relay);
            return Err(BusFault::Misconfigured(why));
        };
        let group = format!("{}.relay", self.group);
        let own = ["shards", "checkpoints", "relays"].map(|what| format!("{}.{what}", self.prefix));
        let bus = self.identity()?;
        let source = KafkaSource::open(&self.cluster, &group, patterns.clone(), own.into(), bus)?;
        Ok(Box::new(source))
    }

    fn sink(&self, spec: &SinkSpec, grant: &Grant) -> Result<Box<dyn Sink>, BusFault> {
        Ok(Box::new(KafkaSink::open(self, self.identity()?, spec, grant)?))
    }
}

impl Kafka {
    /// What the cluster is known by in the hops of records.
    fn identity(&self) -> Result<String, BusFault> {
        use rdkafka::consumer::Consumer as _;
        let asker = self.cluster.asker()?;
        let id = asker.client().fetch_cluster_id(PATIENCE);
        let silent =
            || BusFault::Unavailable("Kafka: no broker says which cluster it is".to_owned());
        Ok(format!("kafka:{}", id.ok_or_else(silent)?))
    }
}
