//! The same content in other bytes is no event: of every connector, through its codec and through the
//! whole program, on a real Kafka and a real NATS.
#![allow(clippy::unwrap_used)]

mod codecs;
#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use support::{On, Talon, configuration, connect, until};
use talon_brokers::unique;
use talon_simulators::{contractor, enter_export, quickq};

/// How often each feed is read again.
const AGAIN: f64 = 10.0;

/// Feeds that are read again and again. The others follow pushes, or the reads of another one.
const FEEDS: [&str; 10] = [
    "field/call",
    "field/call_message",
    "field/call_jeopardy",
    "field/call_task",
    "hall/service",
    "hall/consumer",
    "hall/workplace",
    "hall/operation_state",
    "queue/branch",
    "queue/ticket",
];

/// Sums of a metric, by connector and feed.
fn sums(text: &str, metric: &str) -> BTreeMap<String, f64> {
    let mut sums = BTreeMap::new();
    for line in text.lines().filter(|line| line.starts_with(&format!("{metric}{{"))) {
        let label = |name: &str| {
            let (_, rest) = line.split_once(&format!("{name}=\"")).unwrap();
            rest.split('"').next().unwrap()
        };
        let value: f64 = line.rsplit(' ').next().unwrap().parse().unwrap();
        *sums.entry(format!("{}/{}", label("connector"), label("feed"))).or_default() += value;
    }
    sums
}

/// Everything stands still, and is spelled anew in every reply.
async fn read_again(on: On) {
    let Some(address) = on.shared("noise") else { return };
    let field = contractor::Settings { noise: 1.0, ..support::settings(40, 71) };
    let field = contractor::Simulator::start(field).await.unwrap();
    let hall = quickq::Settings { newer_fields: true, noise: 1.0, ..quickq::Settings::noisy() };
    let hall = quickq::Simulator::start(hall).await.unwrap();
    let queue =
        enter_export::Settings { branches: 2, noise: 1.0, ..enter_export::Settings::noisy() };
    let queue = enter_export::Simulator::start(queue).await.unwrap();
    // Its time stands still too: in the middle of a day.
    let noon = jiff::Zoned::now().round(jiff::Unit::Day).unwrap().timestamp().as_millisecond();
    queue.clock().store(noon - 12 * 3_600_000, Ordering::SeqCst);

    let mut texts = configuration(&unique("noise"), address, &field.url());
    // With an overlap, all that stands under the last marks is read again.
    connect(&mut texts, "field", &[("timestamp.overlap", "1000000")]);
    let url = hall.url();
    let settings = [
        ("class", "quickq"),
        ("upstream.url", &*url),
        ("auth.login", "admin"),
        ("auth.password", "12345"),
        ("queue.workplaces", "1,2"),
        ("refresh.interval.ms", "1000"),
        ("statistics.poll.interval.ms", "50"),
    ];
    connect(&mut texts, "hall", &settings);
    let url = queue.url();
    let settings = [
        ("class", "enter-export"),
        ("upstream.url", &*url),
        ("upstream.requests.per.second", "10000"),
        ("poll.interval.ms", "50"),
        ("late.poll.interval.ms", "50"),
        ("catalogue.poll.interval.ms", "50"),
    ];
    connect(&mut texts, "queue", &settings);

    let mut talon = Talon::run(&texts);
    talon.ready().await;
    let mut observed = async |times: f64, since: &BTreeMap<String, f64>| {
        let mut changes = BTreeMap::new();
        until("all feeds are read again", async || {
            let text = talon.get("/metrics").await.1;
            changes = sums(&text, "talon_changes_total");
            let observations = sums(&text, "talon_observations_total");
            let count = |feed: &str| {
                let count = |of: &BTreeMap<String, f64>| of.get(feed).copied().unwrap_or(0.0);
                count(&observations) - count(since)
            };
            FEEDS.iter().all(|feed| count(feed) >= times)
        })
        .await;
        (changes, sums(&talon.get("/metrics").await.1, "talon_observations_total"))
    };
    let (_, since) = observed(3.0, &BTreeMap::new()).await;
    let (before, since) = observed(1.0, &since).await;
    for connector in ["field", "hall", "queue"] {
        assert!(before.iter().any(|(feed, n)| feed.starts_with(connector) && *n > 0.0));
    }
    let (after, _) = observed(AGAIN, &since).await;
    assert_eq!(after, before);
    let text = talon.get("/metrics").await.1;
    assert!(sums(&text, "talon_dead_letters_total").values().all(|n| *n == 0.0), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn noise_in_everything_that_is_read_again_publishes_nothing_on_kafka() {
    read_again(On::Kafka).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn noise_in_everything_that_is_read_again_publishes_nothing_on_nats() {
    read_again(On::Nats).await;
}

/// A contractor's upstream with everything that it has.
pub(crate) async fn contractor() -> contractor::Simulator {
    support::upstream(60, 72).await
}
