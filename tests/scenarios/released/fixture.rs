//! What a version left, as files of JSON lines.

use std::collections::BTreeMap;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use serde_json::{Value as Json, json};
use talon_sdk::{Coverage, Cursor, Observation, Rows};

/// A record as a version wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    /// Without the prefix: `field.call`, or `checkpoints`.
    pub(crate) topic: String,
    pub(crate) key: String,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) headers: BTreeMap<String, String>,
}

/// A schema that it registered: that of `schemas/released`.
#[derive(Debug, Clone)]
pub(crate) struct Registered {
    /// Without the prefix.
    pub(crate) topic: String,
    pub(crate) id: u32,
}

/// What stood on a bus.
#[derive(Debug, Clone, Default)]
pub(crate) struct Left {
    pub(crate) schemas: Vec<Registered>,
    pub(crate) records: Vec<Record>,
}

/// What a feed read, in order.
pub(crate) type Seen = BTreeMap<(String, String), Vec<Observation>>;

fn folder(version: &str) -> PathBuf {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/scenarios/fixtures");
    PathBuf::from(root).join(version)
}

/// All that there are.
pub(crate) fn versions() -> Vec<String> {
    let folders = std::fs::read_dir(folder("")).unwrap();
    folders.map(|folder| folder.unwrap().file_name().into_string().unwrap()).collect()
}

fn write(version: &str, file: &str, lines: impl Iterator<Item = Json>) {
    std::fs::create_dir_all(folder(version)).unwrap();
    let text: String = lines.map(|line| format!("{line}\n")).collect();
    std::fs::write(folder(version).join(file), text).unwrap();
}

fn read(version: &str, file: &str) -> Vec<Json> {
    let text = std::fs::read_to_string(folder(version).join(file)).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn text(json: &Json) -> String {
    json.as_str().unwrap().to_owned()
}

impl Left {
    /// Writes it.
    pub(crate) fn write(&self, version: &str, name: &str) {
        let schemas = self.schemas.iter();
        let schemas = schemas.map(|Registered { topic, id }| json!({"topic": topic, "id": id}));
        let records = self.records.iter().map(|Record { topic, key, value, headers }| {
            let value = value.as_ref().map(|value| BASE64.encode(value));
            json!({"topic": topic, "key": key, "value": value, "headers": headers})
        });
        write(version, &format!("{name}.jsonl"), schemas.chain(records));
    }

    /// Reads it.
    pub(crate) fn read(version: &str, name: &str) -> Left {
        let mut left = Left::default();
        for line in read(version, &format!("{name}.jsonl")) {
            let topic = text(&line["topic"]);
            if let Some(id) = line["id"].as_u64() {
                left.schemas.push(Registered { topic, id: u32::try_from(id).unwrap() });
                continue;
            }
            let headers = line["headers"].as_object().unwrap().iter();
            left.records.push(Record {
                topic,
                key: text(&line["key"]),
                value: line["value"].as_str().map(|value| BASE64.decode(value).unwrap()),
                headers: headers.map(|(name, value)| (name.clone(), text(value))).collect(),
            });
        }
        left
    }
}

fn coverage(coverage: Coverage) -> Json {
    match coverage {
        Coverage::Full => json!("full"),
        Coverage::Delta => json!("delta"),
        Coverage::Audit => json!("audit"),
        Coverage::Part(part) => json!({ "part": part }),
        Coverage::Last(part) => json!({ "last": part }),
        Coverage::Incomplete => json!("incomplete"),
    }
}

fn coverage_of(json: &Json) -> Coverage {
    let part = |name: &str| json[name].as_u64().map(|part| u32::try_from(part).unwrap());
    match (json.as_str(), part("part"), part("last")) {
        (Some("full"), ..) => Coverage::Full,
        (Some("delta"), ..) => Coverage::Delta,
        (Some("incomplete"), ..) => Coverage::Incomplete,
        (_, Some(part), _) => Coverage::Part(part),
        (_, _, Some(part)) => Coverage::Last(part),
        _ => panic!("{json} is no coverage"),
    }
}

/// Writes what was read.
pub(crate) fn write_seen(version: &str, seen: &Seen) {
    let all = seen.iter().flat_map(|(of, all)| all.iter().map(move |seen| (of, seen)));
    let lines = all.map(|((connector, feed), seen)| {
        let rows: Vec<&str> =
            seen.rows.iter().map(|row| std::str::from_utf8(row).unwrap()).collect();
        json!({
            "connector": connector, "feed": feed, "scope": seen.scope, "rows": rows,
            "coverage": coverage(seen.coverage), "snapshot": seen.snapshot,
            "cursor": seen.cursor.as_ref().map(|cursor| &cursor.0), "as_of_ms": seen.as_of_ms,
        })
    });
    write(version, "seen.jsonl", lines);
}

/// Reads it.
pub(crate) fn read_seen(version: &str) -> Seen {
    let mut seen = Seen::new();
    for line in read(version, "seen.jsonl") {
        let rows: Vec<Bytes> =
            line["rows"].as_array().unwrap().iter().map(|row| text(row).into()).collect();
        let of = (text(&line["connector"]), text(&line["feed"]));
        seen.entry(of).or_default().push(Observation {
            scope: text(&line["scope"]),
            coverage: coverage_of(&line["coverage"]),
            rows: Rows::of_bodies(&rows),
            cursor: line["cursor"].as_str().map(|cursor| Cursor(cursor.to_owned())),
            snapshot: line["snapshot"].as_bool().unwrap(),
            as_of_ms: line["as_of_ms"].as_i64().unwrap(),
        });
    }
    seen
}
