//! Values that are Avro of the registry on topics, and need none on NATS.

use async_nats::connect;
use async_nats::jetstream;
use rdkafka::ClientConfig;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer, ThreadedProducer};
use serde_json::{Value, json};
use talon_brokers::{Registry, unique};
use talon_schemas::Writer;

use super::nats;
use super::records::{create, read};
use super::relays;
use super::support::{On, Talon, until};

const SCHEMA: &str = r#"{"type":"record","name":"Order","namespace":"x","fields":[{"name":"id","type":"long"},{"name":"note","type":["null","string"],"default":null}]}"#;

async fn register(registry: &str, subject: &str) -> u32 {
    rustls::crypto::ring::default_provider().install_default().ok();
    let url = format!("{registry}/subjects/{subject}/versions");
    let request = reqwest::Client::new()
        .post(url)
        .header("content-type", "application/vnd.schemaregistry.v1+json")
        .body(json!({"schema": SCHEMA, "schemaType": "AVRO"}).to_string());
    let answer: Value = request.send().await.unwrap().json().await.unwrap();
    u32::try_from(answer["id"].as_u64().unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn values_of_a_registry_need_none_on_nats_and_are_the_same_bytes_back_on_kafka() {
    let Some(address) = On::Kafka.shared("relay_values") else { return };
    let Some(url) = On::Nats.shared("relay_values") else { return };
    let Some(registry) = Registry::shared("relay_values") else { return };
    let prefix = unique("relay");
    let (first, last) = (format!("{prefix}.a.x"), format!("out.{prefix}.a.x"));
    let id = register(registry.url(), &format!("{first}-value")).await;
    let writer = Writer::parse(SCHEMA).unwrap();
    create(address, &[(&first, 1)]);
    let producer: ThreadedProducer<_> =
        ClientConfig::new().set("bootstrap.servers", address).create().unwrap();
    let send = |value: Option<&[u8]>| {
        let headers = OwnedHeaders::new()
            .insert(Header { key: "content-type", value: Some("application/x-ours") })
            .insert(Header { key: "n", value: None::<&[u8]> });
        let record: BaseRecord<'_, str, [u8]> = BaseRecord::to(&first).key("k").headers(headers);
        let record = BaseRecord { payload: value, ..record };
        producer.send(record).map_err(|(error, _)| error).unwrap();
    };
    for number in 0..20 {
        let datum = writer.from_json(json!({"id": number}).to_string().as_bytes()).unwrap();
        send(Some(&[&[0], &id.to_be_bytes()[..], &datum].concat()));
    }
    send(None);
    // Last, so that the rest can be compared as it stands.
    send(Some(b"no Avro"));
    producer.flush(std::time::Duration::from_secs(30)).unwrap();

    let mut texts = relays(&prefix, address, Some(url));
    for (key, text) in [
        ("schema.registry.url", registry.url()),
        ("relays.there.value", "single-object"),
        ("relays.back.value", "confluent"),
    ] {
        texts.insert(key.to_owned(), text.to_owned());
    }
    let mut talon = Talon::run(&texts);
    let sent = read(address, &first).remove(&0).unwrap();
    until("all are back", async || {
        read(address, &last).remove(&0).is_some_and(|back| back.len() == sent.len() - 1)
    })
    .await;
    assert_eq!(read(address, &last).remove(&0).unwrap(), sent[..sent.len() - 1]);
    let jetstream = jetstream::new(connect(url).await.unwrap());
    let between = nats::read(&jetstream, &prefix, &format!("{prefix}.a")).await;
    let message = &between[0];
    let headers = message.headers.as_ref().unwrap();
    assert_eq!(headers.get("content-type").unwrap().as_str(), "application/avro");
    let single = [&[0xc3, 0x01], &writer.fingerprint()[..], &[0, 0]].concat();
    assert_eq!(message.payload, single);
    let metric = r#"talon_relay_records_total{relay="there",result="dead_letter"}"#;
    until("what is no Avro is put aside", async || talon.metric(metric).await == 1.0).await;
    assert!(talon.terminate().await.success(), "{}", talon.log());
}
