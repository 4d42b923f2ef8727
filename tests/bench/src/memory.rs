//! Resident memory: of an entity in the index, and of the program when it has nothing to do.

use std::process::Command;

use anyhow::Context;
use clap::{Args, ValueEnum};
use talon_contractor::contracts::CALL;
use talon_runtime::diff::Differ;
use talon_sdk::{Row, Rows};
use talon_simulators::contractor::{Settings, Simulator};
use tokio::task::block_in_place;

use crate::calls::{self, Size};
use crate::cluster::{Cluster, Real};
use crate::measure::{Spread, status_bytes};
use crate::program::{Program, five_feeds};
use crate::stage::options;

/// Different values; beyond that they repeat under other keys.
const DIFFERENT: usize = 1_000;

/// `memory`
#[derive(Args)]
pub(crate) struct Memory {
    /// Entities in the index
    #[arg(long, default_value = "900000,1000000,1800000", value_delimiter = ',')]
    entities: Vec<usize>,
    /// Fresh processes for each figure
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Seed of the calls
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// `memory-of-index`: one figure, in a process of its own
#[derive(Args)]
pub(crate) struct OfIndex {
    #[arg(long)]
    entities: usize,
    #[arg(long, value_enum)]
    image: Image,
    #[arg(long)]
    seed: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, ValueEnum)]
enum Image {
    None,
    Full,
}

impl Memory {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        for image in [Image::None, Image::Full] {
            for &entities in &self.entities {
                let mut figures = Vec::new();
                let mut value = 0.0;
                for _ in 0..self.rounds {
                    let (bytes, of_value) = self.of_index(entities, image)?;
                    figures.push(bytes);
                    value = of_value;
                }
                let spread = Spread::of(figures.into_iter());
                let name = format!("memory before={image:?} {entities} entities").to_lowercase();
                println!("{name:<40} {spread:.1} bytes an entity, values of {value:.0} bytes");
            }
        }
        self.of_program().await
    }

    fn of_index(&self, entities: usize, image: Image) -> anyhow::Result<(f64, f64)> {
        let image = format!("{image:?}").to_lowercase();
        let output = Command::new(std::env::current_exe()?)
            .args(["memory-of-index", "--entities", &entities.to_string()])
            .args(["--image", &image, "--seed", &self.seed.to_string()])
            .output()?;
        anyhow::ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout)?;
        let (bytes, value) = text.trim().split_once(' ').context("two numbers")?;
        Ok((bytes.parse()?, value.parse()?))
    }

    async fn of_program(&self) -> anyhow::Result<()> {
        let cluster = Cluster::real(Real::Kafka)?;
        let settings = Settings { calls: 0, seed: self.seed, ..Settings::default() };
        let upstream = Simulator::start(settings).await?;
        let mut figures = Vec::new();
        for _ in 0..self.rounds {
            let prefix = talon_brokers::unique("idle");
            block_in_place(|| {
                let mut program =
                    Program::run(&prefix, &cluster.setting(), &five_feeds(&upstream.url()))?;
                program.ready()?;
                // Every feed has been read a few times.
                std::thread::sleep(std::time::Duration::from_secs(15));
                figures.push(status_bytes(program.pid(), "VmRSS")? as f64 / 1e6);
                anyhow::Ok(())
            })?;
        }
        let spread = Spread::of(figures.into_iter());
        println!("memory idle, one connector of five feeds  {spread:.1} MB resident");
        upstream.stop().await;
        Ok(())
    }
}

impl OfIndex {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let values = encoded(DIFFERENT, self.seed).await?;
        let options = options(self.image == Image::Full);
        let codec = talon_contractor::plain_codec("call");
        let topic = "bench".to_owned();
        let mut differ = Differ::new(topic, &CALL, codec, options.guard, options.before_images);
        let pid = std::process::id();
        let before = status_bytes(pid, "VmRSS")?;
        for entity in 0..self.entities {
            let value = &values[entity % values.len()];
            differ.recover(&entity.to_string(), Some(value), entity as u64);
        }
        let taken = status_bytes(pid, "VmRSS")?.saturating_sub(before);
        anyhow::ensure!(differ.index().len() == self.entities, "not all are there");
        let size = values.iter().map(Vec::len).sum::<usize>() as f64 / values.len() as f64;
        println!("{:.2} {size:.1}", taken as f64 / self.entities as f64);
        Ok(())
    }
}

/// Small calls as they stand in events.
pub(crate) async fn encoded(different: usize, seed: u64) -> anyhow::Result<Vec<Vec<u8>>> {
    let lists = calls::lists(Size::Small, different, seed).await?;
    let codec = talon_contractor::plain_codec("call");
    let rows = Rows::of_array(lists.one)?;
    let encoded = rows.iter().map(|bytes| {
        let mut row = Row::default();
        codec.decode(bytes, "", &mut row)?;
        Ok(row.value)
    });
    encoded.collect()
}
