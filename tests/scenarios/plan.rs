//! `talon plan` against a real Kafka and a real NATS: what it tells is what `talon run` then publishes, and it
//! leaves nothing behind.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeMap;
use std::process::Output;

use serde_json::Value;
use support::{On, Talon, configuration, program, until, upstream, write};
use talon_brokers::unique;
use talon_contractor::contracts::CALL;
use talon_simulators::contractor::Kind;

fn plan(texts: &BTreeMap<String, String>, more: &[&str]) -> Output {
    let file = write(texts);
    let mut command = program();
    command.args(["plan", "--config"]).arg(file.path()).args(more);
    command.output().unwrap()
}

/// What is planned of a feed of the connector `field`.
fn planned(texts: &BTreeMap<String, String>, feed: &str) -> Value {
    let output = plan(texts, &["--json", "--show", "1000"]);
    let (told, log) = (String::from_utf8(output.stdout).unwrap(), output.stderr);
    assert_eq!(output.status.code(), Some(0), "{told} {}", String::from_utf8_lossy(&log));
    let told: Value = serde_json::from_str(&told).unwrap();
    let connector = &told["connectors"]["field"];
    assert!(connector["requests"].as_u64().unwrap() > 0, "{told}");
    let all = connector["feeds"].as_array().unwrap();
    all.iter().find(|one| one["feed"] == feed).unwrap().clone()
}

fn counts(planned: &Value) -> [u64; 4] {
    ["read", "created", "updated", "deleted"].map(|word| planned["events"][word].as_u64().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_tells_what_a_run_then_publishes_and_leaves_nothing_behind_on_kafka() {
    tells_what_is_published(On::Kafka).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_tells_what_a_run_then_publishes_and_leaves_nothing_behind_on_nats() {
    tells_what_is_published(On::Nats).await;
}

async fn tells_what_is_published(on: On) {
    let Some(address) = on.shared("plan") else { return };
    let upstream = upstream(30, 23).await;
    let prefix = unique("plan");
    let texts = configuration(&prefix, address, &upstream.url());
    let topic = format!("{prefix}.field.call");
    let events = || {
        let records = support::consumer::read(address, &topic);
        records.iter().filter_map(|record| record.event(&CALL)).collect::<Vec<_>>()
    };

    // Nothing is there: all is a first read, and no topic is made.
    let first = planned(&texts, "call");
    let calls = upstream.history().current(Kind::Calls).len() as u64;
    assert_eq!(counts(&first), [calls, 0, 0, 0], "{first}");
    assert_eq!(first["known"], 0);
    assert_eq!(first["first"].as_array().unwrap().len() as u64, calls);
    assert!(!is_there(on, address, &prefix).await, "a plan made a topic");

    let mut talon = Talon::run(&texts);
    talon.ready().await;
    until("the first read is published", async || events().len() as u64 == calls).await;
    assert!(talon.terminate().await.success());

    // What is known publishes nothing.
    let again = planned(&texts, "call");
    assert_eq!((counts(&again), &again["known"]), ([0; 4], &Value::from(calls)), "{again}");

    // What changed while nobody ran it is told, field by field, and told again: nothing was published.
    upstream.edit(40);
    upstream.settle();
    let changed = planned(&texts, "call");
    let expected = counts(&changed);
    assert!(expected[2] > 0 && expected[0] == 0, "{changed}");
    let lines: Vec<&str> = changed["first"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["event"].as_str().unwrap())
        .collect();
    assert!(lines.iter().any(|line| line.starts_with("u ") && line.contains('→')), "{lines:?}");
    assert_eq!(counts(&planned(&texts, "call")), expected);
    assert_eq!(events().len() as u64, calls);

    // And a run publishes that.
    let mut talon = Talon::run(&texts);
    talon.ready().await;
    let total = calls + expected.iter().sum::<u64>();
    until("what was planned is published", async || events().len() as u64 >= total).await;
    assert!(talon.terminate().await.success());
    let ops = |op: &str| events().iter().filter(|event| event["op"] == *op).count() as u64;
    let [read, created, updated, deleted] = expected;
    assert_eq!([ops("r"), ops("c"), ops("u"), ops("d")], [calls + read, created, updated, deleted]);
}

/// Whether the bus has a topic of this prefix.
async fn is_there(on: On, address: &str, prefix: &str) -> bool {
    match on {
        On::Kafka => support::consumer::topics(address).iter().any(|name| name.starts_with(prefix)),
        On::Nats => {
            let jetstream = support::nats::jetstream(address).await;
            let names: Vec<String> =
                futures_util::TryStreamExt::try_collect(jetstream.stream_names()).await.unwrap();
            names.iter().any(|name| name.contains(prefix))
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_runs_beside_the_process_that_runs_the_connector_and_says_so() {
    let Some(address) = On::Nats.shared("plan") else { return };
    let upstream = upstream(10, 3).await;
    let texts = configuration(&unique("plan"), address, &upstream.url());
    let mut talon = Talon::run(&texts);
    talon.ready().await;
    let output = plan(&texts, &["field"]);
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{told}");
    assert!(told.starts_with("field: ") && told.contains("it runs in "), "{told}");
    // It is not disturbed.
    assert_eq!(talon.lines(&["fenced"]), 0, "{}", talon.log());
    assert!(talon.terminate().await.success());
    assert_eq!(talon.lines(&[" WARN "]), 0, "{}", talon.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_says_what_failed_and_ends_with_1_and_2_where_the_name_is_wrong() {
    let Some(address) = On::Nats.shared("plan") else { return };
    let texts = configuration(&unique("plan"), address, "http://127.0.0.1:9");
    let output = plan(&texts, &["--timeout", "5"]);
    let told = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("      failed: "), "{told}");
    let output = plan(&texts, &["feild"]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("no connector `feild`; there are: field"), "{said}");
}
