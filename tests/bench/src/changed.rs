//! Changed rows: read, compared, encoded, produced; against a loop that only parses, encodes and
//! produces.

use std::hint::black_box;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use talon_brokers::unique;
use talon_runtime::bus::Bus;
use tokio::task::block_in_place;

use crate::calls::{self, Lists, Size};
use crate::cluster::{Cluster, Real};
use crate::measure::{Duel, Lap, timed};
use crate::peer::{Peer, Records};
use crate::stage::Stage;
use crate::void::Void;

/// `changed`
#[derive(Args)]
pub(crate) struct Changed {
    /// Calls in a list, all of which change from round to round
    #[arg(long, default_value_t = 100_000)]
    rows: usize,
    /// Rounds that count
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// Seed of the calls
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where the records go; by default all
    #[arg(long, value_enum)]
    to: Vec<To>,
    /// Sizes of calls; by default both
    #[arg(long, value_enum)]
    size: Vec<Size>,
    /// Only this side, over and over: for a profiler
    #[arg(long, value_enum)]
    only: Option<Side>,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum To {
    /// Nowhere: without the client and the broker
    Void,
    /// librdkafka's broker inside this process
    Mock,
    /// A real Kafka
    Kafka,
    /// A real NATS
    Nats,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Side {
    Talon,
    Limit,
}

impl Changed {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let or_all = |to: To| self.to.is_empty() || self.to.contains(&to);
        for size in Size::ALL.into_iter().filter(|s| self.size.is_empty() || self.size.contains(s))
        {
            let lists = calls::lists(size, self.rows, self.seed).await?;
            println!("{}", lists.describe(size, self.seed));
            if or_all(To::Void) {
                self.without_produce(size, &lists).await?;
            }
            if or_all(To::Mock) {
                self.with_produce(size, &lists, &Cluster::mock()?).await?;
            }
            if or_all(To::Kafka) {
                self.with_produce(size, &lists, &Cluster::real(Real::Kafka)?).await?;
            }
            if or_all(To::Nats) {
                self.with_produce(size, &lists, &Cluster::real(Real::Nats)?).await?;
            }
        }
        Ok(())
    }

    async fn without_produce(&self, size: Size, lists: &Lists) -> anyhow::Result<()> {
        for (before_images, records) in
            [(false, Records::Bare), (true, Records::Bare), (true, Records::HeadersAndBefore)]
        {
            let mut peer = Peer::new(records)?;
            let limit = |list: &[u8]| {
                timed(|| {
                    peer.run(list, |key, record| {
                        black_box((key, record));
                        Ok(())
                    })
                })
            };
            let name = name("nowhere", size, before_images, records);
            let bus = Arc::new(Void);
            self.duel(&name, before_images, lists, ("bench", bus), limit).await?;
        }
        Ok(())
    }

    async fn with_produce(
        &self,
        size: Size,
        lists: &Lists,
        cluster: &Cluster,
    ) -> anyhow::Result<()> {
        for (before_images, records) in [
            (false, Records::Bare),
            (false, Records::Headers),
            (true, Records::Bare),
            (true, Records::HeadersAndBefore),
        ] {
            let prefix = unique("bench");
            let shard = cluster.shard(&prefix, before_images)?;
            let headers = records != Records::Bare;
            let mut producer = block_in_place(|| cluster.producer(&shard, headers))?;
            let mut peer = Peer::new(records)?;
            let limit = |list: &[u8]| {
                timed(|| {
                    producer.begin()?;
                    peer.run(list, |key, record| producer.send(key, record))?;
                    producer.commit()
                })
            };
            let name = name(cluster.name(), size, before_images, records);
            let bus = cluster.bus(&prefix)?;
            self.duel(&name, before_images, lists, (&prefix, bus), limit).await?;
        }
        Ok(())
    }

    async fn duel(
        &self,
        name: &str,
        before_images: bool,
        lists: &Lists,
        (prefix, bus): (&str, Arc<dyn Bus>),
        mut limit: impl FnMut(&[u8]) -> anyhow::Result<Lap>,
    ) -> anyhow::Result<()> {
        let stage = Stage::start(prefix, bus, before_images)?;
        let (mut talons, mut limits) = (lists.turns(), lists.turns());
        block_in_place(|| {
            stage.ready()?;
            // The first sight is no change.
            stage.play(&lists.one)?;
            let mut talon = || stage.play(talons());
            let mut limit = || limit(limits());
            if let Some(side) = self.only {
                for _ in 0..self.rounds {
                    if side == Side::Talon {
                        talon()?
                    } else {
                        limit()?
                    };
                }
                return anyhow::Ok(());
            }
            let duel = Duel::fight(self.rounds, talon, limit)?;
            duel.print_rates(name, lists.rows);
            anyhow::Ok(())
        })?;
        let counted = stage.stop().await?;
        let published = format!("op=\"u\"}} {}", self.played() * lists.rows);
        anyhow::ensure!(
            self.played() == 0 || counted.iter().any(|line| line.contains(&published)),
            "not every row was a change: {counted:?}"
        );
        Ok(())
    }

    /// How many lists Talon saw after the first.
    fn played(&self) -> usize {
        match self.only {
            None => self.rounds + 1,
            Some(Side::Talon) => self.rounds,
            Some(Side::Limit) => 0,
        }
    }
}

fn name(to: &str, size: Size, before_images: bool, records: Records) -> String {
    let image = if before_images { "full" } else { "none" };
    format!("changed {to} {} before={image} / {}", size.name(), records.name())
}
