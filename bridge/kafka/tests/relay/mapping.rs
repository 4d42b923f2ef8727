//! Nothing is changed on the way.

use std::sync::Arc;

use rdkafka::producer::BaseProducer;
use talon_brokers::Kafka as Broker;
use talon_runtime::relay::Echoes;

use crate::support::{World, until};
use crate::topics::{Relay, Whole, count, create, flush, read, send};

#[test]
fn a_round_gives_the_same_records_byte_for_byte_times_included() {
    let Some(broker) = Broker::shared("relay_bytes") else { return };
    let world = World::new(broker.bootstrap());
    create(&world, &["a", "b", "c"], 2);
    let (a, b, c) = (world.name("a"), world.name("b"), world.name("c"));
    let producer: BaseProducer = world.config().create().unwrap();
    let header = |name: &str, value: Option<&[u8]>| (name.to_owned(), value.map(<[u8]>::to_vec));
    let odd = [
        Whole { key: None, ..Whole::text("", "null key") },
        Whole { key: Some(vec![]), ..Whole::text("", "empty key") },
        Whole { key: Some(vec![0xff, 0, b'.']), ..Whole::text("", "no text") },
        Whole { value: None, ..Whole::text("tombstone", "") },
        Whole { value: Some(vec![]), ..Whole::text("empty", "") },
        Whole { value: Some(vec![0, 159, 146, 150]), ..Whole::text("binary", "") },
        Whole { ms: Some(1), ..Whole::text("old", "v") },
        Whole {
            headers: vec![
                header("x", None),
                header("x", Some(b"1")),
                header("Nats-Rollup", Some(b"sub")),
                header("x", Some(b"")),
                header("x", Some(&[0xfe, 0xff])),
                header("", Some(b"2")),
            ],
            ..Whole::text("headers", "v")
        },
    ];
    for (number, whole) in odd.iter().enumerate() {
        send(&producer, &a, (number % 2) as i32, whole);
    }
    flush(&producer);
    let there = Relay::new("there", &a, &b).start(&world);
    let back = Relay::new("back", &b, &c).start(&world);
    until("it is round", || there.status.tally().carried >= 8 && back.status.tally().carried >= 8);
    there.stop().unwrap();
    back.stop().unwrap();
    assert_eq!(read(&world, &c), read(&world, &a));
}

#[test]
fn two_relays_between_the_same_pair_never_send_a_record_round() {
    let Some(broker) = Broker::shared("relay_echo") else { return };
    let world = World::new(broker.bootstrap());
    create(&world, &["a", "b"], 1);
    let (a, b) = (world.name("a"), world.name("b"));
    let producer: BaseProducer = world.config().create().unwrap();
    send(&producer, &a, 0, &Whole::text("k", "v"));
    flush(&producer);
    let relay = |name: &str, from: &str, to: &str| {
        let mut relay = Relay::new(name, from, to);
        relay.plan.echoes = Echoes::Drop;
        relay.start(&world)
    };
    // Both on one cluster, so the first hop is the last.
    let there = relay("there", &a, &b);
    until("it is there", || there.status.tally().carried == 1);
    let back = relay("back", &b, &a);
    until("it comes to be sent back", || back.status.tally().echoes == 1);
    there.stop().unwrap();
    back.stop().unwrap();
    assert_eq!((count(&world, &a), count(&world, &b)), (1, 1));
    let hops = &read(&world, &b)[&0][0].headers;
    assert!(hops.len() == 1 && hops[0].0 == "talon-relay-hops", "{hops:?}");
}

#[test]
fn what_cannot_be_carried_goes_to_the_dead_letters_with_its_place_and_what_follows_flows_on() {
    let Some(broker) = Broker::shared("relay_letters") else { return };
    let world = World::new(broker.bootstrap());
    world.create_topic_with("a", 1, &[("max.message.bytes", "3000000"), ("retention.ms", "-1")]);
    world.create_topic_with("b", 1, &[("max.message.bytes", "20000"), ("retention.ms", "-1")]);
    let (a, b) = (world.name("a"), world.name("b"));
    let mut config = world.config();
    config.set("message.max.bytes", "3000000");
    let producer: BaseProducer = config.create().unwrap();
    // What no compression makes smaller by much.
    let mut seed = 7_u64;
    let noise: String = std::iter::repeat_with(|| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        char::from(b' ' + 1 + (seed >> 40) as u8 % 90)
    })
    .take(2_000_000)
    .collect();
    for (key, value) in [
        ("1", "v"),
        ("large", noise.as_str()),
        ("2", "v"),
        ("medium", &noise[..30_000]),
        ("3", "v"),
    ] {
        send(&producer, &a, 0, &Whole::text(key, value));
    }
    flush(&producer);
    let relay = Relay::new("odd", &a, &b);
    // It is opened anew where the broker refuses a batch.
    let process = Arc::new(world.process());
    let mut running = relay.start_in(&world, &process);
    until("all are carried or put aside", || {
        if running.has_ended() {
            let next = relay.start_in(&world, &process);
            std::mem::replace(&mut running, next).stop().unwrap_err();
        }
        count(&world, &b) == 3
    });
    running.stop().unwrap();
    let keys: Vec<_> =
        read(&world, &b)[&0].iter().map(|whole| whole.key.clone().unwrap()).collect();
    assert_eq!(keys, [b"1", b"2", b"3"]);
    let letters = &read(&world, &world.name("odd.dlq"))[&0];
    assert_eq!(letters.len(), 2);
    for (letter, (key, offset)) in letters.iter().zip([("large", "1"), ("medium", "3")]) {
        assert_eq!(letter.key.as_deref(), Some(key.as_bytes()));
        let header = |name: &str| letter.headers.iter().find(|(found, _)| found == name).cloned();
        let offset = Some(offset.as_bytes().to_vec());
        assert_eq!(header("__connect.errors.offset").unwrap().1, offset);
        assert_eq!(header("__connect.errors.topic").unwrap().1, Some(a.clone().into_bytes()));
    }
    assert_eq!(letters[0].value.as_ref().unwrap().len(), 64 * 1024);
    assert_eq!(letters[1].value.as_deref(), Some(&noise.as_bytes()[..30_000]));
}

#[test]
fn a_record_that_would_make_the_broker_refuse_others_is_put_aside_before() {
    let Some(broker) = Broker::shared("relay_refused") else { return };
    let world = World::new(broker.bootstrap());
    create(&world, &["a"], 1);
    world.create_topic_with("b", 1, &[("cleanup.policy", "compact")]);
    world.alter_topic("a", "message.timestamp.after.max.ms", "9223372036854775807");
    let (a, b) = (world.name("a"), world.name("b"));
    let producer: BaseProducer = world.config().create().unwrap();
    send(&producer, &a, 0, &Whole { key: None, ..Whole::text("", "a null key") });
    send(&producer, &a, 0, &Whole { ms: Some(4_000_000_000_000), ..Whole::text("ahead", "v") });
    send(&producer, &a, 0, &Whole::text("fine", "v"));
    flush(&producer);
    let running = Relay::new("refused", &a, &b).start(&world);
    until("all are dealt with", || {
        let tally = running.status.tally();
        (tally.carried, tally.dead_letters) == (1, 2)
    });
    running.stop().unwrap();
    assert_eq!((count(&world, &b), count(&world, &world.name("refused.dlq"))), (1, 2));
}
