//! What it costs to look at the topics of many connectors. Against a real Kafka.
#![allow(clippy::unwrap_used)]

mod support;

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use support::{World, until};
use talon_brokers::Kafka as Broker;
use talon_runtime::bus::{Bus, ConnectorTopics};

/// An address from which all leads to the broker, and how many connections were made to it: a new client
/// comes there first, before it knows the address that the broker gives itself.
fn counted(broker: &str) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, broker) = (listener.local_addr().unwrap(), broker.to_owned());
    let count = Arc::new(AtomicUsize::new(0));
    let counter = count.clone();
    thread::spawn(move || {
        for mut client in listener.incoming().map_while(Result::ok) {
            counter.fetch_add(1, Ordering::Relaxed);
            let Ok(mut server) = TcpStream::connect(&broker) else { continue };
            let (mut from, mut to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
            thread::spawn(move || std::io::copy(&mut client, &mut server));
            thread::spawn(move || std::io::copy(&mut from, &mut to));
        }
    });
    (address, count)
}

#[test]
fn looking_at_the_topics_of_thirty_connectors_again_and_again_takes_three_clients() {
    let Some(broker) = Broker::shared("thirty") else { return };
    let mut world = World::new(broker.bootstrap());
    world.create_topic_with("c7.call", 1, &[("cleanup.policy", "delete")]);
    world.create_topic_with("c9.commands", 1, &[]);
    let (address, connections) = counted(&world.bootstrap);
    world.bootstrap = address.to_string();
    let kafka = world.process();
    let names: Vec<String> = (0..30).map(|number| format!("c{number}")).collect();
    let connectors: Vec<ConnectorTopics> = names
        .iter()
        .map(|name| ConnectorTopics { shard: world.spec(name), lane: Some(world.lane_spec(name)) })
        .collect();
    let _inside = world.runtime.enter();
    // A topic that was just made may not be known yet.
    until("the one that loses is told, alone", || {
        let found = kafka.inspect(&connectors);
        let told = found.iter().map(|found| found.as_ref().unwrap().len());
        told.enumerate().all(|(place, told)| told == usize::from(place == 7))
    });
    for _ in 0..10 {
        kafka.inspect(&connectors).into_iter().for_each(|found| drop(found.unwrap()));
    }
    let connections = connections.load(Ordering::Relaxed);
    assert!((1..=3).contains(&connections), "{connections}");
}
