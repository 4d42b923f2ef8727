//! Assignments of the group, as grants, and whether this process is still in the group.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::types::RDKafkaRespErr;
use talon_runtime::bus::{BusFault, Membership, Ownership, Release, Report, Shards, Trouble};

use super::shards::partition;
use crate::client::severe;
use crate::fault::{fault_of, fault_of_code};

/// How long a shard that is taken back may take to commit what was read.
pub(super) const RELEASE: Duration = Duration::from_secs(20);

/// Pause before the broker is asked again whether this process is a member.
const AGAIN: Duration = Duration::from_millis(100);

/// A consumer of the group. When it is dropped, whatever is still assigned is given back, without which
/// the client would wait for ever.
pub(super) struct Leaving(pub(super) BaseConsumer<Context>);

impl Leaving {
    /// Leaves the group at once.
    pub(super) fn leave(&self) {
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
pub(super) struct Context {
    topic: String,
    shards: Shards,
    ownership: Ownership,
    report: Report,
    assigned: Mutex<Assigned>,
    /// Partitions are given back at once.
    leaving: AtomicBool,
    /// Trouble with the brokers that was reported, and not yet its end.
    pub(super) trouble: Trouble,
    doubt: Mutex<Doubt>,
    /// What was assigned is lost.
    lost: AtomicBool,
}

#[derive(Default)]
struct Assigned {
    partitions: BTreeSet<i32>,
    /// The shards that were granted of.
    shards: Arc<BTreeSet<String>>,
    /// Shards that this process could not run any more, and that may still be held.
    removed: Vec<Release>,
    /// Partitions that the group takes back, and what must be let go first.
    taken_back: Vec<(Vec<i32>, Release)>,
}

/// Which of the partitions that the group has taken back are given back now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Give {
    /// Those whose shards are let go, or had time enough.
    Released,
    All,
}

/// Whether this process is still a member of the group.
#[derive(Debug, Clone, Copy)]
pub(super) enum Doubt {
    None,
    /// The broker was asked.
    Asked {
        /// When first.
        since: Instant,
        /// It could not say, since the group was between two generations: to be asked again then.
        again: Option<Instant>,
    },
    /// It is not.
    Gone,
    /// An assignment could not be taken.
    Failed,
}

impl Context {
    pub(super) fn new(topic: &str, membership: &Membership) -> Context {
        Context {
            topic: topic.to_owned(),
            shards: membership.shards.clone(),
            ownership: membership.ownership.clone(),
            report: membership.report.clone(),
            assigned: Mutex::default(),
            leaving: AtomicBool::new(false),
            trouble: Trouble::default(),
            doubt: Mutex::new(Doubt::None),
            lost: AtomicBool::new(false),
        }
    }

    fn assigned(&self) -> MutexGuard<'_, Assigned> {
        self.assigned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the group has given this process anything.
    pub(super) fn is_assigned(&self) -> bool {
        !self.assigned().partitions.is_empty()
    }

    pub(super) fn doubt(&self) -> Doubt {
        *self.locked_doubt()
    }

    fn locked_doubt(&self) -> MutexGuard<'_, Doubt> {
        self.doubt.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn settle(&self, doubt: Doubt) {
        *self.locked_doubt() = doubt;
    }

    fn list(&self, partitions: impl IntoIterator<Item = i32>) -> TopicPartitionList {
        let mut list = TopicPartitionList::new();
        for partition in partitions {
            list.add_partition(&self.topic, partition);
        }
        list
    }

    /// Grants what is assigned; gives what is not any more.
    fn grant(&self, assigned: &mut Assigned) -> Release {
        assigned.shards = self.shards.current();
        let mine = |shard: &&String| assigned.partitions.contains(&partition(shard));
        self.ownership.grant(&assigned.shards.iter().filter(mine).cloned().collect())
    }

    /// Grants shards that came, and gives those up that went. The partition of one that went stays here.
    pub(super) fn look_at_shards(&self) {
        let mut assigned = self.assigned();
        if !Arc::ptr_eq(&assigned.shards, &self.shards.current()) && !assigned.partitions.is_empty()
        {
            let removed = self.grant(&mut assigned);
            assigned.removed.push(removed);
        }
        assigned.removed.retain(|release| {
            if release.took() > RELEASE {
                release.cut_short();
            }
            !release.is_done()
        });
    }

