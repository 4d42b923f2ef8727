//! Exactly once, in order, over take-overs at any moment.

use std::time::Duration;

use rdkafka::producer::{BaseProducer, Producer};
use talon_brokers::Kafka as Broker;

use crate::support::{LIMIT, World, until};
use crate::topics::{Relay, Whole, count, create, flush, read, send};

const PARTITIONS: i32 = 3;

#[test]
fn exactly_once_in_order_while_owners_are_forsaken_and_paused_ones_go_on() {
    let Some(broker) = Broker::shared("relay_once") else { return };
    let world = World::new(broker.bootstrap());
    create(&world, &["a", "b"], PARTITIONS);
    let (a, b) = (world.name("a"), world.name("b"));
    let mut config = world.config();
    config.set("transactional.id", format!("{}.sender", world.prefix));
    let producer: BaseProducer = config.create().unwrap();
    producer.init_transactions(LIMIT).unwrap();
    let relay = Relay::new("once", &a, &b);
    let (mut sent, mut old) = (0, Vec::new());
    let mut running = relay.start(&world);
    for round in 0..24 {
        producer.begin_transaction().unwrap();
        let is_aborted = round % 4 == 3;
        for number in 0..200 {
            let value = if is_aborted { "aborted".to_owned() } else { (sent + number).to_string() };
            send(&producer, &a, number % PARTITIONS, &Whole::text("k", &value));
        }
        flush(&producer);
        if is_aborted {
            producer.abort_transaction(LIMIT).unwrap();
        } else {
            producer.commit_transaction(LIMIT).unwrap();
            sent += 200;
        }
        // At other moments of its work each time.
        std::thread::sleep(Duration::from_millis(7 * (round % 9)));
        let next = relay.start(&world);
        let last = std::mem::replace(&mut running, next);
        // Some end at once; some do not know that they have lost the task, and go on.
        if round % 2 == 0 { last.forsake() } else { old.push(last) }
    }
    // Those that were started while another took over have lost the task too: one more, alone.
    until("all are carried", || {
        if running.has_ended() {
            let next = relay.start(&world);
            std::mem::replace(&mut running, next).stop().unwrap_err();
        }
        count(&world, &b) >= sent as usize
    });
    if let Err(fault) = running.stop() {
        assert_eq!(fault.kind(), "revoked", "it was still being opened: {fault:?}");
    }
    for last in old {
        if let Err(fault) = last.stop() {
            assert!(matches!(fault.kind(), "fenced" | "aborted" | "unavailable"), "{fault:?}");
        }
    }
    assert_eq!(read(&world, &b), read(&world, &a));
}

#[test]
fn what_stands_behind_an_open_transaction_waits_and_counts_as_behind() {
    let Some(broker) = Broker::shared("relay_open") else { return };
    let world = World::new(broker.bootstrap());
    create(&world, &["a", "b"], 1);
    let (a, b) = (world.name("a"), world.name("b"));
    let open = world.transaction("open", "a", "k");
    let producer: BaseProducer = world.config().create().unwrap();
    send(&producer, &a, 0, &Whole::text("behind", "v"));
    flush(&producer);
    let running = Relay::new("open", &a, &b).start(&world);
    until("it is behind", || running.status.lag().values().any(|lag| lag.records == 2));
    let oldest_ms = || running.status.lag().values().map(|lag| lag.oldest_ms).max();
    let before = oldest_ms();
    until("it grows older", || oldest_ms() > before);
    assert_eq!((running.status.tally().carried, running.status.fresh_ms()), (0, None));
    open.abort_transaction(LIMIT).unwrap();
    until("it is carried", || running.status.tally().carried == 1);
    until("nothing is behind", || running.status.lag().values().all(|lag| lag.records == 0));
    assert!(running.status.fresh_ms().is_some());
    running.stop().unwrap();
    assert_eq!(count(&world, &b), 1);
}
