//! Connectors that are made and changed at run time, over the REST of Kafka Connect, as its clients would. Against a
//! real Kafka and a real NATS.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeMap;
use std::time::Instant;

use serde_json::{Value, json};
use support::consumer::read;
use support::truth::settled;
use support::{On, TOKEN, Talon, configuration, live, until, upstream};
use talon_brokers::unique;

/// A process without connectors, one of several, and what it may read secrets of.
fn process(prefix: &str, address: &str, secrets: &tempfile::TempDir) -> BTreeMap<String, String> {
    let mut texts = support::process(prefix, address);
    if texts.remove("bus.kafka.group.instance.id").is_some() {
        texts.insert("bus.kafka.session.timeout.ms".to_owned(), "3000".to_owned());
        texts.insert("bus.kafka.heartbeat.interval.ms".to_owned(), "300".to_owned());
    } else {
        texts.insert("bus.nats.lease.ttl.ms".to_owned(), "2000".to_owned());
    }
    let directory = secrets.path().to_str().unwrap().to_owned();
    texts.insert("config.file.directories".to_owned(), directory);
    texts
}

/// A directory with the secret of the upstream.
fn secrets() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("token"), TOKEN).unwrap();
    directory
}

/// The configuration of the connector `field` as a client posts it.
fn config(upstream: &str, secrets: &tempfile::TempDir) -> Value {
    let texts = configuration("unused", "nats://unused", upstream);
    let settings = texts.iter().filter_map(|(key, text)| {
        let key = key.strip_prefix("connectors.field.")?;
        let key = if key == "class" { "connector.class" } else { key };
        Some((key.to_owned(), json!(text)))
    });
    let mut config: serde_json::Map<String, Value> = settings.collect();
    let token = format!("${{file:{}/token}}", secrets.path().display());
    config.insert("auth.external.token".to_owned(), json!(token));
    Value::Object(config)
}

/// The states of the connector and of its tasks, as this process tells them.
async fn states(talon: &mut Talon) -> Vec<String> {
    let (_, body) = talon.rest("GET", "/connectors/field/status", None).await;
    let text = |state: &Value| state.as_str().unwrap_or("none").to_owned();
    let mut states = vec![text(&body["connector"]["state"])];
    for task in body["tasks"].as_array().into_iter().flatten() {
        states.push(text(&task["state"]));
    }
    states
}

async fn become_states(talons: &mut [Talon], expected: &[&str]) {
    for talon in talons {
        until(&format!("the connector is {expected:?}"), async || states(talon).await == expected)
            .await;
    }
}

async fn put(talon: &mut Talon, what: &str, code: u16) {
    let path = format!("/connectors/field/{what}");
    assert_eq!(talon.rest("PUT", &path, None).await, (code, Value::Null));
}

