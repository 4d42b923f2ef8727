//! Everything of one run: it is put together, broken by a history, left to settle, and looked at.

mod actions;
mod clock;
mod health;
mod last;
mod operate;
mod operators;
mod rolling;
mod settle;
mod stalls;
mod start;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex as Lock, PoisonError};
use std::time::Duration;

use tokio::sync::{Mutex, watch};

use crate::broker::{Broker, On};
use crate::cast::Instance;
use crate::check::{Finding, check, unresolved};
use crate::driver::drive;
use crate::facts::{Disturbance, End, Facts, How, Published, Rolling, Stuck};
use crate::process::Process;
use crate::proxy::Proxy;
use crate::recorder::Recorder;
use crate::registry::MemoryRegistry;
use crate::scenario::{History, Line};
use crate::subject::Subject;

use clock::now_ms;
use operators::Operators;

/// What is run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The connectors, the same in each process.
    pub connectors: Vec<Instance>,
    /// On which bus.
    pub on: On,
    /// How many processes share the work.
    pub processes: usize,
    /// How long upstreams and commands are lively, at least: as long as the history lasts.
    pub length: Duration,
    /// The schema registry.
    pub registry: WhichRegistry,
    /// True if the disk of the broker can be filled.
    pub small_disk: bool,
    /// True if connectors are made over REST, and stand in no file.
    pub over_rest: bool,
    /// Which times the bus is given.
    pub times: Times,
    /// The program.
    pub program: PathBuf,
    /// The program that a process that is rolled starts with, in turn with the other one.
    pub next_program: Option<PathBuf>,
}

/// Which schema registry a run has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhichRegistry {
    /// None.
    None,
    /// A real one, as a process.
    Apicurio,
    /// One in memory, which can be slow and can be emptied.
    Memory,
}

/// How soon a silent process is found missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Times {
    /// Within two seconds.
    Short,
    /// As it is unless set.
    Usual,
}

/// What came of it.
#[derive(Debug)]
pub struct Outcome {
    /// Every breach.
    pub findings: Vec<Finding>,
    /// Events that were published.
    pub events: usize,
    /// Commands that were issued.
    pub commands: usize,
    /// Commands that ended `UNKNOWN`.
    pub unresolved: usize,
    /// Looks at checkpoints.
    pub sights: usize,
    /// Connectors that were read back.
    pub recoveries: usize,
    /// How often this program itself was held up for so long that processes may have been too.
    pub stalls: usize,
    /// What was measured of a rolling restart.
    pub rolling: Option<Rolling>,
    /// Logs of the processes, by place.
    pub logs: Vec<String>,
}

/// What the tasks of a run share.
struct World {
    connectors: Vec<Connector>,
    broker: Mutex<Broker>,
    registry: SchemaRegistry,
    places: Vec<Mutex<Process>>,
    lines: HashMap<Line, (Mutex<()>, Vec<Proxy>)>,
    rolls: AtomicU64,
    /// Where connectors are made over REST.
    operators: Option<Operators>,
    /// Prefix of the topics, and name of the group.
    prefix: String,
    programs: (PathBuf, Option<PathBuf>),
    disturbances: Arc<Lock<Vec<Disturbance>>>,
    rolling: Lock<Option<Rolling>>,
    stuck: Lock<Vec<Stuck>>,
}

/// A connector, what it should do, and what it does.
struct Connector {
    instance: Instance,
    subject: Arc<dyn Subject>,
    recorder: Recorder,
}

enum SchemaRegistry {
    None,
    Apicurio(Mutex<talon_brokers::Registry>),
    /// Those that harm it wait for one another.
    Memory(MemoryRegistry, Mutex<()>),
}

