//! What one would write by hand: read a message, find the rows, compare their hashes with those of
//! before, produce what changed as it is.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::Context;
use async_nats::jetstream;
use bytes::Bytes;
use clap::Args;
use futures_util::{SinkExt, StreamExt};
use rdkafka::config::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use tokio::net::TcpStream;
use tokio_tungstenite::client_async_with_config;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use xxhash_rust::xxh3::xxh3_64;

use crate::cluster::Real;

/// The bare loop as a process of its own.
#[derive(Args)]
pub(crate) struct OfBare {
    #[arg(long, value_enum)]
    to: Real,
    #[arg(long)]
    servers: String,
    #[arg(long)]
    topic: String,
    #[arg(long)]
    upstream: String,
}

#[derive(Deserialize)]
struct List<'a> {
    #[serde(borrow)]
    data: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Head {
    id: i64,
}

enum Sink {
    Kafka(BaseProducer, String),
    Nats(jetstream::Context, String),
}

impl Sink {
    async fn open(bus: Real, servers: &str, topic: String) -> anyhow::Result<Sink> {
        Ok(match bus {
            Real::Kafka => {
                let producer = ClientConfig::new()
                    .set("bootstrap.servers", servers)
                    .set("enable.idempotence", "true")
                    .set("compression.type", "lz4")
                    .set("linger.ms", "0")
                    .create()?;
                Sink::Kafka(producer, topic)
            }
            Real::Nats => Sink::Nats(jetstream::new(async_nats::connect(servers).await?), topic),
        })
    }

    /// Produces, and waits until all of it is stored.
    async fn produce(&self, rows: &[(i64, &str)]) -> anyhow::Result<()> {
        match self {
            Sink::Kafka(producer, topic) => {
                for (id, row) in rows {
                    let key = id.to_string();
                    let mut record = BaseRecord::to(topic).key(&key).payload(*row);
                    while let Err((_, back)) = producer.send(record) {
                        record = back;
                        producer.poll(Duration::from_millis(1));
                    }
                }
                while producer.in_flight_count() > 0 {
                    producer.poll(Duration::from_millis(1));
                }
            }
            Sink::Nats(jetstream, topic) => {
                // The client allows only so many without an acknowledgement.
                for rows in rows.chunks(1_000) {
                    let mut acks = Vec::new();
                    for (id, row) in rows {
                        let payload = Bytes::copy_from_slice(row.as_bytes());
                        acks.push(jetstream.publish(format!("{topic}.{id}"), payload).await?);
                    }
                    for ack in acks {
                        ack.await?;
                    }
                }
            }
        }
        Ok(())
    }
}

impl OfBare {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let sink = Sink::open(self.to, &self.servers, self.topic).await?;
        let limits = WebSocketConfig::default().max_message_size(None).max_frame_size(None);
        let address = self.upstream.trim_start_matches("ws://").trim_end_matches("/logic");
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (mut socket, _) =
            client_async_with_config(&self.upstream, stream, Some(limits)).await?;
        for command in ["consumerList", "subscribeConsumers"] {
            let request = json!({ "command": command, "data": {} });
            socket.send(Message::text(request.to_string())).await?;
        }
        let mut known: HashMap<i64, u64> = HashMap::new();
        loop {
            let message = socket.next().await.context("the upstream has gone")??;
            let Message::Text(text) = message else { continue };
            // What answers the subscription is no list.
            let Ok(List { data }) = serde_json::from_str(&text) else { continue };
            let mut changed = Vec::new();
            for row in data {
                let Head { id } = serde_json::from_str(row.get())?;
                let hash = xxh3_64(row.get().as_bytes());
                if known.insert(id, hash) != Some(hash) {
                    changed.push((id, row.get()));
                }
            }
            sink.produce(&changed).await?;
        }
    }
}
