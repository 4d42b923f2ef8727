//! Topics: created where they are missing, looked at where they exist.

use std::time::{Duration, Instant};

use rdkafka::admin::{
    AdminClient, AdminOptions, NewTopic, OwnedResourceSpecifier, ResourceSpecifier,
    TopicReplication,
};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, Producer};
use talon_runtime::bus::{BusFault, Purpose, Stall, TopicSpec};
use talon_sdk::Kind;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::client::{self, EARSHOT, Watch};
use crate::cluster::{Cluster, Use};
use crate::fault::{fault_of, fault_of_code};
use crate::limits::USUAL;
use crate::patience::PATIENCE;

/// Between two looks at whether topics have appeared. Whoever looks within it shares the answer.
const GLANCE: Duration = Duration::from_millis(20);

/// One look at what topics take.
const LOOK: Duration = Duration::from_secs(3);

/// Makes sure that topics exist. Must be called on a thread of a Tokio runtime that may
/// block.
///
/// What the topics take is learnt by the task that is given back.
pub(crate) fn ensure(
    producer: &BaseProducer<Watch>,
    cluster: &Cluster,
    wanted: &[&TopicSpec],
) -> Result<JoinHandle<()>, BusFault> {
    let explain = |error: &KafkaError| {
        producer.poll(EARSHOT);
        producer.context().trouble.explain(fault_of(error))
    };
    let existing = cluster.listing().since(producer, Instant::now());
    let existing = existing.map_err(|error| explain(&error))?;
    let missing: Vec<&TopicSpec> =
        wanted.iter().copied().filter(|topic| !existing.contains(&topic.name)).collect();
    let config = cluster.config();
    let admin = || -> Result<AdminClient<DefaultClientContext>, BusFault> {
        config.create().map_err(|error| client::refused(&config, &error))
    };
    let runtime = Handle::current();
    if !missing.is_empty() {
        runtime.block_on(create(&admin()?, &missing))?;
        appear(producer, cluster, &missing)?;
    }
    let look = look(admin()?, cluster.clone(), wanted.iter().copied().cloned().collect());
    Ok(runtime.spawn(look))
}

/// Waits until topics that were created have leaders. While others appear it goes on, and one waits for
/// them: a broker makes the topics of many connectors one after another.
fn appear(
    producer: &BaseProducer<Watch>,
    cluster: &Cluster,
    missing: &[&TopicSpec],
) -> Result<(), BusFault> {
    let mut stall = Stall::at(0);
    let mut since = Instant::now();
    loop {
        let existing =
            cluster.listing().since(producer, since).map_err(|error| fault_of(&error))?;
        if missing.iter().all(|topic| existing.contains(&topic.name)) {
            return Ok(());
        }
        stall.see(existing.len().try_into().unwrap_or(i64::MAX));
        if stall.time() > PATIENCE {
            return Err(BusFault::Unavailable("Kafka: created topics do not appear".to_owned()));
        }
        since = Instant::now();
        std::thread::sleep(GLANCE);
    }
}

/// Makes sure of one topic, with a client of its own.
pub(crate) fn ensure_one(cluster: &Cluster, topic: &TopicSpec) -> Result<(), BusFault> {
    let producer = cluster.producer(&Use::default())?;
    ensure(&producer, cluster, &[topic]).map(drop)
}

/// How many partitions a topic is to have; -1 is the broker's default.
fn partitions(topic: &TopicSpec) -> i32 {
    if topic.partitions == 0 { -1 } else { topic.partitions.try_into().unwrap_or(i32::MAX) }
}

