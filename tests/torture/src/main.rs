//! `cargo run -p talon-torture`: breaks Talon, and says what came of it.
#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Parser;
use talon_torture::broker::On;
use talon_torture::report::Report;
use talon_torture::scenario::{Fault, History};
use talon_torture::shrink::shrink;
use talon_torture::world::{self, Outcome, Plan};
use tokio::signal::unix::{SignalKind, signal};

/// How many findings of one run are printed.
const SHOWN: usize = 20;

/// Breaks Talon on purpose: real brokers, simulated upstreams, processes that are killed.
#[derive(Debug, Parser)]
struct Arguments {
    /// Connectors: `contractor`, `enter-export`, `quickq`.
    #[arg(long, value_delimiter = ',', default_value = "contractor")]
    connector: Vec<String>,
    /// Buses: `kafka`, `nats`.
    #[arg(long, value_delimiter = ',', value_parser = bus, default_value = "kafka,nats")]
    bus: Vec<On>,
    /// Families of faults; `everything` mixes all.
    #[arg(long, value_delimiter = ',', default_value = "everything")]
    fault: Vec<Fault>,
    /// Runs of each connector, bus and fault, each with the next seed.
    #[arg(long, default_value_t = 1)]
    runs: u64,
    /// The first seed; random by default.
    #[arg(long)]
    seed: Option<u64>,
    /// How long things go wrong in one run.
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// How many processes share the work, 1 to 3; by the seed by default.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=3))]
    processes: Option<u64>,
    /// A history from a file instead of that of the seed.
    #[arg(long)]
    history: Option<PathBuf>,
    /// Random edits of the upstream in a second.
    #[arg(long, default_value_t = 30.0)]
    edits: f64,
    /// The program; by default the one that was built beside this one.
    #[arg(long)]
    talon: Option<PathBuf>,
    /// How long a history that fails is cut; 0 cuts nothing.
    #[arg(long, default_value_t = 600)]
    shrink_seconds: u64,
    /// Where logs and histories of runs that fail go.
    #[arg(long, default_value = "target/torture")]
    out: PathBuf,
}

fn bus(text: &str) -> Result<On, String> {
    let found = On::ALL.into_iter().find(|on| on.name() == text);
    found.ok_or_else(|| "expected `kafka` or `nats`".to_owned())
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let mut terminated = signal(SignalKind::terminate())?;
    let mut interrupted = signal(SignalKind::interrupt())?;
    // What is dropped kills the processes that it started.
    tokio::select! {
        done = all(Arguments::parse()) => done,
        _ = terminated.recv() => anyhow::bail!("terminated"),
        _ = interrupted.recv() => anyhow::bail!("interrupted"),
    }
}

/// All runs, and the table.
async fn all(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let program = match &arguments.talon {
        Some(program) => program.clone(),
        None => std::env::current_exe()?.with_file_name("talon"),
    };
    anyhow::ensure!(
        program.exists(),
        "there is no `{}`; build it first: `cargo build --release -p talon`",
        program.display()
    );
    let first = arguments.seed.unwrap_or_else(|| u64::from(rand::random::<u32>()));
    let mut report = Report::default();
    let mut failed = false;
    for connector in &arguments.connector {
        for on in &arguments.bus {
            for fault in &arguments.fault {
                for seed in first..first + arguments.runs {
                    let processes = arguments.processes.unwrap_or(1 + seed % 3) as usize;
                    let history = match &arguments.history {
                        Some(file) => std::fs::read_to_string(file)
                            .with_context(|| format!("`{}`", file.display()))?
                            .parse()
                            .map_err(anyhow::Error::msg)?,
                        None => {
                            let length_ms = arguments.seconds * 1_000;
                            History::plan(seed, *fault, processes, length_ms)
                        }
                    };
                    let plan = Plan {
                        connector: connector.clone(),
                        on: *on,
                        processes,
                        seed,
                        length: Duration::from_secs(arguments.seconds),
                        edits_per_second: arguments.edits,
                        registry: *fault == Fault::Registry || history.needs_registry(),
                        small_disk: *fault == Fault::Disk || history.fills_disk(),
                        program: program.clone(),
                    };
                    let sound = one(&arguments, &plan, *fault, &history, &mut report).await?;
                    failed |= !sound;
                }
            }
        }
    }
    println!("\n{report}");
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// One run, and what follows where it fails. Gives whether it was sound.
async fn one(
    arguments: &Arguments,
    plan: &Plan,
    fault: Fault,
    history: &History,
    report: &mut Report,
) -> anyhow::Result<bool> {
    let row = (plan.connector.as_str(), plan.on, fault);
    let name = format!("{}-{}-{}-{}", row.0, plan.on.name(), fault.name(), plan.seed);
    eprint!("{name}: {} processes, {} faults … ", plan.processes, history.0.len());
    let since = Instant::now();
    let outcome = match world::run(plan, history).await {
        Ok(outcome) => outcome,
        // What is not Talon's is no finding, but nothing was shown either.
        Err(error) => {
            eprintln!("could not be run: {error:#}");
            return Ok(false);
        }
    };
    eprintln!(
        "{} events, {} commands, {} unresolved, {} looks at checkpoints, {} findings, {:.0?}",
        outcome.events,
        outcome.commands,
        outcome.unresolved,
        outcome.sights,
        outcome.findings.len(),
        since.elapsed()
    );
    report.add(row, plan.seed, history, &outcome);
    if outcome.findings.is_empty() {
        return Ok(true);
    }
    let place = arguments.out.join(&name);
    keep(&place, &outcome)?;
    for finding in outcome.findings.iter().take(SHOWN) {
        eprintln!("  {finding}");
    }
    let budget = Duration::from_secs(arguments.shrink_seconds);
    let shortest = shrink(history, budget, async |shorter: &History| {
        match world::run(plan, shorter).await {
            Ok(outcome) => !outcome.findings.is_empty(),
            // What is not Talon's is no failure of Talon.
            Err(_) => false,
        }
    })
    .await;
    let file = place.join("history");
    std::fs::write(&file, shortest.to_string())?;
    eprintln!(
        "FAILED with seed {}; logs are in {}; the shortest history that failed:\n{shortest}run it again:\n  \
         cargo run --release -p talon-torture -- --connector {} --bus {} --fault {} --seed {} --processes {} \
         --seconds {} --edits {} --history {}",
        plan.seed,
        place.display(),
        plan.connector,
        plan.on.name(),
        fault.name(),
        plan.seed,
        plan.processes,
        plan.length.as_secs(),
        plan.edits_per_second,
        file.display()
    );
    Ok(false)
}

/// Logs and findings, to look at.
fn keep(place: &Path, outcome: &Outcome) -> anyhow::Result<()> {
    std::fs::create_dir_all(place)?;
    for (number, log) in outcome.logs.iter().enumerate() {
        std::fs::write(place.join(format!("process-{number}.log")), log)?;
    }
    let findings: Vec<String> = outcome.findings.iter().map(ToString::to_string).collect();
    std::fs::write(place.join("findings"), findings.join("\n"))?;
    Ok(())
}
