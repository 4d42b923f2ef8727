//! The program with a connector `enter-export`, killed in the middle of a backfill, on real brokers.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;

use jiff::{ToSpan, Zoned};
use rand::RngExt;
use serde_json::Value;
use support::consumer::read;
use support::{On, Talon, until};
use talon_brokers::unique;
use talon_schemas::enter as contracts;
use talon_simulators::enter_export::{Fault, FaultKind, Settings, Simulator};

const BRANCHES: usize = 3;
const DAYS: i32 = 20;
const KILLS: usize = 5;

#[tokio::test(flavor = "multi_thread")]
async fn invariant_1_facts_and_tickets_are_exactly_once_after_kills_on_kafka() {
    killed_in_a_backfill(On::Kafka).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_1_facts_and_tickets_are_exactly_once_after_kills_on_nats() {
    killed_in_a_backfill(On::Nats).await;
}

/// Tickets by key, with the number of their operations; and all operations.
type Truth = (BTreeMap<String, usize>, BTreeSet<String>);

fn truth(upstream: &Simulator) -> Truth {
    let (mut tickets, mut operations) = (BTreeMap::new(), BTreeSet::new());
    let today = Zoned::now().date();
    for (branch, id) in upstream.branches().iter().enumerate() {
        for age in 0..=DAYS {
            for ticket in upstream.day(branch, today.checked_sub(age.days()).unwrap()) {
                let products = ticket["Products"].as_array().unwrap().iter();
                let steps = products.flat_map(|product| product["History"].as_array().unwrap());
                let steps: Vec<String> =
                    steps.map(|step| step["Id"].as_str().unwrap().to_owned()).collect();
                tickets.insert(format!("{id}/{}", ticket["Id"].as_str().unwrap()), steps.len());
                operations.extend(steps);
            }
        }
    }
    (tickets, operations)
}

async fn killed_in_a_backfill(on: On) {
    let Some(address) = on.shared("enter_killed") else { return };
    let seed: u64 = rand::rng().random();
    println!("seed {seed}");
    let settings =
        Settings { seed, branches: BRANCHES, tickets_per_day: 12, ..Settings::default() };
    let upstream = Simulator::start(settings).await.unwrap();
    // From now on nothing happens there.
    upstream.clock().store(Zoned::now().timestamp().as_millisecond(), Ordering::SeqCst);
    upstream.fault(Fault::from(FaultKind::Slow { ms: 10 }).at("/api/1/queue"));
    let prefix = unique("enter");
    let mut texts = support::process(&prefix, address);
    let from = Zoned::now().date().checked_sub(DAYS.days()).unwrap();
    let settings = [
        ("class", "enter-export"),
        ("upstream.url", &*upstream.url()),
        ("upstream.requests.per.second", "10000"),
        ("backfill.from", &*from.to_string()),
        ("poll.interval.ms", "100"),
        ("before.image", "none"),
        ("late.max.age.days", "0"),
    ];
    support::connect(&mut texts, "hall", &settings);
    let (tickets, operations) = truth(&upstream);
    let asked = || upstream.asked().values().sum::<u64>();
    for kill in 0..KILLS {
        let mut talon = Talon::run(&texts);
        let then = asked() + 4 + (seed >> (8 * kill)) % 20;
        until("some days are asked for", async || asked() > then).await;
        talon.kill();
    }
    upstream.faults().clear();
    let mut talon = Talon::run(&texts);
    let topic = |feed: &str| format!("{prefix}.hall.{feed}");
    let standing = "talon_backfill_days_done{connector=\"hall\"}";
    talon.ready().await;
    let days = f64::from(DAYS) * BRANCHES as f64;
    until("the backfill is done", async || talon.metric(standing).await == days).await;
    until("all is there", async || read(address, &topic("ticket")).len() >= tickets.len()).await;
    assert!(talon.terminate().await.success(), "{}", talon.log());

    let mut seen: BTreeMap<String, Value> = BTreeMap::new();
    for record in read(address, &topic("ticket")) {
        let event = record.event(&contracts::TICKET).unwrap();
        let twice = seen.insert(record.key.clone(), event["after"].clone());
        assert!(twice.is_none(), "nothing has changed, but {} was published twice", record.key);
    }
    let listed = |ticket: &Value| ticket["operations"].as_array().unwrap().len();
    let seen: BTreeMap<String, usize> =
        seen.into_iter().map(|(key, ticket)| (key, listed(&ticket))).collect();
    assert_eq!(seen, tickets);
    let facts = read(address, &topic("ticket_operation"));
    let keys: BTreeSet<String> = facts.iter().map(|fact| fact.key.clone()).collect();
    assert_eq!(facts.len(), keys.len(), "a fact is there twice");
    assert_eq!(keys, operations);
}
