//! The Kafka fixture against a real broker, and the stock-client check with it.

use std::path::Path;

use talon_brokers::{Kafka, Registry, probe, python, unique};

fn schema() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/schema.avsc");
    path.display().to_string()
}

/// Runs a script that must succeed, and returns its lines.
fn lines(test: &str, script: &str, arguments: &[&str]) -> Option<Vec<serde_json::Value>> {
    let output = python::run(test, script, arguments)?;
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let lines = text.lines().map(serde_json::from_str);
    Some(lines.collect::<Result<_, _>>().expect("JSON lines"))
}

/// What `write_events.py` commits.
fn assert_committed(lines: &[serde_json::Value]) {
    let [first, second, tombstone] = lines else {
        panic!("{lines:?}");
    };
    assert_eq!(first["key"], "a");
    assert_eq!(first["value"], serde_json::json!({ "name": "első", "amount": 1 }));
    assert_eq!(first["headers"], serde_json::json!({ "kind": "test", "raw": "ff00" }));
    assert_eq!(second["key"], "b");
    assert_eq!(second["value"]["amount"], -2);
    assert_eq!(second["headers"], serde_json::json!({}));
    assert_eq!(tombstone["key"], "a");
    assert!(tombstone["value"].is_null());
}

#[test]
fn a_stock_client_reads_what_was_committed_with_schemas_of_the_registry() {
    const TEST: &str = "a_stock_client_reads_what_was_committed";
    let (Some(kafka), Some(registry)) = (Kafka::shared(TEST), Registry::shared(TEST)) else {
        return;
    };
    let topic = unique("orders");
    let common = ["--bootstrap", kafka.bootstrap(), "--topic", &topic];
    let common = [&common[..], &["--registry", registry.url()]].concat();
    if lines(TEST, "write_events.py", &common).is_none() {
        return;
    }
    let read = lines(TEST, "read_events.py", &[&common[..], &["--count", "3"]].concat());
    assert_committed(&read.expect("Python was there"));
}

#[test]
fn a_killed_broker_comes_back_with_its_records() {
    const TEST: &str = "a_killed_broker_comes_back";
    let Some(mut kafka) = Kafka::start(TEST) else {
        return;
    };
    let bootstrap = kafka.bootstrap().to_owned();
    let (topic, schema) = (unique("orders"), schema());
    let common = ["--bootstrap", &bootstrap, "--topic", &topic];
    let common = [&common[..], &["--single-object", &schema]].concat();
    if lines(TEST, "write_events.py", &common).is_none() {
        return;
    }
    kafka.kill();
    probe::kafka(&bootstrap).expect_err("it was killed");
    kafka.restart();
    assert_eq!(kafka.bootstrap(), bootstrap);
    let three = [&common[..], &["--count", "3"]].concat();
    let read = lines(TEST, "read_events.py", &three);
    assert_committed(&read.expect("Python was there"));

    kafka.stop();
    probe::kafka(&bootstrap).expect_err("it was stopped");
    kafka.restart();
    lines(TEST, "write_events.py", &common);
    let six = [&common[..], &["--count", "6"]].concat();
    assert_eq!(lines(TEST, "read_events.py", &six).map(|lines| lines.len()), Some(6));
}

#[test]
fn a_paused_broker_answers_again_when_resumed() {
    const TEST: &str = "a_paused_broker_answers_again";
    let Some(kafka) = Kafka::start(TEST) else {
        return;
    };
    kafka.pause();
    probe::kafka(kafka.bootstrap()).expect_err("it is paused");
    kafka.resume();
    let (topic, schema) = (unique("orders"), schema());
    let common = ["--bootstrap", kafka.bootstrap(), "--topic", &topic];
    let common = [&common[..], &["--single-object", &schema]].concat();
    if lines(TEST, "write_events.py", &common).is_none() {
        return;
    }
    let read = lines(TEST, "read_events.py", &[&common[..], &["--count", "3"]].concat());
    assert_committed(&read.expect("Python was there"));
}
