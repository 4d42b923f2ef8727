//! From a record of the topic of commands to a command that can be run.

use jiff::Timestamp;
use serde_json::{Map, Value as Json};
use talon_schemas::Writer;
use talon_schemas::wire::{Payload, Wire};
use talon_sdk::{Command, CommandSpec, Commands, OrderingKey};

use crate::bus::BusFault;
use crate::service::registry::{self, Registry};

/// Longest id: it becomes a message key, and a subject on NATS.
const ID_MAX: usize = 200;

/// Longest ordering key.
const KEY_MAX: usize = 500;

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// Most problems that are listed, and the longest text of one: they go to the log, to the results and
/// into a header, which have limits of their own.
const PROBLEMS: usize = 20;
const PROBLEM_MAX: usize = 400;

/// What a record came to.
pub enum Intake {
    /// A command.
    Command(Command),
    /// No command, or one with mistakes: all of them. No value is quoted.
    Malformed {
        /// Its id, where that much can be read.
        id: Option<String>,
        /// Its type, where there is such a one.
        kind: &'static str,
        /// What is wrong: not so many, and not so long, that it could not be written anywhere.
        problems: Vec<String>,
    },
}

/// Reads records of a connector's topic of commands.
#[derive(Clone)]
pub struct CommandReader {
    /// What commands there are.
    pub commands: Commands,
    /// How a command of this version's schema is written.
    pub wire: Wire,
    /// Where the schemas of others are.
    pub registry: Option<Registry>,
}

impl CommandReader {
    /// Reads the value of a record.
    ///
    /// # Errors
    /// Only where the registry is needed and does not answer.
    pub async fn read(&self, value: &[u8]) -> Result<Intake, BusFault> {
        if let Some(object) = json_object(value) {
            return Ok(self.check(object));
        }
        let contract = (self.commands.contract)();
        let object = match self.wire.open(contract, value) {
            Payload::Own(datum) => contract.read(datum, None).ok(),
            Payload::Registered(id, datum) => match self.schema(id).await? {
                Some(writer) => contract.read(datum, Some(writer)).ok(),
                // Nor is it guessed, as of what Talon wrote itself: a guess would act upon the upstream.
                None => {
                    return Ok(nothing(
                        "its schema is not in the registry or not Avro, and behind the id is no JSON",
                    ));
                }
            },
            Payload::Json(_) => return Ok(nothing("it is no JSON")),
            Payload::Fingerprinted(fingerprint, datum) => {
                match contract.as_ref().earlier(fingerprint) {
                    Some(writer) => contract.read(datum, Some(writer)).ok(),
                    None => return Ok(nothing("it was written with an unknown Avro schema")),
                }
            }
            Payload::Foreign => {
                return Ok(nothing("it is neither JSON nor Avro in the Confluent wire format"));
            }
        };
        Ok(match object {
            Some(object) => self.check(object),
            None => nothing("its Avro schema is not that of this connector's commands"),
        })
    }

    /// The id that the registry must be asked for before a record can be read; `None` where it need not.
    pub(crate) fn unknown_id(&self, value: &[u8]) -> Option<u32> {
        let Payload::Registered(id, _) = self.wire.open((self.commands.contract)(), value) else {
            return None;
        };
        let registry = self.registry.as_ref()?;
        let is_unknown = registry.remembered(id, registry::COMMANDS).is_none();
        (is_unknown && json_object(value).is_none()).then_some(id)
    }

    /// Asks the registry for an id.
    ///
    /// # Errors
    /// Where it does not answer.
    pub(crate) async fn learn(&self, id: u32) -> Result<(), BusFault> {
        self.schema(id).await.map(drop)
    }

