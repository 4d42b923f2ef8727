//! The registry fixture against a real registry.

use talon_brokers::{Registry, probe, unique};

fn register(registry: &Registry, subject: &str, schema: &str) -> (u16, String) {
    let url = format!("{}/subjects/{subject}/versions", registry.url());
    let body = serde_json::json!({ "schema": schema }).to_string();
    probe::http("POST", &url, &body).expect("an answer")
}

fn subjects(registry: &Registry) -> String {
    let url = format!("{}/subjects", registry.url());
    let (status, body) = probe::http("GET", &url, "").expect("an answer");
    assert_eq!(status, 200, "{body}");
    body
}

#[test]
fn the_shared_registry_takes_schemas_and_keeps_their_ids() {
    let Some(registry) = Registry::shared("the_shared_registry_takes_schemas") else {
        return;
    };
    let subject = unique("orders-value");
    let (status, first) = register(registry, &subject, "\"string\"");
    assert_eq!(status, 200, "{first}");
    assert_eq!(register(registry, &subject, "\"string\""), (200, first));
    assert!(subjects(registry).contains(&subject));
}

#[test]
fn a_killed_registry_comes_back_with_its_schemas() {
    let Some(mut registry) = Registry::start("a_killed_registry_comes_back") else {
        return;
    };
    let subject = unique("orders-value");
    let registered = register(&registry, &subject, "\"long\"");
    registry.kill();
    probe::registry(registry.url()).expect_err("it was killed");
    registry.restart();
    assert!(subjects(&registry).contains(&subject));
    assert_eq!(register(&registry, &subject, "\"long\""), registered);
    registry.stop();
    probe::registry(registry.url()).expect_err("it was stopped");
}
