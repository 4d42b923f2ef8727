//! Everything of one run: it is put together, broken by a history, left to settle, and looked at.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use talon_brokers::Registry;
use tokio::sync::{Mutex, watch};
use tokio::task::{JoinSet, block_in_place};

use crate::broker::{Broker, On};
use crate::check::{Finding, check, unresolved};
use crate::driver::drive;
use crate::facts::{End, Facts, How, Issued, Published, Sight};
use crate::process::Process;
use crate::proxy::{Entrance, Proxy};
use crate::recorder::Recorder;
use crate::scenario::{Action, History, Line, Wire};
use crate::subject::{self, Subject};

/// Name of the connector.
const CONNECTOR: &str = "field";
/// Longest wait until it works in the beginning, and for anything more to settle in the end.
const PATIENCE: Duration = Duration::from_secs(120);
/// Between two looks.
const GLANCE: Duration = Duration::from_millis(250);
/// Between two looks at checkpoints while everything goes on.
const SIGHT: Duration = Duration::from_millis(1_500);

/// What is run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Name of the subject.
    pub connector: String,
    /// On which bus.
    pub on: On,
    /// How many processes share the work.
    pub processes: usize,
    /// Of the upstream's life and of the commands.
    pub seed: u64,
    /// How long upstream and commands are lively, at least: as long as the history lasts.
    pub length: Duration,
    /// Random edits in a second.
    pub edits_per_second: f64,
    /// Whether there is a schema registry.
    pub registry: bool,
    /// Whether the disk of the broker can be filled.
    pub small_disk: bool,
    /// The program.
    pub program: PathBuf,
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
    /// Logs of the processes, by place.
    pub logs: Vec<String>,
}

/// What the tasks of a run share.
struct World {
    subject: Arc<dyn Subject>,
    broker: Mutex<Broker>,
    registry: Option<Mutex<Registry>>,
    places: Vec<Mutex<Process>>,
    lines: HashMap<Line, (Mutex<()>, Proxy)>,
    rolls: AtomicU64,
    recorder: Recorder,
}

/// Runs a history once.
///
/// # Errors
/// What is not Talon's: no broker, a simulator that does not start.
pub async fn run(plan: &Plan, history: &History) -> anyhow::Result<Outcome> {
    let world = Arc::new(World::start(plan).await?);
    world.begin().await?;
    let has_commands = world.subject.has_commands();
    let (stop, stopped) = watch::channel(false);
    let driver = {
        let (world, plan, stopped) = (world.clone(), plan.clone(), stopped.clone());
        tokio::spawn(async move {
            if !has_commands {
                return Ok(Vec::new());
            }
            let Recorder { address, prefix, connector } = &world.recorder;
            let topic = format!("{prefix}.{connector}.commands");
            drive(address, &topic, &*world.subject, plan.seed, world.subject.pause(), stopped).await
        })
    };
    let looking = tokio::spawn(world.clone().look(stopped));
    world.subject.live(plan.edits_per_second);
    let mut ends = world.clone().suffer(history).await?;
    let left = plan.length.saturating_sub(
        history.0.last().map_or(Duration::ZERO, |(at, _)| Duration::from_millis(*at)),
    );
    tokio::time::sleep(left).await;
    stop.send_replace(true);
    let issued = driver.await??;
    let mut sights = looking.await?;
    world.subject.quiet();
    world.lines.values().for_each(|(_, line)| line.mend());
    ends.extend(world.revive().await?);

    let facts = world.settle(&issued, &sights).await?;
    for (process, place) in world.places.iter().enumerate() {
        let mut place = place.lock().await;
        ends.push(End {
            process,
            how: match (place.ended()?, place.terminate().await?) {
                (Some(status), _) => How::ByItself(status.to_string()),
                (None, Some(status)) => How::InPeace(status.code()),
                (None, None) => How::Never,
            },
        });
    }
    // What a look at the end says, and what was published while they stopped.
    sights.extend(world.recorder.sights(&*world.subject).await?);
    let mut last = world.facts(&issued, &sights).await?;
    last.told.extend(facts.told);
    let mut logs = Vec::new();
    for (process, place) in world.places.iter().enumerate() {
        let log = place.lock().await.log();
        if let Some(line) = log.lines().find(|line| line.contains("panicked at")) {
            ends.push(End { process, how: How::Panicked(line.to_owned()) });
        }
        last.told.push((format!("the log of process {process}"), log.clone()));
        logs.push(log);
    }
    last.ends = ends;
    Ok(Outcome {
        findings: check(&last),
        events: events(&last),
        commands: issued.len(),
        unresolved: unresolved(&last),
        sights: sights.len(),
        logs,
    })
}

fn events(facts: &Facts) -> usize {
    let records = facts.feeds.iter().flat_map(|feed| feed.published.values().flatten());
    records.filter(|record| matches!(record, Published::Change { .. })).count()
}

