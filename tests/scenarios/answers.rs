//! Odd answers of an upstream, and a mark that leapt, on real buses.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeMap;

use serde_json::{Value, json};
use support::consumer::read;
use support::{On, Talon, configuration, program, until, upstream, write};
use talon_brokers::unique;
use talon_contractor::contracts;
use talon_simulators::contractor::{Fault, FaultKind, Simulator};

const FAR: i64 = 9_000_000_000_000_000;

/// Waits until an endpoint was asked so many times more.
async fn asked_again(upstream: &Simulator, endpoint: &str) {
    let before = upstream.journal().count(endpoint);
    until("the upstream is asked again", async || upstream.journal().count(endpoint) > before + 2)
        .await;
}

fn with(mut texts: BTreeMap<String, String>, more: &[(&str, &str)]) -> BTreeMap<String, String> {
    let more =
        more.iter().map(|(key, text)| (format!("connectors.field.{key}"), (*text).to_owned()));
    texts.extend(more);
    texts
}

/// `talon offsets`: its exit code, and what it printed.
fn offsets(texts: &BTreeMap<String, String>, verb: &str, more: &[&str]) -> (i32, String) {
    let file = write(texts);
    let mut command = program();
    command.args(["offsets", verb, "--config"]).arg(file.path()).arg("field").args(more);
    let output = command.output().unwrap();
    let printed = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(printed).unwrap())
}

fn offset_of(texts: &BTreeMap<String, String>, feed: &str) -> Value {
    let (code, printed) = offsets(texts, "list", &[]);
    assert_eq!(code, 0, "{printed}");
    let start = printed.find('{').unwrap();
    let shown: Value = serde_json::from_str(&printed[start..=printed.rfind('}').unwrap()]).unwrap();
    let all = shown["offsets"].as_array().unwrap();
    let one = all.iter().find(|one| one["partition"]["feed"] == feed);
    one.unwrap_or_else(|| panic!("no `{feed}` in {printed}"))["offset"].clone()
}

