//! Dead letters: their headers, which are Kafka Connect's, what is left of one that is too large, and how they
//! are read again.

use super::spec::{Purpose, ShardSpec, TopicSpec};

/// What is left of the value of a dead letter that the bus does not take as a whole, bytes.
pub(crate) const CUT_VALUE: usize = 64 * 1024;

/// What is left of its key, bytes.
pub(crate) const CUT_KEY: usize = 1024;

/// Header with the size of the whole value, where it was cut.
pub(crate) const VALUE_BYTES: &str = "__talon.errors.value.bytes";

/// Where an input came from, and why it was put aside.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Origin<'a> {
    /// The topic that it was meant for, or from which it came.
    pub topic: &'a str,
    /// Name of the connector.
    pub connector: &'a str,
    /// As in `talon_dead_letters_total`.
    pub stage: &'a str,
    /// The kind of fault.
    pub fault: &'static str,
    /// The reason, without content.
    pub message: &'a str,
}

impl<'a> Origin<'a> {
    /// The headers that all dead letters have.
    pub(crate) fn headers(self) -> [(&'static str, &'a [u8]); 6] {
        [
            ("__connect.errors.topic", self.topic.as_bytes()),
            ("__connect.errors.connector.name", self.connector.as_bytes()),
            ("__connect.errors.task.id", b"0"),
            ("__connect.errors.stage", self.stage.as_bytes()),
            ("__connect.errors.exception.class.name", self.fault.as_bytes()),
            ("__connect.errors.exception.message", self.message.as_bytes()),
        ]
    }
}

/// The beginning of a key, no longer than [`CUT_KEY`].
pub(crate) fn cut_key(key: &str) -> &str {
    let end = (0..=CUT_KEY.min(key.len())).rev().find(|end| key.is_char_boundary(*end));
    &key[..end.unwrap_or(0)]
}

/// Header with the feed whose row it is.
pub(crate) const FEED: &str = "__talon.errors.feed";

/// Header with the scope of the observation that brought it.
pub(crate) const SCOPE: &str = "__talon.errors.scope";

/// Header with what was known of the row's entity then.
pub(crate) const ENTITY: &str = "__talon.errors.entity";

/// Header with how often it was redriven, where it was.
pub(crate) const REDRIVE_COUNT: &str = "__talon.errors.redrive_count";

/// Header with when it was put aside first, milliseconds since 1970 UTC, where that is not its own time.
pub(crate) const FIRST_FAILED_AT: &str = "__talon.errors.first_failed_at";

/// Header with the id of a command, where that could be read: it has an outcome.
pub(crate) const COMMAND_ID: &str = "__talon.errors.command_id";

const CLASS: &str = "__connect.errors.exception.class.name";
pub(crate) const MESSAGE: &str = "__connect.errors.exception.message";
const STAGE: &str = "__connect.errors.stage";

/// A dead letter as it stands on the bus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// Where it stands: its offset on Kafka, its sequence on NATS.
    pub at: u64,
    /// When the bus took it, milliseconds since 1970 UTC.
    pub at_ms: i64,
    /// Its key; empty where none could be read.
    pub key: String,
    /// The bytes that were put aside.
    pub value: Vec<u8>,
    /// Its headers.
    pub headers: Vec<(String, String)>,
}

impl DeadLetter {
    /// A header; empty where there is none.
    pub fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(header, _)| header == name);
        found.map_or("", |(_, value)| value.as_str())
    }

    /// The feed whose row it is; empty for a command.
    pub fn feed(&self) -> &str {
        self.header(FEED)
    }

    /// The scope of the observation that brought the row.
    pub fn scope(&self) -> &str {
        self.header(SCOPE)
    }

    /// Where it failed: `decode`, `publish` or `command`.
    pub fn stage(&self) -> &str {
        self.header(STAGE)
    }

    /// Why, without content.
    pub fn reason(&self) -> &str {
        self.header(MESSAGE)
    }

    /// The kind of fault.
    pub fn fault(&self) -> &str {
        self.header(CLASS)
    }

    /// How often it was redriven and put aside again.
    pub fn redriven(&self) -> u32 {
        self.header(REDRIVE_COUNT).parse().unwrap_or(0)
    }

    /// When it was put aside first, milliseconds since 1970 UTC.
    pub fn first_failed_ms(&self) -> i64 {
        self.header(FIRST_FAILED_AT).parse().unwrap_or(self.at_ms)
    }

    /// How many bytes it had, where only its beginning is kept.
    pub fn cut_of(&self) -> Option<u64> {
        self.header(VALUE_BYTES).parse().ok()
    }

    /// The id of a command that was told an outcome when it was put aside.
    pub fn command_id(&self) -> Option<&str> {
        Some(self.header(COMMAND_ID)).filter(|id| !id.is_empty())
    }
}

/// What is known of the dead letters of a connector besides themselves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeadLetterEnds {
    /// Where the oldest stands, or would.
    pub oldest: u64,
    /// Where the next will stand.
    pub next: u64,
    /// The record of what is settled, under [`settled_key`].
    pub settled: Option<Vec<u8>>,
}

/// The key of the record, among the checkpoints, of which dead letters of a connector are settled. No feed is
/// called so: its topic would be that of the dead letters.
pub fn settled_key(connector: &str) -> String {
    format!("{connector}/dlq")
}

/// Where the dead letters of a connector are, by its name alone: enough for [`Bus::dead_letters`].
///
/// [`Bus::dead_letters`]: crate::bus::Bus::dead_letters
pub fn dead_letters_of(prefix: &str, connector: &str) -> ShardSpec {
    let spec = |name: String, purpose| TopicSpec {
        name,
        purpose,
        partitions: 1,
        replication: 0,
        keep_ms: 0,
        record_bytes: None,
    };
    ShardSpec {
        name: connector.to_owned(),
        delivery: super::spec::Delivery::AtLeastOnce,
        topics: vec![spec(format!("{prefix}.{connector}.dlq"), Purpose::DeadLetters)],
        checkpoints: spec(format!("{prefix}.checkpoints"), Purpose::Checkpoints),
    }
}
