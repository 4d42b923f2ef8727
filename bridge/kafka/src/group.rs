//! Who runs what: the group protocol on `{prefix}.shards`.
//!
//! A shard belongs to the partition that its name hashes to, and to the process to which the group has
//! assigned that partition. Assignment is cooperative: a rebalance takes away only what moves.
//!
//! How it can fail, and what holds then:
//!
//! * A shard that is taken back commits for seconds, or is being opened: its partition is given back when
//!   it is let go, and the loop goes on meanwhile, so the other shards stay confirmed. The group waits for
//!   as long as `max.poll.interval.ms` (5 minutes).
//! * It is not let go within [`RELEASE`]: its grant is made over, then its partition is given back. What it
//!   still appends is fenced by the broker.
//! * The process stood still for nearly a session, or longer: nothing new begins, since the grants are not
//!   confirmed, and the broker is asked by a commit of offsets, which it takes from members alone. If it
//!   does, nothing has been lost; else all grants are over, and the client joins again.
//! * The client says that its assignment is lost: the same, without asking.
//! * A rebalance fails: all grants are over.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::types::RDKafkaRespErr;
use talon_runtime::bus::{BusFault, Membership, Ownership, Purpose, Release, Report, TopicSpec};

use crate::client::{refused, severe};
use crate::fault::{fault_of, fault_of_code};
use crate::topics;

/// Partitions of the topic: the most shards of a group that surely run in different processes.
pub(crate) const PARTITIONS: u32 = 32;

/// How long a shard that is taken back may take to commit what was read.
const RELEASE: Duration = Duration::from_secs(20);

/// How long the group waits for a silent process, where the configuration does not say.
const SESSION_MS: u64 = 10_000;

/// What the client does where the configuration does not say.
const HEARTBEAT_MS: u64 = 3_000;

/// Pause before a group is joined again after a failure.
const PAUSE: Duration = Duration::from_secs(2);

/// One look at whether brokers that were in trouble are back, at most.
const LOOK: Duration = Duration::from_secs(1);

/// The topic of a prefix.
pub(crate) fn topic(prefix: &str, replication: u16) -> TopicSpec {
    TopicSpec {
        name: format!("{prefix}.shards"),
        purpose: Purpose::Shards,
        partitions: PARTITIONS,
        replication,
        keep_ms: 0,
    }
}

/// What a member of the group needs.
pub(crate) struct Member {
    pub(crate) config: ClientConfig,
    pub(crate) group: String,
    pub(crate) topic: TopicSpec,
    pub(crate) membership: Membership,
}

impl Member {
    /// Takes part in the group until told to stop. Blocks.
    pub(crate) fn run(self) {
        while !self.membership.stop.is_set() {
            if let Err(fault) = self.take_part() {
                self.membership.ownership.withdraw();
                (self.membership.report)(Some(&fault));
                if let BusFault::Fenced(_) = fault {
                    // To join again would drive the other one out in turn.
                    return;
                }
                std::thread::sleep(PAUSE);
            }
        }
    }

    fn take_part(&self) -> Result<(), BusFault> {
        let admin = self.config.clone();
        topics::ensure_one(&admin, &self.topic)?;
        let mut config = self.config.clone();
        config
            .set("group.id", &self.group)
            .set("enable.auto.commit", "false")
            .set("auto.offset.reset", "latest")
            .set("partition.assignment.strategy", "cooperative-sticky");
        let millis = |name: &str, otherwise: u64| {
            let set = config.get(name).and_then(|ms| ms.parse().ok());
            Duration::from_millis(set.unwrap_or(otherwise))
        };
        let session = millis("session.timeout.ms", SESSION_MS);
        // The broker's session counts from the last heartbeat that it got.
        let good = session.saturating_sub(millis("heartbeat.interval.ms", HEARTBEAT_MS));
        config.set("session.timeout.ms", session.as_millis().to_string());
        let context = Context {
            topic: self.topic.name.clone(),
            shards: self.membership.shards.clone(),
            ownership: self.membership.ownership.clone(),
            report: self.membership.report.clone(),
            assigned: Mutex::default(),
            leaving: AtomicBool::new(false),
            in_trouble: AtomicBool::new(false),
            doubt: Mutex::new(Doubt::None),
        };
        let consumer: BaseConsumer<Context> =
            config.create_with_context(context).map_err(|error| refused(&config, &error))?;
        let consumer = Leaving(consumer);
        consumer.0.subscribe(&[&self.topic.name]).map_err(|error| fault_of(&error))?;
        self.stay(&consumer.0, good)?;
        // Leaves the group, so that what was run here moves at once; but for a process with a place of
        // its own, which is kept for it until it is back.
        if config.get("group.instance.id").is_none() {
            consumer.leave();
        }
        Ok(())
    }

