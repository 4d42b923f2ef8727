//! Several processes share the work of a group. Against a real Kafka.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeMap;

use support::truth::settled;
use support::{Talon, configuration, live, until, upstream};
use talon_brokers::{Kafka, unique};

/// As a deployment of several pods has it: members without a fixed place, and a short session so that
/// the tests are short.
fn member(prefix: &str, bootstrap: &str, upstream: &str) -> BTreeMap<String, String> {
    let mut texts = configuration(prefix, bootstrap, upstream);
    texts.remove("bus.kafka.group.instance.id");
    texts.insert("bus.kafka.session.timeout.ms".to_owned(), "2000".to_owned());
    texts.insert("bus.kafka.heartbeat.interval.ms".to_owned(), "300".to_owned());
    texts
}

async fn becomes(talon: &mut Talon, state: &str) {
    until(&format!("the connector is {state}"), async || talon.state("field").await == state).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn work_moves_when_a_process_ends_and_when_it_is_killed() {
    let Some(kafka) = Kafka::shared("replicas") else { return };
    let upstream = upstream(300, 11).await;
    let prefix = unique("replicas");
    let texts = member(&prefix, kafka.bootstrap(), &upstream.url());
    live(&upstream, 100.0);
    // It leaves the group when it is stopped: else the others would wait for longer than this test.
    let mut patient = texts.clone();
    patient.insert("bus.kafka.session.timeout.ms".to_owned(), "240000".to_owned());
    let mut first = Talon::run(&patient);
    becomes(&mut first, "up").await;
    let mut second = Talon::run(&texts);
    becomes(&mut second, "standby").await;
    assert_eq!(second.health().await.0, 200, "standing by is being ready");
    let (_, metrics) = second.get("/metrics").await;
    assert!(metrics.contains("talon_shard_owned{connector=\"field\"} 0"), "{metrics}");

    assert!(first.terminate().await.success(), "{}", first.log());
    becomes(&mut second, "up").await;
    let mut third = Talon::run(&texts);
    becomes(&mut third, "standby").await;
    second.kill();
    becomes(&mut third, "up").await;
    live(&upstream, 0.0);
    settled(kafka.bootstrap(), &prefix, &upstream).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_3_a_paused_and_revived_owner_publishes_nothing_more_and_rejoins() {
    let Some(kafka) = Kafka::shared("fencing") else { return };
    let upstream = upstream(200, 5).await;
    let prefix = unique("fence");
    let texts = member(&prefix, kafka.bootstrap(), &upstream.url());
    live(&upstream, 100.0);
    let mut old = Talon::run(&texts);
    becomes(&mut old, "up").await;
    let mut new = Talon::run(&texts);
    becomes(&mut new, "standby").await;
    old.signal("STOP");
    becomes(&mut new, "up").await;
    upstream.edit(300);
    old.signal("CONT");
    until("the old owner says that it was fenced", async || old.log().contains("fenced")).await;
    live(&upstream, 0.0);
    settled(kafka.bootstrap(), &prefix, &upstream).await;
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
    settled(kafka.bootstrap(), &prefix, &upstream).await;
}
