//! How many tasks a relay has, as the topic of the positions says: read, and changed.
//!
//! Who changes it has the transactional id `{prefix}.relay.{relay}.tasks`, so of two only the later one does.

use std::time::Instant;

use rdkafka::ClientConfig;
use talon_runtime::bus::{BusFault, Grant, TopicSpec};
use talon_runtime::relay::{Agreed, SinkSpec};

use super::records::{self, Known};
use crate::Kafka;
use crate::cluster::Use;
use crate::producer::KafkaProducer;
use crate::reader::{PartitionReader, Topic};

/// The transactional id of a task.
pub(super) fn id(prefix: &str, relay: &str, task: u32) -> String {
    format!("{prefix}.relay.{relay}.{task}")
}

/// What the topic says of a relay, read to its end.
pub(super) fn read(
    (reader, group): (&ClientConfig, &str),
    spec: &SinkSpec,
    positions: &TopicSpec,
    grant: &Grant,
) -> Result<Known, BusFault> {
    let own = Some(records::begins(&spec.relay));
    let topics = [Topic { name: positions.name.clone(), by_key: true, own }];
    let mut known = Known::default();
    PartitionReader::new(reader, group, &topics, grant).read(&mut |_, record| {
        let taken = records::take(spec, record.key, record.value, &mut known);
        taken.map_err(|what| {
            BusFault::Misconfigured(format!("Kafka: {what}; a tombstone in its place begins anew"))
        })
    })?;
    Ok(known)
}

/// Makes the number of tasks that of this process, at the first opening of one of them here. Gives whether the fence
/// that the task took at `taken` is lost by that.
///
/// Only after the task has taken its fence, since that ends what an earlier owner left open: the topic is read here,
/// and tasks that wait for one another's open transactions would wait until those time out.
pub(super) fn settle(
    kafka: &Kafka,
    spec: &SinkSpec,
    grant: &Grant,
    taken: Instant,
) -> Result<bool, BusFault> {
    spec.tasks.settle(taken, || {
        let positions = records::topic(&kafka.prefix, spec.replication);
        let own = format!("{}.relay.{}.tasks", kafka.prefix, spec.relay);
        // Fences others who change it, before it is read.
        let mut producer = kafka.producer(Some(own), &[&positions], grant)?;
        let reader = (&kafka.cluster.config(), &*kafka.recovery());
        let found = read(reader, spec, &positions, grant)?.tasks;
        let Some(change) = spec.tasks.change(found) else { return Ok(false) };
        let mut say = |agreed: Agreed| {
            let key = records::tasks(&spec.relay);
            let value = serde_json::to_vec(&agreed).unwrap_or_default();
            let sent =
                producer.send(&positions.name, Some(0), &key, Some(&value), std::iter::empty());
            sent.and_then(|()| producer.commit()).map_err(|fault| match fault {
                // Another process changes it too. No task was taken from this one.
                BusFault::Fenced(why) => BusFault::Aborted(why),
                fault => fault,
            })
        };
        say(change)?;
        if change.counts {
            return Ok(false);
        }
        for task in 0..change.before {
            let transactional_id = Some(id(&kafka.prefix, &spec.relay, task));
            let wanted = Use { transactional_id, ..Use::default() };
            KafkaProducer::new(&kafka.cluster, wanted, grant)?.take_over()?;
        }
        say(change.complete())?;
        let (relay, tasks) = (&spec.relay, change.tasks);
        tracing::info!(
            relay,
            tasks,
            "the number of tasks was changed; those of the one before are fenced"
        );
        Ok(true)
    })
}
