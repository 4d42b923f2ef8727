//! Who runs what: the group protocol on `{prefix}.shards`.
//!
//! A shard belongs to the partition that its name hashes to, and to the process to which the group has
//! assigned that partition. Nothing is ever written to the topic. Assignment is cooperative: a
//! rebalance takes away only what moves.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, Rebalance};
use rdkafka::error::KafkaError;
use talon_runtime::bus::{BusFault, Membership, Purpose, Report, TopicSpec};
use talon_runtime::ownership::Ownership;

use crate::client::{refused, severe};
use crate::fault::{fault_of, fault_of_code};
use crate::topics;

/// Partitions of the topic: the most shards of a group that surely run in different processes.
pub(crate) const PARTITIONS: u32 = 32;

/// How long a rebalance waits for a shard to commit what was read.
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
    /// Takes part in the group until told to give up. Blocks.
    pub(crate) fn run(self) {
        while !self.membership.give_up.is_set() {
            if let Err(fault) = self.take_part() {
                self.membership.ownership.withdraw();
                self.membership.ownership.wait_released(RELEASE);
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
        let session = config.get("session.timeout.ms").and_then(|ms| ms.parse().ok());
        let session = Duration::from_millis(session.unwrap_or(SESSION_MS));
        let heartbeat = config.get("heartbeat.interval.ms").and_then(|ms| ms.parse().ok());
        let heartbeat = Duration::from_millis(heartbeat.unwrap_or(HEARTBEAT_MS));
        // The broker's session counts from the last heartbeat that it got.
        let good = session.saturating_sub(heartbeat);
        config.set("session.timeout.ms", session.as_millis().to_string());
        let context = Context {
            shards: self.membership.shards.clone(),
            ownership: self.membership.ownership.clone(),
            report: self.membership.report.clone(),
            assigned: Mutex::default(),
            waited: Mutex::default(),
            in_trouble: AtomicBool::new(false),
        };
        let consumer: BaseConsumer<Context> =
            config.create_with_context(context).map_err(|error| refused(&config, &error))?;
        consumer.subscribe(&[&self.topic.name]).map_err(|error| fault_of(&error))?;
        while !self.membership.give_up.is_set() {
            let since = Instant::now();
            self.membership.ownership.confirm(since + good);
            let polled = consumer.poll(Duration::from_millis(100));
            let waited = consumer.context().take_waited();
            if since.elapsed().saturating_sub(waited) > good {
                // The broker may have given the work to others without this process knowing yet.
                self.membership.ownership.withdraw();
                tracing::warn!(
                    seconds = since.elapsed().as_secs(),
                    "fenced: this process stood still for nearly as long as `bus.kafka.session.timeout.ms` or longer, so its connectors went to others; it takes part again"
                );
                self.membership.ownership.wait_released(RELEASE);
                return Ok(());
            }
            if consumer.context().in_trouble.load(Ordering::Relaxed) {
                // A member with a place of its own is not assigned anything anew that would tell.
                let look =
                    consumer.client().fetch_metadata(Some(&self.topic.name), LOOK.min(good / 2));
                if look.is_ok() {
                    consumer.context().in_trouble.store(false, Ordering::Relaxed);
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
        // Leaves the group, so that what was run here moves at once; but for a process with a place of
        // its own, which is kept for it until it is back.
        if config.get("group.instance.id").is_none() {
            consumer.unsubscribe();
        }
        Ok(())
    }
}

/// Turns assignments into grants.
struct Context {
    shards: Vec<String>,
    ownership: Ownership,
    report: Report,
    assigned: Mutex<BTreeSet<i32>>,
    /// Time that a poll spent waiting for shards to be let go.
    waited: Mutex<Duration>,
    /// Trouble with the brokers was reported, and not yet its end.
    in_trouble: AtomicBool,
}

impl Context {
    fn take_waited(&self) -> Duration {
        std::mem::take(&mut *self.waited.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn grant(&self, change: impl FnOnce(&mut BTreeSet<i32>)) {
        let mut assigned = self.assigned.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut assigned);
        let mine = self.shards.iter().filter(|shard| assigned.contains(&partition(shard)));
        self.ownership.grant(mine.cloned().collect());
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
    fn pre_rebalance(&self, _: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if let Rebalance::Revoke(partitions) = rebalance {
            let revoked: Vec<i32> = partitions.elements().iter().map(|p| p.partition()).collect();
            self.grant(|assigned| assigned.retain(|partition| !revoked.contains(partition)));
            // Only when this returns may another process have them.
            if !self.ownership.wait_released(RELEASE) {
                tracing::warn!(
                    "a connector did not stop in time for a rebalance; it will be fenced"
                );
            }
        }
    }

    fn post_rebalance(&self, _: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        match rebalance {
            Rebalance::Assign(partitions) => {
                (self.report)(None);
                let added: Vec<i32> = partitions.elements().iter().map(|p| p.partition()).collect();
                self.grant(|assigned| assigned.extend(added));
            }
            Rebalance::Revoke(_) => {}
            Rebalance::Error(error) => {
                tracing::debug!(target: "librdkafka", %error, "rebalance");
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
