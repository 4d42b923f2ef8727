//! Settings of topics that lose what Talon keeps on them. Such a topic is used all the same, since what is
//! lost is lost later, if at all: it is shown for as long as it is so.

use std::collections::HashMap;
use std::time::Duration;

use rdkafka::admin::{
    AdminClient, AdminOptions, ConfigResource, OwnedResourceSpecifier, ResourceSpecifier,
};
use rdkafka::client::DefaultClientContext;
use talon_runtime::bus::{BusFault, Purpose, TopicSpec};
use talon_sdk::Kind;

use crate::fault::fault_of;

/// One look, at most.
const LOOK: Duration = Duration::from_secs(5);

/// Topics that are asked for at a time: each answers with some thirty settings.
const AT_A_TIME: usize = 500;

/// How old a record must be able to be when it comes to the broker, milliseconds: it waits in the client for
/// as long as a transaction may take, and the marker of a transaction bears the time of its own broker.
const LATE_MS: u64 = 600_000;

/// The policies of topics. What is not there, or may not be looked at, has none.
pub(crate) async fn policies(
    admin: &AdminClient<DefaultClientContext>,
    topics: &[&str],
) -> Result<HashMap<String, Policy>, BusFault> {
    let options = AdminOptions::new().request_timeout(Some(LOOK));
    let mut found = HashMap::with_capacity(topics.len());
    for some in topics.chunks(AT_A_TIME) {
        let resources: Vec<ResourceSpecifier<'_>> =
            some.iter().map(|topic| ResourceSpecifier::Topic(topic)).collect();
        let described = admin.describe_configs(&resources, &options).await;
        for config in described.map_err(|error| fault_of(&error))?.into_iter().flatten() {
            let policy = Policy::of(&config);
            if let OwnedResourceSpecifier::Topic(name) = config.specifier {
                found.insert(name, policy);
            }
        }
    }
    Ok(found)
}

/// What of a topic's settings decides how long records stay.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Policy {
    compacts: bool,
    deletes: bool,
    /// Milliseconds; none is for ever.
    age: Option<u64>,
    /// Bytes of a partition; none is without a bound.
    bytes: Option<u64>,
    /// How old a record may be that the broker takes, milliseconds; none is as old as it likes.
    late: Option<u64>,
    /// How far ahead of its clock, milliseconds; none is as far as it likes.
    early: Option<u64>,
    /// Records get the broker's time, whatever theirs is.
    own_time: bool,
}

impl Policy {
    fn of(config: &ConfigResource) -> Policy {
        let text = |name: &str| config.get(name).and_then(|entry| entry.value.as_deref());
        // -1 is "without a bound", and so is what is not told.
        let bound = |name: &str| text(name)?.parse().ok();
        let policy = text("cleanup.policy").unwrap_or_default();
        // Else the broker puts in its own time.
        let is_told = text("message.timestamp.type") != Some("LogAppendTime");
        Policy {
            compacts: policy.contains("compact"),
            deletes: policy.contains("delete"),
            age: bound("retention.ms"),
            bytes: bound("retention.bytes"),
            late: bound("message.timestamp.before.max.ms").filter(|_| is_told),
            early: bound("message.timestamp.after.max.ms").filter(|_| is_told),
            own_time: !is_told,
        }
    }

    /// How records go, whatever their keys.
    fn bounds(&self) -> Vec<String> {
        let age = self.age.map(|ms| format!("`retention.ms` is {ms}"));
        let bytes = self.bytes.map(|bytes| format!("`retention.bytes` is {bytes}"));
        age.into_iter().chain(bytes).filter(|_| self.deletes).collect()
    }