    async fn schema(&self, id: u32) -> Result<Option<&'static Writer>, BusFault> {
        match &self.registry {
            Some(registry) => registry.by_id(id, registry::COMMANDS).await,
            None => Ok(None),
        }
    }

    fn check(&self, mut object: Map<String, Json>) -> Intake {
        let mut problems = Vec::new();
        let mut take = |name: &str| object.remove(name).filter(|json| !json.is_null());
        let id = match take("id") {
            Some(Json::String(id)) if !id.is_empty() && id.len() <= ID_MAX => Some(id),
            None => {
                problems
                    .push("`id` is missing, expected a text that no other command has".to_owned());
                None
            }
            Some(_) => {
                problems.push(format!("`id` is no text of 1 to {ID_MAX} bytes"));
                None
            }
        };
        let spec = match take("type") {
            Some(Json::String(kind)) => {
                let spec = self.commands.spec(&kind);
                if spec.is_none() {
                    problems.push(unknown_type(&self.commands.specs, &kind));
                }
                spec
            }
            _ => {
                problems.push("`type` is missing, expected the type of a command".to_owned());
                None
            }
        };
        let params = take("params").unwrap_or_else(|| Json::Object(Map::new()));
        let expect = take("expect");
        let params = spec.and_then(|spec| {
            let contract = (self.commands.contract)();
            match contract.params(spec.name)?.read(&params) {
                Ok(params) => Some(params),
                Err(found) => {
                    problems.extend(found);
                    None
                }
            }
        });
        // Only for the sender's own records; but one that is no instant is a mistake all the same.
        instant("issued_at", take("issued_at"), &mut problems);
        let expires_at_ms = instant("expires_at", take("expires_at"), &mut problems);
        let user = match take("as") {
            None => None,
            Some(Json::String(user)) => Some(user),
            Some(_) => {
                problems.push("`as` is no text, expected the name of a configured user".to_owned());
                None
            }
        };
        let expect = expectations(spec, expect, &mut problems);
        for name in object.keys() {
            let name: String = name.chars().take(60).collect();
            problems.push(format!(
                "`{name}` is not known; a command has id, type, params, issued_at, expires_at, expect, as"
            ));
        }
        let kind = spec.map_or("", |spec| spec.name);
        let (Some(id), Some(spec), Some(params), true) =
            (id.clone(), spec, params, problems.is_empty())
        else {
            return Intake::Malformed { id, kind, problems: bounded(problems) };
        };
        let key = ordering_key(spec, &id, &params);
        if key.is_empty() || key.len() > KEY_MAX {
            let problems =
                vec![format!("its ordering key is empty, or longer than {KEY_MAX} bytes")];
            return Intake::Malformed { id: Some(id), kind, problems };
        }
        Intake::Command(Command { id, spec, key, params, expect, user, expires_at_ms })
    }
}

/// The object that a value is the JSON text of: as people and shells write it, with blanks or a byte order
/// mark before it, or behind the five bytes of the Confluent wire format, as a serialiser for JSON Schema
/// writes it.
///
/// The registry is not asked whether an id is that of a JSON Schema: a command in Avro, which begins with
/// the length of its id, cannot begin with a brace, and bytes that are one JSON object to their end are no
/// Avro datum by chance. So such commands need no registry.
fn json_object(value: &[u8]) -> Option<Map<String, Json>> {
    let text = match value {
        [0, _, _, _, _, text @ ..] => text,
        text => text,
    };
    let text = json_text(text);
    text.starts_with(b"{").then(|| serde_json::from_slice(text).ok()).flatten()
}

/// A text without what may stand before JSON: blanks, and a byte order mark.
pub fn json_text(text: &[u8]) -> &[u8] {
    let text = text.trim_ascii_start();
    text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text).trim_ascii_start()
}

fn nothing(problem: &str) -> Intake {
    Intake::Malformed { id: None, kind: "", problems: vec![problem.to_owned()] }
}

/// What is listed of many or long problems.
fn bounded(mut problems: Vec<String>) -> Vec<String> {
    let more = problems.len().saturating_sub(PROBLEMS);
    problems.truncate(PROBLEMS);
    for problem in &mut problems {
        if let Some((end, _)) = problem.char_indices().nth(PROBLEM_MAX) {
            problem.truncate(end);
            problem.push('…');
        }
    }
    if more > 0 {
        problems.push(format!("and {more} more"));
    }
    problems
}

