//! Topics and partitions that come, go, and are made anew.

use rdkafka::producer::BaseProducer;
use talon_brokers::Kafka as Broker;
use talon_runtime::relay::Begin;

use crate::support::{World, until};
use crate::topics::{Relay, Whole, count, create, flush, send};

#[test]
fn new_topics_and_added_partitions_are_noticed_and_carried_from_their_beginnings() {
    let Some(broker) = Broker::shared("relay_new") else { return };
    let world = World::new(broker.bootstrap());
    create(&world, &["in.a"], 1);
    create(&world, &["to"], 3);
    let (a, b, to) = (world.name("in.a"), world.name("in.b"), world.name("to"));
    let producer: BaseProducer = world.config().create().unwrap();
    send(&producer, &a, 0, &Whole::text("before", "v"));
    flush(&producer);
    let mut relay = Relay::new("new", &world.name("in.*"), &to);
    // Counts for what is there when it is begun, and for nothing later.
    relay.plan.begin = Begin::Latest;
    let running = relay.start(&world);
    until("it has begun", || running.status.fresh_ms().is_some());
    running.stop().unwrap();
    create(&world, &["in.b"], 1);
    world.grow("in.a", 2);
    let late: BaseProducer = world.config().create().unwrap();
    for (topic, partition) in [(&a, 0), (&a, 1), (&b, 0)] {
        send(&late, topic, partition, &Whole::text("after", "v"));
    }
    flush(&late);
    let running = relay.start(&world);
    until("all are carried", || running.status.tally().carried == 3);
    running.stop().unwrap();
    assert_eq!(count(&world, &to), 3);
}

#[test]
fn a_topic_that_was_made_anew_is_carried_from_its_beginning() {
    let Some(broker) = Broker::shared("relay_anew") else { return };
    let world = World::new(broker.bootstrap());
    create(&world, &["a"], 1);
    create(&world, &["b"], 3);
    let (a, b) = (world.name("a"), world.name("b"));
    let producer: BaseProducer = world.config().create().unwrap();
    (0..5).for_each(|_| send(&producer, &a, 0, &Whole::text("first", "v")));
    flush(&producer);
    let relay = Relay::new("anew", &a, &b);
    let running = relay.start(&world);
    until("all are carried", || running.status.tally().carried == 5);
    running.stop().unwrap();
    world.delete_topic("a");
    until("it is made anew", || world.try_create_topic("a"));
    let producer: BaseProducer = world.config().create().unwrap();
    // Of now: the topic keeps by age.
    let second = Whole { ms: None, ..Whole::text("second", "v") };
    (0..2).for_each(|_| send(&producer, &a, 0, &second));
    flush(&producer);
    let running = relay.start(&world);
    until("those are carried too", || count(&world, &b) == 7);
    running.stop().unwrap();
}