    /// What a topic loses by it, or why it may not take what is written to it.
    pub(crate) fn losses(&self, topic: &TopicSpec) -> Vec<String> {
        let mut losses = Vec::new();
        // The transactions of a store are short.
        let is_store = matches!(topic.purpose, Purpose::Configs | Purpose::Status);
        if let Some(late) = self.late.filter(|late| *late < LATE_MS && !is_store) {
            losses.push(format!(
                "`message.timestamp.before.max.ms` is {late}: a record that waits in a slow transaction is refused, and so is the marker that would end the transaction if brokers pause for as long or their clocks differ by it; set it to {LATE_MS} or more"
            ));
        }
        let bounds = self.bounds();
        let is_early =
            self.deletes && (self.bytes.is_some() || self.age.is_some_and(|ms| ms < topic.keep_ms));
        let early = |what: &str| {
            let keep = topic.keep_ms;
            format!("{}, and records are meant to stay for {keep} ms: {what}", bounds.join(", "))
        };
        match topic.purpose {
            Purpose::Changes(Kind::Table) if !bounds.is_empty() => losses.push(format!(
                "`cleanup.policy` has `delete`, and {}: entities that do not change for so long vanish from it, and their next change is published as a create; set `cleanup.policy=compact`",
                bounds.join(", ")
            )),
            Purpose::Checkpoints if !bounds.is_empty() => losses.push(format!(
                "`cleanup.policy` has `delete`, and {}: a feed that does not move for so long is read again from the beginning; set `cleanup.policy=compact`",
                bounds.join(", ")
            )),
            Purpose::Configs | Purpose::Status if !bounds.is_empty() => losses.push(format!(
                "`cleanup.policy` has `delete`, and {}: what is configured at run time, or the state of a connector, vanishes after so long; set `cleanup.policy=compact`",
                bounds.join(", ")
            )),
            Purpose::Changes(Kind::Log) if is_early => losses.push(early(
                "facts that the upstream still tells can be published again after a restart; raise it, or lower `topic.creation.log.retention.ms`",
            )),
            Purpose::Commands | Purpose::Results if self.compacts => losses.push(
                "`cleanup.policy` has `compact`: records of the same key push one another out, so commands are lost, and a command that is sent twice may be run twice; set `cleanup.policy=delete`"
                    .to_owned(),
            ),
            _ => {}
        }
        match topic.purpose {
            Purpose::Commands if is_early => losses.push(early(
                "commands that were not read by then are lost; raise it, or lower `topic.creation.commands.retention.ms`",
            )),
            Purpose::Results if is_early => losses.push(early(
                "what became of a command is forgotten too early, and the command ends `UNKNOWN` if it comes again; raise it, or lower `commands.ledger.retention.ms`",
            )),
            _ => {}
        }
        losses
    }

