//! The streams of a shard and the bucket, and the settings with which they are created.
//!
//! | Setting | Feeds | Dead letters | Checkpoints |
//! | --- | --- | --- | --- |
//! | subjects | `{prefix}.{name}.{feed}.>` of each feed | `{prefix}.{name}.dlq` | `$KV.{bucket}.>` |
//! | storage, retention | file, limits | file, limits | file, limits |
//! | replicas | `topic.creation.default.replication.factor`, else 1 | as feeds | the largest of all connectors |
//! | records for each subject | `bus.nats.stream.history` | unlimited | 1 |
//! | age | unlimited | `topic.creation.dlq.retention.ms` | unlimited |
//! | size | `bus.nats.feeds.max.bytes` | `bus.nats.dlq.max.bytes` | `bus.nats.checkpoints.max.bytes` |
//! | discard | new | `bus.nats.dlq.discard` | new |
//! | duplicate window | `bus.nats.duplicate.window.ms` | the same | the same |
//! | message ttl | where the server can (2.11) | no | no |
//!
//! The dead letters have a stream of their own because all of them are on one subject, of which the
//! stream of the feeds would keep only the last `stream.history`.

use std::collections::HashMap;
use std::time::Duration;

use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType};
use talon_runtime::bus::{Purpose, ShardSpec, TopicSpec};
use talon_sdk::Kind;

use crate::config::Access;
use crate::names;

/// In the metadata of what Talon created: the prefix.
pub(crate) const PREFIX: &str = "talon-prefix";

/// In the metadata of a stream that Talon created: the bucket of the checkpoints, which so existed.
pub(crate) const CHECKPOINTS: &str = "talon-checkpoints";

/// What a shard has on NATS.
pub(crate) struct Layout {
    /// Stream of the feeds.
    pub(crate) feeds: Config,
    /// Stream of the dead letters.
    pub(crate) dead_letters: Config,
    /// The bucket of the checkpoints.
    pub(crate) checkpoints: Bucket,
    /// What is appended to each topic.
    pub(crate) routes: Vec<Route>,
}

/// The bucket of the checkpoints, which also remembers which streams were created.
pub(crate) struct Bucket {
    pub(crate) name: String,
    /// The stream below it.
    pub(crate) below: Config,
}

/// Where records of a topic go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Route {
    /// To a subject for each entity, below this one, which ends with a dot. The past of a deleted
    /// entity is kept so long, and so are the facts of a log.
    Feed { subject: String, kind: Kind, keep: Duration },
    /// To this subject.
    DeadLetters { subject: String },
}

impl Layout {
    pub(crate) fn new(prefix: &str, shard: &ShardSpec, access: &Access, ttl: bool) -> Layout {
        let checkpoints = Bucket::new(prefix, shard.checkpoints.replication, access);
        let largest = shard.topics.iter().map(|topic| topic.replication).max().unwrap_or(0);
        let mut feeds = stream(prefix, names::stream(prefix, &shard.name), largest, access);
        feeds.description = Some(format!("Talon: feeds of {}", shard.name));
        feeds.max_messages_per_subject = access.history;
        feeds.max_bytes = access.sizes.feeds;
        feeds.allow_message_ttl = ttl;
        let mut subject = String::new();
        let mut dead_letters_keep = Duration::ZERO;
        let mut routes = Vec::with_capacity(shard.topics.len());
        for topic in &shard.topics {
            let keep = Duration::from_millis(topic.keep_ms);
            routes.push(match topic.purpose {
                Purpose::Changes(kind) => {
                    feeds.subjects.push(format!("{}.>", topic.name));
                    Route::Feed { subject: format!("{}.", topic.name), kind, keep }
                }
                // The other purposes are of topics that are not in this list.
                Purpose::DeadLetters
                | Purpose::Commands
                | Purpose::Results
                | Purpose::Relayed
                | Purpose::Checkpoints
                | Purpose::Shards
                | Purpose::Configs
                | Purpose::Status => {
                    subject.clone_from(&topic.name);
                    dead_letters_keep = keep;
                    Route::DeadLetters { subject: topic.name.clone() }
                }
            });
        }
        let dead_letters =
            dead_letters(prefix, &shard.name, subject, dead_letters_keep, largest, access);
        Layout { feeds, dead_letters, checkpoints, routes }
    }
}

