//! Puts commands on topics, as a downstream service would.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use serde_json::Value;

/// A client of either bus.
pub enum Producer {
    Kafka(BaseProducer),
    Nats(async_nats::jetstream::Context),
}

impl Producer {
    pub async fn new(address: &str) -> Producer {
        if address.starts_with("nats://") {
            return Producer::Nats(super::nats::jetstream(address).await);
        }
        let producer = ClientConfig::new()
            .set("bootstrap.servers", address)
            .set("enable.idempotence", "true")
            .set("partitioner", "murmur2_random")
            .create();
        Producer::Kafka(producer.unwrap())
    }

    /// Puts commands on a topic under their keys, in order, and waits until they are acknowledged.
    pub async fn send(&self, topic: &str, commands: &[(String, Value)]) {
        match self {
            Producer::Kafka(producer) => {
                for (key, command) in commands {
                    let payload = command.to_string();
                    let record = BaseRecord::to(topic).key(key).payload(&payload);
                    producer.send(record).map_err(|(error, _)| error).unwrap();
                }
                producer.flush(Duration::from_secs(30)).unwrap();
            }
            Producer::Nats(jetstream) => {
                // Created by whoever runs the connector, which may be another process than is ready.
                super::until("a stream takes commands", async || {
                    jetstream.stream_by_subject(format!("{topic}.x")).await.is_ok()
                })
                .await;
                for (key, command) in commands {
                    let subject = format!("{topic}.{key}");
                    let sent = jetstream.publish(subject, command.to_string().into()).await;
                    sent.unwrap().await.unwrap();
                }
            }
        }
    }
}
