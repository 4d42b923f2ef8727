//! Partitions that an operator moves to another broker. Against a real Kafka of two.
#![allow(clippy::unwrap_used)]

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;

use rdkafka::consumer::{BaseConsumer, Consumer};
use support::{LIMIT, World, until};
use talon_brokers::{Kafka as Broker, SecondKafka};
use talon_runtime::bus::BusFault;

/// `AlterPartitionReassignments`, version 0, of which the client of the tests knows nothing: the partition 0
/// of a topic has its only replica on this broker.
fn reassign(bootstrap: &str, topic: &str, broker: i32) {
    let compact = |text: &str| [&[u8::try_from(text.len() + 1).unwrap()], text.as_bytes()].concat();
    let request = [
        // Key, version, correlation, client, no tags; time limit; one topic.
        &[0, 45, 0, 0, 0, 0, 0, 7, 0, 4][..],
        b"test",
        &[0],
        &30_000_i32.to_be_bytes(),
        &[2],
        &compact(topic),
        // One partition, its number, one replica.
        &[2, 0, 0, 0, 0, 2],
        &broker.to_be_bytes(),
        &[0, 0, 0],
    ]
    .concat();
    let mut stream = TcpStream::connect(bootstrap).unwrap();
    stream.write_all(&u32::try_from(request.len()).unwrap().to_be_bytes()).unwrap();
    stream.write_all(&request).unwrap();
    let mut head = [0; 4];
    stream.read_exact(&mut head).unwrap();
    let mut reply = vec![0; u32::from_be_bytes(head) as usize];
    stream.read_exact(&mut reply).unwrap();
    // Correlation, no tags, throttle time, error code.
    assert_eq!(reply[9..11], [0, 0], "{reply:?}");
}

/// A connector that publishes meanwhile fails at most as if a broker were away for a moment, and opened anew it
/// has all that was acknowledged.
#[test]
fn partitions_that_move_to_another_broker_lose_nothing() {
    let Some(first) = Broker::start("reassigned") else { return };
    let Some(second) = SecondKafka::join("reassigned", &first) else { return };
    let world = World::new(first.bootstrap());
    let open = || {
        let mut opened = None;
        until("it is opened", || {
            opened = world
                .try_open(&world.process(), "field")
                .and_then(|mut log| {
                    let found = log.recover()?;
                    Ok((log, found))
                })
                .ok();
            opened.is_some()
        });
        opened.unwrap()
    };
    let asker: BaseConsumer = world.config().create().unwrap();
    let leader = |topic: &str| {
        let metadata = asker.fetch_metadata(Some(topic), LIMIT).unwrap();
        metadata.topics()[0].partitions()[0].leader()
    };
    let (mut log, _) = open();
    let mut number = 0;
    let mut publish = |log: &mut support::Log<'_>| -> Result<(), BusFault> {
        let key = number.to_string();
        log.append(support::TABLE, &key, Some("v"))?;
        log.commit(Some(&key))?;
        number += 1;
        Ok(())
    };
    publish(&mut log).unwrap();
    for to in [2, 1] {
        // The coordinators' topics too: groups, transactions, who runs what.
        let topics = [world.name("field.call"), world.name("checkpoints")];
        let all = topics.iter().map(String::as_str).chain(["__transaction_state"]);
        for topic in all.clone() {
            reassign(first.bootstrap(), topic, to);
        }
        until("they have moved", || {
            match publish(&mut log) {
                Ok(()) => {}
                Err(BusFault::Misconfigured(why)) => panic!("{why}"),
                Err(_) => log = open().0,
            }
            all.clone().all(|topic| leader(topic) == to)
        });
        // Behind the move.
        until("it publishes again", || match publish(&mut log) {
            Ok(()) => true,
            Err(_) => {
                log = open().0;
                false
            }
        });
    }
    drop(log);
    let (_, found) = open();
    assert!(found.records.len() >= number, "{} of {number}", found.records.len());
    assert_eq!(found.checkpoints["field/call"].parse::<usize>().unwrap() + 1, number);
    drop(second);
}
