//! A long list, pushed over a WebSocket again and again with one change each: from the push until a
//! consumer sees the event, and the processor time that it takes.
//!
//! The upstream and the consumer are here, in one process with one clock; what stands between them is a
//! process of its own: `talon run` with the connector `quickq`, or the bare loop of `bare.rs`.

mod bare;
mod consumer;
mod thread;
mod upstream;

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};

pub(crate) use bare::OfBare;

use crate::cluster::{Cluster, Real};
use crate::measure::cpu_of;
use crate::program::Program;
use consumer::Seen;
use upstream::{PATIENCE, Upstream};

/// Pushes to warm up, before those that count.
const WARM: usize = 20;

/// `push`
#[derive(Args)]
pub(crate) struct Push {
    /// Visitors in the list
    #[arg(long, default_value_t = 10_000)]
    rows: usize,
    /// Pushes that count, for each figure
    #[arg(long, default_value_t = 200)]
    pushes: usize,
    /// Pushes a second
    #[arg(long, default_value_t = 10.0)]
    rate: f64,
    /// Buses; by default both
    #[arg(long, value_enum)]
    to: Vec<Real>,
    /// Sides; by default all
    #[arg(long, value_enum)]
    side: Vec<Side>,
}

/// What stands between the upstream and the consumer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Side {
    Bare,
    AtLeastOnce,
    ExactlyOnce,
}

/// A process that reads pushes and writes events. Killed when dropped.
enum Process {
    Talon(Program),
    Bare(Child),
}

impl Process {
    fn pid(&self) -> u32 {
        match self {
            Process::Talon(program) => program.pid(),
            Process::Bare(child) => child.id(),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Process::Bare(child) = self {
            // It may have ended already.
            child.kill().ok();
            child.wait().ok();
        }
    }
}

impl Push {
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        tokio::task::spawn_blocking(move || self.compare()).await?
    }

    fn compare(&self) -> anyhow::Result<()> {
        for bus in [Real::Kafka, Real::Nats] {
            if !self.to.is_empty() && !self.to.contains(&bus) {
                continue;
            }
            let cluster = Cluster::real(bus)?;
            let mut limit = None;
            for side in [Side::Bare, Side::AtLeastOnce, Side::ExactlyOnce] {
                if !self.side.is_empty() && !self.side.contains(&side) {
                    continue;
                }
                let measured = self.measure(&cluster, bus, side)?;
                let name = format!("push to {bus:?}, {side:?}");
                measured.print(&name, limit.as_ref());
                if side == Side::Bare {
                    limit = Some(measured);
                }
            }
        }
        Ok(())
    }

    fn measure(&self, cluster: &Cluster, bus: Real, side: Side) -> anyhow::Result<Measured> {
        let upstream = Upstream::start(self.rows)?;
        let prefix = talon_brokers::unique("push");
        let topic = format!("{prefix}.bench.consumer");
        let process = match side {
            Side::Bare => {
                consumer::create(bus, cluster.servers(), &topic)?;
                let bus = format!("{bus:?}").to_lowercase();
                let child = Command::new(std::env::current_exe()?)
                    .args(["push-of-bare", "--to", &bus, "--servers", cluster.servers()])
                    .args(["--topic", &topic, "--upstream", &upstream.url()])
                    .stdout(Stdio::null())
                    .spawn()?;
                Process::Bare(child)
            }
            Side::AtLeastOnce | Side::ExactlyOnce => {
                let exactly_once = side == Side::ExactlyOnce;
                let connector = [
                    ("class", "quickq"),
                    ("upstream.url", &upstream.url()),
                    ("auth.login", "bench"),
                    ("auth.password", "bench"),
                    ("feeds", "consumer"),
                    ("delivery", if exactly_once { "exactly-once" } else { "at-least-once" }),
                ];
                let mut program = Program::run(&prefix, &cluster.setting(), connector)?;
                program.ready()?;
                Process::Talon(program)
            }
        };
        // The first list is a snapshot of all visitors.
        upstream.wait_for_subscriber(PATIENCE)?;
        let seen = Seen::follow(bus, cluster.servers(), &topic)?;
        self.settle(&upstream, &seen)?;
        let mut taken = Vec::new();
        let (mut cpu, started) = (Duration::ZERO, Instant::now());
        let pause = Duration::from_secs_f64(1.0 / self.rate);
        let mut started = started;
        for push in 0..WARM + self.pushes {
            if push == WARM {
                cpu = cpu_of(process.pid())?;
                started = Instant::now();
            }
            let due = Instant::now() + pause;
            let (number, pushed) = upstream.push()?;
            let arrived = seen.wait_for(number, PATIENCE)?;
            if push >= WARM {
                taken.push(arrived.saturating_duration_since(pushed));
            }
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
        }
        let share = (cpu_of(process.pid())? - cpu).as_secs_f64() / started.elapsed().as_secs_f64();
        let per_push = (cpu_of(process.pid())? - cpu).as_secs_f64() * 1e3 / self.pushes as f64;
        taken.sort();
        Ok(Measured { taken, share, per_push, bytes: upstream.bytes() })
    }

    /// Pushes until one comes out, so that the snapshot is over.
    fn settle(&self, upstream: &Upstream, seen: &Seen) -> anyhow::Result<()> {
        let since = Instant::now();
        while since.elapsed() < PATIENCE {
            let (number, _) = upstream.push()?;
            if seen.wait_for(number, Duration::from_secs(2)).is_ok() {
                return Ok(());
            }
        }
        anyhow::bail!("no change comes out")
    }
}

struct Measured {
    /// From the push until a consumer has it, sorted.
    taken: Vec<Duration>,
    /// Of one core.
    share: f64,
    /// Processor milliseconds a push.
    per_push: f64,
    /// Of one list.
    bytes: usize,
}

impl Measured {
    fn at(&self, part: f64) -> f64 {
        let place = (self.taken.len().saturating_sub(1) as f64 * part).round() as usize;
        self.taken.get(place).map_or(f64::NAN, Duration::as_secs_f64) * 1e3
    }

    fn print(&self, name: &str, limit: Option<&Measured>) {
        let [p50, p99, most] = [0.5, 0.99, 1.0].map(|part| self.at(part));
        let ratios = limit.map_or(String::new(), |limit| {
            format!(
                "   of bare: p50 {:.2}, p99 {:.2}, cpu {:.2}",
                p50 / limit.at(0.5),
                p99 / limit.at(0.99),
                self.per_push / limit.per_push
            )
        });
        println!(
            "{name:<28} {:.1} MB   p50 {p50:.1} ms   p99 {p99:.1} ms   most {most:.1} ms   cpu {:.1} ms a push ({:.0} % of a core){ratios}",
            self.bytes as f64 / 1e6,
            self.per_push,
            self.share * 1e2,
        );
    }
}