impl World {
    async fn start(plan: &Plan) -> anyhow::Result<World> {
        let subject = subject::start(&plan.connector, plan.seed).await?;
        let mut entrances = Vec::new();
        let mut lines = HashMap::new();
        for process in 0..plan.processes {
            entrances.push(Entrance::take().await?);
            let line = Entrance::take().await?.lead(subject.address());
            lines.insert(Line::Upstream(process), (Mutex::default(), line));
        }
        let (broker, proxies) =
            block_in_place(|| Broker::start(plan.on, plan.small_disk, entrances))?;
        let registry = match plan.registry {
            true => Some(block_in_place(|| Registry::start("torture")).context("no registry")?),
            false => None,
        };
        let prefix = talon_brokers::unique("torture");
        let mut places = Vec::new();
        for (process, line) in proxies.into_iter().enumerate() {
            let upstream = lines[&Line::Upstream(process)].1.address();
            let mut settings = bus(plan.on, &line);
            for (key, text) in [
                ("talon.prefix", &*prefix),
                ("talon.group", &prefix),
                ("http.listen", "127.0.0.1:0"),
            ] {
                settings.insert(key.to_owned(), text.to_owned());
            }
            if let Some(registry) = &registry {
                settings.insert("schema.registry.url".to_owned(), registry.url().to_owned());
            }
            let class = ("class".to_owned(), subject.class().to_owned());
            for (key, text) in subject.settings(upstream).into_iter().chain([class]) {
                settings.insert(format!("connectors.{CONNECTOR}.{key}"), text);
            }
            places.push(Mutex::new(Process::new(&plan.program, settings)?));
            lines.insert(Line::Broker(process), (Mutex::default(), line));
        }
        let recorder =
            Recorder { address: broker.address(), prefix, connector: CONNECTOR.to_owned() };
        let (broker, rolls) = (Mutex::new(broker), AtomicU64::new(0));
        let registry = registry.map(Mutex::new);
        Ok(World { subject, broker, registry, places, lines, rolls, recorder })
    }

    /// Starts the processes, and waits until one of them works.
    async fn begin(&self) -> anyhow::Result<()> {
        for place in &self.places {
            place.lock().await.start()?;
        }
        let lane = format!("{CONNECTOR}/commands");
        let since = Instant::now();
        loop {
            for place in &self.places {
                let place = place.lock().await;
                let is_up =
                    async |component: &str| place.state(component).await.as_deref() == Some("up");
                if is_up(CONNECTOR).await && (!self.subject.has_commands() || is_up(&lane).await) {
                    return Ok(());
                }
            }
            ensure!(
                since.elapsed() < PATIENCE,
                "nothing works in the beginning:\n{}",
                self.places[0].lock().await.log()
            );
            tokio::time::sleep(GLANCE).await;
        }
    }

    /// Does what the history says, and waits until all of it is over.
    async fn suffer(self: Arc<World>, history: &History) -> anyhow::Result<Vec<End>> {
        let since = Instant::now();
        let mut going = JoinSet::new();
        for (at, action) in history.0.iter().copied() {
            tokio::time::sleep(Duration::from_millis(at).saturating_sub(since.elapsed())).await;
            let world = self.clone();
            going.spawn(async move { world.perform(action).await });
        }
        let mut ends = Vec::new();
        while let Some(done) = going.join_next().await {
            ends.extend(done??);
        }
        Ok(ends)
    }

    async fn perform(&self, action: Action) -> anyhow::Result<Option<End>> {
        let count = self.places.len();
        let for_ms = |ms| tokio::time::sleep(Duration::from_millis(ms));
        match action {
            Action::Kill(process, ms) => {
                let mut place = self.places[process % count].lock().await;
                let ended = place.kill()?;
                for_ms(ms).await;
                place.start()?;
                Ok(ended.map(|status| End { process, how: How::ByItself(status.to_string()) }))
            }
            Action::Pause(process, ms) => {
                let place = self.places[process % count].lock().await;
                place.signal("STOP")?;
                for_ms(ms).await;
                place.signal("CONT")?;
                Ok(None)
            }
            Action::Terminate(process, ms) => {
                let mut place = self.places[process % count].lock().await;
                let ended = terminated(process, &mut place).await?;
                for_ms(ms).await;
                place.start()?;
                Ok(ended)
            }
            Action::Roll(process) => {
                let mut place = self.places[process % count].lock().await;
                let ended = terminated(process, &mut place).await?;
                let roll = self.rolls.fetch_add(1, Ordering::Relaxed);
                for (key, text) in self.subject.rolled(roll) {
                    place.settings().insert(format!("connectors.{CONNECTOR}.{key}"), text);
                }
                place.start()?;
                Ok(ended)
            }
            Action::BrokerKill(ms) => {
                let mut broker = self.broker.lock().await;
                block_in_place(|| broker.kill());
                for_ms(ms).await;
                block_in_place(|| broker.restart());
                Ok(None)
            }
            Action::BrokerPause(ms) => {
                let broker = self.broker.lock().await;
                block_in_place(|| broker.pause());
                for_ms(ms).await;
                block_in_place(|| broker.resume());
                Ok(None)
            }
            Action::Line(line, wire, ms) => {
                let line = match line {
                    Line::Broker(process) => Line::Broker(process % count),
                    Line::Upstream(process) => Line::Upstream(process % count),
                };
                let (turn, proxy) = &self.lines[&line];
                let _turn = turn.lock().await;
                proxy.fail(wire);
                if wire != Wire::Sever {
                    for_ms(ms).await;
                    proxy.mend();
                }
                Ok(None)
            }
            Action::Upstream(kind, times) => {
                self.subject.fault(kind, times);
                Ok(None)
            }
            Action::Clock(process, by, ms) => {
                let place = &self.places[process % count];
                place.lock().await.set_clock(by)?;
                for_ms(ms).await;
                place.lock().await.set_clock(0)?;
                Ok(None)
            }
            Action::DiskFull(ms) => {
                let mut broker = self.broker.lock().await;
                block_in_place(|| broker.fill())?;
                for_ms(ms).await;
                block_in_place(|| broker.free())?;
                Ok(None)
            }
            Action::RegistryKill(ms) => {
                let Some(registry) = &self.registry else { return Ok(None) };
                let mut registry = registry.lock().await;
                block_in_place(|| registry.kill());
                for_ms(ms).await;
                block_in_place(|| registry.restart());
                Ok(None)
            }
        }
    }