async fn create(
    admin: &AdminClient<DefaultClientContext>,
    topics: &[&TopicSpec],
) -> Result<(), BusFault> {
    let keep: Vec<String> = topics.iter().map(|topic| topic.keep_ms.to_string()).collect();
    let larger = |topic: &TopicSpec| topic.record_bytes.filter(|bytes| *bytes > USUAL);
    let records: Vec<Option<String>> =
        topics.iter().map(|topic| larger(topic).map(|bytes| bytes.to_string())).collect();
    let new: Vec<NewTopic<'_>> = topics
        .iter()
        .zip(keep.iter().zip(&records))
        .map(|(topic, (keep, record))| {
            // -1 is "the broker's default".
            let replicas = if topic.replication == 0 { -1 } else { i32::from(topic.replication) };
            let new =
                NewTopic::new(&topic.name, partitions(topic), TopicReplication::Fixed(replicas));
            let new = match record {
                Some(bytes) => new.set("max.message.bytes", bytes),
                None => new,
            };
            match topic.purpose {
                Purpose::Changes(Kind::Table) => {
                    new.set("cleanup.policy", "compact").set("min.compaction.lag.ms", keep)
                }
                // As the broker sets topics up: what is carried there is not known here.
                Purpose::Relayed => new,
                Purpose::Checkpoints | Purpose::Shards => new.set("cleanup.policy", "compact"),
                // What is written over is compacted when its segment is full, and read by all until then.
                Purpose::Configs | Purpose::Status => {
                    new.set("cleanup.policy", "compact").set("segment.bytes", "8388608")
                }
                Purpose::Changes(Kind::Log) | Purpose::DeadLetters => {
                    new.set("cleanup.policy", "delete").set("retention.ms", keep)
                }
                // By the broker's clock: a wrong one of a sender or of Talon must not let a result go early,
                // nor make a new command look old.
                Purpose::Commands | Purpose::Results => new
                    .set("cleanup.policy", "delete")
                    .set("retention.ms", keep)
                    .set("message.timestamp.type", "LogAppendTime"),
            }
        })
        .collect();
    let options =
        AdminOptions::new().request_timeout(Some(PATIENCE)).operation_timeout(Some(PATIENCE));
    let results = admin.create_topics(&new, &options).await.map_err(|error| fault_of(&error))?;
    for result in results {
        match result {
            Ok(name) => tracing::info!(topic = name, "topic created"),
            // Another process was quicker.
            Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((name, code)) => {
                return Err(match fault_of_code(code) {
                    BusFault::Misconfigured(why) => {
                        BusFault::Misconfigured(format!("topic `{name}`: {why}"))
                    }
                    fault => fault,
                });
            }
        }
    }
    Ok(())
}

/// Learns what topics take.
async fn look(admin: AdminClient<DefaultClientContext>, cluster: Cluster, topics: Vec<TopicSpec>) {
    let resources: Vec<ResourceSpecifier<'_>> =
        topics.iter().map(|topic| ResourceSpecifier::Topic(&topic.name)).collect();
    let options = AdminOptions::new().request_timeout(Some(LOOK));
    for topic in &topics {
        // Also where nothing is told, so that nobody waits for it again.
        cluster.limits().learn(&topic.name, None);
    }
    // Without the right to look there is nothing to say.
    let configs = admin.describe_configs(&resources, &options).await;
    // Its thread ends within 100 ms, for which nobody waits.
    tokio::task::spawn_blocking(move || drop(admin));
    let Ok(configs) = configs else { return };
    for config in configs.into_iter().flatten() {
        let OwnedResourceSpecifier::Topic(name) = &config.specifier else { continue };
        let Some(topic) = topics.iter().find(|topic| topic.name == *name) else { continue };
        let number = |name: &str| config.get(name)?.value.as_ref()?.parse().ok();
        let most = number("max.message.bytes");
        cluster.limits().learn(name, most);
        if let (Some(most), Some(wanted)) = (most, topic.record_bytes)
            && most < wanted
        {
            tracing::info!(
                topic = name,
                "the topic takes records of {most} bytes (`max.message.bytes`), and those of `entity.max.bytes` may have {wanted}: raise the one or lower the other; an event that is larger goes the way that `oversize` says"
            );
        }
    }
}
