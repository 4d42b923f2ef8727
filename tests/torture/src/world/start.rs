//! A run is put together.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use talon_brokers::Registry;
use tokio::sync::Mutex;
use tokio::task::block_in_place;

use super::health::expected_entities;
use super::operators::Operators;
use super::{Connector, Plan, SchemaRegistry, Times, WhichRegistry, World};
use crate::broker::{Broker, On};
use crate::process::Process;
use crate::proxy::{Entrance, Proxy};
use crate::recorder::Recorder;
use crate::registry::MemoryRegistry;
use crate::scenario::Line;
use crate::subject::{self, Size};

/// Longest wait for anything more to work in the beginning.
const PATIENCE: Duration = Duration::from_secs(120);
/// Between two looks.
const GLANCE: Duration = Duration::from_millis(250);
/// Bytes of a record, and of a reply with records, where there are several connectors. By default a reply
/// has room for more than all topics have here, so a large connector would be read back in one reply.
const SMALL_REPLY: &str = "100000";
/// Bytes of a batch of records there.
const SMALL_BATCH: &str = "16000";

impl World {
    pub(super) async fn start(plan: &Plan) -> anyhow::Result<World> {
        let mut subjects = Vec::new();
        for one in &plan.connectors {
            subjects.push(subject::start(&one.subject, one.seed, one.size).await?);
        }
        let mut entrances = Vec::new();
        let mut lines = HashMap::new();
        for process in 0..plan.processes {
            entrances.push(Entrance::take().await?);
            let mut upstreams = Vec::new();
            for subject in &subjects {
                upstreams.push(Entrance::take().await?.lead(subject.address()));
            }
            lines.insert(Line::Upstream(process), (Mutex::default(), upstreams));
        }
        let (broker, proxies) =
            block_in_place(|| Broker::start(plan.on, plan.small_disk, entrances))?;
        let registry = registry(plan.registry).await?;
        let prefix = talon_brokers::unique("torture");
        let operators = match plan.over_rest {
            true => {
                // One configuration counts for all processes.
                let upstreams = &lines[&Line::Upstream(0)].1;
                let all = plan.connectors.iter().zip(&subjects).zip(upstreams);
                let settings = all.map(|((_, subject), upstream)| {
                    let class = ("class".to_owned(), subject.class().to_owned());
                    subject.settings(upstream.address()).into_iter().chain([class]).collect()
                });
                Some(Operators::new(settings.collect())?)
            }
            false => None,
        };
        let mut places = Vec::new();
        for (process, line) in proxies.into_iter().enumerate() {
            let mut settings = bus(plan, &line);
            for (key, text) in [
                ("talon.prefix", &*prefix),
                ("talon.group", &prefix),
                ("http.listen", "127.0.0.1:0"),
            ] {
                settings.insert(key.to_owned(), text.to_owned());
            }
            if let Some(url) = registry.url().await {
                settings.insert("schema.registry.url".to_owned(), url);
            }
            if let Some(operators) = &operators {
                let directory = operators.directory().display().to_string();
                settings.insert("config.file.directories".to_owned(), directory);
            }
            let upstreams = &lines[&Line::Upstream(process)].1;
            let in_file = plan.connectors.iter().zip(&subjects).zip(upstreams);
            for ((one, subject), upstream) in in_file.filter(|_| !plan.over_rest) {
                let class = ("class".to_owned(), subject.class().to_owned());
                let own = subject.settings(upstream.address()).into_iter().chain([class]);
                for (key, text) in own {
                    settings.insert(format!("connectors.{}.{key}", one.name), text);
                }
            }
            places.push(Mutex::new(Process::new(&plan.program, settings)?));
            lines.insert(Line::Broker(process), (Mutex::default(), vec![line]));
        }
        let address = broker.address();
        let connectors = plan.connectors.iter().zip(subjects).map(|(instance, subject)| {
            let (address, prefix) = (address.clone(), prefix.clone());
            let recorder = Recorder { address, prefix, connector: instance.name.clone() };
            Connector { instance: instance.clone(), subject, recorder }
        });
        Ok(World {
            connectors: connectors.collect(),
            broker: Mutex::new(broker),
            registry,
            places,
            lines,
            rolls: 0.into(),
            operators,
            prefix,
            programs: (plan.program.clone(), plan.next_program.clone()),
            disturbances: Arc::default(),
            rolling: None.into(),
            stuck: Vec::new().into(),
        })
    }

