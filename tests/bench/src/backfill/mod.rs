//! The past of a central server of Enter, from its replies to the bus, against a client that downloads
//! the same days and steps over their JSON.

mod download;
mod killed;
mod upstream;
mod verify;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::{Args, ValueEnum};
use jiff::civil::Date;
use jiff::{ToSpan, Zoned};
use serde::de::IgnoredAny;
use talon_brokers::unique;
use talon_enter::EnterExport;
use talon_runtime::bus::Bus;
use talon_runtime::metrics::Metrics;
use talon_runtime::options::{self, Options};
use talon_runtime::{Engine, Parts, Setup, shard_spec};
use talon_sdk::config::{Secrets, Settings};
use talon_sdk::{Class, Clock, Context as Lent};

use crate::cluster::{Cluster, Real};
use crate::measure::{Lap, Started, status_bytes};
use crate::void::Void;
use download::Client;
use upstream::Upstream;

/// How often the standing is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// `backfill`
#[derive(Args)]
pub(crate) struct Backfill {
    /// Branches of the central server
    #[arg(long, default_value_t = 50)]
    branches: usize,
    /// Days before today
    #[arg(long, default_value_t = 365)]
    days: i32,
    /// Tickets of a branch in a day
    #[arg(long, default_value_t = 200)]
    tickets: usize,
    /// Days that are read at once, on both sides
    #[arg(long, default_value_t = 8)]
    concurrency: usize,
    /// Where records go
    #[arg(long, value_enum, default_value = "kafka")]
    to: To,
    /// Whether updates carry the value before
    #[arg(long, value_enum, default_value = "none")]
    before_image: Image,
    /// Seed of the tickets
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Runs `talon run` as a process to a real Kafka, kills it so often on its way, and compares what is
    /// on the topics in the end with what the server says
    #[arg(long)]
    kill: Option<u32>,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum To {
    /// Nowhere: without the client and the broker
    Void,
    /// librdkafka's broker inside this process
    Mock,
    /// A real Kafka
    Kafka,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Image {
    None,
    Full,
}

impl Backfill {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let upstream = Upstream::start(&self)?;
        println!(
            "{} branches, {} days, {} tickets a day, {} days at once, seed {}",
            self.branches, self.days, self.tickets, self.concurrency, self.seed
        );
        let client = Client::new(&upstream.url, self.concurrency).await?;
        let (first, last) = (self.first_day()?, Zoned::now().date().yesterday()?);
        let started = Started::now()?;
        client.days(first, last, |_: &IgnoredAny, _| Ok(())).await?;
        self.print("download and scan", started.lap()?, largest()?)?;
        let prefix = unique("backfill");
        if let Some(kills) = self.kill {
            let cluster = Cluster::real(Real::Kafka)?;
            killed::run(&self, kills, &upstream.url, &prefix, &cluster).await?;
            return verify::run(&client, first, &prefix, &cluster).await;
        }
        match self.to {
            To::Void => self.read(&upstream.url, &prefix, Arc::new(Void), None).await,
            To::Mock => {
                let cluster = Cluster::mock()?;
                self.read(&upstream.url, &prefix, cluster.bus(&prefix)?, Some(&cluster)).await
            }
            To::Kafka => {
                let cluster = Cluster::real(Real::Kafka)?;
                self.read(&upstream.url, &prefix, cluster.bus(&prefix)?, Some(&cluster)).await
            }
        }
    }

    /// The whole runtime, until the backfill says that it is done.
    async fn read(
        &self,
        url: &str,
        prefix: &str,
        bus: Arc<dyn Bus>,
        cluster: Option<&Cluster>,
    ) -> anyhow::Result<()> {
        let metrics = Metrics::new()?;
        let setup = self.setup(url, &metrics)?;
        if let Some(cluster) = cluster {
            cluster.create_topics(&shard_spec(prefix, &setup))?;
        }
        let started = Started::now()?;
        let engine = Engine::start(Parts {
            prefix: prefix.to_owned(),
            bus,
            registry: None,
            connectors: vec![setup],
            clock: Clock::System,
            metrics: metrics.clone(),
        });
        let mut told = Instant::now();
        loop {
            let standing = metrics.upstream.backfills.standing("bench");
            // The standing counts what is read; what is committed is in the index.
            let entities = engine.view().glance().feeds.into_iter();
            let tickets = entities.filter(|(row, _)| row.feed == "ticket");
            let committed: u64 = tickets.map(|(_, feed)| feed.entities).sum();
            if standing.is_some_and(|now| now.total > 0 && now.done == now.total)
                && committed >= u64::try_from(self.all_tickets()?)?
            {
                break;
            }
            if told.elapsed() > Duration::from_secs(30) {
                eprintln!("{standing:?}");
                told = Instant::now();
            }
            tokio::time::sleep(LOOK).await;
        }
        let view = engine.view();
        // What is read is committed before it stops.
        anyhow::ensure!(engine.stop(Duration::from_secs(60)).await, "it did not stop");
        self.print("backfill", started.lap()?, largest()?)?;
        let scrape = view.scrape();
        let of_interest =
            ["talon_feed_entities{", "talon_changes_total{", "talon_upstream_requests_total{"];
        let is_of_interest = |line: &&str| {
            of_interest.iter().any(|name| line.starts_with(name)) && !line.ends_with(" 0")
        };
        for line in scrape.lines().filter(is_of_interest) {
            println!("  {line}");
        }
        Ok(())
    }

    /// Of the connector.
    fn settings(&self, url: &str) -> anyhow::Result<BTreeMap<String, String>> {
        let image = if self.before_image == Image::Full { "full" } else { "none" };
        let texts = [
            ("class", "enter-export".to_owned()),
            ("upstream.url", url.to_owned()),
            ("upstream.requests.per.second", "100000".to_owned()),
            ("backfill.from", self.first_day()?.to_string()),
            ("backfill.concurrency", self.concurrency.to_string()),
            ("before.image", image.to_owned()),
            // Only the backfill, and today once.
            ("poll.interval.ms", "3600000".to_owned()),
            ("late.max.age.days", "0".to_owned()),
            // So that yesterday is done whatever the time of day is.
            ("day.settle.ms", "0".to_owned()),
        ];
        Ok(texts.into_iter().map(|(key, text)| (key.to_owned(), text)).collect())
    }

    fn first_day(&self) -> anyhow::Result<Date> {
        Ok(Zoned::now().date().checked_sub(self.days.days())?)
    }

    fn setup(&self, url: &str, metrics: &Metrics) -> anyhow::Result<Setup> {
        let texts = self.settings(url)?;
        let mut keys = options::keys();
        keys.extend(EnterExport.keys());
        let secrets = Secrets::Unresolved;
        let mut settings = Settings::new("", &keys, texts, &secrets);
        let options = Options::read(&settings);
        let connector = EnterExport.configure(&mut settings, lent(metrics));
        let connector = connector.with_context(|| format!("{:?}", settings.problems()))?;
        Ok(Setup {
            name: "bench".to_owned(),
            class: "enter-export",
            options,
            connector,
            commands: None,
        })
    }

    fn all_tickets(&self) -> anyhow::Result<usize> {
        Ok(self.branches * self.tickets * usize::try_from(self.days)?)
    }

    fn print(&self, what: &str, lap: Lap, largest: u64) -> anyhow::Result<()> {
        let tickets = self.all_tickets()?;
        let rate = |time: Duration| tickets as f64 / time.as_secs_f64() / 1e3;
        println!(
            "{what:<20} {:>8.1} s wall ({:.1} k tickets/s), {:.1} s cpu ({:.1} k tickets/s), \
             largest {:.0} MB",
            lap.wall.as_secs_f64(),
            rate(lap.wall),
            lap.cpu.as_secs_f64(),
            rate(lap.cpu),
            largest as f64 / 1e6,
        );
        Ok(())
    }
}

/// The largest resident memory of this process so far.
fn largest() -> anyhow::Result<u64> {
    status_bytes(std::process::id(), "VmHWM")
}

fn lent(metrics: &Metrics) -> Lent {
    Lent { name: "bench".to_owned(), clock: Clock::System, metrics: metrics.upstream.clone() }
}
