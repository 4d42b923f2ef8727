//! Commands as senders write them: each of all connectors, with every choice of optional parameters, in
//! JSON and in Avro under this version's schema, another spelling of it, an older and a newer one, by a
//! sender who names the branch and by one who does not.
#![allow(clippy::unwrap_used)]

mod files;
#[path = "senders/sender.rs"]
mod sender;
#[path = "senders/spelling.rs"]
mod spelling;

use apache_avro::Schema;
use files::{commands, commands_of};
use sender::{Branch, encode};
use serde_json::{Map, Value, json};
use spelling::{ahead, older, respelled, shortest_last};
use talon_schemas::Writer;
use talon_schemas::command::{CommandContract, Params};

/// What the checks say of a command that was read.
fn parsed(
    contract: &CommandContract,
    mut command: Map<String, Value>,
) -> Result<Value, Vec<String>> {
    let params = command.remove("params").unwrap_or_else(|| json!({}));
    let kind = command["type"].as_str().unwrap().to_owned();
    let params = contract.params(&kind).unwrap().read(&params)?;
    command.insert("params".to_owned(), params.into());
    Ok(command.into())
}

fn command(kind: &str, params: &Value) -> Map<String, Value> {
    let command = json!({"id": "c-1", "type": kind, "params": params, "expires_at": 9,
        "expect": {"status": "New"}});
    let Value::Object(command) = command else { panic!("it is an object") };
    command
}

/// The command, once with each choice of its optional parameters.
fn choices(params: &Params) -> Vec<Value> {
    let all = sender::sample(params);
    let optional: Vec<&str> =
        params.list().iter().filter(|param| !param.required).map(|param| param.name).collect();
    let choices = 0..1_usize << optional.len();
    let choice = |chosen: usize| {
        let mut params = all.clone();
        let left_out = optional.iter().enumerate().filter(|(place, _)| chosen & (1 << place) == 0);
        left_out.for_each(|(_, name)| drop(params.remove(*name)));
        Value::Object(params)
    };
    choices.map(choice).collect()
}

/// Every choice, written with the schema `text` and by both kinds of senders, reads as its JSON does. Gives
/// how many could not be written.
fn reads_as_json(contract: &CommandContract, text: &str, writer: Option<&'static Writer>) -> usize {
    let schema = Schema::parse_str(text).unwrap();
    let mut unwritten = 0;
    for params in contract.all() {
        let kind = params.name();
        for given in choices(params) {
            let expected = parsed(contract, command(kind, &given)).unwrap();
            for branch in [Branch::Named(kind), Branch::Plain] {
                let Some(datum) = encode(&schema, &command(kind, &given), branch) else {
                    unwritten += 1;
                    continue;
                };
                let read = parsed(contract, contract.read(&datum, writer).unwrap());
                assert_eq!(read.as_ref(), Ok(&expected), "{kind} {given} {branch:?}");
            }
        }
    }
    unwritten
}

#[test]
fn every_spelling_of_a_command_reads_as_its_json() {
    for (_, contract) in commands() {
        let text = contract.as_ref().text();
        assert_eq!(reads_as_json(contract, text, None), 0);
        for text in [text.to_owned(), respelled(text), ahead(text), shortest_last(text)] {
            assert_eq!(reads_as_json(contract, &text, Writer::parse(&text)), 0);
        }
        // It lacks one parameter of most commands: half of their choices.
        let text = older(text);
        let all: usize = contract.all().iter().map(|params| 2 * choices(params).len()).sum();
        let unwritten = reads_as_json(contract, &text, Writer::parse(&text));
        assert!(0 < unwritten && unwritten <= all / 2, "{unwritten} of {all}");
    }
}

#[test]
fn a_record_of_the_union_stands_before_those_that_contain_it() {
    for (_, contract) in commands() {
        let schema: Value = serde_json::from_str(contract.as_ref().text()).unwrap();
        let params = schema["fields"].as_array().unwrap().iter();
        let params = params.into_iter().find(|field| field["name"] == "params").unwrap();
        let records = params["type"].as_array().unwrap();
        let names = |record: &Value| -> Vec<Value> {
            let fields = record["fields"].as_array().unwrap().iter();
            fields.map(|field| field["name"].clone()).collect()
        };
        assert_eq!(records.len(), contract.all().len());
        for (place, larger) in records.iter().enumerate() {
            for smaller in &records[place + 1..] {
                let (larger_has, smaller_has) = (names(larger), names(smaller));
                let is_within = smaller_has.iter().all(|name| larger_has.contains(name));
                assert!(
                    !is_within || smaller_has.len() == larger_has.len(),
                    "{} stands behind {}",
                    smaller["name"],
                    larger["name"]
                );
            }
        }
    }
}

#[test]
fn what_a_sender_got_wrong_is_told_as_in_json() {
    let contract: &CommandContract = commands_of("contractor");
    let text = contract.as_ref().text();
    let own = Schema::parse_str(text).unwrap();
    // The branch is that of another command: what has a value under a name that is unknown is said so.
    let given = command("CloseCall", &json!({"call_id": 7, "comment": "late"}));
    let datum = encode(&own, &given, Branch::Named("RaiseJeopardy")).unwrap();
    let read = parsed(contract, contract.read(&datum, None).unwrap());
    assert_eq!(read, parsed(contract, given));
    assert!(read.unwrap_err()[0].contains("`params.comment` is not known"));
    // A parameter that only a newer version knows.
    let text = ahead(text);
    let newer = Schema::parse_str(&text).unwrap();
    let given = command("CloseCall", &json!({"call_id": 7, "added_later": "x"}));
    let datum = encode(&newer, &given, Branch::Named("CloseCall")).unwrap();
    let read = parsed(contract, contract.read(&datum, Writer::parse(&text)).unwrap());
    assert_eq!(read, parsed(contract, given));
    // What JSON cannot say is not taken for something that was left out.
    let given = command("PatchExpense", &json!({"call_id": 7, "expense_id": 1, "count": "inf"}));
    let datum = encode(&own, &given, Branch::Named("PatchExpense")).unwrap();
    let problems = parsed(contract, contract.read(&datum, None).unwrap()).unwrap_err();
    assert!(problems[0].contains("`params.count`"), "{problems:?}");
}

#[test]
fn a_parameter_that_is_an_object_is_one_in_json_and_its_text_in_avro() {
    let contract: &CommandContract = commands_of("quickq");
    let params = contract.params("NewService").unwrap();
    let given = json!({"fields": {"name": "Справки", "priority": 50}});
    assert_eq!(Value::Object(params.read(&given).unwrap()), given);
    let problems = params.read(&json!({"fields": "{\"name\":\"x\"}"})).unwrap_err();
    assert_eq!(
        problems,
        ["`params.fields` is another text, expected object, in Avro as JSON text"]
    );
    let own = Schema::parse_str(contract.as_ref().text()).unwrap();
    let datum = encode(&own, &command("NewService", &given), Branch::Plain);
    let read = contract.read(&datum.unwrap(), None).unwrap();
    assert_eq!(read["params"], given);
    // A text that is no object is refused in both.
    let text = json!({"fields": "[1]"});
    let datum = encode(&own, &command("NewService", &text), Branch::Plain);
    let read = parsed(contract, contract.read(&datum.unwrap(), None).unwrap());
    assert_eq!(read, parsed(contract, command("NewService", &text)));
}
