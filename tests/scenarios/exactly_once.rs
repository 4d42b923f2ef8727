//! Exactly once, whatever happens to the process and the broker. Against a real Kafka.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeMap;
use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use support::consumer::{content, histories};
use support::{Talon, configuration, until, upstream};
use talon_brokers::{Kafka, unique};
use talon_schemas::contractor as contracts;
use talon_simulators::contractor::{Kind, Simulator};

/// Checks the topics against the upstream: nothing lost, nothing twice, in order.
fn check(bootstrap: &str, prefix: &str, upstream: &Simulator) -> Result<(), String> {
    let calls = histories(bootstrap, &format!("{prefix}.field.call"), &contracts::CALL);
    let now = upstream.history().current(Kind::Calls);
    for (id, state) in &now {
        let state: Value = serde_json::from_str(state).unwrap();
        let history = calls.get(id).ok_or(format!("call {id} is lost"))?;
        let last = &history.last().unwrap()["after"];
        if summary_of_dto(&state) != summary_of_event(last) {
            return Err(format!("call {id} is behind"));
        }
        // The marks of the published states are those of states that the upstream was in, in order.
        let marks: Vec<i64> =
            history.iter().map(|event| event["after"]["mark"].as_i64().unwrap()).collect();
        assert!(marks.is_sorted_by(|a, b| a < b), "call {id}: states out of order: {marks:?}");
        let states: Vec<i64> = upstream
            .history()
            .calls(*id)
            .iter()
            .map(|json| serde_json::from_str::<Value>(json).unwrap()["timestamp"].as_i64().unwrap())
            .collect();
        assert!(
            marks.iter().all(|mark| states.contains(mark)),
            "call {id}: a state that never was"
        );
    }
    assert_eq!(calls.len(), now.len(), "calls that never were");

    let messages =
        histories(bootstrap, &format!("{prefix}.field.call_message"), &contracts::CALL_MESSAGE);
    let now = upstream.history().current(Kind::Messages);
    if messages.len() < now.len() {
        return Err(format!("{} messages of {}", messages.len(), now.len()));
    }
    for (id, history) in &messages {
        assert_eq!(history.len(), 1, "message {id} is an immutable fact");
        assert!(now.contains_key(id), "message {id} never was");
    }
    let tasks = histories(bootstrap, &format!("{prefix}.field.call_task"), &contracts::CALL_TASK);
    for (id, state) in upstream.history().current(Kind::Tasks) {
        let state: Value = serde_json::from_str(&state).unwrap();
        let history = tasks.get(&id).ok_or(format!("task {id} is lost"))?;
        if history.last().unwrap()["after"]["status"] != state["status"] {
            return Err(format!("task {id} is behind"));
        }
    }
    Ok(())
}

/// What of a call's content can be compared without mapping all of it again.
type Summary = (Value, Value, Value, Vec<(Value, Value)>, Vec<(Value, bool)>);

fn summary_of_dto(dto: &Value) -> Summary {
    let list = |name: &str| {
        let mut items = dto[name].as_array().cloned().unwrap_or_default();
        items.sort_by_key(|item| item["id"].as_i64());
        items
    };
    (
        dto["number"].clone(),
        dto["status"].clone(),
        dto["comments"].clone(),
        list("tasks").iter().map(|task| (task["id"].clone(), task["status"].clone())).collect(),
        list("jeopardies")
            .iter()
            .map(|risk| (risk["id"].clone(), risk["answerDate"].is_null()))
            .collect(),
    )
}

fn summary_of_event(after: &Value) -> Summary {
    let list = |name: &str| after[name].as_array().cloned().unwrap_or_default();
    (
        after["number"].clone(),
        after["status"].clone(),
        after["comments"].clone(),
        list("tasks").iter().map(|task| (task["id"].clone(), task["status"].clone())).collect(),
        list("jeopardies")
            .iter()
            .map(|risk| (risk["id"].clone(), risk["answered_at"].is_null()))
            .collect(),
    )
}

/// Waits until the topics tell what the upstream is; what must always hold is asserted on the way.
async fn settled(bootstrap: &str, prefix: &str, upstream: &Simulator) {
    let mut why = String::new();
    until("the topics tell what the upstream is", async || {
        match check(bootstrap, prefix, upstream) {
            Ok(()) => true,
            Err(reason) => {
                if reason != why {
                    eprintln!("not yet: {reason}");
                    why = reason;
                }
                false
            }
        }
    })
    .await;
}

