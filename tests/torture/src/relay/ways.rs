//! The relays of a run, and what they read and write.

use std::collections::BTreeMap;

use crate::broker::On;

/// Names of what a run relays.
#[derive(Debug, Clone)]
pub(super) struct Ways {
    /// Begins all names.
    pub(super) prefix: String,
}

impl Ways {
    /// A topic that is read.
    pub(super) fn source(&self, topic: &str) -> String {
        format!("{}.src.{topic}", self.prefix)
    }

    /// The stream that a relay makes and writes atomic batches to.
    pub(super) fn batches(&self) -> String {
        format!("{}-MID", self.prefix)
    }

    /// The stream without batches that a relay writes to.
    pub(super) fn chain(&self) -> String {
        format!("{}-CHAIN", self.prefix)
    }

    /// The stream that others publish to.
    pub(super) fn messages(&self) -> String {
        format!("{}-IN", self.prefix)
    }

    /// The stream that another stream is relayed to.
    pub(super) fn mirror(&self) -> String {
        format!("{}-MIRROR", self.prefix)
    }

    /// What others publish below.
    pub(super) fn below(&self) -> String {
        format!("{}.in", self.prefix)
    }

    /// Subjects of the stream without batches, with those of its positions.
    pub(super) fn chain_subjects(&self) -> Vec<String> {
        let (prefix, stream) = (&self.prefix, self.chain());
        vec!["chain.>".to_owned(), format!("{prefix}.relays.{stream}.>")]
    }

    /// The settings of the relays, of the bus that is not home, and of replicas of what they make.
    pub(super) fn settings(&self, replicas: u16) -> BTreeMap<String, String> {
        let mut texts = BTreeMap::new();
        let mut relay = |name: &str, settings: &[(&str, &str)]| {
            for (key, text) in settings {
                texts.insert(format!("relays.{name}.{key}"), (*text).to_owned());
            }
            let key = format!("relays.{name}.look.interval.ms");
            texts.insert(key, "1000".to_owned());
        };
        let prefix = &self.prefix;
        let replicas = replicas.to_string();
        let (batches, chain, messages, mirror) =
            (self.batches(), self.chain(), self.messages(), self.mirror());
        let topics = format!("{prefix}.src.*");
        let there = [("from.bus", "kafka"), ("to.bus", "nats"), ("echoes", "carry")];
        relay("there", &there);
        relay("there", &[("from.topics", &topics), ("to.stream", &batches), ("tasks", "3")]);
        relay("there", &[("to.subject", "{topic}.{key}"), ("to.replication", &replicas)]);
        relay("chain", &there);
        relay("chain", &[("from.topics", &topics), ("to.stream", &chain), ("tasks", "2")]);
        relay("chain", &[("to.subject", "chain.{topic}.{key}")]);
        let back = [("from.bus", "nats"), ("to.bus", "kafka"), ("tasks", "1")];
        relay("back", &back);
        relay("back", &[("from.stream", &batches), ("from.subjects", &format!("{prefix}.src.>"))]);
        relay("back", &[("to.topic", "out.{topic}"), ("to.partition", "same")]);
        relay("back", &[("to.partitions", "12"), ("echoes", "carry")]);
        relay("in", &back);
        relay("in", &[("from.stream", &messages), ("to.topic", "in.{subject:3}")]);
        relay("in", &[("to.key", "{subject:4..}"), ("to.partitions", "3")]);
        relay("mirror", &[("from.bus", "nats"), ("to.bus", "nats"), ("tasks", "1")]);
        relay("mirror", &[("from.stream", &messages), ("to.stream", &mirror)]);
        relay("mirror", &[("to.subject", "mirror.{subject:1..}"), ("to.replication", &replicas)]);
        let straight = format!("{prefix}.src.one,{prefix}.src.many");
        relay("straight", &[("from.bus", "kafka"), ("to.bus", "kafka"), ("tasks", "2")]);
        relay("straight", &[("from.topics", &straight), ("to.topic", "copy.{topic}")]);
        relay("straight", &[("to.partition", "same"), ("to.partitions", "12")]);
        relay("straight", &[("echoes", "carry")]);
        texts
    }
}

/// The settings of both buses, of which one is home. The relays call them `kafka` and `nats`.
pub(super) fn buses(home: On, kafka: &str, nats: &str) -> Vec<(String, String)> {
    let (kafka_at, nats_at) = match home {
        On::Kafka => ("bus", "buses.nats"),
        On::Nats => ("buses.kafka", "bus"),
    };
    let mut settings = vec![
        (format!("{kafka_at}.kafka.bootstrap.servers"), kafka.to_owned()),
        (format!("{nats_at}.nats.servers"), nats.to_owned()),
    ];
    settings.push(match home {
        On::Kafka => ("bus.kafka.session.timeout.ms".to_owned(), "2000".to_owned()),
        On::Nats => ("bus.nats.lease.ttl.ms".to_owned(), "2000".to_owned()),
    });
    if home == On::Kafka {
        settings.push(("bus.kafka.heartbeat.interval.ms".to_owned(), "300".to_owned()));
    }
    settings
}

/// The same settings, where the bus that is home is named so.
pub(super) fn at_home(settings: BTreeMap<String, String>, home: On) -> BTreeMap<String, String> {
    let named = |(key, text): (String, String)| {
        let is_bus = key.ends_with(".bus") && text == home.name();
        (key, if is_bus { "home".to_owned() } else { text })
    };
    settings.into_iter().map(named).collect()
}
