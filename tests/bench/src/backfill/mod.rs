//! The past of a central server of Enter, from its replies to the bus, against a client that downloads
//! the same days and steps over their JSON.

mod download;
mod killed;
mod past;
mod upstream;
mod verify;

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Zoned;
use serde::de::IgnoredAny;
use talon_brokers::unique;
use talon_runtime::bus::Bus;
use talon_runtime::metrics::Metrics;
use talon_runtime::{Engine, Parts, shard_spec};
use talon_sdk::Clock;

use crate::cluster::{Cluster, Real};
use crate::measure::{Started, status_bytes};
use crate::void::Void;
use download::Client;
pub(crate) use past::Backfill;
use past::To;
use upstream::Upstream;

/// How often the standing is looked at.
const LOOK: Duration = Duration::from_millis(50);

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
            let tickets = entities.filter(|(row, _)| &*row.feed == "ticket");
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
}

/// The largest resident memory of this process so far.
fn largest() -> anyhow::Result<u64> {
    status_bytes(std::process::id(), "VmHWM")
}
