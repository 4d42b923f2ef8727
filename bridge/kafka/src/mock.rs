//! A Kafka-compatible broker inside the process, for `talon dev` and component tests.

use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use talon_runtime::bus::{LaneSpec, ShardSpec, TopicSpec};

/// librdkafka's mock cluster. Speaks Kafka's protocol on a loopback port, to clients outside the
/// process too; keeps about 5 MB a partition in memory, compacts nothing, and creates no topic by
/// request. No substitute for a broker.
pub struct InProcess {
    cluster: MockCluster<'static, DefaultProducerContext>,
}

impl InProcess {
    /// Starts it.
    ///
    /// # Errors
    /// The client's text, where it cannot listen.
    pub fn start() -> Result<InProcess, String> {
        MockCluster::new(1).map(|cluster| InProcess { cluster }).map_err(|error| error.to_string())
    }

    /// Where it listens: `127.0.0.1:port`.
    pub fn bootstrap_servers(&self) -> String {
        self.cluster.bootstrap_servers()
    }

    /// Creates the topics of a shard.
    ///
    /// # Errors
    /// The client's text.
    pub fn create_topics(&self, shard: &ShardSpec) -> Result<(), String> {
        self.create(shard.topics.iter().chain([&shard.checkpoints]))
    }

    /// Creates the topics of a connector's commands.
    ///
    /// # Errors
    /// The client's text.
    pub fn create_lane(&self, lane: &LaneSpec) -> Result<(), String> {
        self.create([&lane.commands, &lane.results, &lane.dead_letters].into_iter())
    }

    fn create<'a>(&self, topics: impl Iterator<Item = &'a TopicSpec>) -> Result<(), String> {
        for topic in topics {
            let partitions = topic.partitions.try_into().unwrap_or(1);
            match self.cluster.create_topic(&topic.name, partitions, 1) {
                Ok(()) => {}
                // Some topics are several's: checkpoints, dead letters.
                Err(error) if error.to_string().contains("TopicAlreadyExists") => {}
                Err(error) => return Err(error.to_string()),
            }
        }
        Ok(())
    }
}
