//! What goes wrong while records are relayed.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use tokio::task::{block_in_place, spawn_blocking};
use tokio::time::sleep;

use super::plan::Harm;
use super::reading::{client, read_topic};
use super::world::{Snapshot, World};
use super::writers::{Topic, fill};

fn count(what: &AtomicU32) {
    what.fetch_add(1, Ordering::Relaxed);
}

/// Harms processes until the time is over, or so many were killed.
pub(super) async fn processes(
    world: &World,
    (harm, seed): (Harm, u64),
    (until, kills): (Instant, Option<u32>),
    over: &AtomicBool,
) -> anyhow::Result<()> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let is_over = || {
        let killed = world.done.kills.load(Ordering::Relaxed);
        kills.map_or(Instant::now() >= until, |kills| killed >= kills)
    };
    while !is_over() {
        sleep(Duration::from_millis(random.random_range(300..2_500))).await;
        let place = &world.places[random.random_range(0..world.places.len())];
        let what = match harm {
            Harm::Kill => 0,
            Harm::Pause => 1,
            Harm::Everything => random.random_range(0..3),
            Harm::Brokers | Harm::Nothing => continue,
        };
        let mut place = place.lock().await;
        match what {
            0 => {
                let ended = place.kill()?;
                world.ended(ended, "before it was killed").await;
                count(&world.done.kills);
                sleep(Duration::from_millis(random.random_range(0..1_500))).await;
                place.start()?;
            }
            1 => {
                place.signal("STOP")?;
                count(&world.done.pauses);
                sleep(Duration::from_millis(random.random_range(1_000..6_000))).await;
                place.signal("CONT")?;
            }
            _ => {
                let ended = place.terminate().await?;
                world.ended_in_order(ended).await;
                count(&world.done.rolls);
                place.start()?;
            }
        }
    }
    over.store(true, Ordering::Relaxed);
    Ok(())
}

/// Harms the brokers until it is over.
pub(super) async fn brokers(world: &World, harm: Harm, seed: u64, over: &AtomicBool) {
    let mut random = ChaCha8Rng::seed_from_u64(seed ^ 1);
    if !matches!(harm, Harm::Brokers | Harm::Everything) {
        return;
    }
    while !over.load(Ordering::Relaxed) {
        sleep(Duration::from_millis(random.random_range(3_000..9_000))).await;
        let away = Duration::from_millis(random.random_range(0..4_000));
        count(&world.done.brokers);
        match random.random_range(0..4) {
            0 => {
                let mut kafka = world.kafka.lock().await;
                block_in_place(|| kafka.kill());
                sleep(away).await;
                block_in_place(|| kafka.restart());
            }
            1 => {
                let kafka = world.kafka.lock().await;
                kafka.pause();
                sleep(away).await;
                kafka.resume();
            }
            number => {
                let mut nats = world.nats.lock().await;
                let server = random.random_range(0..3);
                block_in_place(|| nats.kill(server));
                if number == 2 {
                    sleep(away).await;
                }
                block_in_place(|| nats.restart(server));
            }
        }
    }
}

/// Adds partitions, and lets topics come and vanish, until it is over.
pub(super) async fn topics(
    world: &World,
    grows: &Topic,
    seed: u64,
    over: &AtomicBool,
) -> anyhow::Result<()> {
    let mut random = ChaCha8Rng::seed_from_u64(seed ^ 2);
    let admin: AdminClient<DefaultClientContext> = client(&world.kafka_address).create()?;
    for number in 0.. {
        sleep(Duration::from_millis(random.random_range(1_000..6_000))).await;
        if over.load(Ordering::Relaxed) {
            break;
        }
        let options = AdminOptions::new().request_timeout(Some(Duration::from_secs(20)));
        let partitions = grows.partitions.load(Ordering::Relaxed);
        if number % 3 == 0 && partitions < 12 {
            let more = NewPartitions::new(&grows.name, partitions as usize + 1);
            let added = admin.create_partitions([&more], &options).await;
            if added.is_ok_and(|all| all.iter().all(Result::is_ok)) {
                grows.partitions.store(partitions + 1, Ordering::Relaxed);
                count(&world.done.topics);
            }
            continue;
        }
        let name = world.ways.source(&format!("passing-{number}"));
        let new = NewTopic::new(&name, 2, TopicReplication::Fixed(1));
        let made = admin.create_topics([&new], &options).await;
        if !made.is_ok_and(|all| all.iter().all(Result::is_ok)) {
            continue;
        }
        count(&world.done.topics);
        let topic = Topic {
            name: name.clone(),
            partitions: std::sync::Arc::new(2.into()),
            is_keyed: false,
        };
        let (address, seed) = (world.kafka_address.clone(), random.random());
        let stays = Duration::from_millis(random.random_range(0..5_000));
        let filled = spawn_blocking(move || {
            fill(&address, &topic, seed)?;
            std::thread::sleep(stays);
            read_topic(&address, &topic.name)
        });
        let records = filled.await.context("the thread panicked")??;
        // Where it is not clear whether it is gone, it counts as one that may be.
        admin.delete_topics(&[&name], &options).await.ok();
        world.snapshots.lock().await.push(Snapshot { topic: name, records });
    }
    Ok(())
}

/// Makes the topics that are written to.
pub(super) async fn make_topics(address: &str, topics: &[Topic]) -> anyhow::Result<()> {
    let admin: AdminClient<DefaultClientContext> = client(address).create()?;
    for topic in topics {
        let partitions = topic.partitions.load(Ordering::Relaxed);
        let mut new = NewTopic::new(&topic.name, partitions, TopicReplication::Fixed(1));
        if topic.is_keyed {
            for (key, text) in [
                ("cleanup.policy", "compact"),
                ("segment.ms", "2000"),
                ("min.cleanable.dirty.ratio", "0.01"),
            ] {
                new = new.set(key, text);
            }
        }
        for made in admin.create_topics([&new], &AdminOptions::new()).await? {
            made.map_err(|(topic, code)| anyhow::anyhow!("`{topic}`: {code}"))?;
        }
    }
    Ok(())
}
