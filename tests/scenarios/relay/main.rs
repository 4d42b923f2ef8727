//! Relays of the whole program, killed at any moment. Against a real Kafka and NATS.
//!
//! `TALON_RELAY_KILLS` says how many kills; CI takes the few that stand here.
#![allow(clippy::unwrap_used)]

#[path = "../support/mod.rs"]
mod support;

mod nats;
mod paused;
mod records;
mod values;

use std::collections::BTreeMap;
use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use records::{Sender, read};
use support::{On, Talon, metric, process, until};
use talon_brokers::unique;

const KILLS: usize = 8;

/// Two relays: from `{prefix}.a.*` to another bus, and from there to `out.{topic}`.
fn relays(prefix: &str, address: &str, nats: Option<&str>) -> BTreeMap<String, String> {
    let mut texts = process(prefix, address);
    let mut put = |key: &str, text: &str| {
        texts.insert(key.to_owned(), text.to_owned());
    };
    for name in ["there", "back"] {
        put(&format!("relays.{name}.echoes"), "carry");
        put(&format!("relays.{name}.tasks"), "3");
        put(&format!("relays.{name}.look.interval.ms"), "1000");
    }
    for name in if nats.is_some() { &["back"][..] } else { &["there", "back"] } {
        put(&format!("relays.{name}.to.partition"), "same");
        put(&format!("relays.{name}.to.partitions"), "12");
    }
    put("relays.there.from.topics", &format!("{prefix}.a.*"));
    match nats {
        Some(url) => {
            put("buses.edge.nats.servers", url);
            put("relays.there.to.bus", "edge");
            put("relays.there.to.stream", prefix);
            put("relays.there.to.subject", "{topic}.{key}");
            put("relays.back.from.bus", "edge");
            put("relays.back.from.stream", prefix);
            put("relays.back.from.subjects", &format!("{prefix}.a.>"));
        }
        None => {
            put("relays.there.to.topic", "mid-{topic}");
            put("relays.back.from.topics", &format!("mid-{prefix}.a.x,mid-{prefix}.a.y"));
        }
    }
    put("relays.back.to.topic", "out.{topic}");
    texts
}

#[tokio::test(flavor = "multi_thread")]
async fn relays_that_are_killed_at_random_points_lose_double_and_reorder_nothing_between_kafkas() {
    let Some(address) = On::Kafka.shared("relay_kills") else { return };
    killed_at_random_points(address, None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn relays_that_are_killed_at_random_points_lose_double_and_reorder_nothing_by_way_of_nats() {
    let Some(address) = On::Kafka.shared("relay_kills_nats") else { return };
    let Some(url) = On::Nats.shared("relay_kills_nats") else { return };
    killed_at_random_points(address, Some(url)).await;
}

async fn killed_at_random_points(address: &str, nats: Option<&str>) {
    let kills = std::env::var("TALON_RELAY_KILLS").map_or(KILLS, |kills| kills.parse().unwrap());
    let seed = std::env::var("TALON_TEST_SEED")
        .map_or_else(|_| rand::rng().random(), |seed| seed.parse().unwrap());
    eprintln!("TALON_TEST_SEED={seed}");
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let prefix = unique("relay");
    let texts = relays(&prefix, address, nats);
    let between = if nats.is_some() { "" } else { "mid-" };
    let sender =
        Sender::start(address, &[(&format!("{prefix}.a.x"), 12), (&format!("{prefix}.a.y"), 1)]);
    for kill in 0..kills {
        let mut talon = Talon::run(&texts);
        let wait = random.random_range(if kill < 2 { 0..1_000 } else { 3_000..7_000 });
        tokio::time::sleep(Duration::from_millis(wait)).await;
        talon.kill();
        assert!(!talon.log().contains("ERROR"), "{}", talon.log());
    }
    let sent = sender.stop();
    assert!(sent > 0, "nothing was sent");
    let mut talon = Talon::run(&texts);
    talon.ready().await;
    for topic in ["x", "y"] {
        let first = format!("{prefix}.a.{topic}");
        let last = format!("out.{between}{first}");
        until("all is carried", async || {
            let count = |topic: &str| read(address, topic).values().map(Vec::len).sum::<usize>();
            count(&last) >= count(&first)
        })
        .await;
        assert_eq!(read(address, &last), read(address, &first), "{topic}");
    }
    let (_, text) = talon.get("/metrics").await;
    let sample = r#"talon_relay_records_total{relay="there",result="carried"}"#;
    assert!(metric(&text, sample).is_some(), "{text}");
    assert!(text.contains("talon_relay_lag_records"), "{text}");
    let (_, page) = talon.get("/").await;
    assert!(page.contains("<h2>Relay there</h2>"), "{page}");
    assert!(talon.terminate().await.success(), "{}", talon.log());
}
