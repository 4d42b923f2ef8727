//! What comes onto the topics of both buses, from a hall in which much happens, and after kills.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::{SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;
use talon_brokers::unique;
use talon_simulators::enter_rest::{Kind, Settings, Simulator};

use super::hall::{Hall, usual};
use super::truth::{OF_BRANCH, OF_CENTRAL, contract, differs};
use crate::hall::HOUR;
use crate::support::consumer::keyed_histories;
use crate::support::{On, Talon, agreed, process, until};

/// How many steps of so many minutes the life of the hall goes on.
const STEPS: i64 = 12;
const MINUTES: i64 = 4;

pub(super) fn now_ms() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(now.as_millis()).unwrap()
}

/// A zone in which it is about noon now, so that no day ends while a test runs.
pub(super) fn noon() -> String {
    let names = (-12..=14).map(|hours: i32| format!("Etc/GMT{:+}", -hours));
    let is_noon = |name: &String| {
        let zone = TimeZone::get(name).unwrap();
        Timestamp::now().to_zoned(zone).hour() == 12
    };
    names.into_iter().find(is_noon).unwrap()
}

pub(super) fn configuration(
    prefix: &str,
    address: &str,
    upstream: &Simulator,
) -> BTreeMap<String, String> {
    let mut texts = process(prefix, address);
    let own = usual(upstream).into_iter();
    texts.extend(own.map(|(key, text)| (format!("connectors.hall.{key}"), text)));
    texts
}

/// The newest value of each entity on a topic, after checking that each event begins where the one before
/// it ended.
fn newest(address: &str, prefix: &str, feed: &str) -> BTreeMap<String, Value> {
    let topic = format!("{prefix}.hall.{feed}");
    let histories = keyed_histories(address, &topic, contract(feed)).into_iter();
    histories
        .map(|(key, history)| (key, history[history.len() - 1]["after"].clone()))
        .filter(|(_, after)| !after.is_null())
        .collect()
}

async fn settled(address: &str, prefix: &str, upstream: &Simulator, feeds: &[&str]) {
    for feed in feeds {
        agreed(&format!("`{feed}` tells what the upstream says"), || {
            differs(upstream, feed, &newest(address, prefix, feed)).map_or(Ok(()), Err)
        })
        .await;
    }
}

async fn the_topics_tell_what_the_upstream_says(on: On, test: &str) {
    let Some(address) = on.shared(test) else { return };
    let settings =
        Settings { zone: noon(), seed: 7, visitors_per_hour: 150.0, ..Settings::noisy() };
    let upstream = Simulator::start(settings).await.unwrap();
    let clock = upstream.clock();
    clock.store(now_ms() - STEPS * MINUTES * 60_000, Ordering::SeqCst);
    let prefix = unique("rest");
    let texts = configuration(&prefix, address, &upstream);
    let mut talon = Talon::run(&texts);
    talon.ready().await;
    settled(address, &prefix, &upstream, &OF_BRANCH).await;
    for step in 0..STEPS {
        clock.fetch_add(MINUTES * 60_000, Ordering::SeqCst);
        if step == STEPS / 2 {
            talon.kill();
            talon = Talon::run(&texts);
        }
        let count = || upstream.requests().get("GET queue/admin/tickets").copied().unwrap_or(0);
        let before = count();
        until("the list of tickets is read again", async || count() > before + 1).await;
    }
    settled(address, &prefix, &upstream, &OF_BRANCH).await;
    let done = upstream.journal().iter().filter(|effect| effect.what == "complete").count();
    assert!(done > 3, "the hall was lively: {done} were served");
    assert!(talon.terminate().await.success(), "{}", talon.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn invariants_1_and_2_the_topics_tell_what_a_lively_branch_says_also_after_a_kill_on_kafka() {
    the_topics_tell_what_the_upstream_says(On::Kafka, "rest_kafka").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn invariants_1_and_2_the_topics_tell_what_a_lively_branch_says_also_after_a_kill_on_nats() {
    the_topics_tell_what_the_upstream_says(On::Nats, "rest_nats").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_central_server_tells_its_branches_the_summary_of_each_and_the_load_of_all() {
    let mut hall = Hall::open(Settings { kind: Kind::Central, ..Settings::noisy() }, &[]).await;
    let engine = hall.start();
    hall.agrees(&OF_CENTRAL).await;
    assert_eq!(hall.newest("queue_statistics").len(), 3);
    for _ in 0..5 {
        hall.pass(HOUR / 4);
        hall.agrees(&OF_CENTRAL).await;
    }
    drop(engine);
}