    /// Polls until told to stop. The group takes a process that does not for dead after `good`.
    fn stay(&self, consumer: &BaseConsumer<Context>, good: Duration) -> Result<(), BusFault> {
        let (context, ownership) = (consumer.context(), &self.membership.ownership);
        let mut last = Instant::now();
        while !self.membership.stop.is_set() {
            // One look at the clock for both, so that a pause anywhere is seen.
            let now = Instant::now();
            if now - last > good {
                context.ask(consumer, now - last);
            }
            last = now;
            let doubt = *context.doubt();
            match doubt {
                Doubt::None => ownership.confirm(now + good),
                // It is not confirmed, so nothing new begins.
                Doubt::Asked(since) if since.elapsed() < good => {}
                Doubt::Asked(_) => return Err(stood_still()),
                Doubt::Gone => {
                    context.lose();
                    return Ok(());
                }
            }
            let polled = consumer.poll(Duration::from_millis(100));
            context.give_back(consumer, Give::Released)?;
            if context.in_trouble.load(Ordering::Relaxed) {
                // A member with a place of its own is not assigned anything anew that would tell.
                let look =
                    consumer.client().fetch_metadata(Some(&self.topic.name), LOOK.min(good / 4));
                if look.is_ok() {
                    context.in_trouble.store(false, Ordering::Relaxed);
                    (self.membership.report)(None);
                }
            }
            if let Some(Err(error)) = polled {
                if let Some((code, _)) = consumer.client().fatal_error() {
                    return Err(fault_of_code(code));
                }
                match fault_of(&error) {
                    BusFault::Unavailable(_) => {}
                    fault => return Err(fault),
                }
            }
        }
        Ok(())
    }
}

fn stood_still() -> BusFault {
    BusFault::Unavailable(
        "Kafka: this process stood still, and the broker does not say whether it is still in the group".to_owned(),
    )
}

/// A consumer of the group. When it is dropped, whatever is still assigned is given back, without which
/// the client would wait for ever.
struct Leaving(BaseConsumer<Context>);

impl Leaving {
    /// Leaves the group at once.
    fn leave(&self) {
        self.0.context().leaving.store(true, Ordering::Release);
        self.0.unsubscribe();
    }
}

impl Drop for Leaving {
    fn drop(&mut self) {
        let context = self.0.context();
        context.leaving.store(true, Ordering::Release);
        context.ownership.withdraw();
        context.give_back(&self.0, Give::All).ok();
    }
}

/// Turns assignments into grants.
struct Context {
    topic: String,
    shards: Vec<String>,
    ownership: Ownership,
    report: Report,
    assigned: Mutex<Assigned>,
    /// Partitions are given back at once.
    leaving: AtomicBool,
    /// Trouble with the brokers was reported, and not yet its end.
    in_trouble: AtomicBool,
    doubt: Mutex<Doubt>,
}

#[derive(Default)]
struct Assigned {
    partitions: BTreeSet<i32>,
    /// Partitions that the group takes back, and what must be let go first.
    taken_back: Vec<(Vec<i32>, Release)>,
}

/// Which of the partitions that the group has taken back are given back now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Give {
    /// Those whose shards are let go, or had time enough.
    Released,
    All,
}

/// Whether this process is still a member of the group.
#[derive(Debug, Clone, Copy)]
enum Doubt {
    None,
    /// The broker was asked then.
    Asked(Instant),
    /// It is not.
    Gone,
}

impl Context {
    fn assigned(&self) -> MutexGuard<'_, Assigned> {
        self.assigned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn doubt(&self) -> MutexGuard<'_, Doubt> {
        self.doubt.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn settle(&self, doubt: Doubt) {
        *self.doubt() = doubt;
    }

    fn list(&self, partitions: impl IntoIterator<Item = i32>) -> TopicPartitionList {
        let mut list = TopicPartitionList::new();
        for partition in partitions {
            list.add_partition(&self.topic, partition);
        }
        list
    }

    /// Grants what is assigned; gives what is not any more.
    fn grant(&self, assigned: &Assigned) -> Release {
        let mine = |shard: &&String| assigned.partitions.contains(&partition(shard));
        self.ownership.grant(&self.shards.iter().filter(mine).cloned().collect())
    }

