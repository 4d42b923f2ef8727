//! `cargo run -p talon-torture`: breaks Talon, and says what came of it.
#![forbid(unsafe_code)]

mod arguments;
mod relays;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Parser;
use talon_torture::broker::On;
use talon_torture::cast::{self, Casting, MIXED};
use talon_torture::check::{Finding, Property};
use talon_torture::report::Report;
use talon_torture::scenario::{Fault, History, Scale};
use talon_torture::shrink::shrink;
use talon_torture::subject::NAMES;
use talon_torture::world::{self, Outcome, Plan, Times, WhichRegistry};
use tokio::signal::unix::{SignalKind, signal};

use crate::arguments::{Arguments, OtherSubject};

/// How many findings of one property in a run are printed.
const SHOWN: usize = 5;

/// A run of a table's row.
struct Run {
    /// The connectors, as the table names them.
    label: String,
    fault: Fault,
    seed: u64,
    plan: Plan,
    history: History,
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let mut terminated = signal(SignalKind::terminate())?;
    let mut interrupted = signal(SignalKind::interrupt())?;
    // What is dropped kills the processes that it started.
    tokio::select! {
        done = started(Arguments::parse()) => done,
        _ = terminated.recv() => anyhow::bail!("terminated"),
        _ = interrupted.recv() => anyhow::bail!("interrupted"),
    }
}

async fn started(arguments: Arguments) -> anyhow::Result<ExitCode> {
    match &arguments.subject {
        Some(OtherSubject::Relay(relays)) => relays::all(relays).await,
        None => all(arguments).await,
    }
}

