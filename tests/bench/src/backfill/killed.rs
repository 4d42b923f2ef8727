//! The program as a process that is killed on its way.

use std::time::{Duration, Instant};

use super::past::Backfill;
use crate::cluster::Cluster;
use crate::measure::{Lap, process_cpu, status_bytes};
use crate::program::Program;

/// How often the standing is looked at, and how often it is printed.
const LOOK: Duration = Duration::from_millis(200);
const TELL: Duration = Duration::from_secs(30);

/// Reads the past, with so many kills at even distances, and prints what it took in all.
pub(super) async fn run(
    bench: &Backfill,
    kills: u32,
    url: &str,
    prefix: &str,
    cluster: &Cluster,
) -> anyhow::Result<()> {
    let connector = bench.settings(url)?;
    let all = (bench.branches * usize::try_from(bench.days)?) as f64;
    let (started, mut told) = (Instant::now(), Instant::now());
    let (mut cpu, mut largest) = (Duration::ZERO, 0);
    for life in 0..=kills {
        let mut program = Program::run(prefix, &cluster.setting(), &connector)?;
        let until = all * f64::from(life + 1) / f64::from(kills + 1);
        let (mut used, mut begun) = (Duration::ZERO, false);
        loop {
            tokio::time::sleep(LOOK).await;
            used = process_cpu(program.pid()).unwrap_or(used);
            largest = largest.max(status_bytes(program.pid(), "VmHWM")?);
            let of = |name: &str| {
                let sample = format!("talon_backfill_days{name}{{connector=\"bench\"}}");
                program.metric(&sample).unwrap_or(0.0)
            };
            let (done, total) = (of("_done"), of(""));
            // Branches join in when they were read first; before that there are fewer days.
            if total < all {
                anyhow::ensure!(started.elapsed() < Duration::from_secs(7200), "it does not start");
                continue;
            }
            if !begun {
                begun = true;
                let recovery = program.metric("talon_recovery_seconds{connector=\"bench\"}");
                println!(
                    "  process {}: goes on at {done:.0} of {total:.0} days, recovered in {:.1} s",
                    life + 1,
                    recovery.unwrap_or(f64::NAN)
                );
            }
            if told.elapsed() > TELL {
                eprintln!("{done} of {total} days, {:.0} s", started.elapsed().as_secs_f64());
                told = Instant::now();
            }
            if life < kills && done >= until {
                program.kill()?;
                println!("  process {}: killed at {done:.0} days", life + 1);
                break;
            }
            if life == kills && done >= total {
                program.stop()?;
                break;
            }
        }
        cpu += used;
    }
    bench.print("backfill", Lap { wall: started.elapsed(), cpu }, largest)
}
