//! Temporary.
#![allow(clippy::unwrap_used)]
mod support;
use crate::support::World;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use futures_util::StreamExt;
use std::time::{Duration, Instant};
use talon_brokers::Nats as Server;

fn rss() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    text.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4
}

#[test]
fn measure() {
    let Some(server) = Server::start("measure") else { return };
    let world = World::new(server.url());
    let (mut log, _) = world.open(&world.process());
    let n: usize = std::env::var("N").map_or(100_000, |n| n.parse().unwrap());
    let value = "x".repeat(300);
    let before = rss();
    let started = Instant::now();
    for i in 0..n {
        log.put(&i.to_string(), &value, &format!("{i:032x}"));
        if i % 20_000 == 19_999 {
            log.commit(Some("c")).unwrap();
        }
    }
    log.commit(Some("c")).unwrap();
    eprintln!("published {n}: {:?}; rss {} -> {} kB", started.elapsed(), before, rss());
    drop(log);
    for round in 0..3 {
        let before = rss();
        let started = Instant::now();
        let mut count = 0;
        let nats = world.process();
        let mut log = world.try_open(&nats).unwrap();
        {
            let _in = world.runtime.enter();
            log.recover(&mut |_, _| count += 1).unwrap();
        }
        eprintln!(
            "{round}: recovered {count}: {:?}; rss {} -> {} kB",
            started.elapsed(),
            before,
            rss()
        );
        drop(log);
        drop(nats);
        let started = Instant::now();
        let jetstream = world.jetstream();
        let count = world.runtime.block_on(async {
            let stream = jetstream.get_stream(world.stream()).await.unwrap();
            let config = pull::OrderedConfig {
                deliver_policy: DeliverPolicy::LastPerSubject,
                ..Default::default()
            };
            let consumer: async_nats::jetstream::consumer::Consumer<pull::OrderedConfig> =
                stream.create_consumer(config).await.unwrap();
            let mut messages = consumer.messages().await.unwrap();
            let mut count = 0;
            while let Some(message) = messages.next().await {
                count += 1;
                if message.unwrap().info().unwrap().pending == 0 {
                    break;
                }
            }
            count
        });
        eprintln!("{round}: bare ordered {count}: {:?}", started.elapsed());
        let _ = (AckPolicy::None, Duration::ZERO);
    }
}