/// Runs a history once.
///
/// # Errors
/// What is not Talon's: no broker, a simulator that does not start.
pub async fn run(plan: &Plan, history: &History) -> anyhow::Result<Outcome> {
    let world = Arc::new(World::start(plan).await?);
    let stalls = stalls::watch(world.disturbances.clone());
    world.begin().await?;
    let (stop, stopped) = watch::channel(false);
    let mut drivers = Vec::new();
    for place in 0..world.connectors.len() {
        let (world, stopped) = (world.clone(), stopped.clone());
        drivers.push(tokio::spawn(
            async move { world.connectors[place].drive(&world, stopped).await },
        ));
    }
    let looking = tokio::spawn(world.clone().look(stopped));
    for connector in &world.connectors {
        connector.subject.live(connector.instance.edits_per_second);
    }
    let mut ends = world.clone().suffer(history).await?;
    let left = plan.length.saturating_sub(
        history.0.last().map_or(Duration::ZERO, |(at, _)| Duration::from_millis(*at)),
    );
    tokio::time::sleep(left).await;
    stop.send_replace(true);
    let mut issued = Vec::new();
    for driver in drivers {
        issued.push(driver.await??);
    }
    let mut sights = looking.await?;
    world.connectors.iter().for_each(|connector| connector.subject.quiet());
    world.lines.values().flat_map(|(_, lines)| lines).for_each(Proxy::mend);
    ends.extend(world.revive().await?);
    ends.extend(world.bring_back().await?);

    let told = world.settle(&issued, &sights).await?;
    ends.extend(world.stop_in_peace().await?);
    let stalls = stalls.count();
    let (mut processes, logs) = world.told_by_processes(told).await;
    for (process, log) in logs.iter().enumerate() {
        if let Some(line) = log.lines().find(|line| line.contains("panicked at")) {
            ends.push(End { process, how: How::Panicked(line.to_owned()) });
        }
    }
    processes.ends = ends;
    let mut outcome = Outcome {
        findings: Vec::new(),
        events: 0,
        commands: issued.iter().map(Vec::len).sum(),
        unresolved: 0,
        sights: 0,
        recoveries: 0,
        stalls,
        rolling: processes.rolling.clone(),
        logs,
    };
    // What a look at the end says, and what was published while they stopped.
    for (place, connector) in world.connectors.iter().enumerate() {
        let sights = std::mem::take(&mut sights[place]);
        let facts =
            world.last_look(place, history, &processes.said, &issued[place], sights).await?;
        processes.canaries.extend(facts.canaries.iter().cloned());
        outcome.events += events(&facts);
        outcome.unresolved += unresolved(&facts);
        outcome.sights += facts.sights.len();
        outcome.recoveries += facts.recoveries.len();
        outcome.findings.extend(check(&facts).into_iter().map(
            |found| match plan.connectors.len() {
                1 => found,
                _ => Finding {
                    text: format!("{}: {}", connector.instance.name, found.text),
                    ..found
                },
            },
        ));
    }
    outcome.findings.extend(check(&processes));
    Ok(outcome)
}

fn events(facts: &Facts) -> usize {
    let records = facts.feeds.iter().flat_map(|feed| feed.published.values().flatten());
    records.filter(|record| matches!(record, Published::Change { .. })).count()
}

impl Connector {
    /// Issues commands until told to stop.
    async fn drive(
        &self,
        world: &World,
        stopped: watch::Receiver<bool>,
    ) -> anyhow::Result<Vec<crate::facts::Issued>> {
        if !self.subject.has_commands() {
            return Ok(Vec::new());
        }
        let Recorder { address, prefix, connector } = &self.recorder;
        let topic = format!("{prefix}.{connector}.commands");
        // All connectors together do not ask for many more than one does.
        let share = world.connectors.len().div_ceil(2).try_into().unwrap_or(1);
        let pause = self.subject.pause() * share;
        drive(address, &topic, &*self.subject, self.instance.seed, pause, stopped).await
    }
}

impl World {
    /// Notes what was done since `from_ms` to a process, or to all.
    fn disturbed(&self, process: Option<usize>, from_ms: i64) {
        self.disturb(Disturbance { process, from_ms, until_ms: now_ms() });
    }

    fn disturb(&self, disturbance: Disturbance) {
        self.disturbances.lock().unwrap_or_else(PoisonError::into_inner).push(disturbance);
    }

    fn disturbances(&self) -> Vec<Disturbance> {
        self.disturbances.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
