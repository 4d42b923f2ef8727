//! A consumer that says when it saw which change.

use std::sync::Mutex;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::Context;
use async_nats::jetstream;
use async_nats::jetstream::consumer::{DeliverPolicy, pull::OrderedConfig};
use futures_util::StreamExt;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::thread::runtime;
use super::upstream::number_in;
use crate::bare::PATIENCE;
use crate::cluster::Real;

/// Changes as they arrive.
pub(super) struct Seen(Mutex<mpsc::Receiver<(usize, Instant)>>);

impl Seen {
    /// Reads a topic from its end on, on a thread of its own, as long as this lives.
    pub(super) fn follow(bus: Real, servers: &str, topic: &str) -> anyhow::Result<Seen> {
        let (tell, told) = mpsc::channel();
        match bus {
            Real::Kafka => follow_kafka(servers, topic, tell)?,
            Real::Nats => follow_nats(servers, topic, tell)?,
        }
        Ok(Seen(Mutex::new(told)))
    }

    /// When a change was seen; earlier ones are passed over.
    pub(super) fn wait_for(&self, number: usize, patience: Duration) -> anyhow::Result<Instant> {
        let until = Instant::now() + patience;
        let told = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let (seen, at) = told
                .recv_timeout(left)
                .with_context(|| format!("change {number} does not come out"))?;
            if seen == number {
                return Ok(at);
            }
        }
    }
}

type Tell = mpsc::Sender<(usize, Instant)>;

fn follow_kafka(servers: &str, topic: &str, tell: Tell) -> anyhow::Result<()> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", servers)
        .set("group.id", "bench")
        .set("isolation.level", "read_committed")
        .set("enable.auto.commit", "false")
        .create()?;
    let metadata = consumer.fetch_metadata(Some(topic), PATIENCE)?;
    let partitions = metadata.topics().first().context("the topic")?.partitions();
    let mut assignment = TopicPartitionList::new();
    for partition in partitions {
        assignment.add_partition_offset(topic, partition.id(), Offset::End)?;
    }
    consumer.assign(&assignment)?;
    std::thread::spawn(move || {
        loop {
            let Some(Ok(message)) = consumer.poll(Duration::from_millis(100)) else { continue };
            let number = message.payload().and_then(number_in);
            if let Some(number) = number
                && tell.send((number, Instant::now())).is_err()
            {
                return;
            }
        }
    });
    Ok(())
}

fn follow_nats(servers: &str, topic: &str, tell: Tell) -> anyhow::Result<()> {
    let (servers, topic) = (servers.to_owned(), topic.to_owned());
    let (open, opened) = mpsc::channel();
    std::thread::spawn(move || -> anyhow::Result<()> {
        runtime()?.block_on(async {
            let jetstream = jetstream::new(async_nats::connect(servers).await?);
            let stream = jetstream.stream_by_subject(format!("{topic}.x")).await?;
            let config = OrderedConfig {
                deliver_policy: DeliverPolicy::New,
                filter_subject: format!("{topic}.>"),
                ..OrderedConfig::default()
            };
            let stream = jetstream.get_stream(stream).await?;
            let consumer = stream.create_consumer(config).await?;
            let mut messages = consumer.messages().await?;
            open.send(()).ok();
            while let Some(message) = messages.next().await {
                if let Some(number) = number_in(&message?.payload)
                    && tell.send((number, Instant::now())).is_err()
                {
                    break;
                }
            }
            Ok(())
        })
    });
    opened.recv().context("the topic cannot be read")
}

/// Makes the topic of the bare loop.
pub(super) fn create(bus: Real, servers: &str, topic: &str) -> anyhow::Result<()> {
    let runtime = runtime()?;
    match bus {
        Real::Kafka => {
            let admin: AdminClient<_> =
                ClientConfig::new().set("bootstrap.servers", servers).create()?;
            let new = NewTopic::new(topic, 1, TopicReplication::Fixed(1));
            let made = runtime.block_on(admin.create_topics([&new], &AdminOptions::new()))?;
            for one in made {
                one.map_err(|(topic, code)| anyhow::anyhow!("`{topic}`: {code}"))?;
            }
        }
        Real::Nats => runtime.block_on(async {
            let jetstream = jetstream::new(async_nats::connect(servers).await?);
            let config = jetstream::stream::Config {
                name: topic.replace('.', "_"),
                subjects: vec![format!("{topic}.>")],
                ..jetstream::stream::Config::default()
            };
            jetstream.create_stream(config).await?;
            anyhow::Ok(())
        })?,
    }
    Ok(())
}
