//! A registry that checks compatibility, and the envelope's new name.

use serde_json::{Value as Json, json};
use talon_brokers::{Registry, unique};
use talon_contractor::contracts::CALL;
use talon_runtime::bus::BusFault;
use talon_runtime::registry::{Options, Registry as Client};

use crate::record::unchecked;
use crate::released;

async fn send(request: reqwest::RequestBuilder, body: Json) -> Json {
    let kind = "application/vnd.schemaregistry.v1+json";
    let reply = request.header("content-type", kind).body(body.to_string()).send().await.unwrap();
    let status = reply.status();
    let text = reply.text().await.unwrap();
    assert!(status.is_success(), "{status}: {text}");
    serde_json::from_str(&text).unwrap()
}

/// Registers a schema, as another program does.
pub(crate) async fn register(url: &str, subject: &str, text: &str) -> u32 {
    // The HTTP library is built without a crypto provider of its own choice.
    rustls::crypto::ring::default_provider().install_default().ok();
    let request = reqwest::Client::new().post(format!("{url}/subjects/{subject}/versions"));
    let id = send(request, json!({"schema": text, "schemaType": "AVRO"})).await;
    u32::try_from(id["id"].as_u64().unwrap()).unwrap()
}

async fn set(url: &str, subject: &str, compatibility: &str) {
    let request = reqwest::Client::new().put(format!("{url}/config/{subject}"));
    send(request, json!({ "compatibility": compatibility })).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subject_with_the_old_envelope_is_refused_with_its_name_and_the_remedy() {
    let Some(registry) = Registry::shared("refused") else { return };
    let (url, topic) = (registry.url(), format!("{}.field.call", unique("refused")));
    let subject = format!("{topic}-value");
    register(url, &subject, &released("0.1.0-pre", "field.call")).await;
    set(url, &subject, "BACKWARD").await;
    let client = Client::new(Options::of(url)).unwrap();
    let refused = client.register(&topic, &*CALL).await;
    let Err(BusFault::Misconfigured(why)) = refused else { panic!("{refused:?}") };
    let remedy = "`schema.registry.compatibility: NONE`";
    for part in [&format!("`{subject}`"), "delete the subject", remedy] {
        assert!(why.contains(part), "{why}");
    }
    // The registry's own rule stands all the same.
    let client = unchecked(url);
    let refused = client.register(&topic, &*CALL).await;
    let Err(BusFault::Misconfigured(why)) = refused else { panic!("{refused:?}") };
    assert!(why.contains(&format!("`{subject}`")), "{why}");
    set(url, &subject, "NONE").await;
    let id = client.register(&topic, &*CALL).await.unwrap();
    set(url, &subject, "BACKWARD").await;
    let client = Client::new(Options::of(url)).unwrap();
    assert_eq!(client.register(&topic, &*CALL).await, Ok(id), "it is there now");
}
