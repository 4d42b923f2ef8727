//! Kafka as the source and as the target of relays.
//!
//! [`source`] reads decided records of assigned partitions; the positions are not Kafka's to keep. [`sink`] writes
//! records and positions in one transaction.

mod convert;
mod dead_letter;
mod records;
mod sink;
mod source;
mod targets;

use talon_runtime::bus::{Bus, BusFault, Grant};
use talon_runtime::relay::{RelayBus, Selection, Sink, SinkSpec, Source, SourceSpec};

use crate::Kafka;
use crate::patience::PATIENCE;
use sink::KafkaSink;
use source::KafkaSource;
pub(crate) use targets::Targets;

impl RelayBus for Kafka {
    fn describe(&self) -> String {
        Bus::describe(self)
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
