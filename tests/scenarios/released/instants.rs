//! `instants: millis`, and what becomes of topics that were written in the other unit.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use talon_brokers::{Registry, unique};
use talon_contractor::contracts as contractor;
use talon_enter::contracts as enter;
use talon_schemas::{Contract, Instants};
use talon_sdk::{Clock, Observation, Rows};

use crate::bus::Site;
use crate::fixture::{Record, Seen, read_seen, versions};
use crate::replay::at_the_end;
use crate::sites::{Urls, setups};
use crate::support::On;
use crate::{events, run};

/// Every date with a time has microseconds.
fn with_micros(value: &mut Json) {
    match value {
        Json::String(text) => {
            const FRACTION: i32 = 123_456_000;
            if let Ok(instant) = text.parse::<jiff::Timestamp>() {
                let fine = jiff::Timestamp::new(instant.as_second(), FRACTION).unwrap();
                *text = fine.to_string();
            } else if let Ok(local) = text.parse::<jiff::civil::DateTime>()
                && text.contains('T')
            {
                *text = local.with().subsec_nanosecond(FRACTION).build().unwrap().to_string();
            }
        }
        Json::Array(items) => items.iter_mut().for_each(with_micros),
        Json::Object(map) => map.values_mut().for_each(with_micros),
        _ => {}
    }
}

fn edited(seen: &Seen, edit: impl Fn(&str, &mut Json)) -> Seen {
    let mut seen = seen.clone();
    for ((_, feed), all) in &mut seen {
        for observation in all {
            let rows = observation.rows.iter().map(|row| {
                let mut row: Json = serde_json::from_slice(row).unwrap();
                edit(feed, &mut row);
                row.to_string().into()
            });
            let rows: Vec<_> = rows.collect();
            *observation = Observation { rows: Rows::of_bodies(&rows), ..observation.clone() };
        }
    }
    seen
}

/// The event in a record, which must be in this unit.
fn event(record: &Record, contract: &'static Contract, unit: Instants) -> Json {
    let value = record.value.as_deref().unwrap();
    let contract = contract.with_instants(unit);
    match value {
        [b'{', ..] => {
            assert_eq!(Instants::in_json(value), Some(unit));
            serde_json::from_slice(value).unwrap()
        }
        [0, _, _, _, _, datum @ ..] => contract.to_json(datum).unwrap(),
        _ => {
            assert_eq!(value[2..10], contract.fingerprint(), "it says its unit");
            contract.to_json(&value[10..]).unwrap()
        }
    }
}

fn newest<'a>(
    events: &'a BTreeMap<(String, String), Vec<Record>>,
    topic: &str,
) -> BTreeMap<&'a str, &'a Record> {
    let of_topic = events.iter().filter(|((of, _), _)| of == topic);
    of_topic.map(|((_, key), all)| (key.as_str(), all.last().unwrap())).collect()
}

