//! The streams of a lane, and the settings with which they are created.

use std::time::Duration;

use async_nats::jetstream::stream::Config;
use talon_runtime::bus::{LaneSpec, TopicSpec};

use crate::config::Access;
use crate::layout::{Bucket, dead_letters, stream};
use crate::names;

/// What a lane has on NATS. The subjects of commands and results end with a dot.
pub(crate) struct LaneLayout {
    pub(crate) commands: Config,
    pub(crate) results: Config,
    pub(crate) dead_letters: Config,
    pub(crate) checkpoints: Bucket,
    pub(crate) command_subject: String,
    pub(crate) result_subject: String,
    pub(crate) dead_letter_subject: String,
    /// How long a result is kept.
    pub(crate) keep: Duration,
    /// How long the server waits for a sign of life of a command that it has delivered.
    pub(crate) ack_wait: Duration,
}

impl LaneLayout {
    /// `shared` is the number of replicas of what all connectors share.
    pub(crate) fn new(prefix: &str, lane: &LaneSpec, shared: u16, access: &Access) -> LaneLayout {
        let name = &lane.name;
        let of = |stream_name: String, what: &str, topic: &TopicSpec, max_bytes: i64| {
            let keep = Duration::from_millis(topic.keep_ms);
            Config {
                description: Some(format!("Talon: {what} of {name}")),
                subjects: vec![format!("{}.>", topic.name)],
                max_age: keep,
                max_bytes,
                duplicate_window: match keep.is_zero() {
                    true => access.duplicate_window,
                    false => access.duplicate_window.min(keep),
                },
                ..stream(prefix, stream_name, topic.replication, access)
            }
        };
        let letters = &lane.dead_letters;
        LaneLayout {
            commands: of(
                names::commands(prefix, name),
                "commands",
                &lane.commands,
                access.sizes.commands,
            ),
            results: of(
                names::results(prefix, name),
                "results",
                &lane.results,
                access.sizes.results,
            ),
            dead_letters: dead_letters(
                prefix,
                name,
                letters.name.clone(),
                Duration::from_millis(letters.keep_ms),
                letters.replication,
                access,
            ),
            checkpoints: Bucket::new(prefix, shared.max(lane.results.replication), access),
            command_subject: format!("{}.", lane.commands.name),
            result_subject: format!("{}.", lane.results.name),
            dead_letter_subject: letters.name.clone(),
            keep: Duration::from_millis(lane.results.keep_ms),
            ack_wait: access.ack_wait,
        }
    }
}
