//! The connector `connect1c` against a simulated 1C-Connect: the whole program on real brokers. What takes
//! simulated hours is beside the connector.
#![allow(clippy::unwrap_used)]

mod large;
#[path = "../support/mod.rs"]
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::Timestamp;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use support::consumer::read;
use support::{On, Talon, connect, process, until};
use talon_brokers::unique;
use talon_connect1c::contracts;
use talon_schemas::Contract;
use talon_simulators::connect1c::{Operation, Settings, Simulator, Treatment, by_document};

const KILLS: usize = 12;

fn now_ms() -> i64 {
    Timestamp::now().as_millisecond()
}

/// An upstream in which much happens, as of a minute ago.
fn lively(seed: u64) -> Settings {
    let since = Timestamp::from_millisecond(now_ms() - 60_000).unwrap();
    Settings {
        seed,
        since: since.to_string(),
        opened_every_ms: 250,
        lasts_ms: (500, 20_000),
        rated_after_ms: (1_000, 10_000),
        day_limit: 20_000,
        night_limit: 20_000,
        ..Settings::noisy()
    }
}

fn configuration(
    prefix: &str,
    address: &str,
    upstream: &Simulator,
    more: &[(&str, &str)],
) -> BTreeMap<String, String> {
    let mut texts = process(prefix, address);
    let url = upstream.url();
    let usual = [
        ("class", "connect1c"),
        ("upstream.url", &*url),
        ("upstream.requests.per.second", "1000"),
        ("auth.user", "partner"),
        ("auth.password", "пароль:1"),
        ("time.zone", "Asia/Yekaterinburg"),
        ("lag.ms", "1000"),
    ];
    connect(&mut texts, "lines", &usual);
    connect(&mut texts, "lines", more);
    texts
}

/// Many calls an hour, and most of them left over by whatever ran before.
const PLENTY: &[(&str, &str)] = &[
    ("quota.day", "20000"),
    ("quota.reserve", "9000"),
    ("treatment.poll.interval.ms", "400"),
    ("open_treatment.poll.interval.ms", "400"),
    // What a kill hides may be much of a short list: believed here.
    ("deletes.guard.ratio", "1"),
];

/// The events of a feed by key, after checking invariant 1: each once, each begins where the last one of
/// its entity ended, and changes something.
fn published(
    address: &str,
    prefix: &str,
    feed: &str,
    contract: &Contract,
) -> BTreeMap<String, Vec<Value>> {
    let mut ids = BTreeSet::new();
    let mut entities: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for record in read(address, &format!("{prefix}.lines.{feed}")) {
        let id = &record.headers["talon-event-id"];
        assert!(ids.insert(id.clone()), "{}: event {id} twice", record.key);
        let Some(event) = record.event(contract) else { continue };
        let history = entities.entry(record.key.clone()).or_default();
        let last = history.last().map_or(Value::Null, |last| last["after"].clone());
        assert_eq!(event["before"], last, "{}", record.key);
        assert_ne!(event["after"], last, "{}", record.key);
        history.push(event);
    }
    entities
}

/// What is there now.
fn newest(events: &BTreeMap<String, Vec<Value>>) -> BTreeMap<String, Value> {
    let last = events.iter().filter_map(|(key, events)| Some((key, &events.last()?["after"])));
    let there = last.filter(|(_, after)| !after.is_null());
    there.map(|(key, after)| (key.clone(), by_document(after))).collect()
}

fn truth(treatments: &[Treatment]) -> BTreeMap<String, Value> {
    treatments.iter().map(|one| (one.id.clone(), one.truth())).collect()
}

