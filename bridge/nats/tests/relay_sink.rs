//! A stream as the target of a relay: exactly once, whatever happens.
#![allow(clippy::unwrap_used)]

mod support;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use talon_brokers::{Nats as Server, NatsCluster as Cluster};
use talon_runtime::bus::BusFault;
use talon_runtime::relay::{Position, Sink, Tasks};

use crate::support::World;
use crate::support::relay::{BOTH, Target, Way, next, part, record};

/// Runs a test on both ways that a server has.
fn on_both(test: &str, each: impl Fn(&Target<'_>)) {
    let Some(server) = Server::shared(test) else { return };
    let world = World::new(server.url());
    for way in BOTH {
        match Target::new(&world, way) {
            Some(target) => each(&target),
            None => eprintln!("{test}: this server takes no batches"),
        }
    }
}

fn write(target: &Target<'_>, sink: &mut dyn Sink, numbers: std::ops::Range<u64>) {
    for number in numbers {
        sink.write(&target.address(number, 50), &record(number)).unwrap();
    }
}

fn all(until: u64) -> Vec<u64> {
    (0..until).collect()
}

#[test]
fn what_was_committed_is_there_with_its_position() {
    on_both("what_was_committed_is_there", |target| {
        let nats = target.world.process();
        let (mut sink, resume) = target.open(&nats);
        assert!(!resume.begun && resume.positions.is_empty());
        sink.commit(&[(part(), Position { next: 0, of: 0 })]).unwrap();
        write(target, &mut *sink, 0..2_500);
        sink.commit(&[]).unwrap();
        assert_eq!(target.numbers(), all(2_500));
        let other = talon_runtime::relay::Part::new("talon.other", 3);
        sink.commit(&[(other.clone(), Position { next: 7, of: 9 })]).unwrap();
        sink.commit(&[]).unwrap();
        drop(sink);
        let (_, resume) = target.open(&nats);
        assert!(resume.begun);
        assert_eq!(next(&resume), 2_500);
        assert_eq!(resume.positions[&other], Position { next: 7, of: 9 });
    });
}

#[test]
fn a_task_that_was_opened_and_never_committed_has_not_begun() {
    on_both("a_task_that_never_committed", |target| {
        let nats = target.world.process();
        for _ in 0..3 {
            assert!(!target.open(&nats).1.begun);
        }
    });
}

#[test]
fn an_owner_that_was_fenced_writes_nothing_more() {
    on_both("an_owner_that_was_fenced", |target| {
        let (old, new) = (target.world.process(), target.world.process());
        let (mut zombie, _) = target.open(&old);
        write(target, &mut *zombie, 0..100);
        zombie.commit(&[]).unwrap();
        write(target, &mut *zombie, 100..150);
        let (mut sink, resume) = target.open(&new);
        let reached = next(&resume);
        assert!((100..=150).contains(&reached), "{reached}");
        assert_eq!(target.numbers(), all(reached));
        // It goes on as if nothing had happened.
        let mut fault = None;
        for number in 150..5_000 {
            fault = zombie.write(&target.address(number, 50), &record(number)).err();
            if fault.is_some() {
                break;
            }
        }
        let fault = fault.or_else(|| zombie.commit(&[]).err()).unwrap();
        assert!(matches!(fault, BusFault::Fenced(_)), "{:?}: {fault}", target.way);
        assert_eq!(target.numbers(), all(reached));
        write(target, &mut *sink, reached..200);
        sink.commit(&[]).unwrap();
        assert_eq!(target.numbers(), all(200));
    });
}

#[test]
fn an_owner_that_was_fenced_learns_it_at_a_commit_with_nothing() {
    on_both("an_owner_learns_it", |target| {
        let nats = target.world.process();
        let (mut zombie, _) = target.open(&nats);
        zombie.commit(&[]).unwrap();
        let _new = target.open(&nats);
        assert!(matches!(zombie.commit(&[]), Err(BusFault::Fenced(_))));
    });
}

/// Carries numbers, and drops the sink whenever chance says so, until so many are there.
fn carry(target: &Target<'_>, until: u64, is_over: &dyn Fn() -> bool) -> u32 {
    let nats = target.world.process();
    let since = Instant::now();
    let mut opened = 0;
    loop {
        assert!(since.elapsed() < Duration::from_secs(180), "opened {opened} times");
        let (mut sink, resume) = match target.try_open(&nats) {
            Ok(opened) => opened,
            Err(BusFault::Unavailable(_) | BusFault::Aborted(_)) => {
                std::thread::sleep(Duration::from_millis(20));
                continue;
            }
            Err(fault) => panic!("{fault}"),
        };
        opened += 1;
        let mut number = next(&resume);
        let worked = (|| {
            while number < until || !is_over() {
                for _ in 0..rand::random_range(1..1_500) {
                    sink.write(&target.address(number, 50), &record(number))?;
                    number += 1;
                }
                match rand::random_range(0..4) {
                    // As if the process had died.
                    0 => return Ok(false),
                    _ => sink.commit(&[])?,
                }
            }
            Ok(true)
        })();
        match worked {
            Ok(true) => return opened,
            Ok(false) | Err(BusFault::Unavailable(_) | BusFault::Aborted(_)) => {}
            Err(fault) => panic!("{fault}"),
        }
    }
}

fn in_order(target: &Target<'_>) {
    let numbers = target.numbers();
    assert_eq!(numbers, all(numbers.len() as u64), "{:?}", target.way);
}

#[test]
fn a_sink_that_is_dropped_at_any_step_loses_doubles_and_reorders_nothing() {
    on_both("a_sink_that_is_dropped", |target| {
        let opened = carry(target, 40_000, &|| true);
        eprintln!("{:?}: opened {opened} times", target.way);
        in_order(target);
    });
}

#[test]
fn a_server_that_is_killed_loses_doubles_and_reorders_nothing() {
    let Some(mut server) = Server::start("a_server_that_is_killed_relays") else { return };
    let world = World::new(server.url());
    for way in BOTH {
        let Some(target) = Target::new(&world, way) else { continue };
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let carrying = scope.spawn(|| carry(&target, 1, &|| over.load(Ordering::Acquire)));
            for _ in 0..4 {
                std::thread::sleep(Duration::from_millis(rand::random_range(50..600)));
                server.kill();
                server.restart();
            }
            over.store(true, Ordering::Release);
            eprintln!("{way:?}: opened {} times", carrying.join().unwrap());
        });
        in_order(&target);
    }
}

