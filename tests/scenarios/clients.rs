//! Events as other people's clients read them. Against a real Kafka, a real NATS and a schema registry.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Output;

use serde_json::Value;
use support::consumer::read;
use support::{Talon, configuration, until, upstream};
use talon_brokers::{Kafka, Nats, Registry, python, unique};
use talon_simulators::contractor::{Fault, FaultKind, Kind, Simulator};

/// The lines that the client printed, one for each record.
fn lines(output: &Output) -> Vec<Value> {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Runs a connector until all calls and tasks are on their topics; then one task vanishes.
async fn publish(
    address: &str,
    upstream: &Simulator,
    prefix: &str,
    registry: Option<&str>,
) -> usize {
    let mut texts = configuration(prefix, address, &upstream.url());
    if let Some(url) = registry {
        texts.insert("schema.registry.url".to_owned(), url.to_owned());
    }
    let mut talon = Talon::run(&texts);
    talon.ready().await;
    let count = |feed: &str| read(address, &format!("{prefix}.field.{feed}")).len();
    let history = upstream.history();
    let (calls, tasks) = (history.current(Kind::Calls).len(), history.current(Kind::Tasks).len());
    let all = async || count("call") == calls && count("call_task") == tasks;
    until("all rows are there", all).await;
    upstream.fault(Fault::from(FaultKind::ShortList { keep: tasks - 1 }).at("/calltask"));
    until("a task is deleted", async || count("call_task") == tasks + 2).await;
    assert!(talon.terminate().await.success(), "{}", talon.log());
    upstream.faults().clear();
    tasks
}

/// Checks the calls against the upstream.
fn check_calls(lines: &[Value], upstream: &Simulator, prefix: &str) {
    let calls = upstream.history().current(Kind::Calls);
    assert_eq!(lines.len(), calls.len());
    for line in lines {
        let (event, headers) = (&line["value"], &line["headers"]);
        let id: i64 = line["key"].as_str().unwrap().parse().unwrap();
        let call: Value = serde_json::from_str(&calls[&id]).unwrap();
        let after = &event["after"];
        assert_eq!(event["op"], "r");
        assert_eq!(event["before"], Value::Null);
        assert_eq!(after["id"], id);
        for (name, theirs) in [
            ("number", "number"),
            ("status", "status"),
            ("critical", "critical"),
            ("client_name", "clientName"),
            ("description_html", "descriptionHtmlText"),
            ("mark", "timestamp"),
        ] {
            assert_eq!(after[name], call[theirs], "{name}");
        }
        // The client makes a date and time with its zone of the logical type.
        for (name, theirs) in
            [("created_at", "created"), ("resolution_due_at", "ttf"), ("finished_at", "finished")]
        {
            match call[theirs].as_str() {
                None => assert_eq!(after[name], Value::Null),
                Some(text) => {
                    let read =
                        after[name].as_str().unwrap_or_else(|| panic!("{name}: {}", after[name]));
                    assert!(read.ends_with("+00:00"), "{name}: {read}");
                    let instant = |text: &str| text.parse::<jiff::Timestamp>().unwrap();
                    assert_eq!(instant(read), instant(text), "{name}");
                }
            }
        }
        let tasks = after["tasks"].as_array().unwrap();
        assert_eq!(tasks.len(), call["tasks"].as_array().map_or(0, Vec::len));
        let source = &event["source"];
        assert_eq!(source["connector"], "contractor");
        assert_eq!(source["name"], "field");
        assert_eq!(source["feed"], "call");
        assert_eq!(source["snapshot"], "true");
        assert_eq!(source["absent"], false);
        assert!(event["ts_ms"].as_i64().unwrap() >= source["ts_ms"].as_i64().unwrap());
        assert_eq!(headers["talon-schema"], "talon.contractor.call.Envelope", "{prefix}");
        assert_eq!((&source["db"], &source["table"]), (&source["name"], &source["feed"]));
        let event_id = headers["talon-event-id"].as_str().unwrap();
        assert!(is_uuid(event_id), "{event_id}");
    }
}

/// Whether it is a UUID of version 8, with its dashes.
fn is_uuid(text: &str) -> bool {
    let parts: Vec<usize> = text.split('-').map(str::len).collect();
    let is_text = text.chars().all(|c| c == '-' || c.is_ascii_hexdigit());
    parts == [8, 4, 4, 4, 12] && is_text && text.as_bytes()[14] == b'8'
}

/// Checks that the last two records of one task are its delete and its tombstone. All that a consumer
/// needs of the delete is on the first: some pass on one of the two only.
fn check_tasks(lines: &[Value], tasks: usize) {
    assert_eq!(lines.len(), tasks + 2);
    let tombstone = lines.iter().find(|line| line["value"].is_null()).unwrap();
    let mut mine: Vec<&Value> =
        lines.iter().filter(|line| line["key"] == tombstone["key"]).collect();
    mine.sort_by_key(|line| line["offset"].as_i64());
    let [read, delete, last] = mine[..] else { panic!("{mine:?}") };
    assert_eq!(last, tombstone);
    assert_eq!(delete["value"]["op"], "d");
    assert_eq!(delete["value"]["source"]["absent"], true);
    assert_eq!(delete["value"]["before"], read["value"]["after"]);
    assert_eq!(delete["value"]["after"], Value::Null);
    // The others are the server's own.
    let names = |line: &Value| -> BTreeSet<String> {
        let names = line["headers"].as_object().unwrap().keys();
        names.filter(|name| name.starts_with("talon-")).cloned().collect()
    };
    assert_eq!(names(delete), names(tombstone));
    assert_eq!(delete["headers"]["talon-schema"], tombstone["headers"]["talon-schema"]);
    let id = |line: &Value| line["headers"]["talon-event-id"].as_str().unwrap().to_owned();
    assert!(is_uuid(&id(delete)) && is_uuid(&id(tombstone)));
    assert_ne!(id(delete), id(tombstone), "who drops known ids would keep the row");
}

#[tokio::test(flavor = "multi_thread")]
async fn confluents_python_client_reads_events_with_the_schema_registry() {
    let Some(kafka) = Kafka::shared("python_registry") else { return };
    let Some(registry) = Registry::shared("python_registry") else { return };
    let upstream = upstream(12, 79).await;
    let prefix = unique("confluent");
    let tasks = publish(kafka.bootstrap(), &upstream, &prefix, Some(registry.url())).await;
    for (feed, count) in [("call", 12), ("call_task", tasks + 2)] {
        let topic = format!("{prefix}.field.{feed}");
        let count = count.to_string();
        let arguments = [
            "--bootstrap",
            kafka.bootstrap(),
            "--topic",
            &topic,
            "--count",
            &count,
            "--registry",
            registry.url(),
        ];
        let Some(output) = python::run("python_registry", "read_events.py", &arguments) else {
            return;
        };
        match feed {
            "call" => check_calls(&lines(&output), &upstream, &prefix),
            _ => check_tasks(&lines(&output), tasks),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fastavro_reads_single_object_events_with_the_golden_schemas() {
    let Some(kafka) = Kafka::shared("python_single_object") else { return };
    let upstream = upstream(12, 83).await;
    let prefix = unique("single");
    let tasks = publish(kafka.bootstrap(), &upstream, &prefix, None).await;
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas/golden");
    for (feed, count) in [("call", 12), ("call_task", tasks + 2)] {
        let topic = format!("{prefix}.field.{feed}");
        let schema = golden.join(format!("contractor.{feed}.avsc")).display().to_string();
        let count = count.to_string();
        let arguments = [
            "--bootstrap",
            kafka.bootstrap(),
            "--topic",
            &topic,
            "--count",
            &count,
            "--single-object",
            &schema,
        ];
        let Some(output) = python::run("python_single_object", "read_events.py", &arguments) else {
            return;
        };
        match feed {
            "call" => check_calls(&lines(&output), &upstream, &prefix),
            _ => check_tasks(&lines(&output), tasks),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nats_py_reads_single_object_events_from_jetstream() {
    let Some(nats) = Nats::shared("python_jetstream") else { return };
    let upstream = upstream(12, 89).await;
    let prefix = unique("jetstream");
    let tasks = publish(nats.url(), &upstream, &prefix, None).await;
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schemas/golden");
    for (feed, count) in [("call", 12), ("call_task", tasks + 2)] {
        let topic = format!("{prefix}.field.{feed}");
        let schema = golden.join(format!("contractor.{feed}.avsc")).display().to_string();
        let count = count.to_string();
        let arguments = [
            "--servers",
            nats.url(),
            "--topic",
            &topic,
            "--count",
            &count,
            "--single-object",
            &schema,
        ];
        let Some(output) = python::run("python_jetstream", "read_jetstream.py", &arguments) else {
            return;
        };
        match feed {
            "call" => check_calls(&lines(&output), &upstream, &prefix),
            _ => check_tasks(&lines(&output), tasks),
        }
    }
}
