//! What the server does to us: killed, paused, away.
#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use talon_brokers::Nats as Server;
use talon_runtime::bus::BusFault;

use crate::support::{Log, World};

/// Commits windows of an ever growing number for each of ten keys; opens anew after a fault, as the
/// runtime does, and goes on from what is recovered. Returns the number reached.
fn work(world: &World, windows: usize, mut kill: impl FnMut(usize)) -> u32 {
    let nats = world.process();
    let mut log: Option<Log<'_>> = None;
    let mut next = 1;
    let mut done = 0;
    let mut faults = 0;
    while done < windows {
        let current = match &mut log {
            Some(log) => log,
            None => match world.try_log(&nats) {
                Ok((opened, found)) => {
                    let last = found.records.values().flatten().map(|v| v.parse::<u32>().unwrap());
                    // A window may have got in in part: what is missing of it is published again.
                    let (least, most) =
                        (last.clone().min().unwrap_or(0), last.max().unwrap_or(0));
                    let keys = found.records.len();
                    assert!(most <= next && most - least.min(most) <= 100, "{least} {most}");
                    next = if keys == 10 { least + 1 } else { 1 };
                    let log = log.insert(opened);
                    for (key, value) in found.records {
                        let have = value.unwrap().parse::<u32>().unwrap();
                        for n in next..=have {
                            let _ = (n, &key);
                        }
                    }
                    log
                }
                Err(BusFault::Unavailable(_) | BusFault::Aborted(_)) => {
                    faults += 1;
                    assert!(faults < 2_000);
                    std::thread::sleep(Duration::from_millis(20));
                    continue;
                }
                Err(fault) => panic!("{fault}"),
            },
        };
        kill(done);
        let window = (|| {
            for n in next..next + 100 {
                for key in 0..10 {
                    let id = format!("{key}-{n}");
                    current.append(support::TABLE, &key.to_string(), Some(&n.to_string()), &id)?;
                }
            }
            current.commit(Some(&next.to_string()))
        })();
        match window {
            Ok(()) => {
                next += 100;
                done += 1;
            }
            Err(BusFault::Unavailable(_) | BusFault::Aborted(_)) => {
                faults += 1;
                log = None;
            }
            Err(fault) => panic!("{fault}"),
        }
    }
    eprintln!("{faults} faults");
    next - 1
}