    /// Looks at checkpoints and events, and at the pages, while everything goes on.
    async fn look(self: Arc<World>, mut stop: watch::Receiver<bool>) -> Vec<Sight> {
        let mut sights = Vec::new();
        while tokio::time::timeout(SIGHT, stop.wait_for(|stop| *stop)).await.is_err() {
            // A broker that is away has nothing to look at.
            let Ok(_broker) = self.broker.try_lock() else { continue };
            sights.extend(self.recorder.sights(&*self.subject).await.unwrap_or_default());
        }
        sights
    }

    /// Whoever ended by itself is started again, and told.
    async fn revive(&self) -> anyhow::Result<Vec<End>> {
        let mut ends = Vec::new();
        for (process, place) in self.places.iter().enumerate() {
            let mut place = place.lock().await;
            if let Some(status) = place.ended()? {
                ends.push(End { process, how: How::ByItself(status.to_string()) });
                place.start()?;
            }
        }
        Ok(ends)
    }

    /// Waits until nothing is due any more, or nothing that is wrong can mend itself.
    async fn settle(&self, issued: &[Issued], sights: &[Sight]) -> anyhow::Result<Facts> {
        let (mut since, mut least) = (Instant::now(), usize::MAX);
        loop {
            let mut facts = self.facts(issued, sights).await?;
            let findings = check(&facts);
            let due = findings.iter().filter(|finding| finding.property.may_settle()).count();
            if due < least {
                // On a busy machine it takes long to do what is left, but less and less is left.
                (since, least) = (Instant::now(), due);
            }
            if due == 0 || due < findings.len() || since.elapsed() > PATIENCE {
                for (number, place) in self.places.iter().enumerate() {
                    for path in ["/", "/metrics", "/health/ready", "/health/live"] {
                        if let Some(page) = place.lock().await.page(path).await {
                            facts.told.push((format!("`{path}` of process {number}"), page));
                        }
                    }
                }
                return Ok(facts);
            }
            tokio::time::sleep(GLANCE).await;
        }
    }

    async fn facts(&self, issued: &[Issued], sights: &[Sight]) -> anyhow::Result<Facts> {
        let mut facts = self.recorder.facts(&*self.subject).await?;
        facts.commands.issued = issued.to_vec();
        facts.sights = sights.to_vec();
        Ok(facts)
    }
}

/// How a process ends that is asked to while other things may be broken: it ends, in whatever way.
async fn terminated(process: usize, place: &mut Process) -> anyhow::Result<Option<End>> {
    let ended = place.terminate().await?;
    Ok(ended.is_none().then_some(End { process, how: How::Never }))
}

/// The settings of the bus behind a line. Who is silent is soon found missing.
fn bus(on: On, line: &Proxy) -> BTreeMap<String, String> {
    let address = line.address();
    let settings = match on {
        On::Kafka => vec![
            ("bus.kafka.bootstrap.servers", address.to_string()),
            ("bus.kafka.session.timeout.ms", "2000".to_owned()),
            ("bus.kafka.heartbeat.interval.ms", "300".to_owned()),
        ],
        On::Nats => vec![
            ("bus.nats.servers", format!("nats://{address}")),
            ("bus.nats.lease.ttl.ms", "2000".to_owned()),
            // By default a busy subject lets go of its first records, with which a chain begins.
            ("bus.nats.stream.history", "1000000".to_owned()),
        ],
    };
    settings.into_iter().map(|(key, text)| (key.to_owned(), text)).collect()
}
