//! Several processes share the work of a group. Against a real Kafka and a real NATS.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeMap;

use support::truth::settled;
use support::{On, Talon, configuration, live, until, upstream};
use talon_brokers::unique;

/// As a deployment of several pods has it: members without a fixed place in the group.
fn member(
    prefix: &str,
    address: &str,
    upstream: &str,
    silence_ms: u64,
) -> BTreeMap<String, String> {
    let mut texts = configuration(prefix, address, upstream);
    if texts.remove("bus.kafka.group.instance.id").is_some() {
        texts.insert("bus.kafka.session.timeout.ms".to_owned(), silence_ms.to_string());
        texts.insert("bus.kafka.heartbeat.interval.ms".to_owned(), "300".to_owned());
    } else {
        texts.insert("bus.nats.lease.ttl.ms".to_owned(), silence_ms.to_string());
    }
    texts
}

async fn becomes(talon: &mut Talon, state: &str) {
    until(&format!("the connector is {state}"), async || talon.state("field").await == state).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn work_moves_at_once_when_a_process_ends_on_kafka() {
    work_moves_at_once(On::Kafka).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn work_moves_at_once_when_a_process_ends_on_nats() {
    work_moves_at_once(On::Nats).await;
}

async fn work_moves_at_once(on: On) {
    let Some(address) = on.shared("ends") else { return };
    let upstream = upstream(300, 11).await;
    let prefix = unique("ends");
    // A process that did not leave the group would keep its place for longer than this test waits.
    let texts = member(&prefix, address, &upstream.url(), 240_000);
    live(&upstream, 100.0);
    let mut first = Talon::run(&texts);
    becomes(&mut first, "up").await;
    let mut second = Talon::run(&texts);
    becomes(&mut second, "standby").await;
    assert_eq!(second.health().await.0, 200, "standing by is being ready");
    let (_, metrics) = second.get("/metrics").await;
    assert!(metrics.contains("talon_shard_owned{connector=\"field\"} 0"), "{metrics}");
    assert!(first.terminate().await.success(), "{}", first.log());
    becomes(&mut second, "up").await;
    live(&upstream, 0.0);
    settled(address, &prefix, &upstream).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn work_moves_when_processes_are_killed_in_turn_on_kafka() {
    work_moves_from_the_killed(On::Kafka).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn work_moves_when_processes_are_killed_in_turn_on_nats() {
    work_moves_from_the_killed(On::Nats).await;
}

async fn work_moves_from_the_killed(on: On) {
    let Some(address) = on.shared("killed") else { return };
    let upstream = upstream(300, 12).await;
    let prefix = unique("killed");
    let texts = member(&prefix, address, &upstream.url(), 2_000);
    live(&upstream, 100.0);
    let mut owner = Talon::run(&texts);
    becomes(&mut owner, "up").await;
    for _ in 0..3 {
        let mut other = Talon::run(&texts);
        becomes(&mut other, "standby").await;
        owner.kill();
        becomes(&mut other, "up").await;
        owner = other;
    }
    live(&upstream, 0.0);
    settled(address, &prefix, &upstream).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_3_a_paused_and_revived_owner_publishes_nothing_more_and_rejoins_on_kafka() {
    paused_and_revived(On::Kafka).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_3_a_paused_and_revived_owner_publishes_nothing_more_and_rejoins_on_nats() {
    paused_and_revived(On::Nats).await;
}

async fn paused_and_revived(on: On) {
    let Some(address) = on.shared("fencing") else { return };
    let upstream = upstream(200, 5).await;
    let prefix = unique("fence");
    let texts = member(&prefix, address, &upstream.url(), 2_000);
    live(&upstream, 100.0);
    let mut old = Talon::run(&texts);
    becomes(&mut old, "up").await;
    let mut new = Talon::run(&texts);
    becomes(&mut new, "standby").await;
    old.signal("STOP");
    becomes(&mut new, "up").await;
    upstream.edit(300);
    old.signal("CONT");
    // On NATS it may notice by itself, before anybody tells it.
    let says = |log: String| log.contains("fenced") || log.contains("; let go");
    until("the old owner says that it has lost it", async || says(old.log())).await;
    live(&upstream, 0.0);
    settled(address, &prefix, &upstream).await;
    // Back in the group, it may be given the connector again, but only one of them has it.
    until("one of them has the connector", async || {
        let mut states = [old.state("field").await, new.state("field").await];
        states.sort();
        states == ["standby", "up"]
    })
    .await;
    assert!(new.terminate().await.success(), "{}", new.log());
    becomes(&mut old, "up").await;
    upstream.edit(100);
    settled(address, &prefix, &upstream).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connector_that_is_configured_anew_does_not_disturb_the_others_on_kafka() {
    configured_anew(On::Kafka).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connector_that_is_configured_anew_does_not_disturb_the_others_on_nats() {
    configured_anew(On::Nats).await;
}

/// Enough of them that every process of two has some, however the group shares them out.
const OTHERS: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

/// Process `place` of a group with the connector `field` and the others, which only read calls. On Kafka
/// it has a place of its own, as a pod of a stateful set.
fn pod(prefix: &str, address: &str, upstream: &str, place: usize) -> BTreeMap<String, String> {
    let mut texts = configuration(prefix, address, upstream);
    if let Some(id) = texts.get_mut("bus.kafka.group.instance.id") {
        *id = format!("{prefix}-{place}");
        texts.insert("bus.kafka.session.timeout.ms".to_owned(), "240000".to_owned());
    } else {
        texts.insert("bus.nats.lease.ttl.ms".to_owned(), "10000".to_owned());
    }
    for other in OTHERS {
        let of = |key: &str| format!("connectors.{other}.{key}");
        for key in ["class", "upstream.url", "auth.external.token"] {
            let text = texts[&format!("connectors.field.{key}")].clone();
            texts.insert(of(key), text);
        }
        texts.insert(of("feeds"), "call".to_owned());
    }
    texts
}

/// The process that runs `field`, and a connector that the other one runs; none while any is run by
/// neither.
async fn shared_out(pods: &mut [Talon; 2]) -> Option<(usize, &'static str)> {
    let mut runs: [Vec<&str>; 2] = Default::default();
    for (pod, runs) in pods.iter_mut().zip(&mut runs) {
        for connector in ["field"].into_iter().chain(OTHERS) {
            if pod.state(connector).await == "up" {
                runs.push(connector);
            }
        }
    }
    let field = usize::from(runs[1].contains(&"field"));
    let all = runs[0].len() + runs[1].len() == OTHERS.len() + 1;
    // The last, because a process that comes back on NATS may get one less than it had.
    let other = runs[1 - field].last().filter(|_| all && runs[field].first() == Some(&"field"))?;
    Some((field, *other))
}

async fn configured_anew(on: On) {
    let Some(address) = on.shared("anew") else { return };
    let upstream = upstream(200, 13).await;
    let prefix = unique("anew");
    live(&upstream, 100.0);
    let mut texts = [0, 1].map(|place| pod(&prefix, address, &upstream.url(), place));
    let mut pods = texts.each_ref().map(Talon::run);
    let mut found = None;
    until("each process runs some of the connectors", async || {
        found = shared_out(&mut pods).await;
        found.is_some()
    })
    .await;
    let (field, other) = found.unwrap();
    let recoveries = pods[field].lines(&["recovered", "connector=\"field\""]);
    assert!(recoveries > 0, "{}", pods[field].log());
    let changes = "talon_changes_total{connector=\"field\",feed=\"call\",op=\"u\"}";

    // The process that runs the other connector is replaced by one that has it configured anew.
    assert!(pods[1 - field].terminate().await.success(), "{}", pods[1 - field].log());
    let before = pods[field].metric(changes).await;
    until("events are published all the while", async || {
        pods[field].metric(changes).await > before
    })
    .await;
    for texts in &mut texts {
        texts.insert(format!("connectors.{other}.before.image"), "none".to_owned());
    }
    pods[1 - field] = Talon::run(&texts[1 - field]);
    pods[1 - field].becomes(other, "up").await;
    assert_eq!(pods[field].state("field").await, "up");
    assert_eq!(
        pods[field].lines(&["recovered", "connector=\"field\""]),
        recoveries,
        "{}",
        pods[field].log()
    );

    // And so is the last one.
    assert!(pods[field].terminate().await.success(), "{}", pods[field].log());
    pods[field] = Talon::run(&texts[field]);
    live(&upstream, 0.0);
    settled(address, &prefix, &upstream).await;
}