impl Bucket {
    pub(crate) fn new(prefix: &str, replication: u16, access: &Access) -> Bucket {
        let name = names::bucket(prefix);
        let mut below = stream(prefix, names::bucket_stream(&name), replication, access);
        below.metadata.remove(CHECKPOINTS);
        below.description = Some("Talon: checkpoints".to_owned());
        below.subjects = vec![format!("$KV.{name}.>")];
        below.max_messages_per_subject = 1;
        below.allow_rollup = true;
        below.deny_delete = true;
        below.max_bytes = access.sizes.checkpoints;
        Bucket { name, below }
    }
}

/// The stream below the bucket of the leases. Entries of members that are gone vanish after `forgotten`.
pub(crate) fn leases(
    prefix: &str,
    replication: u16,
    forgotten: Duration,
    access: &Access,
) -> Bucket {
    let name = names::leases(prefix);
    let mut below = stream(prefix, names::bucket_stream(&name), replication, access);
    below.metadata.clear();
    below.description = Some("Talon: which process runs which connector".to_owned());
    below.subjects = vec![format!("$KV.{name}.>")];
    below.max_messages_per_subject = 1;
    below.allow_rollup = true;
    below.deny_delete = true;
    below.max_age = forgotten;
    below.max_bytes = access.sizes.leases;
    Bucket { name, below }
}

/// How many writes of a key are kept: by them is known what became of a write without an answer, though others came
/// after it. The most that a bucket keeps.
const WRITES: i64 = 64;

/// The bucket of a store.
pub(crate) fn store(prefix: &str, spec: &TopicSpec, access: &Access) -> Bucket {
    let name = names::store(prefix, &spec.name);
    let mut below = stream(prefix, names::bucket_stream(&name), spec.replication, access);
    below.metadata.remove(CHECKPOINTS);
    below.subjects = vec![format!("$KV.{name}.>")];
    below.allow_rollup = true;
    below.deny_delete = true;
    let (what, writes, bytes) = match spec.purpose {
        Purpose::Status => ("states of connectors", 1, access.sizes.status),
        _ => ("what is configured at run time", WRITES, access.sizes.configs),
    };
    below.description = Some(format!("Talon: {what}"));
    below.max_messages_per_subject = writes;
    below.max_bytes = bytes;
    Bucket { name, below }
}

/// The stream of a connector's dead letters, those of its feeds and those of its commands.
pub(crate) fn dead_letters(
    prefix: &str,
    connector: &str,
    subject: String,
    keep: Duration,
    replication: u16,
    access: &Access,
) -> Config {
    let name = names::dead_letters(prefix, connector);
    Config {
        description: Some(format!("Talon: dead letters of {connector}")),
        subjects: vec![subject],
        max_age: keep,
        max_bytes: access.sizes.dead_letters,
        discard: match access.drops_dead_letters {
            true => DiscardPolicy::Old,
            false => DiscardPolicy::New,
        },
        duplicate_window: access.duplicate_window.min(keep),
        ..stream(prefix, name, replication, access)
    }
}

/// What all streams have in common.
pub(crate) fn stream(prefix: &str, name: String, replication: u16, access: &Access) -> Config {
    Config {
        name,
        num_replicas: usize::from(replication.max(1)),
        storage: StorageType::File,
        retention: RetentionPolicy::Limits,
        discard: DiscardPolicy::New,
        duplicate_window: access.duplicate_window,
        allow_direct: true,
        max_messages: -1,
        max_bytes: -1,
        max_messages_per_subject: -1,
        max_consumers: -1,
        max_message_size: -1,
        metadata: HashMap::from([
            (PREFIX.to_owned(), prefix.to_owned()),
            (CHECKPOINTS.to_owned(), names::bucket(prefix)),
        ]),
        ..Config::default()
    }
}
