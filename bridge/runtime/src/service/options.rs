//! The settings that every connector has, whatever its class.

use std::time::Duration;

use talon_schemas::Instants;
use talon_sdk::config::{Importance, Key, Secrets, Settings};

use crate::bus::Delivery;

/// A hundred years.
const MAX_MS: u64 = 3_155_760_000_000;

/// How long and how often commands are tried.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// How long a command is tried, or read back, before it is given up.
    pub retry_budget: Duration,
    /// How long after sending it is only believed that a command was applied, not that it was not.
    pub settle: Duration,
}

/// When deletes that are inferred from absence are withheld.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Guard {
    /// Largest part of a scope's entities that may vanish in one observation, 0 to 1.
    pub ratio: f64,
    /// Up to so many entities may vanish whatever part they are.
    pub entities: usize,
}

/// How values are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Avro: Confluent wire format with a registry, single-object encoding without.
    Avro,
    /// JSON text.
    Json,
}

/// What becomes of an event that the bus does not take because of its before image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Oversize {
    /// It goes to the dead letters without its before image.
    DeadLetter,
    /// It is published without its before image, and says so.
    DropBefore,
}

/// The settings of one connector that are the runtime's.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// What is promised.
    pub delivery: Delivery,
    /// How values are written.
    pub format: Format,
    /// The unit of instants in entities.
    pub instants: Instants,
    /// Whether events carry the previous value.
    pub before_images: bool,
    /// Largest entity that is published, encoded.
    pub entity_bytes: usize,
    /// What becomes of an event that is too large with its before image.
    pub oversize: Oversize,
    /// When absence is not believed.
    pub guard: Guard,
    /// Partitions of a topic that is created.
    pub partitions: u32,
    /// Replicas of a topic that is created; 0 is the broker's default.
    pub replication: u16,
    /// How long a table topic keeps every change, milliseconds.
    pub table_keep_ms: u64,
    /// How long a log topic keeps its facts, milliseconds.
    pub log_keep_ms: u64,
    /// How long dead letters are kept, milliseconds.
    pub dead_letter_keep_ms: u64,
    /// How commands are run.
    pub lane: LaneOptions,
}

/// The settings of a connector's commands that are the runtime's.
#[derive(Debug, Clone, Copy)]
pub struct LaneOptions {
    /// How many run at the same time.
    pub max_in_flight: usize,
    /// How long they are tried.
    pub patience: Patience,
    /// How long the topic of commands keeps them, milliseconds.
    pub keep_ms: u64,
    /// How long ids are remembered, milliseconds.
    pub ledger_keep_ms: u64,
    /// How many ids are remembered.
    pub ledger_entries: usize,
}

