//! Dead letters through the whole program: listed, redriven and discarded, by two processes at once. Against a real
//! Kafka and a real NATS.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeMap;
use std::process::Output;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use serde_json::{Value, json};
use support::consumer::{histories, read};
use support::{On, Talon, configuration, program, until, upstream, write};
use talon_brokers::unique;
use talon_contractor::contracts;
use talon_simulators::contractor::Kind;

/// Puts a letter to the dead letters, as an earlier version has.
async fn put_aside(address: &str, topic: &str, value: &Value, headers: &[(&str, &str)]) {
    let always = [
        ("__connect.errors.connector.name", "field"),
        ("__connect.errors.exception.message", "an earlier version could not read it"),
        ("__talon.errors.scope", ""),
    ];
    let headers = always.iter().chain(headers);
    let value = value.to_string();
    if address.starts_with("nats://") {
        let mut map = async_nats::HeaderMap::new();
        headers.for_each(|(name, text)| map.insert(*name, *text));
        let jetstream = support::nats::jetstream(address).await;
        let sent = jetstream.publish_with_headers(topic.to_owned(), map, value.into()).await;
        sent.unwrap().await.unwrap();
        return;
    }
    let producer: BaseProducer =
        ClientConfig::new().set("bootstrap.servers", address).create().unwrap();
    let mut all = OwnedHeaders::new();
    for (key, text) in headers {
        all = all.insert(Header { key, value: Some(*text) });
    }
    let record = BaseRecord::to(topic).key("").payload(&value).headers(all);
    producer.send(record).map_err(|(error, _)| error).unwrap();
    producer.flush(Duration::from_secs(30)).unwrap();
}

/// `talon dlq`, which goes on meanwhile.
fn dlq(texts: &BTreeMap<String, String>, verb: &str, more: &[&str]) -> impl FnOnce() -> Output {
    let file = write(texts);
    let mut command = program();
    command.args(["dlq", verb, "--config"]).arg(file.path()).arg("field").args(more);
    let child = command
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    move || {
        let output = child.wait_with_output().unwrap();
        drop(file);
        output
    }
}

/// Its exit code, and the JSON that it printed.
fn told(output: Output) -> (i32, Value) {
    let text = String::from_utf8(output.stdout).unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    let json = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}{said}"));
    (output.status.code().unwrap(), json)
}

fn asked(texts: &BTreeMap<String, String>, verb: &str, more: &[&str]) -> (i32, Value) {
    let mut more: Vec<&str> = more.iter().copied().chain(["--json"]).collect();
    // A loaded machine is no reason to give up.
    if matches!(verb, "redrive" | "discard") && !more.contains(&"--timeout") {
        more.extend(["--timeout", "150"]);
    }
    told(tokio::task::block_in_place(dlq(texts, verb, &more)))
}

/// Those that wait.
fn waiting(texts: &BTreeMap<String, String>) -> Vec<Value> {
    let (code, listed) = asked(texts, "list", &[]);
    assert_eq!(code, 0);
    listed["dead_letters"].as_array().unwrap().clone()
}

