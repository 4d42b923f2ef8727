//! The broker of a run, with a line to each process.

use std::net::SocketAddr;

use anyhow::Context;
use talon_brokers::{Kafka, Nats};

use crate::proxy::{Entrance, Proxy};

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
    /// Kafka.
    Kafka(Kafka),
    /// NATS.
    Nats(Nats),
}

impl Broker {
    /// Starts one, and leads a line to it through each entrance. Must be called inside a Tokio runtime.
    ///
    /// # Errors
    /// No such broker can be had.
    pub fn start(on: On, entrances: Vec<Entrance>) -> anyhow::Result<(Broker, Vec<Proxy>)> {
        let (broker, addresses) = match on {
            On::Kafka => {
                let ports: Vec<u16> = entrances.iter().map(Entrance::port).collect();
                let (kafka, addresses) =
                    Kafka::start_behind("torture", &ports).context("no Kafka")?;
                (Broker::Kafka(kafka), addresses)
            }
            On::Nats => {
                let nats = Nats::start("torture").context("no NATS")?;
                let address = nats.url().trim_start_matches("nats://").to_owned();
                let addresses = vec![address; entrances.len()];
                (Broker::Nats(nats), addresses)
            }
        };
        let lines = entrances.into_iter().zip(addresses);
        let proxies = lines.map(|(entrance, to)| Ok(entrance.lead(to.parse::<SocketAddr>()?)));
        Ok((broker, proxies.collect::<anyhow::Result<_>>()?))
    }

    /// Where it is without a line in between.
    pub fn address(&self) -> String {
        match self {
            Broker::Kafka(kafka) => kafka.bootstrap().to_owned(),
            Broker::Nats(nats) => nats.url().to_owned(),
        }
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        match self {
            Broker::Kafka(kafka) => kafka.kill(),
            Broker::Nats(nats) => nats.kill(),
        }
    }

    /// Starts it again where it was, with its data.
    pub fn restart(&mut self) {
        match self {
            Broker::Kafka(kafka) => kafka.restart(),
            Broker::Nats(nats) => nats.restart(),
        }
    }

    /// SIGSTOP.
    pub fn pause(&self) {
        match self {
            Broker::Kafka(kafka) => kafka.pause(),
            Broker::Nats(nats) => nats.pause(),
        }
    }

    /// SIGCONT.
    pub fn resume(&self) {
        match self {
            Broker::Kafka(kafka) => kafka.resume(),
            Broker::Nats(nats) => nats.resume(),
        }
    }
}
