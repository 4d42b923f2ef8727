//! The program: its command line, its configuration, its HTTP server.
//!
//! A library for tests alone; nothing else depends on it.
#![forbid(unsafe_code)]
#![warn(clippy::print_stdout, clippy::print_stderr)]

mod buses;
mod check;
mod clock;
mod commands;
mod config;
mod connectors;
mod dead_letters;
mod descriptors;
#[cfg(feature = "dev")]
mod dev;
mod dlq;
mod end;
mod entity;
#[cfg(feature = "dev")]
mod events;
mod instances;
mod log;
mod offsets;
mod plan;
mod plugins;
mod print;
mod run;
mod schemas;
mod send;
mod server;
mod signals;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use talon_sdk::Clock;
use talon_sdk::config::{Problem, Secrets};

use crate::end::End;
use crate::print::err;

/// Streams what happens in service desks, queue halls and field-service systems onto Kafka or NATS
/// JetStream, as Avro change events.
#[derive(Parser)]
#[command(version, propagate_version = true)]
struct Cli {
    /// How much to log: off, error, warn, info, debug, trace, or filters such as info,librdkafka=debug.
    /// What libraries write at trace is never logged: it has secrets and contents
    #[arg(long, global = true, env = "TALON_LOG", default_value = "info,async_nats=warn")]
    log: String,
    /// How log lines look
    #[arg(long, global = true, value_enum, default_value = "text")]
    log_format: log::Format,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// The whole product on this machine, with nothing installed: a simulated upstream with life in
    /// it, an in-process Kafka-compatible broker, the connector, the console
    #[cfg(feature = "dev")]
    Dev(dev::Dev),
    /// Production
    Run {
        /// The YAML file
        #[arg(long)]
        config: PathBuf,
    },
    /// Every problem of a configuration at once, each with its key; does no I/O without --probe
    Check {
        /// The YAML file
        #[arg(long)]
        config: PathBuf,
        /// Also resolve secrets, and connect to the bus, the registry and the upstreams
        #[arg(long)]
        probe: bool,
    },
    /// The connectors; with a class, its feeds, commands and settings
    Plugins {
        /// Class of a connector
        class: Option<String>,
    },
    /// The commands that connectors carry; with a class, their parameters
    Commands {
        /// Class of a connector
        class: Option<String>,
    },
    /// Puts a command on the topic of a connector, as any client can
    Send(send::Send),
    /// How far the feeds of a connector have read: shown, set, reset
    Offsets(offsets::Offsets),
    /// What the next observations of connectors would publish: reads the upstreams and the topics, and
    /// publishes nothing
    Plan(plan::Plan),
    /// Rows and commands of a connector that could not be processed: listed, shown, redriven, discarded
    Dlq(dlq::Dlq),
    /// The contract with consumers: the Avro schema of every feed, of commands and of their results
    Schemas {
        /// The YAML file; with it, the subjects of this configuration
        #[arg(long)]
        config: Option<PathBuf>,
        /// Register them in the configuration's schema registry
        #[arg(long, requires = "config")]
        register: bool,
        /// One schema a line, in the text that is registered: what a client that looks a schema up must
        /// send byte for byte to some registries. Before it, and a tab, what it is of
        #[arg(long, conflicts_with = "register")]
        compact: bool,
    },
}

impl Command {
    /// It runs until it is asked to stop.
    fn is_service(&self) -> bool {
        match self {
            #[cfg(feature = "dev")]
            Command::Dev(_) => true,
            Command::Run { .. } => true,
            _ => false,
        }
    }
}

/// All settings of a configuration's text by their full keys: nested maps are joined by dots, lists by
/// commas.
///
/// # Errors
/// Where it is no YAML map of settings, or sets a key twice.
pub fn settings(yaml: &str) -> Result<BTreeMap<String, String>, Vec<Problem>> {
    config::flatten(yaml)
}

/// Every problem of a configuration, without I/O: what `talon check` lists.
pub fn problems(settings: BTreeMap<String, String>) -> Vec<Problem> {
    config::load(settings, &Secrets::Unresolved, Clock::System).err().unwrap_or_default()
}

/// Does what the command line says.
///
/// Exit codes: 0 asked to stop and drained, 1 failed, 2 configuration wrong.
pub fn main() -> ExitCode {
    let code = run_command(Cli::parse());
    log::finish();
    code
}

fn run_command(cli: Cli) -> ExitCode {
    if let Err(error) = log::start(&cli.log, cli.log_format) {
        err!("talon: `--log` is `{}`: {error}", cli.log);
        return ExitCode::from(2);
    }
    if cli.command.is_service()
        && let Err(error) = log::never_wait()
    {
        err!("talon: no thread to log on: {error}");
        return ExitCode::FAILURE;
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            err!("talon: no threads to run on: {error}");
            return ExitCode::FAILURE;
        }
    };
    let ended = runtime.block_on(async {
        match cli.command {
            #[cfg(feature = "dev")]
            Command::Dev(dev) => dev.run().await,
            Command::Run { config } => run::run(&config).await,
            Command::Check { config, probe } => check::check(&config, probe).await,
            Command::Plugins { class } => plugins::plugins(class.as_deref()),
            Command::Commands { class } => commands::commands(class.as_deref()),
            Command::Send(send) => send.run().await,
            Command::Offsets(offsets) => offsets.run().await,
            Command::Plan(plan) => plan.run().await,
            Command::Dlq(dlq) => dlq.run().await,
            Command::Schemas { config, register: true, .. } => schemas::register(config).await,
            Command::Schemas { config, compact, .. } => schemas::show(config.as_deref(), compact),
        }
    });
    // Threads that still wait for a bus which is away must not hold the process.
    runtime.shutdown_background();
    if let (Ok(End::Done), Some(kind)) = (&ended, print::failure()) {
        err!("talon: not all was written to standard output: {kind}");
        return ExitCode::FAILURE;
    }
    match ended {
        Ok(End::Done) => ExitCode::SUCCESS,
        Ok(End::Failed) => ExitCode::FAILURE,
        Ok(End::Misconfigured) => ExitCode::from(2),
        Err(error) => {
            err!("talon: {error:#}");
            ExitCode::FAILURE
        }
    }
}
