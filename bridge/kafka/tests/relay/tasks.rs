//! The number of tasks is changed while a relay runs, as in a rolling upgrade.

use rdkafka::producer::BaseProducer;
use talon_brokers::Kafka as Broker;
use talon_runtime::bus::BusFault;
use talon_runtime::relay::Begin;

use crate::support::{World, until};
use crate::topics::{Relay, Running, Whole, count, create, flush, read, send};

const PARTITIONS: i32 = 6;

fn start(world: &World, tasks: &[Relay]) -> Vec<Running> {
    tasks.iter().map(|task| task.start(world)).collect()
}

#[test]
fn a_number_of_tasks_that_is_changed_at_any_moment_loses_doubles_and_reorders_nothing() {
    let Some(broker) = Broker::shared("relay_tasks") else { return };
    let world = World::new(broker.bootstrap());
    create(&world, &["a", "b"], PARTITIONS);
    let (a, b) = (world.name("a"), world.name("b"));
    let relay = Relay::new("tasks", &a, &b);
    let producer: BaseProducer = world.config().create().unwrap();
    let mut sent = 0;
    let mut some = |records: i32| {
        for _ in 0..records {
            send(&producer, &a, sent % PARTITIONS, &Whole::text("k", &sent.to_string()));
            sent += 1;
        }
        flush(&producer);
        sent as usize
    };
    let mut old = Vec::new();
    for tasks in [2, 3, 1, 4] {
        some(300);
        let process = relay.tasks(tasks);
        let running = start(&world, &process);
        // Those before may still carry them.
        some(300);
        until("it is at work", || running.iter().all(|one| one.status.fresh_ms().is_some()));
        old.push((process, running));
    }
    let (_, last) = old.pop().unwrap();
    let all = some(300);
    until("all are carried", || count(&world, &b) >= all);
    for (process, running) in old {
        for (task, one) in process.iter().zip(running) {
            // It was fenced, or had not begun when it was changed.
            until("it has ended", || one.has_ended());
            let fault = one.stop().unwrap_err();
            assert!(
                matches!(
                    fault,
                    BusFault::Fenced(_) | BusFault::Aborted(_) | BusFault::Misconfigured(_)
                ),
                "{fault:?}"
            );
            let again = task.start(&world);
            until("it has ended", || again.has_ended());
            let fault = again.stop().unwrap_err();
            let BusFault::Misconfigured(why) = &fault else { panic!("{fault:?}") };
            assert!(why.contains("has 4 tasks in a process that was started later"), "{why}");
        }
    }
    last.into_iter().for_each(|one| one.stop().unwrap());
    assert_eq!(read(&world, &b), read(&world, &a));
}

#[test]
fn a_part_that_comes_while_the_number_of_tasks_is_changed_is_carried_from_its_beginning() {
    let Some(broker) = Broker::shared("relay_tasks_part") else { return };
    let world = World::new(broker.bootstrap());
    create(&world, &["a"], 1);
    create(&world, &["b"], 3);
    let (a, b) = (world.name("a"), world.name("b"));
    let mut relay = Relay::new("tasks-part", &a, &b);
    relay.plan.begin = Begin::Latest;
    let running = start(&world, &relay.tasks(1));
    until("it has begun", || running.iter().all(|one| one.status.fresh_ms().is_some()));
    running.into_iter().for_each(|one| one.stop().unwrap());
    world.grow("a", 3);
    let producer: BaseProducer = world.config().create().unwrap();
    (0..3).for_each(|partition| send(&producer, &a, partition, &Whole::text("k", "v")));
    flush(&producer);
    let running = start(&world, &relay.tasks(3));
    until("all are carried", || count(&world, &b) == 3);
    running.into_iter().for_each(|one| one.stop().unwrap());
}

#[test]
fn a_task_takes_its_fence_before_it_reads_how_many_there_are_and_waits_for_nothing_that_was_left_open()
 {
    let Some(broker) = Broker::shared("relay_tasks_fence") else { return };
    let world = World::new(broker.bootstrap());
    create(&world, &["a", "b"], 2);
    let (a, b) = (world.name("a"), world.name("b"));
    let relay = Relay::new("tasks-fence", &a, &b);
    let running = start(&world, &relay.tasks(2));
    until("it has begun", || running.iter().all(|one| one.status.fresh_ms().is_some()));
    running.into_iter().for_each(|one| one.stop().unwrap());
    // Both were killed in the middle of a transaction.
    let left = [0, 1].map(|task| {
        let id = format!("relay.tasks-fence.{task}");
        world.transaction(&id, "relays", &format!("tasks-fence/#{task}"))
    });
    // Each of a process of its own, so that each reads the number.
    let running = [0, 1].map(|task| relay.tasks(2)[task].start(&world));
    until("they have begun", || {
        assert!(!running.iter().any(|one| one.has_ended()), "it has failed");
        running.iter().all(|one| one.status.fresh_ms().is_some())
    });
    running.into_iter().for_each(|one| one.stop().unwrap());
    drop(left);
}
