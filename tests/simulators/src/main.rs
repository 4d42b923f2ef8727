//! Runs a simulator on its own, for tests from outside and for trying things out.
#![forbid(unsafe_code)]

use std::net::SocketAddr;

use clap::{Parser, Subcommand};
use talon_simulators::connect1c;
use talon_simulators::contractor::{MarkBound, Settings, Simulator};
use talon_simulators::quickq;
use talon_simulators::{enter_export, enter_rest};

/// The upstream systems as servers that behave as documented.
#[derive(Parser)]
#[command(name = "talon-simulators")]
struct Arguments {
    #[command(subcommand)]
    system: System,
}

#[derive(Subcommand)]
enum System {
    /// ContractorPersonalArea; everything else is set through `/_sim/settings`.
    Contractor(Contractor),
    /// The ticket export of СУО Enter; everything else is set through `/_sim/settings`.
    EnterExport(EnterExport),
    /// The REST services of СУО Enter; everything else is set through `/_sim/settings`.
    EnterRest(EnterRest),
    /// QuickQ; everything else is set through `/_sim/settings`.
    Quickq(Quickq),
    /// 1C-Connect; everything else is set through `/_sim/settings`.
    Connect1c(Connect1c),
}

#[derive(clap::Args)]
struct Connect1c {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// The seed of everything.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How long from the opening of one treatment to that of the next, ms.
    #[arg(long, default_value_t = 900_000)]
    opened_every_ms: i64,
    /// The share of replies that are spelled anew.
    #[arg(long, default_value_t = 0.0)]
    noise: f64,
}

impl From<Connect1c> for connect1c::Settings {
    fn from(arguments: Connect1c) -> Self {
        let Connect1c { listen, seed, opened_every_ms, noise } = arguments;
        Self { listen, seed, opened_every_ms, noise, ..Self::default() }
    }
}

#[derive(clap::Args)]
struct EnterExport {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// The seed of everything.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many branches there are.
    #[arg(long, default_value_t = 4)]
    branches: usize,
    /// How many tickets a branch makes in a day.
    #[arg(long, default_value_t = 200)]
    tickets_per_day: usize,
}

impl From<EnterExport> for enter_export::Settings {
    fn from(export: EnterExport) -> Self {
        let EnterExport { listen, seed, branches, tickets_per_day } = export;
        Self { listen, seed, branches, tickets_per_day, ..Self::default() }
    }
}

#[derive(clap::Args)]
struct EnterRest {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// The seed of everything.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The central server instead of a branch.
    #[arg(long)]
    central: bool,
    /// How many workplaces there are.
    #[arg(long, default_value_t = 4)]
    workplaces: usize,
    /// How many visitors wait at the start.
    #[arg(long, default_value_t = 12)]
    visitors: usize,
}

impl From<EnterRest> for enter_rest::Settings {
    fn from(rest: EnterRest) -> Self {
        let EnterRest { listen, seed, central, workplaces, visitors } = rest;
        let kind = if central { enter_rest::Kind::Central } else { enter_rest::Kind::Branch };
        Self { listen, seed, kind, workplaces, visitors, ..Self::default() }
    }
}

#[derive(clap::Args)]
struct Quickq {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// The seed of the life.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many workplaces there are.
    #[arg(long, default_value_t = 4)]
    workplaces: i64,
    /// How many visitors wait at the start.
    #[arg(long, default_value_t = 20)]
    visitors: usize,
    /// How many random edits happen in a second; 0 keeps everything still.
    #[arg(long, default_value_t = 5.0)]
    edits_per_second: f64,
}

impl From<Quickq> for quickq::Settings {
    fn from(arguments: Quickq) -> Self {
        Self {
            listen: arguments.listen,
            seed: arguments.seed,
            workplaces: arguments.workplaces,
            visitors: arguments.visitors,
            edits_per_second: arguments.edits_per_second,
            ..Self::default()
        }
    }
}

#[derive(clap::Args)]
struct Contractor {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// The seed of the life.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many calls exist at the start.
    #[arg(long, default_value_t = 1000)]
    calls: usize,
    /// How many random edits happen in a second; 0 keeps everything still.
    #[arg(long, default_value_t = 5.0)]
    edits_per_second: f64,
    /// The token of the external system.
    #[arg(long, default_value = "external-system-token")]
    external_token: String,
    /// Reads from a mark include the rows at it.
    #[arg(long)]
    inclusive: bool,
    /// Keeps every published state.
    #[arg(long)]
    keep_history: bool,
    /// Mixes the forms of dates.
    #[arg(long)]
    naive_dates: bool,
}

impl From<Contractor> for Settings {
    fn from(contractor: Contractor) -> Self {
        Self {
            listen: contractor.listen,
            seed: contractor.seed,
            calls: contractor.calls,
            edits_per_second: contractor.edits_per_second,
            external_token: contractor.external_token,
            mark_bound: if contractor.inclusive {
                MarkBound::Inclusive
            } else {
                MarkBound::Exclusive
            },
            keep_history: contractor.keep_history,
            naive_dates: contractor.naive_dates,
            ..Self::default()
        }
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    match Arguments::parse().system {
        System::Contractor(contractor) => {
            let simulator = Simulator::start(contractor.into()).await?;
            println!("{}", simulator.url());
            tokio::signal::ctrl_c().await?;
            simulator.stop().await;
        }
        System::EnterExport(export) => {
            let simulator = enter_export::Simulator::start(export.into()).await?;
            println!("{}", simulator.url());
            tokio::signal::ctrl_c().await?;
            simulator.stop();
        }
        System::EnterRest(rest) => {
            let simulator = enter_rest::Simulator::start(rest.into()).await?;
            println!("{}", simulator.url());
            tokio::signal::ctrl_c().await?;
            simulator.stop();
        }
        System::Connect1c(arguments) => {
            let simulator = connect1c::Simulator::start(arguments.into()).await?;
            println!("{}", simulator.url());
            tokio::signal::ctrl_c().await?;
            simulator.stop();
        }
        System::Quickq(quickq) => {
            let simulator = quickq::Simulator::start(quickq.into()).await?;
            println!("{}", simulator.url());
            tokio::signal::ctrl_c().await?;
            simulator.stop().await;
        }
    }
    Ok(())
}
