//! What is wrong with a producer, and whether to wait on.

use rdkafka::error::KafkaError;
use rdkafka::producer::Producer as _;
use rdkafka::topic_partition_list::Offset;
use talon_runtime::bus::{BusFault, Stall};

use super::writer::{KafkaProducer, Transaction};
use crate::client::EARSHOT;
use crate::fault::{fault_of, fault_of_code, of_topic};
use crate::patience::{LOOK, PATIENCE, SLOW};
use crate::reader::{Ends, offsets, partitions};

impl KafkaProducer {
    /// What went wrong with deliveries. A fatal error of the producer says more than the deliveries
    /// that it purged.
    pub(super) fn failure(&self) -> Option<BusFault> {
        let failed = self.client.context().failed_delivery()?;
        if let Some((code, _)) = self.client.client().fatal_error() {
            return Some(fault_of_code(code));
        }
        if failed.purged && self.transaction == Transaction::Open {
            // A transaction that cannot be committed any more says why, for instance that a right is missing.
            if let Err(error) = self.client.commit_transaction(LOOK) {
                return Some(of_topic(self.explain(&error), &failed.topic));
            }
        }
        if let BusFault::TooLarge(_) = failed.fault {
            let (topic, bytes) = (&failed.topic, failed.bytes);
            self.cluster.limits().refuse(topic, bytes, self.alone);
            let what = if self.alone { "a record" } else { "a batch with a record" };
            return Some(BusFault::Aborted(format!(
                "Kafka: the topic `{topic}` refuses {what} of {bytes} bytes (its `max.message.bytes`); it is known from now on"
            )));
        }
        Some(failed.fault)
    }

    /// While waiting: whether to go on.
    pub(super) fn check(&self, stall: &mut Stall) -> Result<(), BusFault> {
        if let Some(fault) = self.failure() {
            return Err(fault);
        }
        self.grant.may_finish()?;
        stall.see(self.client.in_flight_count().into());
        if stall.since_attempt() <= PATIENCE {
            return Ok(());
        }
        if stall.time() < SLOW {
            self.leaders_answer()?;
            if stall.time() < 2 * PATIENCE {
                tracing::warn!(
                    shard = self.grant.shard(),
                    "Kafka answers and acknowledges nothing for ten seconds; is there a quota (`producer_byte_rate`) on this client?"
                );
            }
            stall.attempted();
            return Ok(());
        }
        let fault = BusFault::Unavailable("Kafka: no broker acknowledges records".to_owned());
        Err(self.client.context().trouble.explain(fault))
    }

    /// Whether the leaders of all partitions answer, on connections that no quota holds up.
    pub(super) fn leaders_answer(&self) -> Result<(), BusFault> {
        let topics: Vec<&str> = self.wanted.topics.iter().map(String::as_str).collect();
        let answer = || self.ends(&topics).map(drop);
        answer().map_err(|fault| match fault {
            BusFault::Unavailable(_) => {
                let fault =
                    BusFault::Unavailable("Kafka: no broker acknowledges records".to_owned());
                self.client.context().trouble.explain(fault)
            }
            other => other,
        })
    }

    /// How many partitions topics have now, and where each of them ends.
    pub(crate) fn ends(&self, topics: &[&str]) -> Result<(Vec<i32>, Ends), BusFault> {
        let asker = self.cluster.asker()?;
        let counts = partitions(&asker, topics, LOOK)?;
        let each = |(topic, count): (usize, &i32)| (0..*count).map(move |number| (topic, number));
        let places: Vec<(usize, i32)> = counts.iter().enumerate().flat_map(each).collect();
        let all: Vec<(&str, i32)> =
            places.iter().map(|(topic, number)| (topics[*topic], *number)).collect();
        let ends = offsets(&asker, &all, Offset::End, LOOK)?;
        Ok((counts, places.into_iter().zip(ends).collect()))
    }

    /// An error, with the trouble of the connection behind it.
    pub(crate) fn explain(&self, error: &KafkaError) -> BusFault {
        self.client.poll(EARSHOT);
        self.client.context().trouble.explain(fault_of(error))
    }
}
