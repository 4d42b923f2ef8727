//! What happens when an upstream, the schema registry or Kafka does not do what it should.
//! Against a real Kafka and a simulated upstream.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::consumer::{histories, newest, read};
use support::truth::{check, settled, summary_of_dto, summary_of_event};
use support::{TOKEN, Talon, configuration, live, until, upstream};
use talon_brokers::{Kafka, Registry, probe, unique};
use talon_contractor::contracts;
use talon_simulators::contractor::{Fault, FaultKind, Kind, Simulator};

const CALLS: &str = "GET /call/modifications/{timestamp}";
const TASKS: &str = "GET /calltask";
const COSTS: &str = "GET /callCost/call/{callId}";

fn with(mut texts: BTreeMap<String, String>, more: &[(&str, &str)]) -> BTreeMap<String, String> {
    texts.extend(more.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())));
    texts
}

fn status(code: u16, retry_after_seconds: Option<u64>) -> FaultKind {
    FaultKind::Status { code, retry_after_seconds, body: None }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_is_away_is_shown_as_such_and_costs_nothing_but_time() {
    let Some(kafka) = Kafka::shared("away") else { return };
    let upstream = upstream(100, 11).await;
    let prefix = unique("away");
    upstream.pause_listening().await;
    let mut talon = Talon::run(&configuration(&prefix, kafka.bootstrap(), &upstream.url()));
    for outage in 1..=2 {
        if outage > 1 {
            upstream.pause_listening().await;
            upstream.edit(50);
        }
        talon.becomes("field/call", "unavailable").await;
        talon.becomes("field/call_task", "unavailable").await;
        until("the process is ready for all that", async || talon.health().await.0 == 200).await;
        let (_, health) = talon.health().await;
        assert_eq!(health["status"], "degraded");
        let message = talon.message("field/call").await;
        assert!(message.contains("no connection to `upstream.url`"), "{message}");
        assert_eq!(talon.metric(r#"talon_component_up{component="field/call"}"#).await, 0.0);
        assert_eq!(talon.metric(r#"talon_component_up{component="field"}"#).await, 1.0);
        let fresh = r#"talon_feed_freshness_seconds{connector="field",feed="call"}"#;
        let before = talon.metric(fresh).await;
        until("the data is seen to age", async || talon.metric(fresh).await > before).await;
        // More attempts than log lines.
        let failed =
            r#"talon_observations_total{connector="field",feed="call",result="unavailable"}"#;
        let before = talon.metric(failed).await;
        until("it tries again", async || talon.metric(failed).await >= before + 3.0).await;
        assert_eq!(talon.lines(&["unavailable", "\"field/call\""]), outage, "{}", talon.log());

        let aged = talon.metric(fresh).await;
        upstream.resume_listening().await;
        talon.becomes("field/call", "up").await;
        until("the data is fresh again", async || talon.metric(fresh).await < aged).await;
        settled(kafka.bootstrap(), &prefix, &upstream).await;
        until("all is well", async || talon.health().await.1["status"] == "up").await;
        assert_eq!(talon.metric(r#"talon_component_up{component="field/call"}"#).await, 1.0);
        assert_eq!(talon.lines(&[" up", "\"field/call\""]), outage, "{}", talon.log());
    }
    assert!(talon.terminate().await.success(), "{}", talon.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotated_secret_file_mends_refused_credentials_which_name_their_setting() {
    let Some(kafka) = Kafka::shared("rotation") else { return };
    const NEW: &str = "canary-token-rotated-81d0";
    let upstream = upstream(50, 13).await;
    let prefix = unique("rotation");
    let secrets = tempfile::tempdir().unwrap();
    let file = secrets.path().join("token");
    std::fs::write(&file, format!("{TOKEN}\n")).unwrap();
    let texts = with(
        configuration(&prefix, kafka.bootstrap(), &upstream.url()),
        &[("connectors.field.auth.external.token", &format!("${{file:{}}}", file.display()))],
    );
    let mut talon = Talon::run(&texts);
    talon.ready().await;
    settled(kafka.bootstrap(), &prefix, &upstream).await;

    upstream.change_settings(&json!({ "external_token": NEW })).unwrap();
    for feed in ["call", "call_message", "call_jeopardy", "call_task"] {
        talon.becomes(&format!("field/{feed}"), "misconfigured").await;
    }
    upstream.edit(50);
    let (code, health) = talon.health().await;
    assert_eq!((code, &health["status"]), (200, &json!("degraded")));
    let message = talon.message("field/call").await;
    assert!(message.contains("401") && message.contains("`auth.external.token`"), "{message}");
    assert_eq!(talon.lines(&["ERROR", "\"field/call\""]), 1, "{}", talon.log());

    // As an operator or Kubernetes does it: at once, never half-written.
    let next = secrets.path().join("next");
    std::fs::write(&next, format!("{NEW}\n")).unwrap();
    std::fs::rename(&next, &file).unwrap();
    until("the new secret is used", async || talon.health().await.1["status"] == "up").await;
    settled(kafka.bootstrap(), &prefix, &upstream).await;
    assert!(!talon.log().contains("canary"), "{}", talon.log());
    assert!(talon.terminate().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn retry_after_is_honoured_at_the_endpoint_that_asked_for_it_and_no_other() {
    let Some(kafka) = Kafka::shared("retry_after") else { return };
    let upstream = upstream(50, 17).await;
    let prefix = unique("retry");
    let mut talon = Talon::run(&configuration(&prefix, kafka.bootstrap(), &upstream.url()));
    talon.ready().await;
    settled(kafka.bootstrap(), &prefix, &upstream).await;

    let (struck, asked) =
        refuse(&upstream, TASKS, Fault::from(status(429, Some(2))).at("/calltask")).await;
    let others = upstream.journal().count(CALLS);
    talon.becomes("field/call_task", "unavailable").await;
    let message = talon.message("field/call_task").await;
    assert!(message.contains("429"), "{message}");
    until("it asks again", async || upstream.journal().count(TASKS) > asked).await;
    assert!(struck.elapsed() >= Duration::from_secs(2), "asked again after {:?}", struck.elapsed());
    talon.becomes("field/call_task", "up").await;
    assert!(upstream.journal().count(CALLS) > others, "the other feeds went on");
    assert!(talon.terminate().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn retry_after_is_honoured_in_the_middle_of_the_estimates_and_none_is_lost() {
    let Some(kafka) = Kafka::shared("estimates") else { return };
    let upstream = upstream(120, 19).await;
    let prefix = unique("estimates");
    let texts = with(
        configuration(&prefix, kafka.bootstrap(), &upstream.url()),
        &[
            ("connectors.field.feeds", "call_cost"),
            ("connectors.field.call_cost.poll.interval.ms", "50"),
            ("connectors.field.call_cost.cycle.interval.ms", "1000"),
        ],
    );
    let fault = Fault::from(status(429, Some(2))).at("/callCost").after(5);
    let mut talon = Talon::run(&texts);
    let (struck, asked) = refuse(&upstream, COSTS, fault).await;
    until("it asks again", async || upstream.journal().count(COSTS) > asked).await;
    assert!(struck.elapsed() >= Duration::from_secs(2), "asked again after {:?}", struck.elapsed());
    until("all estimates are there", async || {
        let topic = format!("{prefix}.field.call_cost");
        let costs = histories(kafka.bootstrap(), &topic, &contracts::CALL_COST);
        let now = upstream.history().current(Kind::Costs);
        assert!(!now.is_empty(), "a world without estimates tests nothing");
        now.iter().all(|(call, state)| {
            let state: Value = serde_json::from_str(state).unwrap();
            let ids = |list: &Value| -> Vec<Value> {
                let mut ids: Vec<_> =
                    list.as_array().unwrap().iter().map(|item| item["id"].clone()).collect();
                ids.sort_by_key(Value::as_i64);
                ids
            };
            costs.get(call).and_then(|history| history.last()).is_some_and(|last| {
                last["after"]["status"] == state["status"]
                    && ids(&last["after"]["expenses"]) == ids(&state["expenses"])
                    && ids(&last["after"]["materials"]) == ids(&state["materials"])
            })
        })
    })
    .await;
    assert!(talon.terminate().await.success());
}

/// Lets a fault strike once. Gives a time before it did, and the requests there were then.
async fn refuse(upstream: &Simulator, endpoint: &str, fault: Fault) -> (Instant, u64) {
    upstream.fault(fault.times(1));
    let mut before = Instant::now();
    while !upstream.faults().list().is_empty() {
        before = Instant::now();
        assert!(
            tokio::time::timeout(Duration::from_millis(1), std::future::pending::<()>())
                .await
                .is_err()
        );
    }
    (before, upstream.journal().count(endpoint))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_answer_is_an_outage_that_passes_without_loss() {
    let Some(kafka) = Kafka::shared("no_answer") else { return };
    let upstream = upstream(200, 23).await;
    let prefix = unique("no-answer");
    let mut talon = Talon::run(&configuration(&prefix, kafka.bootstrap(), &upstream.url()));
    talon.ready().await;
    let faults = [
        (status(503, None), "was answered with 503"),
        (FaultKind::Cut { chunked: false }, "ended before the reply did"),
        (FaultKind::Cut { chunked: true }, "ended before the reply did"),
        (FaultKind::InvalidJson, "is no whole JSON array"),
        (FaultKind::HtmlError, "a web page instead of data"),
        (FaultKind::LostReply, "ended before the reply did"),
        (FaultKind::LostRequest, "ended before the reply did"),
    ];
    for (count, (kind, part)) in (1..).zip(&faults) {
        upstream.fault(Fault::from(kind.clone()).at("/call"));
        for feed in ["call", "call_message", "call_jeopardy"] {
            talon.becomes(&format!("field/{feed}"), "unavailable").await;
        }
        upstream.edit(30);
        let message = talon.message("field/call").await;
        assert!(message.contains(part), "{kind:?}: {message}");
        assert_eq!(talon.state("field/call_task").await, "up", "{kind:?}");
        upstream.faults().clear();
        until("all is well", async || talon.health().await.1["status"] == "up").await;
        assert_eq!(
            talon.lines(&["unavailable", "\"field/call\""]),
            count,
            "{kind:?}: {}",
            talon.log()
        );
    }
    settled(kafka.bootstrap(), &prefix, &upstream).await;
    assert_eq!(read(kafka.bootstrap(), &format!("{prefix}.field.dlq")).len(), 0);
    assert!(talon.terminate().await.success(), "{}", talon.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_9_a_reply_above_the_limit_is_not_read_and_the_limit_is_named() {
    let Some(kafka) = Kafka::shared("too_large") else { return };
    let upstream = upstream(100, 29).await;
    let prefix = unique("large");
    let texts = with(
        configuration(&prefix, kafka.bootstrap(), &upstream.url()),
        &[("connectors.field.upstream.response.max.bytes", "1024")],
    );
    let mut talon = Talon::run(&texts);
    talon.becomes("field/call", "misconfigured").await;
    let message = talon.message("field/call").await;
    assert!(message.contains("`upstream.response.max.bytes`"), "{message}");
    until("the process is ready", async || talon.health().await.0 == 200).await;
    assert_eq!(talon.health().await.1["status"], "degraded");
    assert_eq!(talon.lines(&["ERROR", "\"field/call\""]), 1, "{}", talon.log());
    assert!(talon.terminate().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_registry_that_is_away_or_refuses_is_shown_and_mends() {
    let Some(kafka) = Kafka::shared("registry") else { return };
    let Some(mut registry) = Registry::start("registry") else { return };
    let upstream = upstream(50, 31).await;
    let prefix = unique("registry");
    let with_registry = |prefix: &str| {
        with(
            configuration(prefix, kafka.bootstrap(), &upstream.url()),
            &[("schema.registry.url", registry.url())],
        )
    };
    let (texts, other) = (with_registry(&prefix), unique("refused"));
    let refused = with_registry(&other);

    // A schema that no consumer could go on with. The registry, which has no rule, would take Talon's.
    let subject = format!("{}/subjects/{other}.field.call-value/versions", registry.url());
    let earlier = json!({"schema": r#"{"type":"record","name":"Other","fields":[{"name":"x","type":"int"}]}"#});
    assert_eq!(probe::http("POST", &subject, &earlier.to_string()).unwrap().0, 200);
    let mut talon = Talon::run(&refused);
    talon.becomes("registry", "misconfigured").await;
    assert_eq!(talon.health().await.0, 503);
    let message = talon.message("registry").await;
    assert!(message.contains(&format!("`{other}.field.call-value`")), "{message}");
    assert!(message.contains("incompatible"), "{message}");
    assert!(talon.terminate().await.success(), "{}", talon.log());

    registry.kill();
    let mut talon = Talon::run(&texts);
    talon.becomes("registry", "unavailable").await;
    let (code, health) = talon.health().await;
    assert_eq!((code, &health["status"]), (503, &json!("unavailable")));
    let message = talon.message("registry").await;
    assert!(message.contains("the schema registry"), "{message}");
    assert_eq!(talon.metric(r#"talon_component_up{component="registry"}"#).await, 0.0);
    registry.restart();
    talon.ready().await;
    assert_eq!(talon.metric(r#"talon_component_up{component="registry"}"#).await, 1.0);
    assert_eq!(talon.lines(&["WARN", "\"registry\""]), 1, "{}", talon.log());
    settled(kafka.bootstrap(), &prefix, &upstream).await;
    for record in read(kafka.bootstrap(), &format!("{prefix}.field.call")) {
        assert_eq!(record.value.unwrap()[0], 0, "Confluent wire format");
    }

    // Who has its schemas needs the registry no more.
    registry.kill();
    upstream.edit(50);
    settled(kafka.bootstrap(), &prefix, &upstream).await;
    assert!(talon.terminate().await.success(), "{}", talon.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_2_sigterm_under_load_commits_what_was_read_and_exits_with_0() {
    let Some(kafka) = Kafka::shared("sigterm") else { return };
    let upstream = upstream(1_000, 37).await;
    let prefix = unique("sigterm");
    let texts = with(
        configuration(&prefix, kafka.bootstrap(), &upstream.url()),
        &[("shutdown.timeout.ms", "20000")],
    );
    live(&upstream, 500.0);
    for round in 1..=3 {
        let mut talon = Talon::run(&texts);
        talon.ready().await;
        let published = r#"talon_changes_total{connector="field",feed="call",op="u"}"#;
        until("it publishes changes", async || talon.metric(published).await > 0.0).await;
        let status = talon.terminate().await;
        assert_eq!(status.code(), Some(0), "{}", talon.log());
        assert_eq!(talon.lines(&["stopped"]), 1, "{}", talon.log());

        // All calls are as they were at the checkpoint: its events are there, and nothing is after it.
        let checkpoints = newest(kafka.bootstrap(), &format!("{prefix}.checkpoints"));
        let checkpoint: Value = serde_json::from_str(&checkpoints["field/call"]).unwrap();
        let cursor: i64 = checkpoint["cursor"].as_str().unwrap().parse().unwrap();
        let calls = histories(kafka.bootstrap(), &format!("{prefix}.field.call"), &contracts::CALL);
        for id in upstream.history().current(Kind::Calls).keys() {
            let states = upstream.history().states(Kind::Calls, *id);
            let Some(state) = states.iter().rfind(|state| state.mark.unwrap() <= cursor) else {
                continue;
            };
            let state: Value = serde_json::from_str(&state.json).unwrap();
            let last = &calls[id].last().unwrap()["after"];
            assert_eq!(summary_of_event(last), summary_of_dto(&state), "round {round}, call {id}");
            assert!(last["mark"].as_i64().unwrap() <= cursor, "round {round}, call {id}");
        }
    }
    live(&upstream, 0.0);
    let mut talon = Talon::run(&texts);
    settled(kafka.bootstrap(), &prefix, &upstream).await;
    assert!(talon.terminate().await.success(), "{}", talon.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_while_kafka_is_away_ends_in_time_with_1_and_loses_nothing() {
    let Some(kafka) = Kafka::start("stop_without_kafka") else { return };
    let upstream = upstream(300, 41).await;
    let prefix = unique("stop");
    let texts = with(
        configuration(&prefix, kafka.bootstrap(), &upstream.url()),
        &[("shutdown.timeout.ms", "500")],
    );
    live(&upstream, 200.0);
    let mut talon = Talon::run(&texts);
    talon.ready().await;
    kafka.pause();
    // The shard waits for Kafka, its inbox fills, and the feeds stop to ask.
    let mut asked = 0;
    until("back-pressure has reached the feeds", async || {
        let before = std::mem::replace(&mut asked, upstream.journal().count(CALLS));
        tokio::time::sleep(Duration::from_millis(300)).await;
        before == asked
    })
    .await;
    let status = talon.terminate().await;
    assert_eq!(status.code(), Some(1), "{}", talon.log());
    assert_eq!(talon.lines(&["ERROR", "`shutdown.timeout.ms`"]), 1, "{}", talon.log());
    kafka.resume();

    live(&upstream, 0.0);
    let mut talon = Talon::run(&texts);
    settled(kafka.bootstrap(), &prefix, &upstream).await;
    assert!(talon.terminate().await.success(), "{}", talon.log());
    check(kafka.bootstrap(), &prefix, &upstream).unwrap();
}