    /// Starts the processes, and waits until each connector works in one of them, and all of a large one
    /// is published.
    pub(super) async fn begin(&self) -> anyhow::Result<()> {
        for place in &self.places {
            place.lock().await.start()?;
        }
        self.make_connectors().await?;
        let mut expected = Vec::new();
        for connector in &self.connectors {
            expected.push(match connector.instance.size {
                Size::Usual => 0,
                Size::Calls(_) => expected_entities(&*connector.subject)?,
            });
        }
        let (mut since, mut most) = (Instant::now(), 0);
        loop {
            let (mut missing, mut there) = (Vec::new(), 0);
            for (connector, expected) in self.connectors.iter().zip(&expected) {
                let entities = self.entities_where_up(connector).await;
                if entities.is_none_or(|entities| entities < *expected) {
                    missing.push(connector.instance.name.as_str());
                }
                there += entities.map_or(0, |entities| entities + 1);
            }
            if missing.is_empty() {
                return Ok(());
            }
            if there > most {
                (since, most) = (Instant::now(), there);
            }
            ensure!(
                since.elapsed() < PATIENCE,
                "{} do not work in the beginning:\n{}",
                missing.join(", "),
                self.places[0].lock().await.log()
            );
            tokio::time::sleep(GLANCE).await;
        }
    }
}

async fn registry(which: WhichRegistry) -> anyhow::Result<SchemaRegistry> {
    Ok(match which {
        WhichRegistry::None => SchemaRegistry::None,
        WhichRegistry::Apicurio => {
            let registry = block_in_place(|| Registry::start("torture")).context("no registry")?;
            SchemaRegistry::Apicurio(Mutex::new(registry))
        }
        WhichRegistry::Memory => {
            SchemaRegistry::Memory(MemoryRegistry::start().await?, Mutex::default())
        }
    })
}

impl SchemaRegistry {
    async fn url(&self) -> Option<String> {
        match self {
            SchemaRegistry::None => None,
            SchemaRegistry::Apicurio(registry) => Some(registry.lock().await.url().to_owned()),
            SchemaRegistry::Memory(registry, _) => Some(registry.url()),
        }
    }
}

/// The settings of the bus behind a line.
fn bus(plan: &Plan, line: &Proxy) -> BTreeMap<String, String> {
    let address = line.address();
    let mut settings = match plan.on {
        On::Kafka => vec![("bus.kafka.bootstrap.servers", address.to_string())],
        On::Nats => vec![
            ("bus.nats.servers", format!("nats://{address}")),
            // By default a busy subject lets go of its first records, with which a chain begins.
            ("bus.nats.stream.history", "1000000".to_owned()),
        ],
    };
    settings.extend(match (plan.on, plan.times) {
        (On::Kafka, Times::Short) => vec![
            ("bus.kafka.session.timeout.ms", "2000".to_owned()),
            ("bus.kafka.heartbeat.interval.ms", "300".to_owned()),
        ],
        (On::Kafka, Times::Usual) => vec![("bus.kafka.compression.type", "none".to_owned())],
        (On::Nats, Times::Short) => vec![("bus.nats.lease.ttl.ms", "2000".to_owned())],
        (On::Nats, Times::Usual) => Vec::new(),
    });
    if plan.on == On::Kafka && plan.connectors.len() > 1 {
        settings.extend([
            ("bus.kafka.message.max.bytes", SMALL_REPLY.to_owned()),
            // What does not fit into a reply as a whole is sent in vain.
            ("bus.kafka.batch.size", SMALL_BATCH.to_owned()),
            ("bus.kafka.fetch.max.bytes", SMALL_REPLY.to_owned()),
        ]);
    }
    settings.into_iter().map(|(key, text)| (key.to_owned(), text)).collect()
}
