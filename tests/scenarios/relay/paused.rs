//! Relays that are paused, stopped and started anew over REST, by any replica. NATS is the only bus.

use std::time::Duration;

use async_nats::connect;
use async_nats::jetstream::stream::Config;
use async_nats::jetstream::{self, Context};
use serde_json::Value;
use talon_brokers::unique;
use tokio::time::sleep;

use super::nats::read;
use super::support::{On, Talon, process, until};

const TASKS: usize = 2;

struct World {
    jetstream: Context,
    prefix: String,
    published: usize,
}

impl World {
    async fn publish(&mut self, messages: usize) {
        for _ in 0..messages {
            let subject = format!("{}.from.k", self.prefix);
            let sent = self.jetstream.publish(subject, self.published.to_string().into());
            sent.await.unwrap().await.unwrap();
            self.published += 1;
        }
    }

    async fn carried(&self) -> usize {
        let to = format!("{}-TO", self.prefix);
        read(&self.jetstream, &to, &format!("{}.to", self.prefix)).await.len()
    }

    async fn all_are_carried(&self) {
        until("all are carried", async || self.carried().await == self.published).await;
    }
}

async fn ask(talon: &mut Talon, method: &str, what: &str, code: u16) -> Value {
    let (status, body) = talon.rest(method, &format!("/talon/relays/copy/{what}"), None).await;
    assert_eq!(status, code, "{method} {what}: {body}");
    body
}

/// Every replica says the same of all tasks.
async fn become_states(talons: &mut [Talon], expected: &str) {
    for talon in talons {
        until(&format!("all tasks are {expected}"), async || {
            let status = ask(talon, "GET", "status", 200).await;
            let tasks = status["tasks"].as_array().unwrap();
            assert_eq!(tasks.len(), TASKS);
            tasks.iter().all(|task| task["state"] == expected)
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_relay_tells_its_lag_and_stays_so_over_restarts_until_it_is_resumed() {
    let Some(url) = On::Nats.shared("relay_paused") else { return };
    let prefix = unique("relay");
    let jetstream = jetstream::new(connect(url).await.unwrap());
    let from = format!("{prefix}-FROM");
    let subjects = vec![format!("{prefix}.from.>")];
    let config = Config { name: from.clone(), subjects, ..Config::default() };
    jetstream.create_stream(config).await.unwrap();
    let mut texts = process(&prefix, url);
    for (key, text) in [
        ("from.stream", &*from),
        ("to.stream", &format!("{prefix}-TO")),
        ("to.subject", &format!("{prefix}.to.{{subject:3..}}")),
        ("tasks", &TASKS.to_string()),
    ] {
        texts.insert(format!("relays.copy.{key}"), text.to_owned());
    }
    let mut world = World { jetstream, prefix, published: 0 };
    world.publish(10).await;
    let mut talons = [Talon::run(&texts), Talon::run(&texts)];
    for talon in &mut talons {
        talon.ready().await;
    }
    become_states(&mut talons, "RUNNING").await;
    world.all_are_carried().await;
    let (_, names) = talons[1].rest("GET", "/talon/relays", None).await;
    assert_eq!(names, serde_json::json!(["copy"]));
    let (code, _) = talons[1].rest("PUT", "/talon/relays/other/pause", None).await;
    assert_eq!(code, 404);

    ask(&mut talons[1], "PUT", "pause", 202).await;
    become_states(&mut talons, "PAUSED").await;
    world.publish(10).await;
    // All processes are new, and it is as it was wanted.
    for talon in &mut talons {
        assert!(talon.terminate().await.success(), "{}", talon.log());
    }
    talons = [Talon::run(&texts), Talon::run(&texts)];
    become_states(&mut talons, "PAUSED").await;
    let lag = format!(r#"talon_relay_lag_records{{part="{from}/0",relay="copy"}}"#);
    until("its lag is told", async || {
        let mut lags = Vec::new();
        for talon in &mut talons {
            let (_, text) = talon.get("/metrics").await;
            lags.extend(super::metric(&text, &lag));
        }
        lags == [10.0]
    })
    .await;
    let freshness = async |talons: &mut [Talon]| {
        let mut oldest = 0.0_f64;
        for talon in talons {
            let (_, text) = talon.get("/metrics").await;
            for task in 0..TASKS {
                let sample =
                    format!(r#"talon_relay_freshness_seconds{{relay="copy",task="{task}"}}"#);
                oldest = oldest.max(super::metric(&text, &sample).unwrap_or(0.0));
            }
        }
        oldest
    };
    let before = freshness(&mut talons).await;
    until("its freshness grows", async || freshness(&mut talons).await > before + 1.0).await;
    assert_eq!(world.carried().await, 10);
    talons[0].ready().await;

    ask(&mut talons[0], "PUT", "resume", 202).await;
    world.all_are_carried().await;
    become_states(&mut talons, "RUNNING").await;
    ask(&mut talons[0], "PUT", "stop", 204).await;
    become_states(&mut talons, "STOPPED").await;
    // That is what is wanted; the tasks end a moment later.
    for talon in &mut talons {
        until("nothing of it is there", async || {
            let (_, health) = talon.health().await;
            !health.to_string().contains("relay/copy")
        })
        .await;
    }
    world.publish(10).await;
    sleep(Duration::from_secs(1)).await;
    assert_eq!(world.carried().await, 20);
    ask(&mut talons[1], "PUT", "resume", 202).await;
    world.all_are_carried().await;
    ask(&mut talons[1], "POST", "restart", 204).await;
    world.publish(10).await;
    world.all_are_carried().await;
    become_states(&mut talons, "RUNNING").await;
    for talon in &mut talons {
        assert!(talon.terminate().await.success(), "{}", talon.log());
    }
}
