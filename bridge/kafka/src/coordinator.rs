//! Whether the coordinators of groups and of transactions answer.
//!
//! A broker that cannot make the topic of a coordinator says so in its own log only: the client waits for the
//! coordinator for ever, without an error.

use std::thread;
use std::time::{Duration, Instant};

use rdkafka::client::{Client, ClientContext};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::TopicPartitionList;
use talon_runtime::bus::BusFault;

use crate::client::{EARSHOT, refused};
use crate::cluster::Cluster;
use crate::fault::fault_of;
use crate::patience::{LOOK, PATIENCE};

/// Pause before a coordinator that moves is asked again.
const PAUSE: Duration = Duration::from_millis(100);

/// What a broker coordinates, by records on a topic of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coordinator {
    Groups,
    Transactions,
}

/// The topic of a coordinator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Topic {
    There,
    Missing,
    /// This user may not see it.
    Hidden,
}

/// Of how many replicas the brokers make these topics where nothing else is set.
const REPLICAS: usize = 3;

/// Asks the coordinator of a group for an offset on a topic, which need not be there. Blocks for ten seconds at
/// most.
pub(crate) fn ask_group(cluster: &Cluster, group: &str, topic: &str) -> Result<(), BusFault> {
    let mut config = cluster.config();
    config.set("group.id", group).set("enable.auto.commit", "false");
    let consumer: BaseConsumer = config.create().map_err(|error| refused(&config, &error))?;
    let mut wanted = TopicPartitionList::new();
    wanted.add_partition(topic, 0);
    let asked = committed(&consumer, &wanted);
    // A consumer takes 100 ms to close.
    thread::spawn(move || drop(consumer));
    for element in asked?.elements() {
        match element.error().map_err(|error| fault_of(&error)) {
            // A topic that is not there.
            Ok(()) | Err(BusFault::Aborted(_)) => {}
            Err(fault) => return Err(fault),
        }
    }
    Ok(())
}

/// What a consumer's group has committed of these partitions. A coordinator that is just being made, or moves,
/// is asked again, for ten seconds.
pub(crate) fn committed<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    wanted: &TopicPartitionList,
) -> Result<TopicPartitionList, BusFault> {
    let since = Instant::now();
    loop {
        let asked = consumer.committed_offsets(wanted.clone(), PATIENCE).and_then(|found| {
            // The client may put what is wrong with the whole into each part.
            let moves = found.elements().iter().find_map(|part| part.error().err().filter(moves));
            moves.map_or(Ok(found), Err)
        });
        match asked {
            Err(error) if moves(&error) && since.elapsed() < PATIENCE => thread::sleep(PAUSE),
            Err(error) => {
                // That the right to the group is missing is told aside, and again and again.
                let told = consumer.poll(EARSHOT).and_then(Result::err).map(|told| fault_of(&told));
                if let Some(fault @ BusFault::Misconfigured(_)) = told {
                    return Err(fault);
                }
                return Err(Coordinator::Groups.explain(consumer.client(), &error));
            }
            Ok(found) => return Ok(found),
        }
    }
}

/// Whether a coordinator says that it is another, or not ready.
fn moves(error: &KafkaError) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        error.rdkafka_error_code(),
        Some(
            Code::NotCoordinator | Code::CoordinatorLoadInProgress | Code::CoordinatorNotAvailable
        )
    )
}

impl Coordinator {
    /// What an error of a request to this coordinator means, after ten seconds of waiting for it.
    pub(crate) fn explain<C: ClientContext>(
        self,
        client: &Client<C>,
        error: &KafkaError,
    ) -> BusFault {
        use RDKafkaErrorCode as Code;
        let fault = fault_of(error);
        let waited = matches!(
            error.rdkafka_error_code(),
            Some(
                Code::OperationTimedOut
                    | Code::RequestTimedOut
                    | Code::WaitingForCoordinator
                    | Code::CoordinatorNotAvailable
                    | Code::NotCoordinator
                    | Code::CoordinatorLoadInProgress
            )
        );
        if !waited {
            return fault;
        }
        // Brokers that are away have no coordinator either, and that says less.
        let Ok(metadata) = client.fetch_metadata(Some(self.topic()), LOOK) else { return fault };
        let found = metadata.topics().iter().find(|topic| topic.name() == self.topic());
        let topic = match found.map(|topic| topic.error().map(RDKafkaErrorCode::from)) {
            Some(None) => Topic::There,
            Some(Some(Code::TopicAuthorizationFailed)) => Topic::Hidden,
            Some(Some(_)) | None => Topic::Missing,
        };
        self.missing(metadata.brokers().len(), topic)
    }

    /// It does not answer, though brokers do.
    fn missing(self, brokers: usize, found: Topic) -> BusFault {
        let (topic, setting) = (self.topic(), self.setting());
        let what = match self {
            Coordinator::Groups => "groups",
            Coordinator::Transactions => "transactions",
        };
        let says = format!("Kafka: the coordinator of {what} has not answered for ten seconds");
        let usual = format!(
            "the usual reason is that `{setting}` ({REPLICAS} where the brokers do not set it) is more than there are brokers ({brokers}): set it to {brokers} on the brokers, or start more of them"
        );
        match found {
            Topic::There => BusFault::Unavailable(format!(
                "{says}: its topic `{topic}` is there, and has no leader that works; look at the brokers' logs"
            )),
            // With brokers enough, it may also pass.
            _ if brokers >= REPLICAS => {
                BusFault::Unavailable(format!("{says}: is its topic `{topic}` there? {usual}"))
            }
            Topic::Missing => BusFault::Misconfigured(format!(
                "{says}: its topic `{topic}` is not there; {usual}"
            )),
            Topic::Hidden => BusFault::Misconfigured(format!(
                "{says}: its topic `{topic}`, which this user may not see, is probably not there; {usual}"
            )),
        }
    }

    fn topic(self) -> &'static str {
        match self {
            Coordinator::Groups => "__consumer_offsets",
            Coordinator::Transactions => "__transaction_state",
        }
    }

    fn setting(self) -> &'static str {
        match self {
            Coordinator::Groups => "offsets.topic.replication.factor",
            Coordinator::Transactions => "transaction.state.log.replication.factor",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_needs_a_person_is_told_from_what_may_pass() {
        for which in [Coordinator::Groups, Coordinator::Transactions] {
            for (brokers, topic, kind) in [
                (1, Topic::Missing, "misconfigured"),
                (2, Topic::Hidden, "misconfigured"),
                (3, Topic::Missing, "unavailable"),
                (1, Topic::There, "unavailable"),
            ] {
                let fault = which.missing(brokers, topic);
                assert_eq!(fault.kind(), kind, "{which:?} {brokers} {topic:?}: {fault}");
                assert!(fault.to_string().contains(which.topic()), "{fault}");
            }
        }
    }
}