/// All runs, and the table.
async fn all(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let program = arguments::program(arguments.talon.as_ref())?;
    for program in [Some(&program), arguments.talon_next.as_ref()].into_iter().flatten() {
        anyhow::ensure!(
            program.exists(),
            "there is no `{}`; build it first: `cargo build --release -p talon`",
            program.display()
        );
    }
    let first = arguments.seed.unwrap_or_else(|| u64::from(rand::random::<u32>()));
    let mut report = Report::default();
    let mut failed = false;
    for group in groups(&arguments)? {
        for &on in &arguments.bus {
            for &fault in &arguments.fault {
                if fault.is_of_kafka() && on != On::Kafka {
                    eprintln!("{} is about Kafka alone: not run on {}", fault.name(), on.name());
                    continue;
                }
                for seed in first..first + arguments.runs {
                    let run = Run::new(&arguments, &group, (on, fault, seed), &program)?;
                    failed |= !run.perform(&arguments, &mut report).await?;
                }
            }
        }
    }
    println!("\n{report}");
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// The subjects that each run draws its connectors from: one alone, or several.
fn groups(arguments: &Arguments) -> anyhow::Result<Vec<Vec<String>>> {
    let mut groups: Vec<Vec<String>> = Vec::new();
    for name in &arguments.connector {
        let all = name == MIXED;
        anyhow::ensure!(all || NAMES.contains(&name.as_str()), "no connector `{name}`");
        groups.push(if all { NAMES.map(str::to_owned).to_vec() } else { vec![name.clone()] });
    }
    if arguments.connectors.is_some() {
        let mut together = groups.concat();
        together.sort();
        together.dedup();
        groups = vec![together];
    }
    Ok(groups)
}

impl Run {
    fn new(
        arguments: &Arguments,
        subjects: &[String],
        (on, fault, seed): (On, Fault, u64),
        program: &Path,
    ) -> anyhow::Result<Run> {
        let casting = Casting {
            subjects: subjects.to_vec(),
            count: arguments.connectors.map(|count| count as usize),
            calls: arguments.calls,
            all_large: fault == Fault::Rolling,
            edits_per_second: arguments.edits,
        };
        let (label, connectors) = match subjects {
            [subject] if casting.count.is_none() => {
                (subject.clone(), cast::alone(subject, seed, arguments.edits))
            }
            _ => {
                let connectors = casting.draw(seed);
                (casting.label(connectors.len()), connectors)
            }
        };
        let processes = arguments.processes.unwrap_or(match fault {
            Fault::Rolling => 3,
            Fault::Handover => 2 + seed % 2,
            _ => 1 + seed % 3,
        }) as usize;
        let history = match &arguments.history {
            Some(file) => std::fs::read_to_string(file)
                .with_context(|| format!("`{}`", file.display()))?
                .parse()
                .map_err(anyhow::Error::msg)?,
            None => {
                let length_ms = arguments.seconds * 1_000;
                let connectors = connectors.len();
                let scale = Scale { on, processes, connectors, length_ms };
                History::plan(seed, fault, scale)
            }
        };
        let registry = if history.harms_registry() || fault.needs_memory_registry(on) {
            WhichRegistry::Memory
        } else if history.kills_registry() || fault == Fault::Registry {
            WhichRegistry::Apicurio
        } else {
            WhichRegistry::None
        };
        let plan = Plan {
            connectors,
            on,
            processes,
            length: Duration::from_secs(arguments.seconds),
            registry,
            small_disk: fault == Fault::Disk || history.fills_disk(),
            over_rest: fault == Fault::Operate || history.operates(),
            times: if fault == Fault::Rolling { Times::Usual } else { Times::Short },
            program: program.to_owned(),
            next_program: arguments.talon_next.clone(),
        };
        Ok(Run { label, fault, seed, plan, history })
    }

    /// One run, and what follows where it fails. True if it was sound.
    async fn perform(&self, arguments: &Arguments, report: &mut Report) -> anyhow::Result<bool> {
        let Run { label, fault, seed, plan, history } = self;
        let row = (label.as_str(), plan.on, *fault);
        let name = format!("{}-{}-{}-{seed}", label.replace(' ', "-"), row.1.name(), fault.name());
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
            "{} events, {} commands, {} unresolved, {} looks at checkpoints, {} recoveries, {} stalls, \
             {} findings, {:.0?}",
            outcome.events,
            outcome.commands,
            outcome.unresolved,
            outcome.sights,
            outcome.recoveries,
            outcome.stalls,
            outcome.findings.len(),
            since.elapsed()
        );
        report.add(row, *seed, history, &outcome);
        let place = arguments.out.join(&name);
        if arguments.keep_logs || !outcome.findings.is_empty() {
            keep(&place, &outcome, history)?;
        }
        if outcome.findings.is_empty() {
            return Ok(true);
        }
        for line in summary(&outcome.findings) {
            eprintln!("  {line}");
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
            "FAILED with seed {seed}; logs are in {}; the shortest history that failed:\n{shortest}\
             run it again:\n  cargo run --release -p talon-torture -- {} --bus {} --fault {} --seed {seed} \
             --processes {} --seconds {} --edits {} --history {}{}",
            place.display(),
            self.connectors(arguments),
            plan.on.name(),
            fault.name(),
            plan.processes,
            plan.length.as_secs(),
            arguments.edits,
            file.display(),
            arguments
                .talon_next
                .iter()
                .map(|next| format!(" --talon-next {}", next.display()))
                .collect::<String>()
        );
        Ok(false)
    }

    /// The arguments that give the same connectors again.
    fn connectors(&self, arguments: &Arguments) -> String {
        let connectors = &self.plan.connectors;
        match &connectors[..] {
            [one] if one.name == cast::ALONE => format!("--connector {}", one.subject),
            _ => format!(
                "--connector {} --connectors {} --calls {}",
                arguments.connector.join(","),
                connectors.len(),
                arguments.calls
            ),
        }
    }
}

/// How many findings there are of each property, and the first ones.
fn summary(findings: &[Finding]) -> Vec<String> {
    let mut properties: BTreeMap<Property, Vec<&Finding>> = BTreeMap::new();
    for finding in findings {
        properties.entry(finding.property).or_default().push(finding);
    }
    let mut lines = Vec::new();
    for (property, findings) in properties {
        lines.push(format!("{property:?}: {} findings", findings.len()));
        lines.extend(findings.iter().take(SHOWN).map(|finding| format!("  {}", finding.text)));
    }
    lines
}

/// Logs, findings and the history, to look at.
fn keep(place: &Path, outcome: &Outcome, history: &History) -> anyhow::Result<()> {
    std::fs::create_dir_all(place)?;
    for (number, log) in outcome.logs.iter().enumerate() {
        std::fs::write(place.join(format!("process-{number}.log")), log)?;
    }
    let findings: Vec<String> = outcome.findings.iter().map(ToString::to_string).collect();
    std::fs::write(place.join("findings"), findings.join("\n"))?;
    std::fs::write(place.join("history-whole"), history.to_string())?;
    Ok(())
}