#[test]
fn a_record_stays_in_its_place_while_others_write_to_the_stream() {
    on_both("others_write", |target| {
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let others = scope.spawn(|| {
                let jetstream = target.world.jetstream();
                let subject = format!("{}.relays.{}.other.0", target.world.prefix, target.stream);
                let mut count = 0;
                while !over.load(Ordering::Acquire) {
                    let sent = jetstream.publish(subject.clone(), "x".into());
                    target.world.runtime.block_on(async { sent.await.unwrap().await.unwrap() });
                    count += 1;
                }
                count
            });
            carry(target, 5_000, &|| true);
            over.store(true, Ordering::Release);
            eprintln!("{:?}: beside {} of others", target.way, others.join().unwrap());
        });
        in_order(target);
    });
}

#[test]
fn a_stream_that_was_purged_or_made_anew_is_carried_again() {
    on_both("a_stream_that_was_purged", |target| {
        let nats = target.world.process();
        let jetstream = target.world.jetstream();
        for made_anew in [false, true] {
            let (mut sink, _) = target.open(&nats);
            write(target, &mut *sink, 0..10);
            sink.commit(&[]).unwrap();
            if made_anew {
                target.make_anew();
            } else {
                target.world.runtime.block_on(async {
                    let stream = jetstream.get_stream(&target.stream).await.unwrap();
                    stream.purge().await.unwrap();
                });
            }
            let written = sink.write(&target.address(10, 50), &record(10));
            let Err(fault) = written.and_then(|()| sink.commit(&[])) else {
                panic!("{:?}, {made_anew}: {:?}", target.way, target.numbers());
            };
            assert!(matches!(fault, BusFault::Aborted(_)), "{:?}: {fault}", target.way);
            let (mut sink, resume) = target.open(&nats);
            assert!(!resume.begun && resume.positions.is_empty());
            write(target, &mut *sink, 0..10);
            sink.commit(&[]).unwrap();
            assert_eq!(target.numbers(), all(10));
            // For the next turn.
            target.make_anew();
        }
    });
}