#[tokio::test(flavor = "multi_thread")]
async fn any_replica_changes_and_answers_for_all_and_a_restart_of_everything_brings_all_back_on_kafka()
 {
    changed_at_run_time(On::Kafka).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn any_replica_changes_and_answers_for_all_and_a_restart_of_everything_brings_all_back_on_nats()
 {
    changed_at_run_time(On::Nats).await;
}

async fn changed_at_run_time(on: On) {
    let Some(address) = on.shared("rest") else { return };
    let upstream = upstream(200, 17).await;
    let (prefix, secrets) = (unique("rest"), secrets());
    let texts = process(&prefix, address, &secrets);
    live(&upstream, 50.0);
    let mut talons = [Talon::run(&texts), Talon::run(&texts)];
    for talon in &mut talons {
        until("its REST is ready", async || talon.get("/health").await.0 == 200).await;
    }

    // Made by one, told by the other.
    let posted = json!({"name": "field", "config": config(&upstream.url(), &secrets)});
    let (code, made) = talons[0].rest("POST", "/connectors", Some(posted.clone())).await;
    assert_eq!(code, 201, "{made}");
    become_states(&mut talons, &["RUNNING", "RUNNING"]).await;
    assert_eq!(talons[1].rest("GET", "/connectors/field", None).await, (200, made.clone()));
    let (code, body) = talons[1].rest("POST", "/connectors", Some(posted)).await;
    let exists = json!({"error_code": 409, "message": "Connector field already exists"});
    assert_eq!((code, body), (409, exists));

    put(&mut talons[1], "pause", 202).await;
    become_states(&mut talons, &["PAUSED", "PAUSED"]).await;
    put(&mut talons[0], "resume", 202).await;
    become_states(&mut talons, &["RUNNING", "RUNNING"]).await;
    put(&mut talons[1], "stop", 204).await;
    become_states(&mut talons, &["STOPPED"]).await;

    // Changed while it is stopped, and everything is killed.
    let mut changed = config(&upstream.url(), &secrets);
    changed["call.poll.interval.ms"] = json!("30");
    let (code, _) = talons[0].rest("PUT", "/connectors/field/config", Some(changed.clone())).await;
    assert_eq!(code, 200);
    talons.iter_mut().for_each(Talon::kill);
    talons = [Talon::run(&texts), Talon::run(&texts)];
    for talon in &mut talons {
        until("its REST is ready", async || talon.get("/health").await.0 == 200).await;
    }
    become_states(&mut talons, &["STOPPED"]).await;
    changed["name"] = json!("field");
    assert_eq!(talons[1].rest("GET", "/connectors/field/config", None).await, (200, changed));
    put(&mut talons[1], "resume", 202).await;
    become_states(&mut talons, &["RUNNING", "RUNNING"]).await;

    // Whoever runs it is killed, and the other is asked to start it anew.
    talons[0].kill();
    become_states(&mut talons[1..], &["RUNNING", "RUNNING"]).await;
    let path = "/connectors/field/restart?includeTasks=true";
    let (code, body) = talons[1].rest("POST", path, None).await;
    assert_eq!((code, &body["name"]), (202, &json!("field")));
    talons[0] = Talon::run(&texts);
    until("its REST is ready", async || talons[0].get("/health").await.0 == 200).await;
    become_states(&mut talons, &["RUNNING", "RUNNING"]).await;
    live(&upstream, 0.0);
    settled(address, &prefix, &upstream).await;

    let deleted = talons[0].rest("DELETE", "/connectors/field", None).await;
    assert_eq!(deleted, (204, Value::Null));
    for talon in &mut talons {
        until("it is gone", async || {
            talon.rest("GET", "/connectors", None).await == (200, json!([]))
                && talon.state("field").await == "none"
        })
        .await;
        let (_, metrics) = talon.get("/metrics").await;
        assert!(!metrics.contains("connector=\"field\""), "{metrics}");
        assert!(!talon.log().contains(TOKEN));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_made_is_failed_with_a_trace_until_it_can_and_the_file_is_read_only_on_nats()
{
    let on = On::Nats;
    let Some(address) = on.shared("made") else { return };
    let upstream = upstream(50, 19).await;
    let (prefix, secrets) = (unique("made"), secrets());
    let mut texts = process(&prefix, address, &secrets);
    for (key, text) in configuration(&prefix, address, &upstream.url()) {
        if let Some(setting) = key.strip_prefix("connectors.field.") {
            texts.insert(format!("connectors.of-file.{setting}"), text);
        }
    }
    let mut talon = Talon::run(&texts);
    talon.becomes("of-file", "up").await;
    let posted = json!({"name": "field", "config": config(&upstream.url(), &secrets)});
    std::fs::rename(secrets.path().join("token"), secrets.path().join("later")).unwrap();
    assert_eq!(talon.rest("POST", "/connectors", Some(posted)).await.0, 201);
    until("it is failed", async || states(&mut talon).await == ["FAILED", "FAILED"]).await;
    let (_, body) = talon.rest("GET", "/connectors/field/status", None).await;
    let trace = body["tasks"][0]["trace"].as_str().unwrap_or_default();
    assert!(trace.contains("auth.external.token"), "{body}");
    assert_eq!(talon.health().await.0, 200, "the process is ready all the same");
    assert_eq!(talon.state("of-file").await, "up");
    std::fs::rename(secrets.path().join("later"), secrets.path().join("token")).unwrap();
    until("it runs", async || states(&mut talon).await == ["RUNNING", "RUNNING"]).await;
    settled(address, &prefix, &upstream).await;

    let (code, shown) = talon.rest("GET", "/connectors/of-file", None).await;
    assert_eq!((code, &shown["read_only"]), (200, &json!(true)));
    assert!(!shown.to_string().contains(TOKEN), "{shown}");
    for (method, path, body) in [
        ("DELETE", "/connectors/of-file", None),
        ("PUT", "/connectors/of-file/config", Some(config(&upstream.url(), &secrets))),
        ("PUT", "/connectors/of-file/pause", None),
        ("PUT", "/connectors/of-file/stop", None),
    ] {
        let (code, body) = talon.rest(method, path, body).await;
        assert_eq!(code, 403, "{method} {path}: {body}");
        assert!(body["message"].as_str().unwrap().contains("configuration file"), "{body}");
    }
    let recovered = talon.lines(&["recovered", "connector=\"of-file\""]);
    assert_eq!(talon.rest("POST", "/connectors/of-file/restart", None).await.0, 204);
    until("it is started anew", async || {
        talon.lines(&["recovered", "connector=\"of-file\""]) > recovered
    })
    .await;
}

/// The offset of the feed `call`, as this process tells it.
async fn offset(talon: &mut Talon) -> Value {
    let (code, body) = talon.rest("GET", "/connectors/field/offsets", None).await;
    assert_eq!(code, 200, "{body}");
    let all = body["offsets"].as_array().unwrap();
    let of_call = all.iter().find(|one| one["partition"] == json!({"feed": "call"}));
    of_call.map_or(Value::Null, |one| one["offset"]["cursor"].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_mark_or_a_reset_over_rest_reads_again_and_publishes_nothing_known_on_kafka() {
    offsets_changed(On::Kafka).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_mark_or_a_reset_over_rest_reads_again_and_publishes_nothing_known_on_nats() {
    offsets_changed(On::Nats).await;
}

async fn offsets_changed(on: On) {
    let Some(address) = on.shared("offsets") else { return };
    let upstream = upstream(100, 23).await;
    let (prefix, secrets) = (unique("offsets"), secrets());
    let texts = process(&prefix, address, &secrets);
    let mut talons = [Talon::run(&texts), Talon::run(&texts)];
    for talon in &mut talons {
        until("its REST is ready", async || talon.get("/health").await.0 == 200).await;
    }
    let posted = json!({"name": "field", "config": config(&upstream.url(), &secrets)});
    let (code, made) = talons[0].rest("POST", "/connectors", Some(posted.clone())).await;
    assert_eq!(code, 201, "{made}");
    settled(address, &prefix, &upstream).await;
    let topics = ["call", "call_message", "call_task"].map(|feed| format!("{prefix}.field.{feed}"));
    let published = || topics.each_ref().map(|topic| read(address, topic).len());
    let before = published();
    until("its mark is kept", async || offset(&mut talons[0]).await.is_string()).await;
    let mark = offset(&mut talons[1]).await;

    // Only while it is stopped, and nothing that is wrong.
    let path = "/connectors/field/offsets";
    let of = |feed: &str, offset: Value| json!({"offsets": [{"partition": {"feed": feed}, "offset": offset}]});
    let first = || Some(of("call", json!({"cursor": "1"})));
    let altered =
        json!({"message": "The offsets for this connector have been altered successfully"});
    let (code, body) = talons[0].rest("PATCH", path, first()).await;
    assert_eq!((code, &body["error_code"]), (400, &json!(400)));
    put(&mut talons[0], "stop", 204).await;
    for (wrong, part) in [
        (of("nothing", Value::Null), "reads no feed"),
        (of("call", json!({"cursor": "soon"})), "cannot go on from there"),
        (of("call_message", Value::Null), "force=true"),
    ] {
        let (code, body) = talons[1].rest("PATCH", path, Some(wrong)).await;
        let message = body["message"].as_str().unwrap_or_default();
        assert!(code == 400 && message.contains(part), "{code} {body}");
    }
    assert_eq!(offset(&mut talons[0]).await, mark);

    // A changed mark, by the one that did not run it or the one that did.
    assert_eq!(talons[1].rest("PATCH", path, first()).await, (200, altered.clone()));
    assert_eq!(offset(&mut talons[0]).await, json!("1"));
    put(&mut talons[0], "resume", 202).await;
    until("it has read again", async || offset(&mut talons[0]).await == mark).await;
    assert_eq!(published(), before);

    // A reset; logs only where that is said.
    put(&mut talons[1], "stop", 204).await;
    let (code, body) = talons[0].rest("DELETE", path, None).await;
    assert!(code == 400 && body.to_string().contains("is a log"), "{code} {body}");
    assert_eq!(offset(&mut talons[0]).await, mark);
    let reset = json!({"message": "The offsets for this connector have been reset successfully"});
    let forced = "/connectors/field/offsets?force=true";
    assert_eq!(talons[0].rest("DELETE", forced, None).await, (200, reset.clone()));
    let (_, none) = talons[1].rest("GET", path, None).await;
    assert_eq!(none, json!({"offsets": []}));
    assert_eq!(talons[1].rest("DELETE", forced, None).await, (200, reset), "twice is as once");
    put(&mut talons[1], "resume", 202).await;
    until("it has read again", async || offset(&mut talons[0]).await == mark).await;
    assert_eq!(published(), before);

    // Created with a first offset, stopped, and then running.
    let deleted = talons[0].rest("DELETE", "/connectors/field", None).await;
    assert_eq!(deleted, (204, Value::Null));
    let mut from = posted;
    from["initial_state"] = json!("STOPPED");
    from["initial_offsets"] = of("call", json!({"cursor": "2"}))["offsets"].clone();
    let (code, made) = talons[1].rest("POST", "/connectors", Some(from)).await;
    assert_eq!((code, &made["offsets_status"]), (201, &altered["message"]), "{made}");
    become_states(&mut talons, &["STOPPED"]).await;
    assert_eq!(offset(&mut talons[0]).await, json!("2"));
    upstream.edit(3);
    put(&mut talons[0], "resume", 202).await;
    settled(address, &prefix, &upstream).await;
    let is_new = |offset: &Value| offset.is_string() && *offset != json!("2");
    until("it has read on", async || is_new(&offset(&mut talons[0]).await)).await;
    let after = published();
    // An edit is of a call, or adds something to one.
    let more: usize = after.iter().sum::<usize>() - before.iter().sum::<usize>();
    assert!((1..=6).contains(&more), "{before:?} and {after:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_connectors_that_are_paused_take_no_thread_and_one_request_tells_all_their_states_on_kafka()
 {
    many_are_paused(On::Kafka).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_connectors_that_are_paused_take_no_thread_and_one_request_tells_all_their_states_on_nats()
 {
    many_are_paused(On::Nats).await;
}

/// `TALON_TEST_CONNECTORS=1000` makes so many instead of a few, and what is printed then is in the README of
/// tests/bench.
async fn many_are_paused(on: On) {
    let Some(address) = on.shared("many") else { return };
    let count = std::env::var("TALON_TEST_CONNECTORS").map_or(25, |count| count.parse().unwrap());
    let upstream = upstream(20, 31).await;
    let (prefix, secrets) = (unique("many"), secrets());
    let mut texts = process(&prefix, address, &secrets);
    if count > 100 {
        // Each connector has a lease, which is renewed three times in this time.
        texts.remove("bus.nats.lease.ttl.ms");
    }
    let mut talons = [Talon::run(&texts), Talon::run(&texts), Talon::run(&texts)];
    for talon in &mut talons {
        until("its REST is ready", async || talon.get("/health").await.0 == 200).await;
    }
    let since = Instant::now();
    for number in 0..count {
        let mut config = config(&upstream.url(), &secrets);
        config["topic.creation.default.partitions"] = json!("1");
        let posted = json!({
            "name": format!("field-{number}"),
            "config": config,
            "initial_state": if number < 2 { "RUNNING" } else { "PAUSED" },
        });
        let (code, body) = talons[number % 3].rest("POST", "/connectors", Some(posted)).await;
        assert_eq!(code, 201, "{body}");
    }
    println!("{on:?}: {count} connectors were made in {:.1?}", since.elapsed());
    let is_told = |body: &Value, state: &str| {
        let all = body.as_object().into_iter().flatten();
        let is_it = |told: &Value| told["status"]["connector"]["state"] == *state;
        all.filter(|(_, told)| is_it(told)).count()
    };
    for talon in &mut talons {
        until("the states of all are told", async || {
            let (code, body) = talon.rest("GET", "/connectors?expand=status", None).await;
            code == 200
                && is_told(&body, "RUNNING") == 2.min(count)
                && is_told(&body, "PAUSED") == count.saturating_sub(2)
        })
        .await;
        let mut took = Vec::new();
        for _ in 0..20 {
            let since = Instant::now();
            talon.get("/connectors?expand=status").await;
            took.push(since.elapsed());
        }
        took.sort();
        let threads = std::fs::read_dir(format!("/proc/{}/task", talon.id())).unwrap().count();
        println!(
            "{on:?}: the states of {count} connectors took {:.1?} (median; the slowest {:.1?}), {threads} threads, {} MB",
            took[10],
            took[19],
            talon.resident() / 1_000_000
        );
        // Those that run, and what a process has without any.
        assert!(threads < 150, "{threads} threads with {count} connectors");
    }
}