/// What became of each, by its place.
fn verdicts(report: &Value) -> Vec<String> {
    let letters = report["letters"].as_array().unwrap().iter();
    letters.map(|letter| letter["verdict"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_are_redriven_once_by_whoever_asks_and_settled_for_good_on_kafka() {
    dead_letters_are_redriven_once(On::Kafka).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_are_redriven_once_by_whoever_asks_and_settled_for_good_on_nats() {
    dead_letters_are_redriven_once(On::Nats).await;
}

async fn dead_letters_are_redriven_once(on: On) {
    let Some(address) = on.shared("dead_letters") else { return };
    let upstream = upstream(20, 61).await;
    let prefix = unique("dlq");
    let mut texts = configuration(&prefix, address, &upstream.url());
    if texts.remove("bus.kafka.group.instance.id").is_some() {
        texts.insert("bus.kafka.session.timeout.ms".to_owned(), "3000".to_owned());
        texts.insert("bus.kafka.heartbeat.interval.ms".to_owned(), "300".to_owned());
    }
    let mut talons = [Talon::run(&texts), Talon::run(&texts)];
    let calls = || histories(address, &format!("{prefix}.field.call"), &contracts::CALL);
    until("all calls are there", async || calls().len() == 20).await;

    // A call that was never published, one that is published in another state, what is no call, and a command.
    let known = upstream.history().current(Kind::Calls);
    let (id, call) = known.iter().next().unwrap();
    let call: Value = serde_json::from_str(call).unwrap();
    let (mut new, mut old) = (call.clone(), call.clone());
    new["id"] = json!(987_654_321);
    old["critical"] = json!(!call["critical"].as_bool().unwrap_or(false));
    let topic = format!("{prefix}.field.dlq");
    let of_call = [("__connect.errors.stage", "decode"), ("__talon.errors.feed", "call")];
    put_aside(address, &topic, &new, &of_call).await;
    let since = [of_call[0], of_call[1], ("__talon.errors.entity", "absent")];
    put_aside(address, &topic, &old, &since).await;
    put_aside(address, &topic, &json!({"name": "canary-person"}), &of_call).await;
    let before = calls();

    let listed = waiting(&texts);
    assert_eq!(listed.len(), 3, "{listed:?}");
    assert_eq!(listed[0]["reason"], "an earlier version could not read it");
    let (_, shown) = asked(&texts, "show", &[]);
    assert!(!shown.to_string().contains("canary"), "{shown}");
    assert!(asked(&texts, "show", &["--reveal"]).1.to_string().contains("canary"));

    let reason = ["--reason", "earlier version", "--dry-run"];
    let (_, dry) = asked(&texts, "redrive", &reason);
    assert_eq!(verdicts(&dry), ["redriven", "changed", "again"], "{dry}");
    assert_eq!((calls(), waiting(&texts).len()), (before.clone(), 3), "nothing was changed");

    // Two people at once.
    let more = ["--reason", "earlier version", "--yes", "--json"];
    let both = [dlq(&texts, "redrive", &more), dlq(&texts, "redrive", &more)];
    let both = tokio::task::block_in_place(|| both.map(|asked| told(asked())));
    let all: Vec<String> = both.iter().flat_map(|(_, report)| verdicts(report)).collect();
    for verdict in ["redriven", "changed"] {
        assert_eq!(all.iter().filter(|word| *word == verdict).count(), 1, "{both:?}");
    }
    let after = calls();
    assert_eq!(after[&987_654_321].len(), 1);
    assert_eq!(after[&987_654_321][0]["op"], "c");
    assert_eq!(after[id], before[id], "an older state is not applied over a newer one");

    // What could not be read stands anew, and counts, until it is refused.
    let left = waiting(&texts);
    assert_eq!((left.len(), left[0]["redriven"].as_u64().unwrap() >= 1), (1, true), "{left:?}");
    until("it is refused", async || {
        let (code, report) = asked(&texts, "redrive", &["--every", "--yes"]);
        assert_eq!(code, 1, "{report}");
        let refused = verdicts(&report) == ["refused"];
        assert!(!refused || report.to_string().contains("--once-more"), "{report}");
        refused
    })
    .await;
    let left = waiting(&texts);
    assert_eq!((left.len(), &left[0]["redriven"]), (1, &json!(3)));

    // Over REST, by whichever process; and killed, nothing comes back.
    let path = "/talon/connectors/field/dead-letters";
    let (code, listed) = talons[1].rest("GET", path, None).await;
    assert_eq!((code, listed["dead_letters"].as_array().unwrap().len()), (200, 1), "{listed}");
    let at = &left[0]["at"];
    let (code, one) = talons[0].rest("GET", &format!("{path}/{at}"), None).await;
    assert_eq!(code, 200);
    assert!(one["headers"].is_object() && !one.to_string().contains("canary"), "{one}");
    let (code, said) = talons[1].rest("POST", &format!("{path}/discard"), Some(json!({}))).await;
    assert_eq!(code, 400, "{said}");
    let body = Some(json!({"at": at}));
    let (code, report) = talons[1].rest("POST", &format!("{path}/discard"), body).await;
    assert_eq!((code, verdicts(&report)), (200, vec!["discarded".to_owned()]), "{report}");
    assert_eq!(waiting(&texts).len(), 0);
    talons[0].kill();
    let at = at.to_string();
    let (code, report) = asked(&texts, "redrive", &[&at, "--yes", "--timeout", "150"]);
    assert_eq!((code, verdicts(&report)), (0, vec!["already".to_owned()]), "{report}");
    assert_eq!((waiting(&texts).len(), calls()[&987_654_321].len()), (0, 1));
    let (_, all) = asked(&texts, "list", &["--all"]);
    let all = all["dead_letters"].as_array().unwrap();
    assert_eq!(all.len(), read(address, &topic).len());
    assert!(all.iter().all(|letter| letter["settled"].is_string()), "{all:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_are_put_back_with_their_id_and_nobody_is_asked_in_vain() {
    for on in [On::Kafka, On::Nats] {
        let Some(address) = on.shared("dead_commands") else { continue };
        let upstream = upstream(5, 62).await;
        let prefix = unique("dlq");
        let texts = configuration(&prefix, address, &upstream.url());
        let mut talon = Talon::run(&texts);
        // Ready is also whoever stands by.
        talon.becomes("field", "up").await;
        talon.becomes("field/commands", "up").await;
        let topic = format!("{prefix}.field.dlq");
        let call = *upstream.history().current(Kind::Calls).keys().next().unwrap();
        let message = |id: &str| json!({"id": id, "type": "SendMessage", "params": {"call_id": call, "message": "so"}});
        let stage = ("__connect.errors.stage", "command");
        put_aside(address, &topic, &message("late"), &[stage]).await;
        let told_id = ("__talon.errors.command_id", "told");
        put_aside(address, &topic, &message("told"), &[stage, told_id]).await;
        let (_, report) = asked(&texts, "redrive", &["--every", "--yes"]);
        assert_eq!(verdicts(&report), ["redriven", "refused"], "{report}");
        let outcomes = || {
            let results = support::results::results(address, &prefix, "field").into_iter();
            results.filter_map(|result| result.outcome.map(|_| result.command_id)).collect()
        };
        until("it has its outcome", async || Vec::<String>::len(&outcomes()) == 1).await;
        assert_eq!(outcomes(), ["late"]);
        let left = waiting(&texts);
        assert_eq!(left.len(), 1);
        assert!(left[0]["what_to_do"].as_str().unwrap().contains("another id"), "{left:?}");

        // Nobody runs the connector: it is said, and nothing stays behind.
        talon.kill();
        drop(talon);
        let more = ["--every", "--yes", "--timeout", "15"];
        let output = tokio::task::block_in_place(dlq(&texts, "discard", &more));
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert_eq!(waiting(&texts).len(), 1);
        let output = tokio::task::block_in_place(dlq(&texts, "discard", &["--every"]));
        assert_eq!(output.status.code(), Some(2));
    }
}