    /// Why the broker would refuse a record of this time: with it, all that are sent with it.
    pub(crate) fn refuses(
        &self,
        has_key: bool,
        time_ms: Option<i64>,
        now_ms: i64,
    ) -> Option<&'static str> {
        let ms = |bound: Option<u64>| bound.and_then(|ms| i64::try_from(ms).ok());
        let ahead = time_ms.map_or(0, |time| time.saturating_sub(now_ms));
        if self.compacts && !has_key {
            Some("is compacted, and takes no record without a key")
        } else if ms(self.early).is_some_and(|most| ahead > most) {
            Some("takes no record whose time is so far ahead (`message.timestamp.after.max.ms`)")
        } else if ms(self.late).is_some_and(|most| ahead.saturating_neg() > most) {
            Some("takes no record whose time is so long ago (`message.timestamp.before.max.ms`)")
        } else {
            None
        }
    }

    /// What of a record that a relay writes does not stay.
    pub(crate) fn changes(&self) -> Vec<String> {
        let mut changes = Vec::new();
        if self.own_time {
            changes.push(
                "`message.timestamp.type` is `LogAppendTime`: records lose their times".to_owned(),
            );
        }
        if self.compacts {
            changes.push(
                "`cleanup.policy` has `compact`: of records of one key the newest stays, and one without a key is refused"
                    .to_owned(),
            );
        }
        if let Some(bytes) = self.bytes.filter(|_| self.deletes) {
            changes.push(format!(
                "`retention.bytes` is {bytes}: records push older ones out of their partition"
            ));
        }
        if let Some(age) = self.age.filter(|_| self.deletes) {
            changes.push(format!(
                "`retention.ms` is {age}: records that were first written longer ago are deleted soon after they arrive"
            ));
        }
        changes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic(purpose: Purpose) -> TopicSpec {
        TopicSpec {
            name: "t".to_owned(),
            purpose,
            partitions: 1,
            replication: 0,
            keep_ms: 1_000,
            record_bytes: None,
        }
    }

    fn losses(purpose: Purpose, policy: &str, age: Option<u64>, bytes: Option<u64>) -> Vec<String> {
        let (compacts, deletes) = (policy.contains("compact"), policy.contains("delete"));
        Policy { compacts, deletes, age, bytes, ..Policy::default() }.losses(&topic(purpose))
    }

    #[test]
    fn a_record_that_would_make_a_broker_refuse_its_batch_is_known_before() {
        let (late, early) = (Some(100), Some(10));
        let policy = Policy { compacts: true, late, early, ..Policy::default() };
        let refuses = |has_key, time| policy.refuses(has_key, time, 1_000);
        assert_eq!((refuses(true, Some(1_010)), refuses(true, Some(900))), (None, None));
        assert!(refuses(true, Some(1_011)).unwrap().contains("ahead"));
        assert!(refuses(true, Some(899)).unwrap().contains("ago"));
        assert!(refuses(false, None).unwrap().contains("key"));
        assert_eq!(refuses(true, None), None);
    }

    #[test]
    fn every_policy_that_changes_or_drops_what_a_relay_writes_is_told_and_no_other() {
        let told = |policy: Policy| policy.changes().len();
        assert_eq!(told(Policy::default()), 0);
        assert_eq!(told(Policy { own_time: true, ..Policy::default() }), 1);
        assert_eq!(told(Policy { compacts: true, age: Some(5), ..Policy::default() }), 1);
        assert_eq!(told(Policy { deletes: true, age: Some(5), ..Policy::default() }), 1);
        assert_eq!(told(Policy { deletes: true, bytes: Some(5), ..Policy::default() }), 1);
        assert_eq!(told(Policy { deletes: true, ..Policy::default() }), 0);
    }

    #[test]
    fn every_policy_that_loses_state_is_told_and_no_other() {
        use Purpose::{Checkpoints, Commands, Configs, DeadLetters, Results, Status};
        let (table, log) = (Purpose::Changes(Kind::Table), Purpose::Changes(Kind::Log));
        for (purpose, policy, age, bytes, expected) in [
            (table, "compact", Some(5), None, 0),
            (table, "delete", Some(5_000), None, 1),
            (table, "compact,delete", Some(5_000), None, 1),
            (table, "compact,delete", None, Some(1), 1),
            // It grows, and loses nothing.
            (table, "delete", None, None, 0),
            (Checkpoints, "compact", Some(5), None, 0),
            (Checkpoints, "delete", Some(5_000), None, 1),
            (Configs, "compact", Some(5), Some(5), 0),
            (Configs, "delete", Some(5_000), None, 1),
            (Status, "compact,delete", None, Some(1), 1),
            (log, "delete", Some(1_000), None, 0),
            (log, "delete", Some(999), None, 1),
            (log, "delete", Some(1_000), Some(1), 1),
            (log, "compact", Some(5), None, 0),
            (Commands, "delete", Some(1_000), None, 0),
            (Commands, "delete", Some(5), None, 1),
            (Commands, "compact", Some(5), None, 1),
            (Results, "compact,delete", Some(5), None, 2),
            (Results, "delete", None, None, 0),
            (DeadLetters, "compact,delete", Some(5), Some(5), 0),
        ] {
            let told = losses(purpose, policy, age, bytes);
            assert_eq!(told.len(), expected, "{purpose:?} {policy} {age:?} {bytes:?}: {told:?}");
        }
    }

    #[test]
    fn a_topic_that_refuses_what_is_a_little_late_is_told() {
        let losses = |late| {
            Policy { compacts: true, late, ..Policy::default() }
                .losses(&topic(Purpose::Changes(Kind::Table)))
        };
        assert!(losses(Some(1_000))[0].contains("message.timestamp.before.max.ms"));
        for late in [None, Some(LATE_MS), Some(u64::MAX)] {
            assert_eq!(losses(late), [""; 0]);
        }
    }
}