    /// After a pause: asks the broker whether this process is still a member.
    fn ask(&self, consumer: &BaseConsumer<Context>, paused: Duration) {
        let partitions = self.assigned().partitions.clone();
        if partitions.is_empty() {
            return;
        }
        tracing::info!(
            ms = paused.as_millis() as u64,
            "this process stood still; nothing new begins before the broker says that it is still in the group"
        );
        let mut list = TopicPartitionList::new();
        for partition in partitions {
            // Any offset: only the answer counts.
            if list.add_partition_offset(&self.topic, partition, Offset::Offset(0)).is_err() {
                return self.settle(Doubt::Gone);
            }
        }
        self.settle(Doubt::Asked(Instant::now()));
        if consumer.commit(&list, CommitMode::Async).is_err() {
            self.settle(Doubt::Gone);
        }
    }

    /// The group has gone on without this process: others may have its shards already.
    fn lose(&self) {
        self.ownership.withdraw();
        tracing::warn!(
            "fenced: this process was silent for as long as `bus.kafka.session.timeout.ms` or longer, and its connectors went to others; it takes part again"
        );
    }

    /// Gives partitions back that the group has taken back.
    fn give_back(&self, consumer: &BaseConsumer<Context>, what: Give) -> Result<(), BusFault> {
        let mut back = Vec::new();
        self.assigned().taken_back.retain(|(partitions, release)| {
            let late = release.took() > RELEASE;
            if late && let shards @ [_, ..] = release.cut_short().as_slice() {
                tracing::warn!(
                    connectors = shards.join(", "),
                    "not let go in time for a rebalance; what they still publish is fenced"
                );
            }
            let stays = !late && !release.is_done() && what == Give::Released;
            if !stays {
                back.extend(partitions);
            }
            stays
        });
        if back.is_empty() {
            return Ok(());
        }
        consumer.incremental_unassign(&self.list(back)).map_err(|error| fault_of(&error))
    }
}

/// The partition that a shard belongs to. The same in every version: processes of different versions
/// share a group during an upgrade.
fn partition(shard: &str) -> i32 {
    // FNV-1a, because it is short and will not change.
    let hash = shard.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    (hash % u64::from(PARTITIONS)) as i32
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::debug!(target: "librdkafka", ?level, facility, "{message}");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(target: "librdkafka", %error, "{reason}");
        if let Some(code) = severe(&error) {
            self.in_trouble.store(true, Ordering::Relaxed);
            (self.report)(Some(&fault_of_code(code)));
        }
    }
}

impl ConsumerContext for Context {
    /// Instead of the client's own, which gives back at once what is taken back.
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        what: RDKafkaRespErr,
        partitions: &mut TopicPartitionList,
    ) {
        let numbers: Vec<i32> = partitions.elements().iter().map(|p| p.partition()).collect();
        match what {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS => {
                if let Err(error) = consumer.incremental_assign(partitions) {
                    tracing::debug!(target: "librdkafka", %error, "assign");
                    return self.settle(Doubt::Gone);
                }
                (self.report)(None);
                let mut assigned = self.assigned();
                assigned.partitions.extend(numbers);
                self.grant(&assigned);
            }
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS => {
                if consumer.assignment_lost() {
                    self.lose();
                }
                {
                    let mut assigned = self.assigned();
                    assigned.partitions.retain(|partition| !numbers.contains(partition));
                    let release = self.grant(&assigned);
                    assigned.taken_back.push((numbers, release));
                }
                let leaving = self.leaving.load(Ordering::Acquire);
                let what = if leaving { Give::All } else { Give::Released };
                if let Err(fault) = self.give_back(consumer, what) {
                    tracing::debug!(target: "librdkafka", %fault, "unassign");
                }
            }
            error => {
                let error = KafkaError::Rebalance(RDKafkaErrorCode::from(error));
                tracing::debug!(target: "librdkafka", %error, "rebalance");
                self.settle(Doubt::Gone);
            }
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, _: &TopicPartitionList) {
        let mut doubt = self.doubt();
        if matches!(*doubt, Doubt::Asked(_)) {
            use RDKafkaErrorCode as Code;
            match result.map_err(|error| error.rdkafka_error_code()) {
                // In a rebalance it is a member still, and will hear what it loses.
                Ok(()) | Err(Some(Code::RebalanceInProgress)) => *doubt = Doubt::None,
                Err(Some(Code::UnknownMemberId | Code::IllegalGeneration)) => *doubt = Doubt::Gone,
                // No answer.
                Err(_) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_belongs_to_the_same_partition_in_every_version() {
        assert_eq!(["field-service", "a", ""].map(partition), [partition("field-service"), 12, 5]);
        assert!(
            ["x", "y", "z"].iter().all(|name| (0..PARTITIONS as i32).contains(&partition(name)))
        );
    }
}
