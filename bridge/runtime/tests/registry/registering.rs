use futures_util::future::join_all;
use serde_json::json;
use talon_runtime::bus::BusFault;
use talon_runtime::registry::Standing;

use crate::server::Server;
use crate::{client, documented, message};

const MICROS: &str = "timestamp-micros";

fn at(unit: &str) -> talon_schemas::Message {
    message(&[json!({"name": "at", "type": {"type": "long", "logicalType": unit}})])
}

fn misconfigured(fault: BusFault) -> String {
    assert!(matches!(fault, BusFault::Misconfigured(_)), "{fault}");
    fault.to_string()
}

#[tokio::test]
async fn a_known_schema_costs_one_request_and_none_where_the_process_knows_it() {
    let server = Server::start().await;
    let schema = documented("");
    let id = server.has("t.a.call-value", schema.text());
    let registry = client(&server.url(), &[]);
    for _ in 0..3 {
        assert_eq!(registry.register("t.a.call", &schema).await.ok(), u32::try_from(id).ok());
    }
    assert_eq!(server.asked(), ["POST /subjects/t.a.call-value"]);
    // A restart.
    client(&server.url(), &[]).register("t.a.call", &schema).await.unwrap();
    assert_eq!(server.asked(), ["POST /subjects/t.a.call-value"]);
}

#[tokio::test]
async fn a_new_schema_costs_two_requests_and_another_text_is_asked_for_again() {
    let server = Server::start().await;
    let registry = client(&server.url(), &[]);
    registry.register("t.a.call", &documented("")).await.unwrap();
    let (subject, versions) = ("/subjects/t.a.call-value", "/subjects/t.a.call-value/versions");
    assert_eq!(server.asked(), [format!("POST {subject}"), format!("POST {versions}")]);
    registry.register("t.a.call", &documented("another")).await.unwrap();
    assert_eq!(server.state().subjects["t.a.call-value"].len(), 2);
}

#[tokio::test]
async fn many_connectors_register_one_at_a_time_and_each_schema_once() {
    let server = Server::start().await;
    // Now and then it answers 409, as Apicurio does, and takes nothing.
    server.state().conflicts = 5;
    let registry = client(&server.url(), &[]);
    let schema = &documented("");
    let (registry, topics) = (&registry, (0..60).map(|n| format!("t.{}.call", n % 30)));
    let all = join_all(topics.map(async |topic| registry.register(&topic, schema).await)).await;
    assert!(all.iter().all(Result::is_ok), "{all:?}");
    let (most, subjects) = {
        let state = server.state();
        (state.most_under_way, state.subjects.len())
    };
    assert_eq!((most, subjects), (1, 30));
    let registrations = server.asked().iter().filter(|one| one.ends_with("/versions")).count();
    assert_eq!(registrations, 30 + 5);
}

#[tokio::test]
async fn a_schema_that_is_refused_holds_up_no_other() {
    let server = Server::start().await;
    server.state().refused_until = Some(("t.first.call-value", "t.second.call-value"));
    let (registry, schema) = (&client(&server.url(), &[]), &documented(""));
    let first = registry.register("t.first.call", schema);
    let (first, second) = tokio::join!(first, registry.register("t.second.call", schema));
    assert!(first.is_ok() && second.is_ok(), "{first:?} {second:?}");
}

