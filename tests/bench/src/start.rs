//! Many connectors of one process, from its start until each has polled.

use std::collections::BTreeSet;
use std::time::Duration;

use clap::Args;
use talon_brokers::{Registry, unique};
use talon_simulators::contractor::{Settings, Simulator};
use tokio::task::block_in_place;

use crate::cluster::{Cluster, Real};
use crate::program::{Program, five_feeds};

/// Longest wait for the last of them.
const PATIENCE: Duration = Duration::from_secs(600);

/// `start`
#[derive(Args)]
pub(crate) struct Start {
    /// Connectors, each of seven schemas
    #[arg(long, default_value_t = 12)]
    connectors: usize,
    /// Rounds, each with new topics and subjects
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// The bus
    #[arg(long, value_enum, default_value = "kafka")]
    bus: Real,
    /// Without a schema registry, for comparison
    #[arg(long)]
    no_registry: bool,
}

impl Start {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let cluster = Cluster::real(self.bus)?;
        let registry = if self.no_registry { None } else { Some(Registry::find()?) };
        let settings = Settings { calls: 0, ..Settings::default() };
        let upstream = Simulator::start(settings).await?;
        let mut settings = cluster.setting();
        if let Some(registry) = &registry {
            settings += &format!("\nschema.registry.url: {}", registry.url());
        }
        for place in 0..self.connectors {
            for (key, text) in five_feeds(&upstream.url()) {
                settings += &format!("\nconnectors.c{place}.{key}: \"{text}\"");
            }
        }
        for _ in 0..self.rounds {
            let prefix = unique("start");
            for what in ["new", "known"] {
                block_in_place(|| self.once(&prefix, &settings, what))?;
            }
        }
        upstream.stop().await;
        Ok(())
    }

    fn once(&self, prefix: &str, settings: &str, what: &str) -> anyhow::Result<()> {
        let mut program = Program::of(prefix, settings)?;
        let (mut first, mut half) = (None, None);
        loop {
            let polled = polled(&program.metrics());
            let now = program.elapsed();
            first = first.or((polled > 0).then_some(now));
            half = half.or((polled * 2 >= self.connectors).then_some(now));
            if polled == self.connectors {
                break;
            }
            anyhow::ensure!(now < PATIENCE, "{polled} of {} have polled", self.connectors);
            std::thread::sleep(Duration::from_millis(20));
        }
        let seconds = |time: Option<Duration>| time.unwrap_or_default().as_secs_f64();
        println!(
            "{} connectors, {what} schemas: first poll after {:.1} s, half {:.1} s, all {:.1} s",
            self.connectors,
            seconds(first),
            seconds(half),
            program.elapsed().as_secs_f64()
        );
        program.stop()
    }
}

/// How many connectors have made an observation.
fn polled(metrics: &str) -> usize {
    let samples = metrics.lines().filter_map(|line| {
        let (labels, count) = line.strip_prefix("talon_observations_total{")?.split_once("} ")?;
        let name = labels.split("connector=\"").nth(1)?.split('"').next()?;
        (count.parse::<f64>().ok()? > 0.0).then_some(name)
    });
    samples.collect::<BTreeSet<_>>().len()
}
