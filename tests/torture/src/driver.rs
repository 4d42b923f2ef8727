//! Puts commands on the topic, as a downstream service would, past the broken lines.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use tokio::sync::watch;

use crate::facts::Issued;
use crate::subject::Subject;

/// Longest wait for the broker, which may be down.
const PATIENCE: Duration = Duration::from_secs(300);

/// A client of either bus.
enum Producer {
    Kafka(Arc<BaseProducer>),
    Nats(Box<async_nats::jetstream::Context>),
}

impl Producer {
    async fn new(address: &str) -> anyhow::Result<Producer> {
        if address.starts_with("nats://") {
            let client = async_nats::connect(address).await?;
            return Ok(Producer::Nats(Box::new(async_nats::jetstream::new(client))));
        }
        let producer: BaseProducer = ClientConfig::new()
            .set("bootstrap.servers", address)
            .set("enable.idempotence", "true")
            .set("partitioner", "murmur2_random")
            // Partitions may be added.
            .set("topic.metadata.refresh.interval.ms", "1000")
            .set_log_level(rdkafka::config::RDKafkaLogLevel::Emerg)
            .create()?;
        Ok(Producer::Kafka(Arc::new(producer)))
    }

    /// Returns when it is acknowledged. `name` is the same only for the same record.
    async fn send(&self, topic: &str, key: &str, value: &str, name: &str) -> anyhow::Result<()> {
        match self {
            Producer::Kafka(producer) => {
                let record = BaseRecord::to(topic).key(key).payload(value);
                producer.send(record).map_err(|(error, _)| error)?;
                let producer = producer.clone();
                // `flush` of this client looks every 100 ms.
                let acknowledged = move || {
                    let since = Instant::now();
                    while producer.in_flight_count() > 0 {
                        ensure!(since.elapsed() < PATIENCE, "Kafka takes no command");
                        producer.poll(Duration::from_millis(1));
                    }
                    Ok(())
                };
                tokio::task::spawn_blocking(acknowledged).await?
            }
            Producer::Nats(jetstream) => {
                let subject = format!("{topic}.{}", talon_nats::token(key));
                let again = async {
                    loop {
                        let mut headers = async_nats::HeaderMap::new();
                        headers.insert("Nats-Msg-Id", name);
                        let payload = value.to_owned().into();
                        let sent =
                            jetstream.publish_with_headers(subject.clone(), headers, payload);
                        if let Ok(acknowledged) = sent.await
                            && acknowledged.await.is_ok()
                        {
                            return;
                        }
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                };
                tokio::time::timeout(PATIENCE, again).await.context("NATS takes no command")
            }
        }
    }
}

/// Issues commands at this pace until told to stop; gives them in order.
///
/// # Errors
/// The broker does not take one.
pub async fn drive(
    address: &str,
    topic: &str,
    subject: &dyn Subject,
    seed: u64,
    pause: Duration,
    mut stop: watch::Receiver<bool>,
) -> anyhow::Result<Vec<Issued>> {
    let producer = Producer::new(address).await?;
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut issued = Vec::new();
    while !*stop.borrow() {
        let id = format!("{seed:x}-{}", issued.len());
        let Some((key, command)) = subject.command(&id, &mut random) else { break };
        let times = if random.random_range(0..10) == 0 { 2 } else { 1 };
        for time in 0..times {
            producer.send(topic, &key, &command.to_string(), &format!("{id}/{time}")).await?;
        }
        issued.push(Issued { id, key, times, partition: 0 });
        if random.random_range(0..25) == 0 {
            // What is no command, with what must not come out.
            let broken = format!("{{\"{}", subject.canaries().join(" "));
            let name = format!("{seed:x}-broken-{}", issued.len());
            producer.send(topic, "broken", &broken, &name).await?;
        }
        // Until it is time for the next one, or to stop.
        tokio::time::timeout(pause, stop.wait_for(|stop| *stop)).await.ok();
    }
    Ok(issued)
}
