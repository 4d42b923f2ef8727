//! Follows the results of commands: whoever looks again and again must not read a topic from its beginning each time.

use std::time::Duration;

use async_nats::jetstream::consumer::pull::{Ordered, OrderedConfig};
use futures_util::StreamExt;
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use talon_runtime::commands::ResultRecord;

use super::{nats, results, until};

/// As long as this nothing more has come.
const NOTHING: Duration = Duration::from_millis(100);

/// The results of a connector, from the first one on.
pub struct Following {
    told: Vec<ResultRecord>,
    from: From,
}

enum From {
    Kafka(Box<BaseConsumer>),
    Nats(Box<Ordered>),
}

impl Following {
    /// Waits until the topic is there.
    pub async fn results(address: &str, prefix: &str, connector: &str) -> Following {
        let topic = format!("{prefix}.{connector}.results");
        let from = match address.starts_with("nats://") {
            true => From::Nats(Box::new(on_nats(address, &topic).await)),
            false => From::Kafka(Box::new(on_kafka(address, &topic).await)),
        };
        Following { told: Vec::new(), from }
    }

    /// All that were told so far.
    pub async fn read(&mut self) -> &[ResultRecord] {
        while let Some(value) = self.from.next().await {
            self.told.push(results::decode(&value));
        }
        &self.told
    }
}

impl From {
    async fn next(&mut self) -> Option<Vec<u8>> {
        match self {
            From::Kafka(consumer) => {
                let polled = tokio::task::block_in_place(|| consumer.poll(NOTHING))?;
                Some(polled.unwrap().payload().unwrap().to_vec())
            }
            From::Nats(messages) => {
                let message = tokio::time::timeout(NOTHING, messages.next()).await.ok()?;
                Some(message.unwrap().unwrap().payload.to_vec())
            }
        }
    }
}

async fn on_kafka(bootstrap: &str, topic: &str) -> BaseConsumer {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", "scenario")
        .set("isolation.level", "read_committed")
        .set("enable.auto.commit", "false")
        .create()
        .unwrap();
    let mut assignment = TopicPartitionList::new();
    until("the topic of results is there", async || {
        let metadata = consumer.fetch_metadata(None, Duration::from_secs(30)).unwrap();
        let ours = metadata.topics().iter().filter(|known| known.name() == topic);
        for partition in ours.flat_map(|topic| topic.partitions()) {
            let id = partition.id();
            assignment.add_partition_offset(topic, id, Offset::Beginning).unwrap();
        }
        assignment.count() > 0
    })
    .await;
    consumer.assign(&assignment).unwrap();
    consumer
}

async fn on_nats(address: &str, topic: &str) -> Ordered {
    let jetstream = nats::jetstream(address).await;
    let one = format!("{topic}.x");
    until("the stream of results is there", async || {
        jetstream.stream_by_subject(one.as_str()).await.is_ok()
    })
    .await;
    let stream = jetstream.stream_by_subject(one).await.unwrap();
    let stream = jetstream.get_stream(stream).await.unwrap();
    let config = OrderedConfig { filter_subject: format!("{topic}.>"), ..OrderedConfig::default() };
    stream.create_consumer(config).await.unwrap().messages().await.unwrap()
}
