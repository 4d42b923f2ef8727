//! Commands as people and stock clients send them.

use std::process::Output;

use serde_json::{Value, json};
use talon_brokers::{Kafka, Registry, python, unique};

use crate::cases::{Stage, bring};
use crate::support::consumer::read;
use crate::support::{On, Talon, program, until, write};
use crate::world::{WITH_USER, simulator_settings, world_with};
use crate::{carrying, results};

fn ended(file: &tempfile::NamedTempFile, arguments: &[&str]) -> Output {
    program().args(["send", "--config"]).arg(file.path()).args(arguments).output().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn talon_send_prints_the_outcome_on_kafka() {
    talon_send(On::Kafka).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn talon_send_prints_the_outcome_on_nats() {
    talon_send(On::Nats).await;
}

async fn talon_send(on: On) {
    let Some(address) = on.shared("send") else { return };
    let world = world_with(simulator_settings(), WITH_USER).await;
    let call = bring(&world, Stage::Committed).await.call;
    let prefix = unique("send");
    let texts = carrying(&prefix, address, &world.sim.url());
    let mut talon = Talon::run(&texts);
    talon.ready().await;
    let file = write(&texts);
    let send = |arguments: Vec<String>| {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        tokio::task::block_in_place(|| ended(&file, &arguments))
    };
    let own = |texts: &[&str]| texts.iter().map(ToString::to_string).collect::<Vec<String>>();
    let call_id = format!("call_id={call}");

    let done =
        send(own(&["field", "SendMessage", &call_id, "message=12", "--wait", "--id", &prefix]));
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let outcome: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(outcome["outcome"], "APPLIED", "{outcome}");
    assert_eq!(outcome["command_id"], prefix.as_str());
    assert_eq!(world.effects("POST /call/{id}/message"), 1);

    let unmet = send(own(&[
        "field",
        "SendMessage",
        &call_id,
        "message=a",
        "--expect",
        "status=Done",
        "--wait",
    ]));
    assert_eq!(unmet.status.code(), Some(1));
    let outcome: Value = serde_json::from_slice(&unmet.stdout).unwrap();
    assert_eq!(outcome["outcome"], "REJECTED", "{outcome}");

    let wrong = send(own(&["field", "SendMessage", "call_id=x", "text=a", "nothing"]));
    assert_eq!(wrong.status.code(), Some(2));
    let said = String::from_utf8_lossy(&wrong.stderr).into_owned();
    for part in [
        "4 problems",
        "`params.call_id`",
        "`params.message` is missing",
        "`params.text` is not known",
        "`nothing`",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let from_file = tempfile::NamedTempFile::new().unwrap();
    let path = from_file.path().to_str().unwrap();
    let written =
        json!({"type": "SendMessage", "params": {"call_id": call, "message": "из файла"}});
    std::fs::write(path, format!("\u{feff}\n{written:#}\n")).unwrap();
    let done = send(own(&["field", "--file", path, "--wait"]));
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert_eq!(world.effects("POST /call/{id}/message"), 2);
    // The same from standard input, with an id of its own.
    let mut command = program();
    command.args(["send", "--config"]).arg(file.path()).args(["field", "--file", "-", "--wait"]);
    let piped =
        command.arg("--id").arg(format!("{prefix}-2")).stdin(std::fs::File::open(path).unwrap());
    let done = tokio::task::block_in_place(|| piped.output().unwrap());
    let outcome: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(
        (&outcome["outcome"], &outcome["command_id"]),
        (&json!("APPLIED"), &json!(format!("{prefix}-2")))
    );
    assert_eq!(world.effects("POST /call/{id}/message"), 3);
    for (text, part) in [
        ("[1]", "no JSON object"),
        (r#"{"type": "SendMessage", "params": {}, "colour": 1}"#, "`colour` is not known"),
        (r#"{"type": "LockUser", "params": {"user_id": 2}}"#, "not switched on"),
    ] {
        std::fs::write(path, text).unwrap();
        let wrong = send(own(&["field", "--file", path]));
        let said = String::from_utf8_lossy(&wrong.stderr);
        assert!(wrong.status.code() == Some(2) && said.contains(part), "{part}: {said}");
    }

    let unknown = send(own(&["field", "SendMesage"]));
    assert_eq!(unknown.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("SendMessage"));
    assert_eq!(world.effects("POST /call/{id}/message"), 3);
    assert!(talon.terminate().await.success(), "{}", talon.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_command_is_put_aside_and_what_follows_it_flows_on_on_kafka() {
    put_aside(On::Kafka).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_command_is_put_aside_and_what_follows_it_flows_on_on_nats() {
    put_aside(On::Nats).await;
}

async fn put_aside(on: On) {
    let Some(address) = on.shared("malformed") else { return };
    let world = world_with(simulator_settings(), WITH_USER).await;
    let call = bring(&world, Stage::Committed).await.call;
    let prefix = unique("malformed");
    let texts = carrying(&prefix, address, &world.sim.url());
    let mut talon = Talon::run_logging(&texts, "trace");
    talon.ready().await;
    let key = call.to_string();
    let commands = [
        (key.clone(), json!("hello")),
        (key.clone(), json!({"id": "bad", "type": "SendMessage", "params": {"call_id": "кенар"}})),
        (
            key.clone(),
            json!({"id": "good", "type": "SendMessage", "params": {"call_id": call, "message": "кенар"}}),
        ),
        (key.clone(), json!({"id": "off", "type": "LockUser", "params": {"user_id": 2}})),
        (
            key,
            json!({"id": "good", "type": "SendMessage", "params": {"call_id": call, "message": "кенар"}}),
        ),
    ];
    let producer = crate::support::producer::Producer::new(address).await;
    producer.send(&format!("{prefix}.field.commands"), &commands).await;
    let outcomes = || {
        let results = results(address, &prefix).into_iter();
        let mut outcomes: Vec<(String, String)> =
            results.filter_map(|result| Some((result.command_id, result.outcome?))).collect();
        outcomes.sort();
        outcomes
    };
    until("all are settled", async || outcomes().len() == 4).await;
    let expected =
        [("bad", "REJECTED"), ("good", "APPLIED"), ("good", "DUPLICATE"), ("off", "REJECTED")];
    let expected = expected.map(|(id, outcome)| (id.to_owned(), outcome.to_owned()));
    assert_eq!(outcomes(), expected);
    assert_eq!(world.effects("POST /call/{id}/message"), 1);

    let dead = read(address, &format!("{prefix}.field.dlq"));
    let values: Vec<Value> = dead
        .iter()
        .map(|dead| serde_json::from_slice(dead.value.as_ref().unwrap()).unwrap())
        .collect();
    assert_eq!(values, [commands_value(&commands, 0), commands_value(&commands, 1)]);
    let message = &dead[1].headers["__connect.errors.exception.message"];
    assert!(message.contains("`params.call_id`") && !message.contains("кенар"), "{message}");
    let (_, metrics) = talon.get("/metrics").await;
    for sample in [
        "talon_commands_total{connector=\"field\",outcome=\"APPLIED\",type=\"SendMessage\"} 1",
        "talon_commands_total{connector=\"field\",outcome=\"DUPLICATE\",type=\"SendMessage\"} 1",
        "talon_command_lag_records{connector=\"field\"} 0",
        "talon_dead_letters_total{connector=\"field\",feed=\"commands\",stage=\"command\"} 2",
    ] {
        until(sample, async || talon.get("/metrics").await.1.contains(sample)).await;
    }
    let page = talon.get("/").await.1;
    assert!(page.contains("APPLIED: 1"), "the page shows commands");
    for text in [talon.log(), metrics, page] {
        assert!(!text.contains("кенар"), "personal data is shown");
    }
    assert!(talon.terminate().await.success());
}

fn commands_value(commands: &[(String, Value)], place: usize) -> Value {
    commands[place].1.clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn confluent_clients_send_commands_in_avro_with_the_registry() {
    const TEST: &str = "avro_command";
    let (Some(kafka), Some(registry)) = (Kafka::shared(TEST), Registry::shared(TEST)) else {
        return;
    };
    let world = world_with(simulator_settings(), WITH_USER).await;
    let call = bring(&world, Stage::Committed).await.call;
    let prefix = unique("avro");
    let mut texts = carrying(&prefix, kafka.bootstrap(), &world.sim.url());
    texts.insert("schema.registry.url".to_owned(), registry.url().to_owned());
    let mut talon = Talon::run(&texts);
    talon.ready().await;
    let topic = format!("{prefix}.field.commands");
    let command = json!({"id": "c-1", "type": "SetCallStatus", "expect": {"status": "Committed"},
        "params": {"call_id": call, "status": "Done", "comments": "готово"}});
    let (key, command) = (call.to_string(), command.to_string());
    let arguments = [
        "--bootstrap",
        kafka.bootstrap(),
        "--topic",
        &topic,
        "--registry",
        registry.url(),
        "--key",
        &key,
        &command,
    ];
    let Some(output) = python::run(TEST, "send_command.py", &arguments) else { return };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    until("the command is applied", async || world.effects("POST /call/{id}/status") == 2).await;
    let results = format!("{prefix}.field.results");
    until("the outcome is there", async || read(kafka.bootstrap(), &results).len() == 2).await;
    assert!(talon.terminate().await.success(), "{}", talon.log());
    // The results are in the wire format too, and their schema is registered.
    let count = [
        "--bootstrap",
        kafka.bootstrap(),
        "--topic",
        &results,
        "--count",
        "2",
        "--registry",
        registry.url(),
    ];
    let Some(output) = python::run(TEST, "read_events.py", &count) else { return };
    let lines = String::from_utf8(output.stdout).unwrap();
    let last: Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
    assert_eq!(last["value"]["outcome"], "APPLIED", "{last}");
    assert_eq!(last["key"], "c-1");
}

#[tokio::test(flavor = "multi_thread")]
async fn stock_senders_of_any_spelling_and_branch_are_understood() {
    const TEST: &str = "stock_senders";
    let (Some(kafka), Some(registry)) = (Kafka::shared(TEST), Registry::shared(TEST)) else {
        return;
    };
    let world = world_with(simulator_settings(), WITH_USER).await;
    let call = bring(&world, Stage::Committed).await.call;
    let prefix = unique("stock");
    let mut texts = carrying(&prefix, kafka.bootstrap(), &world.sim.url());
    texts.insert("schema.registry.url".to_owned(), registry.url().to_owned());
    let mut talon = Talon::run(&texts);
    talon.ready().await;
    let (topic, key) = (format!("{prefix}.field.commands"), call.to_string());
    let ways = [
        ("newest", "named"),
        ("newest", "plain"),
        ("newest", "typed"),
        ("respelled", "named"),
        ("respelled", "plain"),
        ("older", "named"),
        ("older", "plain"),
        ("json", "plain"),
    ];
    let messages = || world.effects("POST /call/{id}/message");
    let mut sent = 0;
    for (schema, branch) in ways {
        // A plain dict of it fits the records of seven other commands.
        let patch = json!({"type": "PatchCall", "params": {"call_id": call}});
        let due =
            json!({"type": "PatchCall", "params": {"call_id": call, "resolution_due_at": null}});
        let message = json!({"type": "SendMessage", "params": {"call_id": call, "message": format!("{schema} {branch}")}});
        for (place, mut command) in [patch, due, message].into_iter().enumerate() {
            command["id"] = json!(format!("{schema}-{branch}-{place}"));
            let command = command.to_string();
            let arguments = [
                "--bootstrap",
                kafka.bootstrap(),
                "--topic",
                &topic,
                "--registry",
                registry.url(),
                "--key",
                &key,
                "--schema",
                schema,
                "--branch",
                branch,
                &command,
            ];
            let Some(output) = python::run(TEST, "send_command.py", &arguments) else { return };
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            sent += 1;
        }
    }
    let outcomes = || {
        let results = results(kafka.bootstrap(), &prefix).into_iter();
        results
            .filter_map(|result| {
                Some((result.command_id, result.r#type, result.outcome?, result.message))
            })
            .collect::<Vec<_>>()
    };
    until("all are settled", async || outcomes().len() == sent).await;
    for (id, kind, outcome, message) in outcomes() {
        // What JSON comes to, each of the other ways comes to.
        let place = id.rsplit('-').next().unwrap().to_owned();
        let same = outcomes().into_iter().find(|(id, ..)| *id == format!("json-plain-{place}"));
        let (_, same_kind, same_outcome, same_message) = same.unwrap();
        assert_eq!((&kind, &outcome, &message), (&same_kind, &same_outcome, &same_message), "{id}");
        assert!(kind != "SendMessage" || outcome == "APPLIED", "{id}: {outcome} {message:?}");
    }
    assert_eq!(messages(), ways.len());
    assert!(read(kafka.bootstrap(), &format!("{prefix}.field.dlq")).is_empty());
    assert!(talon.terminate().await.success(), "{}", talon.log());
}