#[tokio::test]
async fn an_incompatible_schema_is_refused_where_the_registry_has_no_rule() {
    let server = Server::start().await;
    server.has("t.a.call-value", at("timestamp-millis").text());
    let registry = client(&server.url(), &[]);
    let text = misconfigured(registry.register("t.a.call", &at(MICROS)).await.unwrap_err());
    for part in [
        "version 1 of subject `t.a.call-value`",
        "field `at`",
        "`timestamp-millis`",
        "delete the subject",
        "`schema.registry.compatibility: NONE`",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!(server.state().subjects["t.a.call-value"].len(), 1, "nothing was registered");
    assert_eq!(misconfigured(registry.check("t.a.call", &at(MICROS)).await.unwrap_err()), text);

    let registry = client(&server.url(), &[("compatibility", "NONE")]);
    registry.register("t.a.call", &at(MICROS)).await.unwrap();
}

#[tokio::test]
async fn every_version_counts_unless_the_level_is_not_transitive() {
    let server = Server::start().await;
    let (first, second) = (message(&[json!({"name": "a", "type": "string"})]), message(&[]));
    server.has("t.a.call-value", first.text());
    server.has("t.a.call-value", second.text());
    let new = message(&[json!({"name": "a", "type": ["null", "long"], "default": null})]);
    let of = async |level| {
        let registry = client(&server.url(), &[("compatibility", level)]);
        registry.check("t.a.call", &new).await
    };
    for level in ["FULL_TRANSITIVE", "BACKWARD_TRANSITIVE", "FORWARD_TRANSITIVE"] {
        let text = misconfigured(of(level).await.unwrap_err());
        assert!(text.contains("version 1 of") && text.contains("field `a`"), "{level}: {text}");
    }
    for level in ["FULL", "BACKWARD", "FORWARD", "NONE"] {
        assert_eq!(of(level).await.unwrap(), Standing::Compatible { alike: None }, "{level}");
    }
}

#[tokio::test]
async fn a_renamed_envelope_is_refused_with_the_remedy() {
    let server = Server::start().await;
    let old = r#"{"type":"record","name":"CallChange","namespace":"talon.contractor","fields":[]}"#;
    server.has("t.a.call-value", old);
    let fault = client(&server.url(), &[]).register("t.a.call", &message(&[])).await.unwrap_err();
    let text = misconfigured(fault);
    assert!(text.contains("`talon.contractor.CallChange`"), "{text}");
    assert!(text.contains("delete the subject"), "{text}");
}

#[tokio::test]
async fn a_read_only_registry_works_when_the_schema_is_there() {
    let server = Server::start().await;
    let schema = documented("");
    // Somebody else registered it, spelled in another way, so that the registry does not find it.
    let spelled =
        format!("{:#}", serde_json::from_str::<serde_json::Value>(schema.text()).unwrap());
    assert_ne!(spelled, schema.text());
    server.has("t.there.call-value", &spelled);
    // And one with other docs: values are the same.
    server.has("t.alike.call-value", documented("of the version before").text());
    for (status, body) in
        [(403, json!("")), (422, json!({"error_code": 42205, "message": "read only"}))]
    {
        server.state().refused = Some((status, body));
        let registry = client(&server.url(), &[]);
        registry.register("t.there.call", &schema).await.unwrap();
        registry.register("t.alike.call", &schema).await.unwrap();
        let text = misconfigured(registry.register("t.none.call", &schema).await.unwrap_err());
        assert!(text.contains("`talon schemas --register`"), "{text}");
    }
}

#[tokio::test]
async fn without_auto_register_nothing_is_registered() {
    let server = Server::start().await;
    let registry = client(&server.url(), &[("auto.register.schemas", "false")]);
    let text = misconfigured(registry.register("t.a.call", &documented("")).await.unwrap_err());
    assert!(text.contains("`t.a.call-value` is not in the registry"), "{text}");
    let id = server.has("t.a.call-value", documented("of the version before").text());
    let found = registry.register("t.a.call", &documented("")).await.unwrap();
    assert_eq!(usize::try_from(found).ok(), Some(id));
    assert!(!server.asked().iter().any(|one| one == "POST /subjects/t.a.call-value/versions"));
}

#[tokio::test]
async fn the_latest_version_is_used_where_it_writes_the_same() {
    let server = Server::start().await;
    server.has("t.a.call-value", documented("").text());
    let newest = server.has("t.a.call-value", documented("with more docs").text());
    let registry = client(&server.url(), &[("use.latest.version", "true")]);
    let found = registry.register("t.a.call", &documented("")).await.unwrap();
    assert_eq!(usize::try_from(found).ok(), Some(newest));
    server.has("t.b.call-value", message(&[]).text());
    let text = misconfigured(registry.register("t.b.call", &documented("")).await.unwrap_err());
    assert!(text.contains("version 1 of subject `t.b.call-value`"), "{text}");
}

#[tokio::test]
async fn a_registry_that_refuses_by_a_rule_of_its_own_is_quoted() {
    let server = Server::start().await;
    server.state().conflicts = usize::MAX;
    let registry = client(&server.url(), &[]);
    let text = misconfigured(registry.register("t.a.call", &documented("")).await.unwrap_err());
    assert!(text.contains("(409): it exists"), "{text}");
}

#[tokio::test]
async fn the_next_address_is_asked_where_one_does_not_answer() {
    let (one, two) = (Server::start().await, Server::start().await);
    let closed = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    let registry = client(&format!("{closed}, {},{}", one.url(), two.url()), &[]);
    registry.register("t.a.call", &documented("")).await.unwrap();
    assert_eq!((one.state().subjects.len(), two.state().subjects.len()), (1, 0));
    // Behind its proxy nobody is there any more.
    one.state().all = Some((503, ""));
    registry.register("t.b.call", &documented("")).await.unwrap();
    assert_eq!(two.state().subjects.len(), 1);
    let nobody = client(&format!("{closed},{closed}/other"), &[]);
    let fault = nobody.register("t.a.call", &documented("")).await.unwrap_err();
    assert!(matches!(fault, BusFault::Unavailable(_)), "{fault}");
    let text = fault.to_string();
    assert!(text.contains(&format!("`{closed}`")) && text.contains("/other`"), "{text}");
}