/// Declares them.
pub fn keys() -> Vec<Key> {
    vec![
        Key::text("class").required().importance(Importance::High).doc("Which connector this is; `talon plugins` lists them."),
        Key::choice("delivery", &["exactly-once", "at-least-once"])
            .default("exactly-once")
            .importance(Importance::Medium)
            .doc("`exactly-once`: events and checkpoint commit in one transaction, and an earlier owner is fenced. `at-least-once`: no transaction, less delay; a crash may repeat events, and two processes are not kept apart."),
        Key::choice("format", &["avro", "json"])
            .default("avro")
            .doc("How values are written. `avro`: Confluent wire format with `schema.registry.url`, single-object encoding without. `json`: for people who look with their eyes."),
        Key::choice("instants", &["micros", "millis"])
            .default("micros")
            .importance(Importance::Medium)
            .doc("The unit of instants in the entities of this connector's feeds. `micros`: `timestamp-micros`. `millis`: `timestamp-millis`, for readers that know no others, such as Flink; what is below a millisecond is cut off, and a change of that alone is no change. To switch publishes nothing, but the schemas are others: consumers must know, and a registry that checks compatibility takes them only once the subject is deleted or its compatibility NONE. Commands and results have microseconds in any case."),
        Key::choice("before.image", &["full", "none"])
            .default("full")
            .importance(Importance::Medium)
            .doc("Whether updates and deletes carry the previous value. `none` saves most of the memory that an entity takes."),
        Key::whole("entity.max.bytes", 1_024, 100_000_000)
            .default("4000000")
            .doc("Largest entity that is published, encoded; a larger one goes to the dead letters. Topics that Talon creates take two of them (an event with the value before) and what stands around them. NATS takes no more than its server's `max_payload`, whatever is set here."),
        Key::choice("oversize", &["dead-letter", "drop-before"])
            .default("dead-letter")
            .importance(Importance::Medium)
            .doc("What becomes of an event that the topic or server does not take with its before image. `dead-letter`: it goes to the dead letters, and the topic keeps the value before. `drop-before`: it is published without its before image, with the header `talon-before-missing: too-large`; consumers that need each before image (Flink's `debezium-avro-confluent`) stop there. Counted in `talon_oversize_total`."),
        Key::decimal("deletes.guard.ratio", 0.0, 1.0)
            .default("0.3")
            .importance(Importance::Medium)
            .doc("Largest part of a list's entities that may vanish in one observation; beyond it nothing is deleted until the list looks plausible again. If they are really gone, set 1 until the deletes are out."),
        Key::whole("deletes.guard.entities", 0, 1_000_000_000)
            .default("5")
            .doc("Up to so many entities may vanish in one observation whatever part of the list they are."),
        Key::whole("topic.creation.default.partitions", 1, 10_000)
            .default("3")
            .doc("Partitions of a topic that Talon creates. Entities keep their order: all events of one are in one partition."),
        Key::whole("topic.creation.default.replication.factor", 0, 100)
            .default("0")
            .doc("Replicas of a topic that Talon creates; 0 leaves it to the broker. What all connectors share gets the largest of theirs."),
        Key::whole("topic.creation.table.min.compaction.lag.ms", 0, MAX_MS)
            .default("604800000")
            .doc("How long a table topic that Talon creates keeps every change; after that it keeps the newest of each entity, for ever. Default 7 days."),
        Key::whole("topic.creation.log.retention.ms", 1, MAX_MS)
            .default("2592000000")
            .doc("How long a log topic that Talon creates keeps its facts. Default 30 days."),
        Key::whole("topic.creation.dlq.retention.ms", 1, MAX_MS)
            .default("2592000000")
            .doc("How long the dead-letter topic that Talon creates keeps them. Default 30 days."),
        Key::whole("topic.creation.commands.retention.ms", 1, MAX_MS)
            .default("604800000")
            .doc("How long the topic of commands that Talon creates keeps them. One that could not be run for so long is lost. Default 7 days."),
        Key::whole("commands.max.in.flight", 1, 10_000)
            .default("64")
            .importance(Importance::Medium)
            .doc("How many commands run at the same time. Those with the same ordering key never do."),
        Key::whole("commands.retry.budget.ms", 0, MAX_MS)
            .default("300000")
            .importance(Importance::Medium)
            .doc("How long a command that was surely not applied is sent again before it ends FAILED, and how long one of which that is not known is read back before it ends UNKNOWN. Others with its ordering key wait for it."),
        Key::whole("commands.settle.ms", 0, 3_600_000)
            .default("30000")
            .doc("How long the upstream may still be at work on a request after its reply was given up. Only after that is it believed that a command which is not found was not applied, and it is sent again. At least as long as a request may take."),
        Key::whole("commands.ledger.retention.ms", 60_000, MAX_MS)
            .default("604800000")
            .importance(Importance::Medium)
            .doc("How long the id of a command is remembered, to know a second one with the same id, and how long the results topic that Talon creates keeps its records. An older command of which nothing is known is not run, since it may have been run already; it ends `UNKNOWN`. At least as long as `topic.creation.commands.retention.ms`. Default 7 days."),
        Key::whole("commands.ledger.max.entries", 1_000, 100_000_000)
            .default("1000000")
            .doc("How many ids of commands are remembered at most, in memory: about 100 bytes each. Beyond it the oldest are forgotten, and commands that are older than those are not run."),
    ]
}

impl Default for Options {
    fn default() -> Options {
        let class = [("class".to_owned(), "any".to_owned())].into();
        Options::read(&Settings::new("", &keys(), class, &Secrets::Unresolved))
    }
}

impl Options {
    /// Largest record of a feed that is meant to fit: an entity, the one before it, and the envelope.
    pub(crate) fn record_bytes(&self) -> usize {
        const ENVELOPE: usize = 64 * 1024;
        let images = if self.before_images { 2 } else { 1 };
        self.entity_bytes.saturating_mul(images).saturating_add(ENVELOPE)
    }

