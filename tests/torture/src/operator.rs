//! What an operator does to Kafka: partitions are added, offsets are changed.

use std::time::Duration;

use anyhow::Context;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

/// Longest wait for the broker.
const PATIENCE: Duration = Duration::from_secs(30);
/// How many partitions are added at a time.
const MORE: usize = 2;

/// An operator with a client of his own, past the lines that break.
pub struct Operator {
    config: ClientConfig,
}

impl Operator {
    /// One at this Kafka.
    pub fn new(bootstrap: &str) -> Operator {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", bootstrap)
            .set_log_level(rdkafka::config::RDKafkaLogLevel::Emerg);
        Operator { config }
    }

    /// Adds partitions to those of these topics that there are.
    ///
    /// # Errors
    /// The broker refuses.
    pub async fn add_partitions(&self, topics: &[String]) -> anyhow::Result<()> {
        let admin: AdminClient<DefaultClientContext> = self.config.create()?;
        let known = admin.inner().fetch_metadata(None, PATIENCE)?;
        let more = known.topics().iter().filter(|known| topics.iter().any(|t| t == known.name()));
        let more: Vec<NewPartitions<'_>> = more
            .map(|topic| NewPartitions::new(topic.name(), topic.partitions().len() + MORE))
            .collect();
        let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
        for added in admin.create_partitions(&more, &options).await? {
            added
                .map_err(|(topic, code)| anyhow::anyhow!("`{topic}` gets no partitions: {code}"))?;
        }
        Ok(())
    }

    /// Sets all offsets of a group on a topic to the beginning. The group may have no members, which the
    /// groups of commands never have. Blocks.
    ///
    /// # Errors
    /// The broker refuses.
    pub fn reset_offsets(&self, group: &str, topic: &str) -> anyhow::Result<()> {
        let consumer: BaseConsumer = self.config.clone().set("group.id", group).create()?;
        let known = consumer.fetch_metadata(Some(topic), PATIENCE)?;
        let mut offsets = TopicPartitionList::new();
        for partition in known.topics().iter().flat_map(|topic| topic.partitions()) {
            offsets.add_partition_offset(topic, partition.id(), Offset::Offset(0))?;
        }
        consumer.commit(&offsets, CommitMode::Sync).with_context(|| format!("group `{group}`"))
    }

    /// Deletes a group, if it is there.
    ///
    /// # Errors
    /// The broker refuses.
    pub async fn delete_group(&self, group: &str) -> anyhow::Result<()> {
        use rdkafka::types::RDKafkaErrorCode::{GroupIdNotFound, NotCoordinator};
        let admin: AdminClient<DefaultClientContext> = self.config.create()?;
        let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
        for deleted in admin.delete_groups(&[group], &options).await? {
            match deleted {
                Ok(_) | Err((_, GroupIdNotFound | NotCoordinator)) => {}
                Err((group, code)) => anyhow::bail!("group `{group}` is not deleted: {code}"),
            }
        }
        Ok(())
    }
}
