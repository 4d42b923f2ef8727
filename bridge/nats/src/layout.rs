//! The streams of a shard and the bucket, and the settings with which they are created.
//!
//! | Setting | Feeds | Dead letters | Checkpoints |
//! | --- | --- | --- | --- |
//! | subjects | `{prefix}.{name}.{feed}.>` of each feed | `{prefix}.{name}.dlq` | `$KV.{bucket}.>` |
//! | storage, retention | file, limits | file, limits | file, limits |
//! | replicas | `topic.creation.default.replication.factor`, else 1 | as feeds | the largest of all connectors |
//! | records for each subject | `bus.nats.stream.history` | unlimited | 1 |
//! | age | unlimited | `topic.creation.dlq.retention.ms` | unlimited |
//! | discard | new | new | new |
//! | duplicate window | `bus.nats.duplicate.window.ms` | the same | the same |
//! | message ttl | where the server can (2.11) | no | no |
//!
//! The dead letters have a stream of their own because all of them are on one subject, of which the
//! stream of the feeds would keep only the last `stream.history`.

use std::collections::HashMap;
use std::time::Duration;

use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy, StorageType};
use talon_runtime::bus::{Purpose, ShardSpec};
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
    /// Stream below the bucket of the checkpoints.
    pub(crate) checkpoints: Config,
    /// The bucket.
    pub(crate) bucket: String,
    /// What is appended to each topic.
    pub(crate) routes: Vec<Route>,
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
        let bucket = names::bucket(prefix);
        let replicas = |replication: u16| usize::from(replication.max(1));
        let largest = shard.topics.iter().map(|topic| topic.replication).max().unwrap_or(0);
        let base = |name: String, replication: u16| Config {
            name,
            num_replicas: replicas(replication),
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
            metadata: HashMap::from([(PREFIX.to_owned(), prefix.to_owned())]),
            ..Config::default()
        };
        let mut feeds = base(names::stream(prefix, &shard.name), largest);
        feeds.description = Some(format!("Talon: feeds of {}", shard.name));
        feeds.max_messages_per_subject = access.history;
        feeds.allow_message_ttl = ttl;
        let mut dead_letters = base(names::dead_letters(prefix, &shard.name), largest);
        dead_letters.description = Some(format!("Talon: dead letters of {}", shard.name));
        for stream in [&mut feeds, &mut dead_letters] {
            stream.metadata.insert(CHECKPOINTS.to_owned(), bucket.clone());
        }
        let mut checkpoints = base(names::bucket_stream(&bucket), shard.checkpoints.replication);
        checkpoints.description = Some("Talon: checkpoints".to_owned());
        checkpoints.subjects = vec![format!("$KV.{bucket}.>")];
        checkpoints.max_messages_per_subject = 1;
        checkpoints.allow_rollup = true;
        checkpoints.deny_delete = true;

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
                | Purpose::Checkpoints
                | Purpose::Shards => {
                    dead_letters.subjects = vec![topic.name.clone()];
                    dead_letters.max_age = keep;
                    dead_letters.duplicate_window = access.duplicate_window.min(keep);
                    Route::DeadLetters { subject: topic.name.clone() }
                }
            });
        }
        Layout { feeds, dead_letters, checkpoints, bucket, routes }
    }
}
