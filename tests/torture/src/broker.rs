//! The broker of a run, with a line to each process.

use std::net::SocketAddr;

use anyhow::Context;
use talon_brokers::{Kafka, Nats};
use tokio::runtime::Handle;

use crate::disk::{self, SmallDisk};
use crate::proxy::{Entrance, Proxy};

const NO_DISK: &str = "it was not started with a disk that can be filled";

/// Which bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum On {
    /// Kafka.
    Kafka,
    /// NATS JetStream.
    Nats,
}

impl On {
    /// Both.
    pub const ALL: [On; 2] = [On::Kafka, On::Nats];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            On::Kafka => "kafka",
            On::Nats => "nats",
        }
    }
}

/// A broker of the run's own. Everything blocks.
pub enum Broker {
    /// Kafka, and its disk where that can be filled.
    Kafka(Kafka, Option<SmallDisk>),
    /// NATS.
    Nats(Nats),
}

impl Broker {
    /// Starts one, and leads a line to it through each entrance; with `small`, its disk can be filled.
    /// Must be called inside a Tokio runtime.
    ///
    /// # Errors
    /// No such broker can be had.
    pub fn start(
        on: On,
        small: bool,
        entrances: Vec<Entrance>,
    ) -> anyhow::Result<(Broker, Vec<Proxy>)> {
        let (broker, addresses) = match on {
            On::Kafka => {
                let ports: Vec<u16> = entrances.iter().map(Entrance::port).collect();
                let disk = small.then(SmallDisk::mount).transpose()?;
                let data = disk.as_ref().map(|disk| disk.path().join("log"));
                let (kafka, addresses) =
                    Kafka::start_in("torture", &ports, data).context("no Kafka")?;
                (Broker::Kafka(kafka, disk), addresses)
            }
            On::Nats => {
                let nats = match small {
                    true => Nats::start_with("torture", &disk::nats_settings()),
                    false => Nats::start("torture"),
                };
                let nats = nats.context("no NATS")?;
                let address = nats.url().trim_start_matches("nats://").to_owned();
                let addresses = vec![address; entrances.len()];
                (Broker::Nats(nats), addresses)
            }
        };
        let lines = entrances.into_iter().zip(addresses);
        let proxies = lines.map(|(entrance, to)| Ok(entrance.lead(to.parse::<SocketAddr>()?)));
        Ok((broker, proxies.collect::<anyhow::Result<_>>()?))
    }

    /// Its disk takes nothing more.
    ///
    /// # Errors
    /// It cannot be filled.
    pub fn fill(&self) -> anyhow::Result<()> {
        match self {
            Broker::Kafka(_, disk) => disk.as_ref().context(NO_DISK)?.fill(),
            Broker::Nats(nats) => Handle::current().block_on(disk::fill_nats(nats.url())),
        }
    }

    /// There is room again, and an operator starts what a full disk has ended.
    ///
    /// # Errors
    /// It stays full.
    pub fn free(&mut self) -> anyhow::Result<()> {
        match self {
            Broker::Kafka(kafka, disk) => {
                disk.as_ref().context(NO_DISK)?.free()?;
                // Kafka gives a log directory up that it could not write to.
                kafka.kill();
                kafka.restart();
                Ok(())
            }
            Broker::Nats(nats) => Handle::current().block_on(disk::free_nats(nats.url())),
        }
    }

    /// Where it is without a line in between.
    pub fn address(&self) -> String {
        match self {
            Broker::Kafka(kafka, _) => kafka.bootstrap().to_owned(),
            Broker::Nats(nats) => nats.url().to_owned(),
        }
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        match self {
            Broker::Kafka(kafka, _) => kafka.kill(),
            Broker::Nats(nats) => nats.kill(),
        }
    }

    /// Starts it again where it was, with its data.
    pub fn restart(&mut self) {
        match self {
            Broker::Kafka(kafka, _) => kafka.restart(),
            Broker::Nats(nats) => nats.restart(),
        }
    }

    /// SIGSTOP.
    pub fn pause(&self) {
        match self {
            Broker::Kafka(kafka, _) => kafka.pause(),
            Broker::Nats(nats) => nats.pause(),
        }
    }

    /// SIGCONT.
    pub fn resume(&self) {
        match self {
            Broker::Kafka(kafka, _) => kafka.resume(),
            Broker::Nats(nats) => nats.resume(),
        }
    }
}
