//! Partitions that an operator moves to another broker. Against a real Kafka of two.
#![allow(clippy::unwrap_used)]

#[path = "support/reassign.rs"]
mod reassignment;
mod support;

use rdkafka::consumer::{BaseConsumer, Consumer};
use reassignment::reassign;
use support::{LIMIT, World, until};
use talon_brokers::{Kafka as Broker, SecondKafka};
use talon_runtime::bus::BusFault;

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