async fn a_200_that_is_no_answer_changes_nothing(on: On, test: &str) {
    let Some(address) = on.shared(test) else { return };
    let upstream = upstream(20, 7).await;
    let prefix = unique("odd");
    let feeds = [("feeds", "call,call_task,call_cost"), ("call_cost.poll.interval.ms", "50")];
    let texts = with(
        with(configuration(&prefix, address, &upstream.url()), &feeds),
        &[("call_cost.cycle.interval.ms", "1000")],
    );
    let mut talon = Talon::run(&texts);
    talon.ready().await;
    let topic = |feed: &str| format!("{prefix}.field.{feed}");
    let count = |feed: &str| read(address, &topic(feed)).len();
    until("estimates are there", async || count("call_cost") > 3 && count("call_task") > 3).await;
    asked_again(&upstream, "GET /callCost/call/{callId}").await;
    let (costs, tasks) = (count("call_cost"), count("call_task"));
    for body in [r#"{"error":7}"#, "{}", "null", "<html></html>"] {
        let other =
            |path: &str| Fault::from(FaultKind::OtherAnswer { body: body.to_owned() }).at(path);
        upstream.fault(other("/callCost/call"));
        upstream.fault(other("/calltask"));
        talon.becomes("field/call_cost", "unavailable").await;
        talon.becomes("field/call_task", "unavailable").await;
        let message = talon.message("field/call_task").await;
        assert!(message.starts_with("`GET /calltask` was answered with "), "{message}");
        upstream.faults().clear();
        talon.becomes("field/call_cost", "up").await;
        talon.becomes("field/call_task", "up").await;
    }
    // An answer of another kind among good ones is put aside, and there were such when it began and ended.
    asked_again(&upstream, "GET /callCost/call/{callId}").await;
    let aside = count("dlq");
    // The error of the document, for each call.
    let error = FaultKind::OtherAnswer { body: r#"{"errorCode":7}"#.to_owned() };
    upstream.fault(Fault::from(error).at("/callCost/call"));
    asked_again(&upstream, "GET /callCost/call/{callId}").await;
    upstream.faults().clear();
    let dead = count("dlq");
    assert_eq!((count("call_cost"), count("call_task"), dead), (costs, tasks, aside));

    // A row that is no JSON: put aside, and nothing is deleted.
    upstream.fault(Fault::from(FaultKind::OddRow { value: "NaN".to_owned() }).at("/calltask"));
    until("it is put aside", async || count("dlq") > aside).await;
    asked_again(&upstream, "GET /calltask").await;
    assert_eq!((count("call_task"), count("dlq")), (tasks, aside + 1));
    assert_eq!(talon.state("field/call_task").await, "up");
}

async fn a_mark_that_leapt_is_told_and_mended_by_hand(on: On, test: &str) {
    let Some(address) = on.shared(test) else { return };
    let upstream = upstream(20, 8).await;
    let prefix = unique("leap");
    let texts = with(
        configuration(&prefix, address, &upstream.url()),
        &[("timestamp.audit.interval.ms", "3000")],
    );
    let mut talon = Talon::run(&texts);
    talon.ready().await;
    let topic = format!("{prefix}.field.call");
    until("all calls are there", async || read(address, &topic).len() >= 20).await;

    // While it runs, a leap is told, and hides nothing.
    upstream.fault(Fault::from(FaultKind::LeapingMark { mark: FAR }).at("/call/modifications"));
    upstream.edit(3);
    talon.becomes("field/call", "degraded").await;
    let (_, health) = talon.health().await;
    assert_eq!(health["status"], "degraded", "{health}");
    assert_eq!(talon.metric(r#"talon_component_up{component="field/call"}"#).await, 0.0);
    assert_eq!(talon.lines(&["WARN", "leap from"]), 1, "{}", talon.log());
    upstream.faults().clear();
    talon.becomes("field/call", "up").await;
    let one = r#"talon_component_up{component="field/call"}"#;
    until("the metric says so", async || talon.metric(one).await == 1.0).await;

    // Not while it runs, nor while nobody knows that it was killed.
    let (code, printed) = offsets(&texts, "reset", &["call"]);
    assert!(code == 1 && printed.contains("runs `field`: stop"), "{code}: {printed}");
    assert_ne!(offset_of(&texts, "call"), Value::Null);
    talon.kill();
    until("it is known to be gone", async || offsets(&texts, "reset", &["call"]).0 == 0).await;
    assert_eq!(offset_of(&texts, "call"), Value::Null);
    let mut talon = Talon::run(&texts);
    talon.ready().await;
    asked_again(&upstream, "GET /call/modifications/{timestamp}").await;
    assert!(talon.terminate().await.success());

    // An offset that is too far, as an earlier version left one behind.
    let far = FAR.to_string();
    assert_ne!(offset_of(&texts, "call"), Value::Null);
    assert_eq!(offsets(&texts, "set", &["call", "soon"]).0, 2);
    assert_eq!(offsets(&texts, "set", &["nothing", "1"]).0, 2);
    assert_eq!(offsets(&texts, "reset", &["call_message"]).0, 2);
    let (code, printed) = offsets(&texts, "set", &["call", &far]);
    assert_eq!(code, 0, "{printed}");
    assert_eq!(offset_of(&texts, "call"), json!({ "cursor": far }));
    let mut talon = Talon::run(&texts);
    talon.ready().await;
    asked_again(&upstream, "GET /call/modifications/{timestamp}").await;
    upstream.edit(5);
    talon.becomes("field/call", "degraded").await;
    assert!(talon.lines(&["WARN", "works, but", "talon offsets"]) >= 1, "{}", talon.log());
    let missed = r#"talon_observations_total{connector="field",feed="call",result="missed"}"#;
    assert!(talon.metric(missed).await >= 1.0);
    assert!(talon.terminate().await.success());

    // Mended: read from the beginning, and nothing is published twice.
    let (code, printed) = offsets(&texts, "reset", &["call"]);
    assert_eq!(code, 0, "{printed}");
    assert_eq!(offset_of(&texts, "call"), Value::Null);
    let before = read(address, &topic).len();
    let mut talon = Talon::run(&texts);
    talon.ready().await;
    asked_again(&upstream, "GET /call/modifications/{timestamp}").await;
    let after = read(address, &topic);
    let ids: Vec<_> = after.iter().map(|record| record.headers.get("talon-event-id")).collect();
    let distinct: std::collections::BTreeSet<_> = ids.iter().collect();
    assert_eq!(ids.len(), distinct.len());
    assert!(after.len() >= before && after.len() <= before + 5, "{before} and {}", after.len());
    assert!(after.iter().all(|record| record.event(&contracts::CALL).is_some()));
    assert!(talon.terminate().await.success());
    assert!(offset_of(&texts, "call")["cursor"].as_str().unwrap().parse::<i64>().unwrap() < FAR);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_200_that_is_no_answer_changes_nothing_on_kafka() {
    a_200_that_is_no_answer_changes_nothing(On::Kafka, "no_answer").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_200_that_is_no_answer_changes_nothing_on_nats() {
    a_200_that_is_no_answer_changes_nothing(On::Nats, "no_answer").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mark_that_leapt_is_told_and_mended_by_hand_on_kafka() {
    a_mark_that_leapt_is_told_and_mended_by_hand(On::Kafka, "leapt").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mark_that_leapt_is_told_and_mended_by_hand_on_nats() {
    a_mark_that_leapt_is_told_and_mended_by_hand(On::Nats, "leapt").await;
}