#[test]
fn a_record_that_is_too_large_is_refused_alone_and_goes_to_the_dead_letters_once() {
    on_both("a_record_that_is_too_large", |target| {
        let nats = target.world.process();
        let mut large = record(3);
        large.value = Some(Bytes::from(vec![b'x'; 2 << 20]));
        for _ in 0..2 {
            let (mut sink, _) = target.open(&nats);
            write(target, &mut *sink, 0..3);
            let refused = sink.write(&target.address(3, 50), &large).unwrap_err();
            assert!(matches!(refused, BusFault::TooLarge(_)), "{refused}");
            sink.write_dead_letter(&large, &refused.to_string()).unwrap();
            // It dies before it commits: what was put aside is put aside again.
            drop(sink);
            if target.way == Way::Chain {
                break;
            }
        }
        let (mut sink, resume) = target.open(&nats);
        let from = next(&resume);
        write(target, &mut *sink, from..3);
        sink.write_dead_letter(&large, "too large").unwrap();
        write(target, &mut *sink, 4..6);
        sink.commit(&[]).unwrap();
        assert_eq!(target.numbers(), [0, 1, 2, 4, 5]);
        let stream = format!("{}-RELAY_to-edge_DLQ", target.world.prefix.to_uppercase());
        let letters = target.world.messages(&stream);
        assert_eq!(letters.len(), 1, "{:?}", target.way);
        let headers = letters[0].headers.as_ref().unwrap();
        assert_eq!(headers.get("__connect.errors.topic").unwrap().as_str(), "talon.calls");
        assert_eq!(headers.get("__talon.errors.value.bytes").unwrap().as_str(), "2097152");
        assert_eq!(next(&target.open(&nats).1), 6);
        let jetstream = target.world.jetstream();
        target.world.runtime.block_on(async { jetstream.delete_stream(stream).await.unwrap() });
    });
}

#[test]
fn a_subject_that_the_stream_does_not_take_is_refused_alone() {
    on_both("a_subject_that_is_not_taken", |target| {
        let nats = target.world.process();
        let (mut sink, _) = target.open(&nats);
        let mut elsewhere = target.address(0, 50);
        elsewhere.name = "elsewhere.x".to_owned();
        let refused = sink.write(&elsewhere, &record(0)).unwrap_err();
        assert!(matches!(refused, BusFault::TooLarge(_)), "{refused}");
        write(target, &mut *sink, 1..3);
        sink.commit(&[]).unwrap();
        assert_eq!(target.numbers(), [1, 2]);
    });
}

#[test]
fn ten_thousand_subjects_keep_their_order() {
    on_both("ten_thousand_subjects", |target| {
        let nats = target.world.process();
        let (mut sink, _) = target.open(&nats);
        for number in 0..20_000 {
            sink.write(&target.address(number, 10_000), &record(number)).unwrap();
        }
        sink.commit(&[]).unwrap();
        assert_eq!(target.numbers(), all(20_000));
    });
}

#[test]
fn a_stream_without_room_for_positions_is_refused_with_what_to_add() {
    let Some(server) = Server::shared("a_stream_without_room") else { return };
    let world = World::new(server.url());
    let target = Target::new(&world, Way::Chain).unwrap();
    let jetstream = world.jetstream();
    world.runtime.block_on(async {
        let mut stream = jetstream.get_stream(&target.stream).await.unwrap();
        let mut config = stream.info().await.unwrap().config.clone();
        config.subjects.truncate(1);
        jetstream.update_stream(config).await.unwrap();
    });
    let fault = target.try_open(&world.process()).map(drop).unwrap_err();
    let missing = format!("{}.relays.{}.>", world.prefix, target.stream);
    assert!(matches!(&fault, BusFault::Misconfigured(why) if why.contains(&missing)), "{fault}");
}