fn live(upstream: &Simulator, edits_per_second: f64) {
    upstream.change_settings(&serde_json::json!({ "edits_per_second": edits_per_second })).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn invariants_1_and_2_a_process_killed_at_random_points_loses_and_doubles_nothing() {
    let Some(kafka) = Kafka::shared("exactly_once") else { return };
    let seed = std::env::var("TALON_TEST_SEED")
        .map_or_else(|_| rand::rng().random(), |s| s.parse().unwrap());
    eprintln!("TALON_TEST_SEED={seed}");
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let upstream = upstream(10_000, seed).await;
    let prefix = unique("kill");
    let texts = configuration(&prefix, kafka.bootstrap(), &upstream.url());
    live(&upstream, 300.0);
    for kill in 0..20 {
        let mut talon = Talon::run(&texts);
        // From before it has connected to well after it serves.
        let wait =
            if kill < 5 { random.random_range(0..400) } else { random.random_range(200..2_500) };
        tokio::time::sleep(Duration::from_millis(wait)).await;
        talon.kill();
        // Where it had ended by itself, the test would test nothing.
        assert!(!talon.log().contains("ERROR"), "{}", talon.log());
    }
    live(&upstream, 0.0);
    let mut talon = Talon::run(&texts);
    talon.ready().await;
    settled(kafka.bootstrap(), &prefix, &upstream).await;
    assert!(talon.terminate().await.success(), "{}", talon.log());
    check(kafka.bootstrap(), &prefix, &upstream).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_1_the_first_read_is_a_snapshot_and_a_restart_is_none() {
    let Some(kafka) = Kafka::shared("snapshot") else { return };
    let upstream = upstream(50, 3).await;
    let prefix = unique("snapshot");
    let texts = configuration(&prefix, kafka.bootstrap(), &upstream.url());
    let mut talon = Talon::run(&texts);
    talon.ready().await;
    settled(kafka.bootstrap(), &prefix, &upstream).await;
    assert!(talon.terminate().await.success());
    upstream.edit(200);
    let mut talon = Talon::run(&texts);
    talon.ready().await;
    settled(kafka.bootstrap(), &prefix, &upstream).await;

    let calls = histories(kafka.bootstrap(), &format!("{prefix}.field.call"), &contracts::CALL);
    let mut ops: BTreeMap<String, usize> = BTreeMap::new();
    for event in calls.values().flatten() {
        let (op, snapshot) =
            (event["op"].as_str().unwrap(), event["source"]["snapshot"].as_str().unwrap());
        *ops.entry(format!("{op} {snapshot}")).or_default() += 1;
        assert_eq!(content(&event["before"]).is_null(), op != "u");
    }
    assert_eq!(ops["r true"], 50, "{ops:?}");
    assert!(ops["u false"] > 0, "{ops:?}");
    assert!(!ops.contains_key("r false") && !ops.contains_key("u true"), "{ops:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_3_a_paused_and_revived_owner_publishes_nothing_more_and_says_so() {
    let Some(kafka) = Kafka::shared("fencing") else { return };
    let upstream = upstream(200, 5).await;
    let prefix = unique("fence");
    let texts = configuration(&prefix, kafka.bootstrap(), &upstream.url());
    live(&upstream, 100.0);
    let mut old = Talon::run(&texts);
    old.ready().await;
    old.signal("STOP");
    let mut new = Talon::run(&texts);
    new.ready().await;
    upstream.edit(300);
    old.signal("CONT");
    until("the old owner says that it is fenced", async || old.state("field").await == "fenced")
        .await;
    assert_eq!(old.health().await.0, 503);
    live(&upstream, 0.0);
    settled(kafka.bootstrap(), &prefix, &upstream).await;
    assert_eq!(new.state("field").await, "up");
    assert_eq!(old.log().matches("another process has taken this connector over").count(), 1);
    assert!(old.terminate().await.success(), "a fenced process still stops as asked");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_killed_and_comes_back_costs_nothing_but_time() {
    let Some(mut kafka) = Kafka::start("broker_restart") else { return };
    let upstream = upstream(500, 7).await;
    let prefix = unique("outage");
    let texts = configuration(&prefix, kafka.bootstrap(), &upstream.url());
    live(&upstream, 100.0);
    let mut talon = Talon::run(&texts);
    talon.ready().await;
    for _ in 0..2 {
        kafka.kill();
        until("the outage is noticed", async || talon.health().await.0 == 503).await;
        upstream.edit(100);
        kafka.restart();
        talon.ready().await;
    }
    live(&upstream, 0.0);
    settled(kafka.bootstrap(), &prefix, &upstream).await;
    assert!(talon.terminate().await.success(), "{}", talon.log());
}