async fn switched(on: On, format: &str, with_registry: bool) {
    let Some(address) = on.shared("instants") else { return };
    let registry = match with_registry.then(|| Registry::start("instants")) {
        Some(None) => return,
        found => found.flatten(),
    };
    let url = registry.as_ref().map(Registry::url);
    let site = Site { address: address.to_owned(), prefix: unique("instants") };
    let setups =
        |unit| setups(&Urls::nowhere(), &Clock::System, &[("instants", unit), ("format", format)]);
    let seen = read_seen(&versions()[0]);
    let end = at_the_end(&edited(&seen, |_, row| with_micros(row)), &setups("micros"));
    let nothing = Seen::new();
    let published = |unit| events(&site.records(&setups(unit)));

    run(&site, url, &setups("micros"), &nothing, &end).await;
    let first = published("micros");
    for unit in ["millis", "millis", "micros"] {
        run(&site, url, &setups(unit), &nothing, &end).await;
        assert_eq!(published(unit), first, "{unit}: nothing has changed");
    }

    // A change of a message, read in milliseconds: its event is all in that unit, the value before too.
    let change = |feed: &str, row: &mut Json| {
        if feed == "call_message" {
            row["message"] = "changed".into();
        }
    };
    let changed = edited(&end, change);
    run(&site, url, &setups("millis"), &nothing, &changed).await;
    let second = published("millis");
    let (old, new) = (newest(&first, "field.call_message"), newest(&second, "field.call_message"));
    assert!(!new.is_empty() && new.len() == old.len());
    let mut instants = 0;
    for (key, record) in new {
        let before = event(old[key], &contractor::CALL_MESSAGE, Instants::Micros);
        let after = event(record, &contractor::CALL_MESSAGE, Instants::Millis);
        assert_eq!((&after["op"], &after["after"]["message"]), (&"u".into(), &"changed".into()));
        assert_eq!(after["before"]["message"], before["after"]["message"]);
        let Some(micros) = before["after"]["written_at"].as_i64() else { continue };
        assert_eq!(micros.rem_euclid(1_000_000), 123_456);
        for image in ["before", "after"] {
            assert_eq!(after[image]["written_at"], micros.div_euclid(1_000), "{image}");
        }
        instants += 1;
    }
    assert!(instants > 0);
    let others = |all: &BTreeMap<(String, String), Vec<Record>>| {
        let mut others = all.clone();
        others.retain(|(topic, _), _| topic != "field.call_message");
        others
    };
    assert_eq!(others(&first), others(&second));

    // Back in microseconds nothing is new, though more is known of each instant than stands there.
    run(&site, url, &setups("micros"), &nothing, &changed).await;
    assert_eq!(published("micros"), second, "what is the same but for microseconds is the same");
    run(&site, url, &setups("micros"), &nothing, &end).await;
    for (key, record) in newest(&published("micros"), "field.call_message") {
        let after = event(record, &contractor::CALL_MESSAGE, Instants::Micros);
        assert_eq!(after["before"]["message"], "changed", "{key}");
        let instant = |image: &str| after[image]["written_at"].as_i64();
        let (Some(before), Some(now)) = (instant("before"), instant("after")) else { continue };
        assert_eq!((now - before, now.rem_euclid(1_000_000)), (456, 123_456), "{key}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn to_switch_instants_publishes_nothing_for_unchanged_rows_on_kafka() {
    switched(On::Kafka, "avro", false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn to_switch_instants_publishes_nothing_for_unchanged_rows_on_nats() {
    switched(On::Nats, "avro", false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nor_with_a_registry() {
    switched(On::Kafka, "avro", true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nor_as_json() {
    switched(On::Nats, "json", false).await;
}

async fn in_millis(on: On) {
    let Some(address) = on.shared("millis") else { return };
    let site = Site { address: address.to_owned(), prefix: unique("millis") };
    let setups = setups(&Urls::nowhere(), &Clock::System, &[("instants", "millis")]);
    let seen = edited(&read_seen(&versions()[0]), |_, row| with_micros(row));
    let end = at_the_end(&seen, &setups);
    run(&site, None, &setups, &seen, &end).await;
    let published = events(&site.records(&setups));
    let mut found = BTreeMap::new();
    for (topic, contract) in [
        ("field.call", &*contractor::CALL),
        ("queue.ticket", &enter::TICKET),
        ("queue.ticket_operation", &enter::TICKET_OPERATION),
    ] {
        let contract: &'static Contract = contract;
        for record in newest(&published, topic).values().filter(|record| record.value.is_some()) {
            let event = event(record, contract, Instants::Millis);
            assert_eq!(event["source"]["instants"], "millis");
            for name in ["created_at", "committed_at", "began_at", "at"] {
                if let Some(instant) = event["after"][name].as_i64() {
                    let year = jiff::Timestamp::from_millisecond(instant).unwrap().to_string();
                    assert!(year.starts_with("20"), "{topic} {name}: {year}");
                    *found.entry(topic).or_insert(0) += 1;
                }
            }
        }
    }
    assert!(found.contains_key("field.call") && found.contains_key("queue.ticket"), "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_instants_in_millis_every_event_is_in_milliseconds_on_kafka() {
    in_millis(On::Kafka).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_instants_in_millis_every_event_is_in_milliseconds_on_nats() {
    in_millis(On::Nats).await;
}
