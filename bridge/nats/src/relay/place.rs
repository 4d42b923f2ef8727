//! What a relay has on a target, and what it is called.
//!
//! - Positions: `{prefix}.relays.{stream}.{relay}.{task}`, and how many tasks there are: `….tasks`, in the stream of the records, because what is to be
//!   atomic, or ordered, must be in one stream.
//! - Dead letters: `{prefix}.relay-dlq.{relay}.{topic}.{partition}.{identity}.{next}`, in a stream of their own. Each
//!   has a subject of its own, so that one which is put aside again is there once.

use std::time::Duration;

use async_nats::jetstream::stream::{Config, DiscardPolicy};
use talon_runtime::bus::escape;
use talon_runtime::relay::{Part, Position, Record, SinkSpec};

use crate::config::Access;
use crate::layout::{self, CHECKPOINTS};
use crate::names;

/// Header of a message with positions: it is no record.
pub(super) const POSITION: &str = "Talon-Relay-Position";

/// Header that says where a record comes from: relay, task, next, identity and part, with blanks between.
pub(super) const FROM: &str = "Talon-Relay-From";

/// The subjects of all positions in a stream.
pub(super) fn all_positions(prefix: &str, stream: &str) -> String {
    format!("{prefix}.relays.{stream}.>")
}

/// The subjects of the positions of a relay.
pub(super) fn positions(prefix: &str, stream: &str, relay: &str) -> String {
    format!("{prefix}.relays.{stream}.{}.*", names::token(relay))
}

/// The subject of the positions of a task.
pub(super) fn position(prefix: &str, spec: &SinkSpec, task: u32) -> String {
    format!("{prefix}.relays.{}.{}.{task}", spec.stream, names::token(&spec.relay))
}

/// The subject of how many tasks the relay has.
pub(super) fn tasks(prefix: &str, spec: &SinkSpec) -> String {
    format!("{prefix}.relays.{}.{}.tasks", spec.stream, names::token(&spec.relay))
}

/// The subject of a dead letter.
pub(super) fn dead_letter(prefix: &str, relay: &str, record: &Record) -> String {
    let (relay, topic) = (names::token(relay), escape::token(record.part.of.as_bytes()));
    let Position { next, of } = record.position;
    format!("{prefix}.relay-dlq.{relay}.{topic}.{}.{of}.{next}", record.part.number)
}

/// The text of [`FROM`].
pub(super) fn from(spec: &SinkSpec, part: &Part, position: Position) -> String {
    let Position { next, of } = position;
    format!("{} {} {next} {of} {part}", names::token(&spec.relay), spec.task)
}

/// What the text of [`FROM`] says, if it is of this relay: task, part, position.
pub(super) fn parse_from(text: &str, relay: &str) -> Option<(u32, Part, Position)> {
    let mut pieces = text.splitn(5, ' ');
    let mut piece = || pieces.next();
    let (of_relay, task) = (piece()?, piece()?);
    let (next, of, part) = (piece()?, piece()?, piece()?);
    let position = Position { next: next.parse().ok()?, of: of.parse().ok()? };
    let found = (task.parse().ok()?, Part::parse(part)?, position);
    (of_relay == names::token(relay)).then_some(found)
}

/// The stream of the records, as it is created. A stream of Talon's connectors it is not.
pub(super) fn stream(prefix: &str, spec: &SinkSpec, access: &Access, atomic: bool) -> Config {
    let mut config = layout::stream(prefix, spec.stream.clone(), spec.replication, access);
    config.metadata.remove(CHECKPOINTS);
    config.description = Some(format!("Talon: what the relay {} carries", spec.relay));
    config.subjects = spec.subjects.clone();
    let positions = all_positions(prefix, &spec.stream);
    if !config.subjects.iter().any(|pattern| crate::policy::covers(pattern, &positions)) {
        config.subjects.push(positions);
    }
    config.allow_rollup = true;
    config.allow_atomic_publish = atomic;
    config
}

/// The stream of the dead letters, as it is created.
pub(super) fn dead_letters(prefix: &str, spec: &SinkSpec, access: &Access) -> Config {
    let name = names::relay_dead_letters(prefix, &spec.relay);
    let keep = Duration::from_millis(spec.dead_letter_keep_ms);
    let mut config = layout::stream(prefix, name, spec.replication, access);
    config.metadata.remove(CHECKPOINTS);
    config.description = Some(format!("Talon: dead letters of the relay {}", spec.relay));
    config.subjects = vec![format!("{prefix}.relay-dlq.{}.>", names::token(&spec.relay))];
    config.max_age = keep;
    config.max_bytes = access.sizes.dead_letters;
    if access.drops_dead_letters {
        config.discard = DiscardPolicy::Old;
    }
    if !keep.is_zero() {
        config.duplicate_window = access.duplicate_window.min(keep);
    }
    config
}

#[cfg(test)]
mod tests {
    use talon_runtime::relay::Tasks;

    use super::*;

    #[test]
    fn where_a_record_comes_from_is_read_back() {
        let spec = SinkSpec {
            relay: "to edge".to_owned(),
            task: 3,
            tasks: Tasks::new(1),
            stream: "CALLS".to_owned(),
            subjects: Vec::new(),
            partitions: 0,
            replication: 0,
            dead_letter_keep_ms: 0,
        };
        let (part, position) = (Part::new("a/b.c", 7), Position { next: 9, of: 1 });
        let text = from(&spec, &part, position);
        assert_eq!(parse_from(&text, "to edge"), Some((3, part, position)));
        assert_eq!(parse_from(&text, "to"), None);
        assert_eq!(parse_from("x", "x"), None);
    }
}
