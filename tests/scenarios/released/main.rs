//! What this version makes of the topics of those that were released before it: nothing, where nothing
//! has changed upstream. And of its own, after `instants` was set anew. Against a real Kafka, a real NATS
//! and a schema registry.
//!
//! `fixtures/{version}` has what a version read of the simulators and what then stood on its topics, as
//! bytes. With `TALON_RECORD={version}` the test `a_version_records_its_topics` writes one with the
//! build that runs it, which is to be done at a release, as `schemas/README.md` says.
#![allow(clippy::unwrap_used)]

mod bus;
mod fixture;
mod instants;
mod record;
mod refused;
mod replay;
mod sites;
#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;
use talon_brokers::{Registry, unique};
use talon_runtime::Setup;
use talon_sdk::Clock;

use bus::Site;
use fixture::{Left, Record, Seen, read_seen, versions};
use record::{COMMAND, start};
use replay::{Notes, at_the_end, read_feeds, replaying};
use sites::{Urls, setups};
use support::consumer::read;
use support::producer::Producer;
use support::{On, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_version_records_its_topics() {
    let Ok(version) = std::env::var("TALON_RECORD") else { return };
    record::record(&version).await;
}

/// Runs a process until it has read twice what the upstreams have, and once the past where there is one.
pub(crate) async fn run(
    site: &Site,
    registry: Option<&str>,
    setups: &[Setup],
    past: &Seen,
    end: &Seen,
) {
    let notes = Notes::default();
    let replayed = setups.iter().map(|setup| replaying(setup.clone(), past, end, &notes));
    let engine = start(site, registry, replayed.collect());
    let feeds = read_feeds(setups);
    let rounds = |of: &(String, String)| if end.contains_key(of) { 2 } else { 1 };
    until("all is read", async || {
        notes.reads(&feeds).iter().zip(&feeds).all(|(reads, of)| *reads >= rounds(of))
    })
    .await;
    assert!(engine.stop(Duration::from_secs(30)).await);
}

/// The records of feeds by topic and key, each key's in order.
pub(crate) fn events(records: &[Record]) -> BTreeMap<(String, String), Vec<Record>> {
    let mut events: BTreeMap<_, Vec<Record>> = BTreeMap::new();
    for record in records {
        if record.topic != "checkpoints" && !record.topic.ends_with(".results") {
            let of = (record.topic.clone(), record.key.clone());
            let mut record = record.clone();
            // Those are the server's.
            record.headers.retain(|name, _| !name.starts_with("Nats-"));
            events.entry(of).or_default().push(record);
        }
    }
    events
}

/// The file of a released schema.
pub(crate) fn released(version: &str, topic: &str) -> String {
    let (connector, feed) = topic.split_once('.').unwrap();
    let file = match (connector, feed) {
        (_, "results") => "result".to_owned(),
        ("field", feed) => format!("contractor.{feed}"),
        ("queue", feed) => format!("enter-export.{feed}"),
        (_, feed) => format!("quickq.{feed}"),
    };
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../schemas/released");
    std::fs::read_to_string(format!("{root}/{version}/{file}.avsc")).unwrap()
}

/// Under the ids that a registry gives them here.
async fn renumbered(left: Left, version: &str, site: &Site, registry: &str) -> Vec<Record> {
    let mut ids = BTreeMap::new();
    for schema in &left.schemas {
        let subject = format!("{}.{}-value", site.prefix, schema.topic);
        let text = released(version, &schema.topic);
        ids.insert(schema.id, refused::register(registry, &subject, &text).await);
    }
    let mut records = left.records;
    for record in &mut records {
        if let Some([0, id @ .., _]) =
            record.value.as_deref_mut().and_then(|value| value.get_mut(..6))
            && record.topic != "checkpoints"
        {
            let now = ids[&u32::from_be_bytes(id.try_into().unwrap())];
            id.copy_from_slice(&now.to_be_bytes());
        }
    }
    records
}

/// Waits until the topics are there, and puts records on them.
async fn put(site: &Site, registry: Option<&str>, setups: &[Setup], records: &[Record]) {
    let nothing = Seen::new();
    run(site, registry, setups, &nothing, &nothing).await;
    site.put(setups, records).await;
}

async fn upgraded(on: On, with_registry: bool) {
    let Some(address) = on.shared("released") else { return };
    for version in versions() {
        let registry = match with_registry.then(|| Registry::start("released")) {
            Some(None) => return,
            found => found.flatten(),
        };
        let url = registry.as_ref().map(Registry::url);
        let site = Site { address: address.to_owned(), prefix: unique("released") };
        let setups = setups(&Urls::nowhere(), &Clock::System, &[]);
        let bus = if on == On::Kafka { "kafka" } else { "nats" };
        let name = if with_registry { format!("{bus}-registry") } else { bus.to_owned() };
        let left = Left::read(&version, &name);
        let records = match url {
            Some(url) => renumbered(left, &version, &site, url).await,
            None => left.records,
        };
        put(&site, url, &setups, &records).await;
        let before = events(&site.records(&setups));
        assert_eq!(before, events(&records), "{version}: it was put there as it was");

        let end = at_the_end(&read_seen(&version), &setups);
        let has_rows = |of: &&(String, String)| end[*of].iter().any(|seen| !seen.rows.is_empty());
        assert!(end.keys().filter(has_rows).count() > 15, "there is something to compare");
        run(&site, url, &setups, &Seen::new(), &end).await;
        let after = events(&site.records(&setups));
        for (of, records) in &after {
            let known = before.get(of).map_or(0, Vec::len);
            assert_eq!(records.len(), known, "{version}: {of:?} changed: {:?}", records.last());
        }
        assert_eq!(after, before, "{version}");

        // It knows the outcome of a command that the version before has run.
        let results = format!("{}.field.results", site.prefix);
        let then = read(&site.address, &results).len();
        let nothing = Seen::new();
        // Behind another one: at its old place it would be that command, read again.
        let commands = ["first", COMMAND].map(|id| {
            let command = json!({"id": id, "type": "CloseCall", "params": {"call_id": 1}});
            ("1".to_owned(), command)
        });
        let topic = format!("{}.field.commands", site.prefix);
        Producer::new(&site.address).await.send(&topic, &commands).await;
        let notes = Notes::default();
        let field = replaying(setups[0].clone(), &nothing, &nothing, &notes);
        let engine = start(&site, url, vec![field]);
        let settled = || read(&site.address, &results).len() >= then + 3;
        until("both commands are settled", async || settled()).await;
        assert!(engine.stop(Duration::from_secs(30)).await);
        let all = read(&site.address, &results);
        assert_eq!(
            all.len(),
            then + 3,
            "an intent and an outcome of the first, an outcome of the other"
        );
        let outcome = all.iter().rfind(|record| record.key == COMMAND).unwrap();
        let value = String::from_utf8_lossy(outcome.value.as_deref().unwrap()).into_owned();
        assert!(value.contains("DUPLICATE"), "{value}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn topics_of_a_released_version_get_no_event_for_what_did_not_change_on_kafka() {
    upgraded(On::Kafka, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn topics_of_a_released_version_get_no_event_for_what_did_not_change_on_nats() {
    upgraded(On::Nats, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nor_where_a_registry_knows_their_schemas_on_kafka() {
    upgraded(On::Kafka, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nor_where_a_registry_knows_their_schemas_on_nats() {
    upgraded(On::Nats, true).await;
}
