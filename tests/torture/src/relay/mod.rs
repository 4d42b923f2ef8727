//! Relays, in both directions at once, while everything around them breaks.
//!
//! A run has a real Kafka, one NATS server or a cluster of three, and some `talon run` processes with the relays of
//! `ways`. `writers` write records of every kind (`odd`) to topics and a stream, `harm` is done to all, and when it is
//! over, what the targets hold is [compared](check) with what the sources hold, as any consumer reads (`reading`) it.
//!
//! | Relay | From | To |
//! | --- | --- | --- |
//! | `there` | topics | a stream, in atomic batches |
//! | `chain` | the same topics | a stream without batches |
//! | `back` | the stream of `there` | topics, each record in the partition from which it came |
//! | `in` | a stream that others publish to | topics, placed by keys made of subjects |
//! | `mirror` | the same stream | another stream |
//! | `straight` | topics | topics of the same Kafka |

pub mod check;
mod done;
mod harm;
mod odd;
mod plan;
mod reading;
mod verdict;
mod ways;
mod world;
mod writers;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use tokio::task::spawn_blocking;

use self::check::{Finding, Property};
pub use self::done::Done;
pub use self::plan::{Harm, Plan};
use self::world::World;
use self::writers::{Topic, Writers};

/// How long records that are not there may still come.
const SETTLED: Duration = Duration::from_secs(300);

/// What came of it.
pub struct Outcome {
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// What was done.
    pub done: Done,
    /// Records that each relay carried, by its name.
    pub carried: Vec<(&'static str, usize)>,
    /// What the processes logged.
    pub logs: Vec<String>,
}

/// Runs a plan.
///
/// # Errors
/// What is not Talon's.
pub async fn run(plan: &Plan) -> anyhow::Result<Outcome> {
    let world = World::start(plan).await?;
    let topic = |name: &str, partitions: i32, is_keyed: bool| Topic {
        name: world.ways.source(name),
        partitions: Arc::new(partitions.into()),
        is_keyed,
    };
    let topics = [
        topic("one", 1, false),
        topic("many", 12, false),
        topic("grows", 1, false),
        topic("compacted", 3, true),
    ];
    harm::make_topics(&world.kafka_address, &topics).await?;
    let mut writers = Writers::default();
    writers.transactions(&world.kafka_address, &topics, plan.seed, plan.rate * 0.6);
    writers.plain(&world.kafka_address, &topics[1..3], plan.seed, plan.rate * 0.4);
    writers.messages(&world.nats_urls, &world.ways.below(), plan.seed, plan.rate * 0.5);
    for place in &world.places {
        place.lock().await.start()?;
    }
    let over = AtomicBool::new(false);
    let until = Instant::now() + plan.length;
    let (processes, (), passing) = tokio::join!(
        harm::processes(&world, (plan.harm, plan.seed), (until, plan.kills), &over),
        harm::brokers(&world, plan.harm, plan.seed, &over),
        harm::topics(&world, &topics[2], plan.seed, &over),
    );
    over.store(true, Ordering::Relaxed);
    processes.and(passing)?;
    let aborted = spawn_blocking(|| writers.stop()).await.context("a writer panicked")?;
    let names: Vec<&str> = topics.iter().map(|topic| &*topic.name).collect();
    let since = Instant::now();
    let (stuck, verdict) = loop {
        let stuck = world.settled().await.err();
        let verdict = verdict::of(&world, &names, &aborted).await?;
        // A task that was just opened has not looked yet how far it is behind.
        let may_come = verdict.findings.iter().all(|found| found.property == Property::Lost);
        if verdict.findings.is_empty() || !may_come || stuck.is_some() || since.elapsed() > SETTLED
        {
            break (stuck, verdict);
        }
    };
    let logs = world.end().await?;
    let mut findings = std::mem::take(&mut *world.findings.lock().await);
    findings.extend(stuck.map(|why| Finding { property: Property::Stuck, text: why.to_string() }));
    findings.extend(verdict.findings);
    Ok(Outcome { findings, done: world.done, carried: verdict.carried, logs })
}
