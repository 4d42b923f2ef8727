//! Records of the topics of commands: JSON, Avro in both wire formats, and neither.

use futures_util::FutureExt;
use serde_json::{Map, Value, json};
use talon_contractor::Contractor;
use talon_quickq::QuickQ;
use talon_runtime::commands::{CommandReader, Intake};
use talon_schemas::Message;
use talon_schemas::wire::Wire;
use talon_sdk::{Class, Command, Commands};

use super::quotes::assert_quotes_nothing;

/// Longest id and ordering key, as documented.
const ID_MAX: usize = 200;
const KEY_MAX: usize = 500;
/// All that may be said of mistakes, in bytes: it goes into a header.
const PROBLEMS_MAX: usize = 40_000;

const SCHEMA_ID: u32 = 7;

fn classes() -> [Commands; 2] {
    let none = "a class with commands";
    [Contractor.commands().expect(none), QuickQ.commands().expect(none)]
}

/// The first byte chooses the class and how its schema is written, the rest is the record's value.
pub(super) fn run(data: &[u8]) {
    let Some((&choice, value)) = data.split_first() else { return };
    let [contractor, quickq] = classes();
    let commands = if choice % 2 == 0 { contractor } else { quickq };
    let wire = match choice / 2 % 2 {
        0 => Wire::SingleObject,
        _ => Wire::Confluent { id: SCHEMA_ID },
    };
    let reading = CommandReader { commands: commands.clone(), wire, registry: None };
    match read(&reading, value) {
        Intake::Command(command) => check(&reading, &command),
        Intake::Malformed { id, kind, problems } => {
            assert!(!problems.is_empty(), "refused without a reason");
            assert!(id.is_none_or(|id| !id.is_empty() && id.len() <= ID_MAX));
            assert!(kind.is_empty() || commands.spec(kind).is_some());
            let bytes: usize = problems.iter().map(String::len).sum();
            assert!(bytes <= PROBLEMS_MAX, "{bytes} bytes of problems");
            assert_discreet(&reading, value, &problems);
        }
    }
}

fn read(reading: &CommandReader, value: &[u8]) -> Intake {
    let read =
        reading.read(value).now_or_never().expect("without a registry nothing is waited for");
    read.unwrap_or_else(|fault| panic!("without a registry nothing fails: {fault}"))
}

/// What was read and is written again reads as the same.
fn check(reading: &CommandReader, command: &Command) {
    assert!(!command.id.is_empty() && command.id.len() <= ID_MAX);
    assert!(!command.key.is_empty() && command.key.len() <= KEY_MAX);
    let mut object = json!({
        "id": command.id, "type": command.spec.name, "params": command.params,
        "expect": command.expect, "as": command.user,
    });
    if let Some(at_ms) = command.expires_at_ms {
        object["expires_at"] = json!(at_ms.saturating_mul(1_000));
    }
    let again = match read(reading, object.to_string().as_bytes()) {
        Intake::Command(again) => again,
        Intake::Malformed { problems, .. } => panic!("it was a command before: {problems:?}"),
    };
    assert_eq!((&again.id, &again.key), (&command.id, &command.key));
    assert_eq!((&again.params, &again.expect), (&command.params, &command.expect));
    assert_eq!((&again.user, again.expires_at_ms), (&command.user, command.expires_at_ms));
    assert!(std::ptr::eq(again.spec, command.spec));
}

/// Names may be quoted, and the type; values of parameters may not.
fn assert_discreet(reading: &CommandReader, value: &[u8], problems: &[String]) {
    let Ok(Value::Object(mut object)) = serde_json::from_slice(value) else { return };
    let kind = object.remove("type");
    let content = Value::Object(object).to_string();
    let said = |content: &[u8]| {
        let mut object: Map<String, Value> = serde_json::from_slice(content).ok()?;
        object.extend(kind.clone().map(|kind| ("type".to_owned(), kind)));
        match read(reading, Value::Object(object).to_string().as_bytes()) {
            Intake::Malformed { problems, .. } => Some(problems.join("\n")),
            Intake::Command(_) => None,
        }
    };
    // What is quoted of an unknown type may be what stands elsewhere too.
    let shown: Vec<&str> = problems.iter().map(String::as_str).collect();
    let shown: Vec<&str> =
        shown.into_iter().filter(|problem| !problem.starts_with("there is no command")).collect();
    assert_quotes_nothing(content.as_bytes(), &shown.join("\n"), said);
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for (choice, commands) in classes().into_iter().enumerate() {
        for spec in &commands.specs {
            let object = sample(&commands, spec.name);
            let text = Value::Object(object.clone()).to_string();
            seeds.push([&[choice as u8], text.as_bytes()].concat());
            for (at, wire) in
                [Wire::SingleObject, Wire::Confluent { id: SCHEMA_ID }].into_iter().enumerate()
            {
                let message: &Message = (commands.contract)().as_ref();
                let mut value = vec![(choice + 2 * at) as u8];
                wire.put_prefix(message, &mut value);
                if let Some(datum) = datum(&commands, &object) {
                    value.extend(datum);
                    seeds.push(value);
                }
            }
        }
    }
    seeds
}

fn datum(commands: &Commands, object: &Map<String, Value>) -> Option<Vec<u8>> {
    let message: &Message = (commands.contract)().as_ref();
    // Of the records of all types the first one fits that has these fields.
    message.from_json(Value::Object(object.clone()).to_string().as_bytes()).ok()
}

/// A command of a type, with what it must have.
fn sample(commands: &Commands, name: &str) -> Map<String, Value> {
    let params = (commands.contract)().params(name).expect("every command has parameters");
    let values = params.list().into_iter().filter_map(|param| {
        let value = match param.kind.split([',', ' ']).next().unwrap_or_default() {
            "whole" => json!(7),
            "number" => json!(1.5),
            "true" => json!(true),
            "text" => json!("кенар-7"),
            "bytes" => json!("AAE="),
            "instant" => json!("2026-01-31T10:00:00+03:00"),
            "one" => {
                let first = param.kind.trim_start_matches("one of ").split(", ").next();
                json!(first.unwrap_or_default())
            }
            "list" if param.required => json!(["Диагностика"]),
            "list" => json!([]),
            "object" if param.kind.contains("values:") => json!({"5": "Approved"}),
            _ => return param.required.then(|| (param.name.to_owned(), json!({}))),
        };
        Some((param.name.to_owned(), value))
    });
    let params: Map<String, Value> = values.collect();
    let object = json!({
        "id": "6f0c-1", "type": name, "params": params, "issued_at": "2026-01-31T10:00:00Z",
        "expires_at": 1_769_853_900_000_000_i64, "as": "anna",
    });
    match object {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}
