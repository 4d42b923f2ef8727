//! Runs of relays, and their table.

use std::process::ExitCode;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use clap::ValueEnum;
use talon_torture::relay::check::Property;
use talon_torture::relay::{self, Outcome, Plan};

use crate::arguments::{self, RelayArguments};

/// How many findings of a run are printed.
const SHOWN: usize = 20;
/// Characters of one.
const LONGEST: usize = 300;

/// All runs, and the table.
pub(crate) async fn all(arguments: &RelayArguments) -> anyhow::Result<ExitCode> {
    let program = arguments::program(arguments.talon.as_ref())?;
    let first = arguments.seed.unwrap_or_else(|| u64::from(rand::random::<u32>()));
    let mut rows = Vec::new();
    let mut failed = false;
    for seed in first..first + arguments.runs {
        let plan = Plan {
            seed,
            harm: arguments.fault,
            length: Duration::from_secs(arguments.seconds),
            kills: arguments.kills,
            processes: arguments.processes.unwrap_or(1 + seed % 3) as usize,
            replicas: arguments.replicas,
            home: arguments.home,
            rate: arguments.rate,
            program: program.clone(),
        };
        let since = Instant::now();
        let outcome = match relay::run(&plan).await {
            Ok(outcome) => outcome,
            // What is not Talon's is no finding, but nothing was shown either.
            Err(error) => {
                eprintln!("seed {seed} could not be run: {error:#}");
                failed = true;
                continue;
            }
        };
        eprintln!(
            "relays, seed {seed}: {} findings, {:.0?}",
            outcome.findings.len(),
            since.elapsed()
        );
        for finding in outcome.findings.iter().take(SHOWN) {
            let text: String = finding.to_string().chars().take(LONGEST).collect();
            eprintln!("  {text}");
        }
        if arguments.keep_logs || !outcome.findings.is_empty() {
            keep(arguments, seed, &outcome)?;
        }
        failed |= !outcome.findings.is_empty();
        rows.push(row(&plan, &outcome));
    }
    println!(
        "\n| Home | Replicas | Fault | Processes | Kills | Pauses | Ends | Brokers | Topics | Records carried | \
         Lost | Twice | Reordered | Changed | Other findings | Seed |\n|{}",
        " --- |".repeat(16)
    );
    rows.iter().for_each(|row| println!("{row}"));
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn row(plan: &Plan, outcome: &Outcome) -> String {
    let done = &outcome.done;
    let of = |count: &AtomicU32| count.load(Ordering::Relaxed);
    let found = |property| outcome.findings.iter().filter(|one| one.property == property).count();
    let known = [Property::Lost, Property::Twice, Property::Reordered, Property::Changed];
    let [lost, twice, reordered, changed] = known.map(found);
    let others = outcome.findings.len() - lost - twice - reordered - changed;
    let carried: Vec<String> =
        outcome.carried.iter().map(|(relay, count)| format!("{relay} {count}")).collect();
    format!(
        "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {lost} | {twice} | {reordered} | {changed} | {others} | {} |",
        plan.home.name(),
        plan.replicas,
        plan.harm.to_possible_value().map_or(String::new(), |value| value.get_name().to_owned()),
        plan.processes,
        of(&done.kills),
        of(&done.pauses),
        of(&done.rolls),
        of(&done.brokers),
        of(&done.topics),
        carried.join(", "),
        plan.seed
    )
}

/// Logs and findings, to look at.
fn keep(arguments: &RelayArguments, seed: u64, outcome: &Outcome) -> anyhow::Result<()> {
    let place = arguments.out.join(format!("relay-{seed}"));
    std::fs::create_dir_all(&place)?;
    for (number, log) in outcome.logs.iter().enumerate() {
        std::fs::write(place.join(format!("process-{number}.log")), log)?;
    }
    let findings: Vec<String> = outcome.findings.iter().map(ToString::to_string).collect();
    std::fs::write(place.join("findings"), findings.join("\n"))?;
    eprintln!("logs are in {}", place.display());
    Ok(())
}