    /// What is assigned may be others' already.
    pub(super) fn lose(&self) {
        self.ownership.withdraw();
        let lost = std::mem::take(&mut self.assigned().partitions);
        if !lost.is_empty() {
            self.lost.store(true, Ordering::Release);
            tracing::warn!(
                "fenced: this process was silent for as long as `bus.kafka.session.timeout.ms` or longer, and its connectors went to others; it takes part again"
            );
        }
    }

    /// Whether what was assigned was lost since the last call.
    pub(super) fn was_lost(&self) -> bool {
        self.lost.swap(false, Ordering::AcqRel)
    }

    /// After a pause: asks the broker whether this process is still a member.
    pub(super) fn doubt_after(&self, consumer: &BaseConsumer<Context>, paused: Duration) {
        if self.assigned().partitions.is_empty() {
            return;
        }
        tracing::info!(
            ms = paused.as_millis() as u64,
            "this process stood still; nothing new begins before the broker says that it is still in the group"
        );
        self.ask(consumer, Instant::now());
    }

    /// Asks again if it could not say, in a while.
    pub(super) fn ask_again(&self, consumer: &BaseConsumer<Context>) {
        if let Doubt::Asked { since, again: Some(at) } = self.doubt()
            && at <= Instant::now()
        {
            self.ask(consumer, since);
        }
    }

    /// A commit of offsets, which the broker takes from members alone. Any offset: only the answer counts.
    fn ask(&self, consumer: &BaseConsumer<Context>, since: Instant) {
        let mut list = TopicPartitionList::new();
        for partition in &self.assigned().partitions {
            list.add_partition(&self.topic, *partition);
        }
        if list.count() == 0 {
            // What there was has been taken back meanwhile, as from a member.
            return self.settle(Doubt::None);
        }
        self.settle(Doubt::Asked { since, again: None });
        let asked = list.set_all_offsets(Offset::Offset(0));
        if asked.and_then(|()| consumer.commit(&list, CommitMode::Async)).is_err() {
            self.settle(Doubt::Failed);
        }
    }

    /// Gives partitions back that the group has taken back.
    pub(super) fn give_back(
        &self,
        consumer: &BaseConsumer<Context>,
        what: Give,
    ) -> Result<(), BusFault> {
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

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::debug!(target: "librdkafka", ?level, facility, "{message}");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(target: "librdkafka", %error, "{reason}");
        if let Some(code) = severe(&error) {
            let fault = fault_of_code(code);
            (self.report)(Some(&fault));
            self.trouble.told(fault);
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
                    return self.settle(Doubt::Failed);
                }
                (self.report)(None);
                let mut assigned = self.assigned();
                assigned.partitions.extend(numbers);
                let removed = self.grant(&mut assigned);
                assigned.removed.push(removed);
            }
            RDKafkaRespErr::RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS => {
                if consumer.assignment_lost() {
                    // Others may have it already.
                    self.lose();
                }
                {
                    let mut assigned = self.assigned();
                    assigned.partitions.retain(|partition| !numbers.contains(partition));
                    let mut release = self.grant(&mut assigned);
                    // Also what was given up, or has come to rest, and has not ended yet: whoever gets the
                    // partition may run it.
                    let moves = |shard: &str| numbers.contains(&partition(shard));
                    release.join(self.ownership.closing(moves));
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
                self.settle(Doubt::Failed);
            }
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, _: &TopicPartitionList) {
        let mut doubt = self.locked_doubt();
        if let Doubt::Asked { since, .. } = *doubt {
            use RDKafkaErrorCode as Code;
            match result.map_err(|error| error.rdkafka_error_code()) {
                // In a rebalance it is a member still, and will hear what it loses.
                Ok(()) | Err(Some(Code::RebalanceInProgress)) => *doubt = Doubt::None,
                Err(Some(Code::UnknownMemberId | Code::FencedInstanceId)) => *doubt = Doubt::Gone,
                // A member that has just joined the next generation is told the same as one that is gone.
                Err(Some(Code::IllegalGeneration)) => {
                    *doubt = Doubt::Asked { since, again: Some(Instant::now() + AGAIN) };
                }
                // No answer.
                Err(_) => {}
            }
        }
    }
}