/// Waits until both topics tell what the upstream is, which stands still.
async fn settled(address: &str, prefix: &str, upstream: &Simulator) {
    let closed = truth(&upstream.closed(0, upstream.now_ms()));
    let open = truth(&upstream.open());
    assert!(closed.len() > 100 && open.len() > 10, "{} {}", closed.len(), open.len());
    until("both topics tell what the upstream is", async || {
        let known = published(address, prefix, "treatment", &contracts::TREATMENT);
        let opened = published(address, prefix, "open_treatment", &contracts::OPEN_TREATMENT);
        // A closed one changes by its rating alone, once.
        assert!(known.values().all(|events| events.len() <= 2));
        newest(&known) == closed && newest(&opened) == open
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn invariants_1_and_4_killed_at_random_nothing_is_lost_doubled_or_wrongly_deleted_on_kafka() {
    killed(On::Kafka).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn invariants_1_and_4_killed_at_random_nothing_is_lost_doubled_or_wrongly_deleted_on_nats() {
    killed(On::Nats).await;
}

async fn killed(on: On) {
    let Some(address) = on.shared("connect1c_killed") else { return };
    let seed = std::env::var("TALON_TEST_SEED")
        .map_or_else(|_| rand::rng().random(), |seed| seed.parse().unwrap());
    eprintln!("TALON_TEST_SEED={seed}");
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let upstream = Simulator::start(lively(seed)).await.unwrap();
    let prefix = unique("lines");
    let texts = configuration(&prefix, address, &upstream, PLENTY);
    for kill in 0..KILLS {
        let mut talon = Talon::run(&texts);
        // From before it has connected to well after it serves.
        let wait = if kill < 4 { 0..500 } else { 400..2_500 };
        tokio::time::sleep(Duration::from_millis(random.random_range(wait))).await;
        talon.kill();
        assert!(!talon.log().contains("ERROR"), "{}", talon.log());
    }
    let mut talon = Talon::run(&texts);
    talon.ready().await;
    upstream.clock().store(now_ms(), Ordering::SeqCst);
    settled(address, &prefix, &upstream).await;
    assert_eq!(upstream.journal().out_of_limit(), 0);

    let operation = "operation=\"GetOpenedServiceTreatments\"";
    let left = format!("talon_upstream_quota_left{{connector=\"lines\",{operation}}}");
    let limit = format!("talon_upstream_quota_limit{{connector=\"lines\",{operation}}}");
    assert_eq!(talon.metric(&limit).await, 11_000.0);
    let left = talon.metric(&left).await;
    assert!(left > 0.0 && left < 11_000.0, "{left}");
    let (_, page) = talon.get("/").await;
    assert!(page.contains("Quota of <code>GetOpenedServiceTreatments</code>"), "{page}");
    assert!(talon.terminate().await.success(), "{}", talon.log());
    assert!(!talon.log().contains("пароль"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_of_the_day_is_not_exceeded_by_thirty_kills_and_two_replicas_on_kafka() {
    thirty_kills(On::Kafka).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_of_the_day_is_not_exceeded_by_thirty_kills_and_two_replicas_on_nats() {
    thirty_kills(On::Nats).await;
}

async fn thirty_kills(on: On) {
    let Some(address) = on.shared("connect1c_quota") else { return };
    let seed: u64 = rand::rng().random();
    println!("seed {seed}");
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    // The world is long, so that there is always something to be read.
    let settings = Settings { seed, ..Settings::noisy() };
    let upstream = Simulator::start(settings).await.unwrap();
    let prefix = unique("lines");
    let texts = configuration(&prefix, address, &upstream, &[("backfill.from", "2023-01-01")]);
    let mut other = texts.clone();
    if on == On::Kafka {
        other.insert("bus.kafka.group.instance.id".to_owned(), format!("{prefix}-other"));
    }
    let mut second = Talon::run(&other);
    for kill in 0..30 {
        let mut talon = Talon::run(if kill % 2 == 0 { &texts } else { &other });
        if kill % 2 == 1 {
            second.kill();
        }
        tokio::time::sleep(Duration::from_millis(random.random_range(200..1_500))).await;
        if kill % 2 == 1 {
            std::mem::swap(&mut second, &mut talon);
        }
        talon.kill();
    }
    second.kill();
    let journal = upstream.journal();
    for operation in
        [Operation::GetHistoryOfServiceTreatments, Operation::GetOpenedServiceTreatments]
    {
        let calls = journal.calls_of(operation).len();
        println!("{operation:?}: {calls} calls");
        assert!((1..=8).contains(&calls), "{operation:?}: {calls} calls");
    }
    assert_eq!(journal.out_of_limit(), 0);
}
