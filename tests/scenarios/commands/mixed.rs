//! Many commands on few keys, two processes, and everything that can go wrong at random.

use std::collections::BTreeMap;
use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use talon_brokers::unique;
use talon_simulators::contractor::{Fault, FaultKind};

use crate::cases::{Stage, bring};
use crate::support::producer::Producer;
use crate::support::{On, Talon, until};
use crate::world::{simulator_settings, world_with};
use crate::{carrying, outcomes, results};

const COMMANDS: usize = 1_000;
const KEYS: usize = 50;
const KILLS: usize = 10;

/// Settings of a member of a group without a place of its own, that is found missing soon.
fn member(prefix: &str, address: &str, upstream: &str) -> BTreeMap<String, String> {
    let mut texts = carrying(prefix, address, upstream);
    if texts.remove("bus.kafka.group.instance.id").is_some() {
        texts.insert("bus.kafka.session.timeout.ms".to_owned(), "2000".to_owned());
        texts.insert("bus.kafka.heartbeat.interval.ms".to_owned(), "300".to_owned());
    }
    texts
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_5_a_thousand_commands_with_faults_and_kills_on_kafka() {
    mixed(On::Kafka).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn invariant_5_a_thousand_commands_with_faults_and_kills_on_nats() {
    mixed(On::Nats).await;
}

async fn mixed(on: On) {
    let Some(address) = on.shared("mixed") else { return };
    let seed = std::env::var("TALON_TEST_SEED")
        .map_or_else(|_| rand::rng().random(), |s| s.parse().unwrap());
    eprintln!("TALON_TEST_SEED={seed}");
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let world = world_with(simulator_settings(), crate::world::WITH_USER).await;
    let mut calls = Vec::new();
    for _ in 0..KEYS {
        calls.push(bring(&world, Stage::Committed).await.call);
    }
    let prefix = unique("mixed");
    let texts = member(&prefix, address, &world.sim.url());
    let mut members = [Talon::run(&texts), Talon::run(&texts)];
    members[0].ready().await;

    // Each text is unique, so that the journal tells whose effect it was.
    let commands: Vec<(String, Value)> = (0..COMMANDS)
        .map(|i| {
            let call = calls[random.random_range(0..KEYS)];
            let text = format!("№ {i}");
            let (kind, params) = match random.random_range(0..3) {
                0 => ("SendMessage", json!({"call_id": call, "message": text})),
                1 => (
                    "SendDispatcherMessage",
                    json!({"call_id": call, "message": text, "written_at": "2026-01-20T10:00:00Z"}),
                ),
                _ => ("SendMessage", json!({"call_id": call, "message": text})),
            };
            (
                call.to_string(),
                json!({"id": format!("{prefix}-{i}"), "type": kind, "params": params}),
            )
        })
        .collect();
    let producer = Producer::new(address).await;
    let topic = format!("{prefix}.field.commands");
    for chunk in commands.chunks(COMMANDS / KILLS) {
        producer.send(&topic, chunk).await;
        for _ in 0..6 {
            let kind = match random.random_range(0..5) {
                0 => FaultKind::LostReply,
                1 => FaultKind::LostRequest,
                2 => FaultKind::Status { code: 503, retry_after_seconds: None, body: None },
                3 => FaultKind::Status { code: 429, retry_after_seconds: Some(1), body: None },
                _ => FaultKind::Cut { chunked: random.random() },
            };
            let after = random.random_range(0..20);
            world.sim.fault(Fault::from(kind).at("/call").method("POST").after(after).times(1));
        }
        tokio::time::sleep(Duration::from_millis(random.random_range(200..1_500))).await;
        let one = &mut members[random.random_range(0..2)];
        one.kill();
        *one = Talon::run(&texts);
    }
    world.sim.faults().clear();
    until("every command has its outcome", async || {
        outcomes(&results(address, &prefix)).len() == COMMANDS
    })
    .await;
    for member in &mut members {
        assert!(member.terminate().await.success(), "{}", member.log());
    }

    let results = results(address, &prefix);
    let outcomes = outcomes(&results);
    for (id, of) in &outcomes {
        assert_eq!(of.len(), 1, "{id}: {of:?}");
        assert_eq!(of[0].outcome.as_deref(), Some("APPLIED"), "{id}: {of:?}");
    }
    let texts_of = |call: i64| -> Vec<String> {
        let effects = world.sim.journal().effects();
        let of_call = effects.iter().filter(|effect| {
            let path = effect.path.as_str();
            path == format!("/call/{call}/message")
                || path == format!("/call/{call}/dispatcher/message")
        });
        of_call.map(|effect| effect.body["message"].as_str().unwrap().to_owned()).collect()
    };
    for call in calls {
        let sent: Vec<String> = commands
            .iter()
            .filter(|(key, _)| *key == call.to_string())
            .map(|(_, command)| command["params"]["message"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(texts_of(call), sent, "the effects on call {call}");
    }
}