fn unknown_type(specs: &[&CommandSpec], kind: &str) -> String {
    let nearest = specs
        .iter()
        .map(|spec| (strsim::jaro_winkler(spec.name, kind), spec.name))
        .max_by(|a, b| a.0.total_cmp(&b.0));
    let shown: String = kind.chars().take(60).collect();
    match nearest {
        Some((likeness, name)) if likeness > 0.8 => {
            format!("there is no command `{shown}`; did you mean `{name}`?")
        }
        _ => format!("there is no command `{shown}`; `talon commands` lists them"),
    }
}

/// An instant in milliseconds, from RFC 3339 or microseconds.
fn instant(name: &str, given: Option<Json>, problems: &mut Vec<String>) -> Option<i64> {
    let read = match given? {
        Json::String(text) => text.parse::<Timestamp>().ok().map(|at| at.as_millisecond()),
        Json::Number(micros) => micros.as_i64().map(|micros| micros.div_euclid(1_000)),
        _ => None,
    };
    if read.is_none() {
        problems.push(format!("`{name}` is no instant, expected RFC 3339 with an offset"));
    }
    read
}

fn expectations(
    spec: Option<&'static CommandSpec>,
    given: Option<Json>,
    problems: &mut Vec<String>,
) -> Map<String, Json> {
    let object = match given {
        None => return Map::new(),
        Some(Json::Object(object)) => object,
        Some(_) => {
            problems.push("`expect` is no object".to_owned());
            return Map::new();
        }
    };
    let Some(spec) = spec else { return Map::new() };
    for name in object.keys().filter(|name| !spec.expect.contains(&name.as_str())) {
        let shown: String = name.chars().take(60).collect();
        problems.push(match spec.expect {
            [] => format!("`expect.{shown}` cannot be checked; `{}` takes no `expect`", spec.name),
            known => format!("`expect.{shown}` cannot be checked; there are {}", known.join(", ")),
        });
    }
    object
}

