//! What operators do to connectors and to what stands on topics.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use serde_json::Value;
use talon_brokers::unique;
use talon_contractor::contracts;

use crate::support::consumer::{Record, content, read};
use crate::support::truth::settled;
use crate::support::{On, Talon, configuration, nats, program, until, upstream, write};

const CALLS: usize = 20;

/// A member of the group without a place of its own, which therefore leaves it when it stops.
fn member(prefix: &str, address: &str, upstream: &str) -> BTreeMap<String, String> {
    let mut texts = configuration(prefix, address, upstream);
    texts.remove("bus.kafka.group.instance.id");
    texts
}

/// What the newest record of each key says.
fn state(records: &[Record]) -> BTreeMap<&str, Value> {
    let after = |record: &Record| {
        let event = record.event(&contracts::CALL);
        event.map_or(Value::Null, |event| content(&contracts::CALL, &event["after"]))
    };
    let events = records.iter().filter(|record| record.value.is_some());
    events.map(|record| (record.key.as_str(), after(record))).collect()
}

fn distinct_events(records: &[Record]) -> usize {
    let ids: HashSet<_> =
        records.iter().map(|record| record.headers.get("talon-event-id")).collect();
    ids.len()
}

async fn a_connector_that_is_renamed_is_published_anew(on: On) {
    let Some(address) = on.shared("renamed") else { return };
    let (upstream, prefix) = (upstream(CALLS, 31).await, unique("renamed"));
    let texts = member(&prefix, address, &upstream.url());
    let topic = |name: &str| read(address, &format!("{prefix}.{name}.call"));
    let mut talon = Talon::run(&texts);
    until("all calls are there", async || topic("field").len() == CALLS).await;
    assert!(talon.terminate().await.success());
    let renamed = texts.into_iter().map(|(key, text)| (key.replace(".field.", ".yard."), text));
    let mut talon = Talon::run(&renamed.collect());
    until("they are there under the new name", async || topic("yard").len() == CALLS).await;
    talon.becomes("yard", "up").await;
    assert!(talon.terminate().await.success());
    assert_eq!((topic("field").len(), topic("yard").len()), (CALLS, CALLS));
}

/// Two deployments of one group whose contracts differ: one writes instants in another unit.
async fn two_releases_at_once_publish_nothing_for_what_is_known(on: On) {
    let Some(address) = on.shared("two_releases") else { return };
    let (upstream, prefix) = (upstream(CALLS, 32).await, unique("two"));
    let before = member(&prefix, address, &upstream.url());
    let mut after = before.clone();
    after.insert("connectors.field.instants".to_owned(), "millis".to_owned());
    let records = || read(address, &format!("{prefix}.field.call"));
    let mut first = Talon::run(&before);
    until("all calls are there", async || records().len() == CALLS).await;
    let mut second = Talon::run(&after);
    second.becomes("field", "standby").await;
    // The one takes over from the other, and back.
    assert!(first.terminate().await.success());
    second.becomes("field/call", "up").await;
    let mut first = Talon::run(&before);
    first.becomes("field", "standby").await;
    assert!(second.terminate().await.success());
    first.becomes("field/call", "up").await;
    assert_eq!(records().len(), CALLS, "{}", first.log());
    upstream.edit(60);
    settled(address, &prefix, &upstream).await;
    assert!(first.terminate().await.success());
    let records = records();
    assert_eq!(distinct_events(&records), records.len());
}

/// What somebody copies back into the topics, as a mirror does: events of ours, older than what stands there.
async fn records_that_are_copied_back_are_corrected(on: On) {
    let Some(address) = on.shared("copied_back") else { return };
    let (upstream, prefix) = (upstream(CALLS, 33).await, unique("copied"));
    let texts = member(&prefix, address, &upstream.url());
    let topic = format!("{prefix}.field.call");
    let mut talon = Talon::run(&texts);
    until("all calls are there", async || read(address, &topic).len() == CALLS).await;
    let older = read(address, &topic);
    upstream.edit(10);
    settled(address, &prefix, &upstream).await;
    assert!(talon.terminate().await.success());
    let whole = read(address, &topic);
    copy(address, &topic, &older).await;
    assert_ne!(state(&read(address, &topic)), state(&whole));

    // Its cursor says that all is known; a person says that it is not.
    let file = write(&texts);
    let mut reset = program();
    reset.args(["offsets", "reset", "--config"]).arg(file.path()).args(["field", "call"]);
    let reset = reset.output().unwrap();
    assert!(reset.status.success(), "{}", String::from_utf8_lossy(&reset.stderr));
    let mut talon = Talon::run(&texts);
    until("it is corrected", async || state(&read(address, &topic)) == state(&whole)).await;
    assert!(talon.terminate().await.success());
}

/// Puts records on a topic, as a producer that knows nothing of Talon.
async fn copy(address: &str, topic: &str, records: &[Record]) {
    let ours = |record: &Record| {
        let headers = record.headers.clone().into_iter();
        headers.filter(|(name, _)| name.starts_with("talon-")).collect::<Vec<_>>()
    };
    if address.starts_with("nats://") {
        let jetstream = nats::jetstream(address).await;
        for record in records {
            let mut headers = async_nats::HeaderMap::new();
            ours(record).iter().for_each(|(name, value)| headers.insert(&**name, &**value));
            let subject = format!("{topic}.{}", talon_nats::token(&record.key));
            let value = record.value.clone().unwrap_or_default();
            let sent = jetstream.publish_with_headers(subject, headers, value.into()).await;
            sent.unwrap().await.unwrap();
        }
        return;
    }
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", address)
        .set("partitioner", "murmur2_random")
        .create()
        .unwrap();
    for record in records {
        let headers = ours(record).iter().fold(OwnedHeaders::new(), |all, (name, value)| {
            all.insert(Header { key: name, value: Some(value) })
        });
        let mut copy = BaseRecord::to(topic).key(&record.key).headers(headers);
        copy.payload = record.value.as_deref();
        producer.send(copy).map_err(|(error, _)| error).unwrap();
    }
    producer.flush(Duration::from_secs(60)).unwrap();
}

macro_rules! on_both {
    ($($test:ident $kafka:ident $nats:ident)*) => {$(
        #[tokio::test(flavor = "multi_thread")]
        async fn $kafka() {
            $test(On::Kafka).await;
        }

        #[tokio::test(flavor = "multi_thread")]
        async fn $nats() {
            $test(On::Nats).await;
        }
    )*};
}

on_both! {
    a_connector_that_is_renamed_is_published_anew
        a_connector_that_is_renamed_is_published_anew_on_kafka
        a_connector_that_is_renamed_is_published_anew_on_nats
    two_releases_at_once_publish_nothing_for_what_is_known
        two_releases_at_once_publish_nothing_for_what_is_known_on_kafka
        two_releases_at_once_publish_nothing_for_what_is_known_on_nats
    records_that_are_copied_back_are_corrected
        records_that_are_copied_back_are_corrected_on_kafka
        records_that_are_copied_back_are_corrected_on_nats
}
