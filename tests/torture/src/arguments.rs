//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use talon_torture::broker::On;
use talon_torture::relay::Harm;
use talon_torture::scenario::Fault;

/// Breaks Talon on purpose: real brokers, simulated upstreams, processes that are killed.
#[derive(Debug, Parser)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) subject: Option<OtherSubject>,
    /// Connectors: `connect1c`, `contractor`, `enter-export`, `enter-rest`, `quickq`, each alone; or `mixed`, which is several of
    /// all classes in each process.
    #[arg(long, value_delimiter = ',', default_value = "contractor")]
    pub(crate) connector: Vec<String>,
    /// How many connectors each process has, 1 to 8, drawn from those of `--connector`; with `mixed` by
    /// the seed by default.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=8))]
    pub(crate) connectors: Option<u64>,
    /// Calls of the large connector among several, each with about seven entities that belong to it.
    #[arg(long, default_value_t = 6_000)]
    pub(crate) calls: usize,
    /// Buses: `kafka`, `nats`.
    #[arg(long, value_delimiter = ',', value_parser = bus, default_value = "kafka,nats")]
    pub(crate) bus: Vec<On>,
    /// Families of faults; `everything` mixes those from `kill` to `clock`.
    #[arg(long, value_delimiter = ',', default_value = "everything")]
    pub(crate) fault: Vec<Fault>,
    /// Runs of each connector, bus and fault, each with the next seed.
    #[arg(long, default_value_t = 1)]
    pub(crate) runs: u64,
    /// The first seed; random by default.
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// How long things go wrong in one run.
    #[arg(long, default_value_t = 30)]
    pub(crate) seconds: u64,
    /// How many processes share the work, 1 to 3; by the family or the seed by default.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=3))]
    pub(crate) processes: Option<u64>,
    /// A history from a file instead of that of the seed.
    #[arg(long)]
    pub(crate) history: Option<PathBuf>,
    /// Random edits of the upstream in a second.
    #[arg(long, default_value_t = 30.0)]
    pub(crate) edits: f64,
    /// The program; by default the one that was built beside this one.
    #[arg(long)]
    pub(crate) talon: Option<PathBuf>,
    /// Another version of the program: a process that is rolled starts with it, and with the first one
    /// when it is rolled again.
    #[arg(long)]
    pub(crate) talon_next: Option<PathBuf>,
    /// How long a history that fails is cut; 0 cuts nothing.
    #[arg(long, default_value_t = 600)]
    pub(crate) shrink_seconds: u64,
    /// Where logs and histories of runs that fail go.
    #[arg(long, default_value = "target/torture")]
    pub(crate) out: PathBuf,
    /// Keeps the logs of all runs, also of those without a finding.
    #[arg(long)]
    pub(crate) keep_logs: bool,
}

/// What is broken instead of connectors.
#[derive(Debug, Subcommand)]
pub(crate) enum OtherSubject {
    /// Relays, in both directions at once.
    Relay(RelayArguments),
}

/// Relays, in both directions at once.
#[derive(Debug, Args)]
pub(crate) struct RelayArguments {
    /// What goes wrong.
    #[arg(long, value_enum, default_value = "everything")]
    pub(crate) fault: Harm,
    /// Runs, each with the next seed.
    #[arg(long, default_value_t = 1)]
    pub(crate) runs: u64,
    /// The first seed; random by default.
    #[arg(long)]
    pub(crate) seed: Option<u64>,
    /// How long things go wrong in one run.
    #[arg(long, default_value_t = 30)]
    pub(crate) seconds: u64,
    /// How many kills there are in one run; then the time does not count.
    #[arg(long)]
    pub(crate) kills: Option<u32>,
    /// How many processes share the relays; by the seed by default.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=3))]
    pub(crate) processes: Option<u64>,
    /// Replicas of streams: with 3, NATS is a cluster of three servers.
    #[arg(long, default_value_t = 1, value_parser = replicas)]
    pub(crate) replicas: u16,
    /// The bus that says which process runs what.
    #[arg(long, value_parser = bus, default_value = "kafka")]
    pub(crate) home: On,
    /// Records a second to topics, and half as many to a stream.
    #[arg(long, default_value_t = 300.0)]
    pub(crate) rate: f64,
    /// The program; by default the one that was built beside this one.
    #[arg(long)]
    pub(crate) talon: Option<PathBuf>,
    /// Where logs of runs that fail go.
    #[arg(long, default_value = "target/torture")]
    pub(crate) out: PathBuf,
    /// Keeps the logs of all runs.
    #[arg(long)]
    pub(crate) keep_logs: bool,
}

fn replicas(text: &str) -> Result<u16, String> {
    match text {
        "1" => Ok(1),
        "3" => Ok(3),
        _ => Err("expected `1` or `3`".to_owned()),
    }
}

fn bus(text: &str) -> Result<On, String> {
    let found = On::ALL.into_iter().find(|on| on.name() == text);
    found.ok_or_else(|| "expected `kafka` or `nats`".to_owned())
}

/// The program that is given, or the one beside this one.
pub(crate) fn program(given: Option<&PathBuf>) -> anyhow::Result<PathBuf> {
    Ok(match given {
        Some(program) => program.clone(),
        None => std::env::current_exe()?.with_file_name("talon"),
    })
}