/// What a command is ordered by, and the key under which it should stand on the topic.
fn ordering_key(spec: &CommandSpec, id: &str, params: &Map<String, Json>) -> String {
    match spec.key {
        OrderingKey::Own => id.to_owned(),
        OrderingKey::Fixed(key) => key.to_owned(),
        OrderingKey::Params(names) => {
            let parts: Vec<String> = names
                .iter()
                .map(|name| match params.get(*name) {
                    Some(Json::String(text)) => text.clone(),
                    Some(Json::Null) | None => String::new(),
                    Some(other) => other.to_string(),
                })
                .collect();
            parts.join("/")
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use serde_json::json;
    use talon_schemas::command::CommandContract;
    use talon_sdk::Repeat;

    use super::*;

    static CONTRACT: LazyLock<CommandContract> = LazyLock::new(|| {
        CommandContract::of(
            r#"[{"type": "record", "name": "SetStatus", "namespace": "talon.test.commands", "fields": [
                {"name": "call_id", "type": "long"}, {"name": "status", "type": "string"}]}]"#,
        )
    });

    fn reader() -> CommandReader {
        static SPECS: [CommandSpec; 1] = [CommandSpec {
            expect: &["status"],
            ..CommandSpec::of("SetStatus", OrderingKey::Params(&["call_id"]), Repeat::Converges)
        }];
        let commands = Commands { specs: SPECS.iter().collect(), contract: || &CONTRACT };
        CommandReader { commands, wire: Wire::SingleObject, registry: None }
    }

    async fn malformed(value: &Json) -> (Option<String>, Vec<String>) {
        match reader().read(value.to_string().as_bytes()).await.unwrap() {
            Intake::Malformed { id, problems, .. } => (id, problems),
            Intake::Command(_) => panic!("it is taken as a command"),
        }
    }

    #[tokio::test]
    async fn a_command_is_read_with_its_ordering_key() {
        let json = json!({"id": "c-1", "type": "SetStatus", "params": {"call_id": 42, "status": "Done"},
            "issued_at": "2026-01-31T10:00:00Z", "expires_at": "2026-01-31T10:05:00Z",
            "expect": {"status": "Committed"}, "as": "anna"});
        let Intake::Command(command) = reader().read(json.to_string().as_bytes()).await.unwrap()
        else {
            panic!("it is malformed")
        };
        assert_eq!((command.id.as_str(), command.key.as_str()), ("c-1", "42"));
        assert_eq!(command.expires_at_ms, Some(1_769_853_900_000));
        assert_eq!(command.expect["status"], "Committed");
        assert_eq!(command.user.as_deref(), Some("anna"));
    }

    #[tokio::test]
    async fn json_is_known_behind_blanks_a_mark_and_the_five_bytes_of_a_schema_id() {
        let json =
            r#"{"id": "c-1", "type": "SetStatus", "params": {"call_id": 42, "status": "Done"}}"#;
        for before in ["", " ", "\r\n\t ", "\u{feff}", "\u{feff} \n", " \u{feff}"] {
            for frame in [&[][..], &[0, 0, 0, 0, 9]] {
                let value = [frame, before.as_bytes(), json.as_bytes(), b"\n"].concat();
                let Intake::Command(command) = reader().read(&value).await.unwrap() else {
                    panic!("it is malformed behind {before:?}")
                };
                assert_eq!((command.id.as_str(), command.key.as_str()), ("c-1", "42"));
                let (_, problems) = match reader().read(&value[..value.len() - 4]).await.unwrap() {
                    Intake::Malformed { id, problems, .. } => (id, problems),
                    Intake::Command(_) => panic!("a part of it is taken as a command"),
                };
                assert!(problems[0].contains("no JSON") || problems[0].contains("neither JSON"));
            }
        }
    }

    #[tokio::test]
    async fn every_mistake_is_listed_and_the_id_is_kept() {
        let json = json!({"id": "c-1", "type": "SetStatus", "params": {"call_id": "secret"},
            "expires_at": "tomorrow", "expect": {"colour": 1}, "exprie_at": 1});
        let (id, problems) = malformed(&json).await;
        assert_eq!(id.as_deref(), Some("c-1"));
        assert_eq!(
            problems,
            [
                "`params.call_id` is another text, expected whole number",
                "`params.status` is missing, expected text",
                "`expires_at` is no instant, expected RFC 3339 with an offset",
                "`expect.colour` cannot be checked; there are status",
                "`exprie_at` is not known; a command has id, type, params, issued_at, expires_at, expect, as",
            ]
        );
        let (id, problems) = malformed(&json!({"id": 5, "type": "SetStatsu"})).await;
        assert_eq!(id, None);
        assert_eq!(problems[1], "there is no command `SetStatsu`; did you mean `SetStatus`?");
    }

    #[tokio::test]
    async fn invariant_6_of_many_or_long_mistakes_only_so_much_is_said() {
        let names = (0..50_000).map(|i| (format!("x{i}"), json!(1)));
        let many = Json::Object(names.collect());
        let long = json!({"id": "c-1", "x".repeat(100_000): 1, "params": {"y".repeat(100_000): 1}});
        for value in [many, long] {
            let (_, problems) = malformed(&value).await;
            let bytes: usize = problems.iter().map(String::len).sum();
            assert!(problems.len() <= 21 && bytes < 4_000, "{bytes} bytes");
        }
    }

    #[tokio::test]
    async fn what_is_no_command_at_all_is_said_so() {
        for (value, part) in [
            (b"hello".as_slice(), "neither JSON nor Avro"),
            (b"{\"id\":", "no JSON"),
            (&[0, 0, 0, 0, 9, 1, 2], "not in the registry"),
            (&[0xc3, 0x01, 1, 2, 3, 4, 5, 6, 7, 8, 0], "unknown Avro schema"),
            (b"", "neither"),
        ] {
            let Intake::Malformed { id: None, problems, .. } = reader().read(value).await.unwrap()
            else {
                panic!("it has an id, or is a command")
            };
            assert!(problems[0].contains(part), "{problems:?}");
        }
    }
}
