//! The brokers and processes of a run.

use std::collections::BTreeMap;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use async_nats::jetstream;
use async_nats::jetstream::stream::Config;
use talon_brokers::{Kafka, Nats, NatsCluster};
use tokio::sync::Mutex;
use tokio::task::block_in_place;
use tokio::time::sleep;

use super::check::{Finding, Property};
use super::done::Done;
use super::odd::Whole;
use super::plan::Plan;
use super::ways::{self, Ways};
use crate::process::Process;

/// Longest wait for all relays to be at work, or for all to be carried.
const PATIENCE: Duration = Duration::from_secs(240);

/// One NATS server, or three.
pub(super) enum Servers {
    One(Nats),
    Three(NatsCluster),
}

impl Servers {
    fn start(replicas: u16) -> anyhow::Result<Servers> {
        Ok(match replicas {
            1 => Servers::One(Nats::start("torture").context("no NATS")?),
            _ => Servers::Three(NatsCluster::start("torture").context("no NATS cluster")?),
        })
    }

    pub(super) fn urls(&self) -> String {
        match self {
            Servers::One(nats) => nats.url().to_owned(),
            Servers::Three(cluster) => cluster.urls(),
        }
    }

    pub(super) fn kill(&mut self, server: usize) {
        match self {
            Servers::One(nats) => nats.kill(),
            Servers::Three(cluster) => cluster.kill(server),
        }
    }

    pub(super) fn restart(&mut self, server: usize) {
        match self {
            Servers::One(nats) => nats.restart(),
            Servers::Three(cluster) => cluster.restart(server),
        }
    }
}

/// What a topic held before it vanished.
pub(super) struct Snapshot {
    pub(super) topic: String,
    pub(super) records: BTreeMap<i32, Vec<Whole>>,
}

/// The brokers and processes of a run.
pub(super) struct World {
    pub(super) ways: Ways,
    pub(super) kafka: Mutex<Kafka>,
    pub(super) kafka_address: String,
    pub(super) nats: Mutex<Servers>,
    pub(super) nats_urls: String,
    pub(super) places: Vec<Mutex<Process>>,
    pub(super) snapshots: Mutex<Vec<Snapshot>>,
    pub(super) done: Done,
    pub(super) findings: Mutex<Vec<Finding>>,
}

impl World {
    pub(super) async fn start(plan: &Plan) -> anyhow::Result<World> {
        let kafka = block_in_place(|| Kafka::start("torture")).context("no Kafka")?;
        let nats = block_in_place(|| Servers::start(plan.replicas))?;
        let ways = Ways { prefix: talon_brokers::unique("torture") };
        let (kafka_address, nats_urls) = (kafka.bootstrap().to_owned(), nats.urls());
        make_streams(&nats_urls, &ways, plan.replicas).await?;
        let mut settings = ways::at_home(ways.settings(plan.replicas), plan.home);
        settings.extend(ways::buses(plan.home, &kafka_address, &nats_urls));
        for (key, text) in [
            ("talon.prefix", &*ways.prefix),
            ("talon.group", &ways.prefix),
            ("http.listen", "127.0.0.1:0"),
        ] {
            settings.insert(key.to_owned(), text.to_owned());
        }
        let place = || anyhow::Ok(Mutex::new(Process::new(&plan.program, settings.clone())?));
        let places = (0..plan.processes).map(|_| place()).collect::<anyhow::Result<_>>()?;
        Ok(World {
            ways,
            kafka: Mutex::new(kafka),
            kafka_address,
            nats: Mutex::new(nats),
            nats_urls,
            places,
            snapshots: Mutex::default(),
            done: Done::default(),
            findings: Mutex::default(),
        })
    }

    /// A process had ended by itself.
    pub(super) async fn ended(&self, ended: Option<ExitStatus>, when: &str) {
        if let Some(status) = ended {
            self.find(Property::Ended, format!("a process ended {when}: {status}")).await;
        }
    }

    /// A process was told to end.
    pub(super) async fn ended_in_order(&self, ended: Option<ExitStatus>) {
        match ended {
            Some(status) if status.success() => {}
            Some(status) => self.find(Property::Ended, format!("told to end: {status}")).await,
            None => self.find(Property::Ended, "told to end, it does not".to_owned()).await,
        }
    }

    async fn find(&self, property: Property, text: String) {
        self.findings.lock().await.push(Finding { property, text });
    }

    /// Waits until each task is at work in one process, and nothing is behind.
    pub(super) async fn settled(&self) -> anyhow::Result<()> {
        let since = Instant::now();
        let mut last = String::new();
        let mut calm = 0;
        while calm < 3 {
            ensure!(since.elapsed() < PATIENCE, "{last}");
            match self.behind().await {
                Ok(()) => calm += 1,
                Err(why) => (calm, last) = (0, why),
            }
            // As often as it is looked how far a part is behind.
            sleep(Duration::from_millis(1_500)).await;
        }
        Ok(())
    }

    /// What is behind, or not at work.
    async fn behind(&self) -> Result<(), String> {
        let mut tasks: BTreeMap<String, usize> = BTreeMap::new();
        for place in &self.places {
            let mut place = place.lock().await;
            if let Ok(Some(status)) = place.ended() {
                return Err(format!("a process ended by itself: {status}"));
            }
            let Some(page) = place.page("/metrics").await else {
                return Err("a process does not answer".to_owned());
            };
            for line in page.lines() {
                if let Some(rest) = line.strip_prefix("talon_relay_freshness_seconds{") {
                    let task = rest.split('}').next().unwrap_or_default();
                    *tasks.entry(task.to_owned()).or_default() += 1;
                }
                let is_lag = line.starts_with("talon_relay_lag_records{");
                if is_lag && !line.ends_with(" 0") {
                    return Err(format!("it is behind: {line}"));
                }
            }
        }
        // As many as `Ways::settings` names.
        if tasks.len() == 10 && tasks.values().all(|processes| *processes == 1) {
            return Ok(());
        }
        Err(format!("tasks are at work so often: {tasks:?}"))
    }

    /// Ends all processes, and says what is wrong with how they ended.
    pub(super) async fn end(&self) -> anyhow::Result<Vec<String>> {
        let mut logs = Vec::new();
        for place in &self.places {
            let mut place = place.lock().await;
            let ended = place.terminate().await?;
            self.ended_in_order(ended).await;
            let log = place.log();
            if log.contains("panicked") {
                self.find(Property::Ended, "a thread panicked".to_owned()).await;
            }
            logs.push(log);
        }
        Ok(logs)
    }
}

async fn make_streams(url: &str, ways: &Ways, replicas: u16) -> anyhow::Result<()> {
    let jetstream = jetstream::new(async_nats::connect(url).await?);
    for (name, subjects) in [
        (ways.messages(), vec![format!("{}.>", ways.below())]),
        (ways.chain(), ways.chain_subjects()),
    ] {
        let config = Config { name, subjects, num_replicas: replicas.into(), ..Config::default() };
        jetstream.create_stream(config).await?;
    }
    Ok(())
}
