//! A password that is exchanged while the program runs, on a bus that then refuses the old one.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use talon_brokers::{Kafka, Nats, unique};

use crate::support::{Talon, configuration, until, upstream};

/// As Kubernetes exchanges the files of a secret.
fn mount(folder: &Path, version: &str, password: &str) {
    fs::create_dir(folder.join(version)).unwrap();
    fs::write(folder.join(version).join("password"), password).unwrap();
    symlink(version, folder.join("..next")).unwrap();
    fs::rename(folder.join("..next"), folder.join("..data")).unwrap();
}

/// Publishes, is refused, says so in this state and with this word, and goes on when the file has the new
/// one.
async fn goes_on(
    address: &str,
    settings: &[(&str, &str)],
    password: &str,
    (state, word): (&str, &str),
    refuse: impl FnOnce(),
) {
    let folder = tempfile::tempdir().unwrap();
    mount(folder.path(), "..1", "one\n");
    let upstream = upstream(50, 31).await;
    let mut texts: BTreeMap<String, String> =
        configuration(&unique("rotated"), address, &upstream.url());
    let settings = settings.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned()));
    texts.extend(settings);
    let file = folder.path().join("..data/password");
    texts.insert(password.to_owned(), format!("${{file:{}}}", file.display()));
    let mut talon = Talon::run(&texts);
    talon.ready().await;
    talon.becomes("field/call", "up").await;

    refuse();
    upstream.edit(10);
    let mut refused = String::new();
    until("it is said that the password is refused", async || {
        let (_, health) = talon.health().await;
        let components = health["components"].as_object().unwrap();
        let found = components.iter().find(|(_, component)| {
            component["state"] == state && component["message"].as_str().unwrap().contains(word)
        });
        refused = found.map(|(name, _)| name.clone()).unwrap_or_default();
        found.is_some()
    })
    .await;
    assert!(talon.lines(&[word]) > 0, "{}", talon.log());
    let up = format!(r#"talon_component_up{{component="{refused}"}}"#);
    assert_eq!(talon.metric(&up).await, 0.0);

    mount(folder.path(), "..2", "two\n");
    for component in ["bus", "field", "field/call", "field/commands"] {
        talon.becomes(component, "up").await;
    }
    let reads = r#"talon_observations_total{connector="field",feed="call",result="ok"}"#;
    let before = talon.metric(reads).await;
    until("it goes on", async || talon.metric(reads).await > before + 2.0).await;
    assert_eq!(talon.lines(&["started version"]), 1);
    assert_eq!(talon.terminate().await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_of_kafka_that_is_exchanged_needs_no_restart() {
    let settings = "super.users=User:ANONYMOUS;User:talon\n\
         sasl.enabled.mechanisms=PLAIN\n\
         listener.name.door0.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_talon=\"one\";\n";
    let Some((mut kafka, door)) = Kafka::start_secured("rotated", settings) else { return };
    let settings = [
        ("bus.kafka.security.protocol", "SASL_PLAINTEXT"),
        ("bus.kafka.sasl.mechanism", "PLAIN"),
        ("bus.kafka.sasl.username", "talon"),
        ("bus.kafka.session.timeout.ms", "6000"),
        ("bus.kafka.heartbeat.interval.ms", "500"),
    ];
    let refuse = || kafka.restart_with("user_talon=\"one\"", "user_talon=\"two\"");
    let said = ("misconfigured", "refuses the credentials");
    goes_on(&door, &settings, "bus.kafka.sasl.password", said, refuse).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_of_nats_that_is_exchanged_needs_no_restart() {
    let users =
        |password| format!("authorization {{ users: [{{ user: talon, password: {password} }}] }}");
    let Some(mut nats) = Nats::start_with("rotated", &users("one")) else { return };
    let url = nats.url().to_owned();
    let refuse = || nats.restart_with(&users("two"));
    let said = ("misconfigured", "refuses the credentials");
    goes_on(&url, &[("bus.nats.user", "talon")], "bus.nats.password", said, refuse).await;
}