    /// Reads them.
    pub fn read(settings: &Settings<'_>) -> Options {
        Options {
            delivery: match settings.text("delivery").as_str() {
                "at-least-once" => Delivery::AtLeastOnce,
                _ => Delivery::ExactlyOnce,
            },
            format: if settings.text("format") == "json" { Format::Json } else { Format::Avro },
            instants: match settings.text("instants").as_str() {
                "millis" => Instants::Millis,
                _ => Instants::Micros,
            },
            before_images: settings.text("before.image") != "none",
            entity_bytes: usize::try_from(settings.whole("entity.max.bytes")).unwrap_or(usize::MAX),
            oversize: match settings.text("oversize").as_str() {
                "drop-before" => Oversize::DropBefore,
                _ => Oversize::DeadLetter,
            },
            guard: Guard {
                ratio: settings.decimal("deletes.guard.ratio"),
                entities: usize::try_from(settings.whole("deletes.guard.entities"))
                    .unwrap_or(usize::MAX),
            },
            partitions: u32::try_from(settings.whole("topic.creation.default.partitions"))
                .unwrap_or(1),
            replication: u16::try_from(settings.whole("topic.creation.default.replication.factor"))
                .unwrap_or(0),
            table_keep_ms: settings.whole("topic.creation.table.min.compaction.lag.ms"),
            log_keep_ms: settings.whole("topic.creation.log.retention.ms"),
            dead_letter_keep_ms: settings.whole("topic.creation.dlq.retention.ms"),
            lane: LaneOptions {
                max_in_flight: usize::try_from(settings.whole("commands.max.in.flight"))
                    .unwrap_or(1),
                patience: Patience {
                    retry_budget: settings.millis("commands.retry.budget.ms"),
                    settle: settings.millis("commands.settle.ms"),
                },
                keep_ms: settings.whole("topic.creation.commands.retention.ms"),
                ledger_keep_ms: settings.whole("commands.ledger.retention.ms"),
                ledger_entries: usize::try_from(settings.whole("commands.ledger.max.entries"))
                    .unwrap_or(usize::MAX),
            },
        }
    }
}

/// Notes what is wrong with settings only beside one another. `request` is how long a request of the
/// connector may take; only asked where it carries commands.
pub fn check(settings: &mut Settings<'_>, options: &Options, request: Duration) {
    let lane = &options.lane;
    if lane.patience.settle < request {
        let ms = request.as_millis();
        settings.problem(
            "commands.settle.ms",
            format!("is {}, less than a request may take ({ms} ms): a command could be sent again while the upstream is still at work on it; set at least {ms}, or a shorter time for requests", lane.patience.settle.as_millis()),
        );
    }
    if lane.ledger_keep_ms < lane.keep_ms {
        settings.problem(
            "commands.ledger.retention.ms",
            format!("is {}, less than commands are kept: one that is older is not run, since it may have been run already; set at least {}, or lower `topic.creation.commands.retention.ms`", lane.ledger_keep_ms, lane.keep_ms),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(texts: &[(&str, &str)]) -> Vec<String> {
        let texts = texts.iter().chain(&[("class", "any")]);
        let texts = texts.map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect();
        let (keys, secrets) = (keys(), Secrets::Unresolved);
        let mut settings = Settings::new("", &keys, texts, &secrets);
        let options = Options::read(&settings);
        check(&mut settings, &options, Duration::from_secs(30));
        settings.into_problems().into_iter().map(|problem| problem.to_string()).collect()
    }

    #[test]
    fn settings_that_do_not_go_together_are_refused() {
        assert_eq!(problems(&[]), [""; 0]);
        let [settle] = &problems(&[("commands.settle.ms", "10000")])[..] else { panic!("taken") };
        assert!(settle.contains("`commands.settle.ms` is 10000") && settle.contains("30000"));
        let [kept] = &problems(&[("topic.creation.commands.retention.ms", "604800001")])[..] else {
            panic!("taken")
        };
        assert!(kept.contains("`commands.ledger.retention.ms` is 604800000"), "{kept}");
    }

    #[test]
    fn the_largest_record_is_an_entity_the_one_before_it_and_the_envelope() {
        let bytes = |texts: &[(&str, &str)]| {
            let texts = texts.iter().chain(&[("class", "any"), ("entity.max.bytes", "4000000")]);
            let texts = texts.map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect();
            let (keys, secrets) = (keys(), Secrets::Unresolved);
            Options::read(&Settings::new("", &keys, texts, &secrets)).record_bytes()
        };
        assert_eq!(bytes(&[]), 8_065_536);
        assert_eq!(bytes(&[("before.image", "none")]), 4_065_536);
    }

    #[test]
    fn what_is_not_set_is_as_declared() {
        let options = Options::default();
        assert_eq!(options.delivery, Delivery::ExactlyOnce);
        assert_eq!((options.partitions, options.lane.max_in_flight), (3, 64));
    }
}
