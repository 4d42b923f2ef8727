//! Positions as records of the topic `{prefix}.relays`, which is compacted.
//!
//! | Key | Value |
//! | --- | --- |
//! | `{relay}/{topic}/{partition}`, `{relay}/{stream}/0` | `{"next":17}`: the first that was not carried |
//! | `{relay}/#{task}` | `{}`: the task was begun |
//! | `{relay}/#tasks` | `{"tasks":4,…}`: how many tasks it has |

use talon_runtime::bus::{Purpose, TopicSpec};
use talon_runtime::relay::{Agreed, Part, Position, Resume, SinkSpec};

/// The topic of the positions.
pub(super) fn topic(prefix: &str, replication: u16) -> TopicSpec {
    TopicSpec {
        name: format!("{prefix}.relays"),
        purpose: Purpose::Checkpoints,
        partitions: 1,
        replication,
        keep_ms: 0,
        record_bytes: None,
    }
}

/// The topic of what could not be carried.
pub(super) fn dead_letters(prefix: &str, spec: &SinkSpec) -> TopicSpec {
    TopicSpec {
        name: format!("{prefix}.{}.dlq", spec.relay),
        purpose: Purpose::DeadLetters,
        partitions: 1,
        replication: spec.replication,
        keep_ms: spec.dead_letter_keep_ms,
        record_bytes: None,
    }
}

/// What the keys of a relay begin with.
pub(super) fn begins(relay: &str) -> String {
    format!("{relay}/")
}

pub(super) fn key(relay: &str, part: &Part) -> String {
    format!("{relay}/{part}")
}

pub(super) fn begun(relay: &str, task: u32) -> String {
    format!("{relay}/#{task}")
}

pub(super) fn tasks(relay: &str) -> String {
    format!("{relay}/#tasks")
}

pub(super) fn value(position: Position) -> Vec<u8> {
    serde_json::to_vec(&position).unwrap_or_default()
}

/// What the topic says of a relay.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Known {
    pub(super) resume: Resume,
    pub(super) tasks: Option<Agreed>,
}

/// Takes a record in. One that cannot be read is an error: to begin anew would double what was carried.
pub(super) fn take(
    spec: &SinkSpec,
    key: &str,
    value: Option<&[u8]>,
    known: &mut Known,
) -> Result<(), String> {
    let Known { resume, tasks } = known;
    let Some(name) = key.strip_prefix(&begins(&spec.relay)) else { return Ok(()) };
    if name == "#tasks" {
        let read = |value| serde_json::from_slice(value);
        *tasks = value.map(read).transpose().map_err(|_| format!("`{key}` cannot be read"))?;
        return Ok(());
    }
    if let Some(task) = name.strip_prefix('#') {
        resume.begun |= value.is_some() && task.parse() == Ok(spec.task);
        return Ok(());
    }
    let unreadable = || format!("the position `{key}` cannot be read");
    let part = Part::parse(name).ok_or_else(unreadable)?;
    match value {
        // To begin a part anew, a person can put a tombstone there.
        None => drop(resume.positions.remove(&part)),
        Some(value) => {
            let position = serde_json::from_slice(value).map_err(|_| unreadable())?;
            resume.positions.insert(part, position);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use talon_runtime::relay::Tasks;

    use super::*;

    #[test]
    fn positions_come_back_and_those_of_other_relays_are_none_of_it() {
        let spec = SinkSpec {
            relay: "a".to_owned(),
            task: 2,
            tasks: Tasks::new(1),
            stream: String::new(),
            subjects: Vec::new(),
            partitions: 0,
            replication: 0,
            dead_letter_keep_ms: 0,
        };
        let (part, position) = (Part::new("t.x", 3), Position { next: 9, of: 7 });
        let mut known = Known::default();
        let mut take = |key: &str, value: Option<&[u8]>| {
            super::take(&spec, key, value, &mut known).map(|()| known.resume.clone())
        };
        take(&key("b", &part), Some(b"{}")).unwrap();
        assert!(!take(&begun("a", 1), Some(b"{}")).unwrap().begun);
        assert!(take(&begun("a", 2), Some(b"{}")).unwrap().begun);
        let found = take(&key("a", &part), Some(&value(position))).unwrap();
        assert_eq!(found.positions.into_iter().collect::<Vec<_>>(), [(part.clone(), position)]);
        assert_eq!(take(&key("a", &part), None).unwrap().positions.len(), 0);
        assert!(take(&key("a", &part), Some(b"17")).is_err());
        assert!(take(&tasks("a"), Some(b"17")).is_err());
        let agreed = Tasks::new(3).change(None).unwrap();
        take(&tasks("a"), Some(&serde_json::to_vec(&agreed).unwrap())).unwrap();
        assert_eq!(known.tasks, Some(agreed));
    }
}