#[test]
fn tasks_of_another_number_are_fenced_and_refuse() {
    on_both("tasks_of_another_number", |target| {
        let (old, new) = (target.world.process(), target.world.process());
        let (two, three) = (Tasks::new(2), Tasks::new(3));
        let mut zombies: Vec<_> = (0..2_u64)
            .map(|task| {
                let (mut sink, _) = target.try_open_task(&old, task as u32, &two).unwrap();
                write(target, &mut *sink, task * 100..task * 100 + 100);
                sink.commit(&[]).unwrap();
                sink
            })
            .collect();
        let (mut sink, resume) = target.try_open_task(&new, 0, &three).unwrap();
        // Of both tasks, which carried the same part one after the other.
        assert_eq!((resume.begun, next(&resume)), (true, 200));
        for (task, zombie) in zombies.iter_mut().enumerate() {
            let gone = (200..5_000).find_map(|number| {
                zombie.write(&target.address(number, 50), &record(number)).err()
            });
            let fault = gone.or_else(|| zombie.commit(&[]).err()).unwrap();
            assert!(matches!(fault, BusFault::Fenced(_)), "{:?}: {fault}", target.way);
            let fault = target.try_open_task(&old, task as u32, &two).map(drop).unwrap_err();
            let BusFault::Misconfigured(why) = &fault else { panic!("{fault:?}") };
            assert!(why.contains("has 3 tasks in a process that was started later"), "{why}");
        }
        assert_eq!(target.numbers(), all(200));
        // That one took a fence of another number, which holds up nobody.
        let mut sink = match sink.commit(&[]) {
            Ok(()) => sink,
            Err(_) => target.try_open_task(&new, 0, &three).unwrap().0,
        };
        write(target, &mut *sink, 200..300);
        sink.commit(&[]).unwrap();
        assert_eq!(target.numbers(), all(300));
        // An upgrade that is taken back.
        let (_, resume) = target.try_open_task(&old, 1, &Tasks::new(2)).unwrap();
        assert_eq!(next(&resume), 300);
    });
}

#[test]
fn a_number_that_a_process_died_in_changing_is_changed_by_the_next_one() {
    on_both("a_number_that_a_process_died_in_changing", |target| {
        let nats = target.world.process();
        let (mut zombie, _) = target.open(&nats);
        write(target, &mut *zombie, 0..100);
        zombie.commit(&[]).unwrap();
        let begun = Tasks::new(2).change(Tasks::new(1).change(None)).unwrap();
        let subject = format!("{}.relays.{}.to-edge.tasks", target.world.prefix, target.stream);
        let payload = serde_json::to_vec(&begun).unwrap();
        let jetstream = target.world.jetstream();
        target.world.runtime.block_on(async {
            jetstream.publish(subject, payload.into()).await.unwrap().await.unwrap();
        });
        let (_, resume) = target.try_open_task(&nats, 1, &Tasks::new(2)).unwrap();
        assert_eq!((resume.begun, next(&resume)), (true, 100));
        assert!(matches!(zombie.commit(&[]), Err(BusFault::Fenced(_))));
    });
}

#[test]
fn a_cluster_whose_leader_is_killed_loses_doubles_and_reorders_nothing() {
    let Some(mut cluster) = Cluster::start("a_cluster_whose_leader_is_killed") else { return };
    let world = World { replication: 3, ..World::new(&cluster.urls()) };
    for way in BOTH {
        let Some(target) = Target::new(&world, way) else { continue };
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let carrying = scope.spawn(|| carry(&target, 200, &|| over.load(Ordering::Acquire)));
            for server in 0..3 {
                std::thread::sleep(Duration::from_millis(rand::random_range(50..600)));
                cluster.kill(server);
                cluster.restart(server);
            }
            over.store(true, Ordering::Release);
            eprintln!("{way:?}: opened {} times", carrying.join().unwrap());
        });
        in_order(&target);
    }
}
