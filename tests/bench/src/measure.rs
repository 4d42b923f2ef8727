//! Laps, rounds that alternate, and lines that print them.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fmt;
use std::time::{Duration, Instant};

use anyhow::Context;

/// How long something took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lap {
    /// On the clock.
    pub(crate) wall: Duration,
    /// On the processors, summed over all threads of this process that are still alive.
    pub(crate) cpu: Duration,
}

/// Started, and not yet over.
pub(crate) struct Started {
    wall: Instant,
    cpu: HashMap<OsString, u64>,
}

impl Started {
    pub(crate) fn now() -> anyhow::Result<Started> {
        Ok(Started { cpu: cpu()?, wall: Instant::now() })
    }

    pub(crate) fn lap(&self) -> anyhow::Result<Lap> {
        let wall = self.wall.elapsed();
        let before = |task: &OsString| self.cpu.get(task).copied().unwrap_or(0);
        let nanos = cpu()?.iter().map(|(task, now)| now.saturating_sub(before(task))).sum();
        Ok(Lap { wall, cpu: Duration::from_nanos(nanos) })
    }
}

/// Times a piece of work.
pub(crate) fn timed(work: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<Lap> {
    let started = Started::now()?;
    work()?;
    started.lap()
}

/// Processor time of all living threads of another process.
pub(crate) fn cpu_of(pid: u32) -> anyhow::Result<Duration> {
    Ok(Duration::from_nanos(threads_of(&pid.to_string())?.values().sum()))
}

fn cpu() -> anyhow::Result<HashMap<OsString, u64>> {
    threads_of("self")
}

/// Processor time of each thread so far. In nanoseconds, where `/proc/{pid}/stat` has ticks of 10 ms.
fn threads_of(process: &str) -> anyhow::Result<HashMap<OsString, u64>> {
    let mut nanos = HashMap::new();
    for task in std::fs::read_dir(format!("/proc/{process}/task"))? {
        let task = task?;
        // A thread may end while it is looked at.
        if let Ok(text) = std::fs::read_to_string(task.path().join("schedstat")) {
            let time = text.split(' ').next().and_then(|time| time.parse().ok());
            nanos.insert(task.file_name(), time.context("`schedstat` begins with a time")?);
        }
    }
    anyhow::ensure!(!nanos.is_empty(), "the kernel keeps no `/proc/{process}/task/*/schedstat`");
    Ok(nanos)
}

/// Two ways of doing the same, in turns.
pub(crate) struct Duel {
    talon: Vec<Lap>,
    limit: Vec<Lap>,
}

impl Duel {
    /// One round to warm up, then `rounds` that count. Who goes first changes from round to round.
    pub(crate) fn fight(
        rounds: usize,
        mut talon: impl FnMut() -> anyhow::Result<Lap>,
        mut limit: impl FnMut() -> anyhow::Result<Lap>,
    ) -> anyhow::Result<Duel> {
        let mut duel = Duel { talon: Vec::new(), limit: Vec::new() };
        for round in 0..=rounds {
            let (one, other) = if round % 2 == 0 {
                let one = talon()?;
                (one, limit()?)
            } else {
                let other = limit()?;
                (talon()?, other)
            };
            if round > 0 {
                duel.talon.push(one);
                duel.limit.push(other);
            }
        }
        Ok(duel)
    }

    /// Prints rates and how much of the limit's rate is reached.
    pub(crate) fn print_rates(&self, name: &str, rows: usize) {
        for (kind, of) in KINDS {
            let rate =
                |laps: &[Lap]| Spread::of(laps.iter().map(|lap| rows as f64 / of(lap) / 1e3));
            let ratio = Spread::of(self.pairs().map(|(talon, limit)| of(limit) / of(talon)));
            println!(
                "{name:<44} {kind:<4}  talon {:.0} k rows/s   limit {:.0} k rows/s   ratio {ratio:.2}",
                rate(&self.talon),
                rate(&self.limit),
            );
        }
    }

    /// Prints times and how many times the limit's time is taken.
    pub(crate) fn print_times(&self, name: &str) {
        KINDS.iter().for_each(|kind| self.print_time(name, *kind));
    }

    /// The same on the clock alone, where threads of a client come and go.
    pub(crate) fn print_wall_times(&self, name: &str) {
        self.print_time(name, KINDS[0]);
    }

    fn print_time(&self, name: &str, (kind, of): (&str, Of)) {
        let millis = |laps: &[Lap]| Spread::of(laps.iter().map(|lap| of(lap) * 1e3));
        let ratio = Spread::of(self.pairs().map(|(talon, limit)| of(talon) / of(limit)));
        println!(
            "{name:<44} {kind:<4}  talon {:.1} ms   limit {:.1} ms   ratio {ratio:.2}",
            millis(&self.talon),
            millis(&self.limit),
        );
    }

    fn pairs(&self) -> impl Iterator<Item = (&Lap, &Lap)> {
        self.talon.iter().zip(&self.limit)
    }
}

type Of = fn(&Lap) -> f64;
const KINDS: [(&str, Of); 2] =
    [("wall", |lap| lap.wall.as_secs_f64()), ("cpu", |lap| lap.cpu.as_secs_f64())];

/// Median, smallest and largest.
pub(crate) struct Spread {
    sorted: Vec<f64>,
}

impl Spread {
    pub(crate) fn of(values: impl Iterator<Item = f64>) -> Spread {
        let mut sorted: Vec<f64> = values.collect();
        sorted.sort_by(f64::total_cmp);
        Spread { sorted }
    }

    fn at(&self, place: usize) -> f64 {
        self.sorted.get(place).copied().unwrap_or(f64::NAN)
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places = out.precision().unwrap_or(1);
        let (median, last) = (self.at(self.sorted.len() / 2), self.sorted.len().saturating_sub(1));
        write!(out, "{median:.places$} ({:.places$}–{:.places$})", self.at(0), self.at(last))
    }
}

/// A number from a line such as `VmRSS:     1234 kB` of `/proc/{pid}/status`, in bytes.
pub(crate) fn status_bytes(pid: u32, name: &str) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    Ok(kilobytes.with_context(|| format!("no `{name}` of process {pid}"))? * 1024)
}

/// Processor time of a process so far, of all its threads, in steps of 10 ms.
pub(crate) fn process_cpu(pid: u32) -> anyhow::Result<Duration> {
    const TICKS_PER_SECOND: u64 = 100;
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // Behind the name of the program, which may hold blanks: the fields from the third on.
    let (_, fields) = stat.rsplit_once(')').context("a name in `stat`")?;
    let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<u64>);
    let ticks = ticks.sum::<Result<u64, _>>()?;
    Ok(Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND))
}

/// Prints what the numbers were measured on.
pub(crate) fn print_machine() {
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let info = read("/proc/cpuinfo");
    let value = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split(':').nth(1)).unwrap_or("?").trim().to_owned()
    };
    println!(
        "machine: {} × {}, {}, allowed cores {}, load {}",
        info.lines().filter(|line| line.starts_with("processor")).count(),
        value(&info, "model name"),
        value(&read("/proc/meminfo"), "MemTotal"),
        value(&read("/proc/self/status"), "Cpus_allowed_list"),
        read("/proc/loadavg").split(' ').next().unwrap_or("?"),
    );
}
