//! What is broken, and when: a history that can be printed, read, repeated and cut.
//!
//! Every action ends by itself, so a history stays meaningful whatever is left out of it. Those that
//! concern the same thing wait for one another.

use std::fmt;
use std::str::FromStr;

use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Longer than any lease or session that the processes are configured with.
pub const PAST_LEASE_MS: u64 = 3_500;

/// Something that goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// SIGKILL of a process, which is started again after so many ms.
    Kill(usize, u64),
    /// SIGSTOP of a process, SIGCONT after so many ms.
    Pause(usize, u64),
    /// SIGTERM of a process, which is started again after so many ms.
    Terminate(usize, u64),
    /// SIGTERM of a process, which is started at once with another configuration.
    Roll(usize),
    /// SIGKILL of the broker, which is started again after so many ms.
    BrokerKill(u64),
    /// SIGSTOP of the broker for so many ms.
    BrokerPause(u64),
    /// A fault of a line between a process and something for so many ms.
    Line(Line, Wire, u64),
    /// A fault of the upstream in so many requests.
    Upstream(Upstream, u64),
    /// The clock of a process is set by so many ms, and back after so many ms.
    Clock(usize, i64, u64),
    /// The disk of the broker is full for so many ms.
    DiskFull(u64),
    /// SIGKILL of the schema registry, which is started again after so many ms.
    RegistryKill(u64),
}

/// Between a process and something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Line {
    /// The broker.
    Broker(usize),
    /// The upstream.
    Upstream(usize),
}

/// How a line fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    /// Nothing passes.
    Cut,
    /// Nothing leaves the process.
    CutOut,
    /// Nothing reaches the process.
    CutIn,
    /// What passes takes so many ms more.
    Delay(u64),
    /// All connections are closed now.
    Sever,
}

/// How an upstream fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Upstream {
    /// 503.
    Unavailable,
    /// 429 with `Retry-After`.
    TooMany,
    /// 401.
    Unauthorized,
    /// It takes a second.
    Slow,
    /// The connection is cut within the reply.
    Cut,
    /// The effect happens, the reply is lost.
    LostReply,
    /// The request is lost.
    LostRequest,
    /// A list is empty.
    EmptyList,
    /// A list is short.
    ShortList,
}

/// Families of faults, the rows of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// Nothing goes wrong.
    Nothing,
    /// SIGKILL.
    Kill,
    /// SIGSTOP past the lease.
    Pause,
    /// SIGTERM, replicas that come and go, configurations that are rolled.
    Replicas,
    /// The broker is killed.
    BrokerKill,
    /// The broker is paused.
    BrokerPause,
    /// Lines that are cut, in one way too, severed, or slow.
    Network,
    /// The upstream misbehaves.
    Upstream,
    /// Clocks of processes are set forward and back.
    Clock,
    /// The disk of the broker is full.
    Disk,
    /// The schema registry goes away.
    Registry,
    /// All of them but the last two, which need more around.
    Everything,
}

impl Fault {
    /// All.
    pub const ALL: [Fault; 12] = [
        Fault::Nothing,
        Fault::Kill,
        Fault::Pause,
        Fault::Replicas,
        Fault::BrokerKill,
        Fault::BrokerPause,
        Fault::Network,
        Fault::Upstream,
        Fault::Clock,
        Fault::Disk,
        Fault::Registry,
        Fault::Everything,
    ];

    /// What [`Fault::Everything`] is drawn from.
    const MIXED: [Fault; 8] = [
        Fault::Kill,
        Fault::Pause,
        Fault::Replicas,
        Fault::BrokerKill,
        Fault::BrokerPause,
        Fault::Network,
        Fault::Upstream,
        Fault::Clock,
    ];

    /// Its name in the table and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Fault::Nothing => "nothing",
            Fault::Kill => "kill",
            Fault::Pause => "pause",
            Fault::Replicas => "replicas",
            Fault::BrokerKill => "broker-kill",
            Fault::BrokerPause => "broker-pause",
            Fault::Network => "network",
            Fault::Upstream => "upstream",
            Fault::Clock => "clock",
            Fault::Disk => "disk",
            Fault::Registry => "registry",
            Fault::Everything => "everything",
        }
    }

    /// One action of the family.
    fn draw(self, random: &mut ChaCha8Rng, processes: usize) -> Option<Action> {
        let process = random.random_range(0..processes);
        let short = random.random_range(0..800);
        Some(match self {
            Fault::Nothing => return None,
            Fault::Kill => Action::Kill(process, short),
            Fault::Pause => Action::Pause(process, PAST_LEASE_MS + short),
            Fault::Replicas => match random.random_range(0..3) {
                0 => Action::Terminate(process, short),
                1 => Action::Terminate(process, short * 4),
                _ => Action::Roll(process),
            },
            Fault::BrokerKill => Action::BrokerKill(short),
            Fault::BrokerPause => Action::BrokerPause(short * 4),
            Fault::Network => {
                let line = match random.random_range(0..3) {
                    0 => Line::Upstream(process),
                    _ => Line::Broker(process),
                };
                let wire = match random.random_range(0..5) {
                    0 => Wire::Cut,
                    1 => Wire::CutOut,
                    2 => Wire::CutIn,
                    3 => Wire::Delay(random.random_range(5..150)),
                    _ => Wire::Sever,
                };
                Action::Line(line, wire, random.random_range(100..PAST_LEASE_MS + 1_000))
            }
            Fault::Upstream => {
                let (_, kind) = UPSTREAM.choose(random).copied()?;
                Action::Upstream(kind, random.random_range(1..6))
            }
            Fault::Everything => {
                return Fault::MIXED.choose(random)?.draw(random, processes);
            }
            Fault::Clock => {
                // Minutes or hours, forward or back, and short enough for several in a run.
                let by = match random.random_range(0..2) {
                    0 => random.random_range(1..10) * 60_000,
                    _ => random.random_range(1..5) * 3_600_000,
                };
                let by = if random.random() { by } else { -by };
                Action::Clock(process, by, random.random_range(500..6_000))
            }
            Fault::Disk => Action::DiskFull(500 + short * 4),
            // Of a registry that is away only a process takes note that opens its shard.
            Fault::Registry => match random.random_range(0..3) {
                0 => Action::RegistryKill(short * 4),
                _ => Action::Kill(process, short),
            },
        })
    }

    /// The mean time between two of them, ms.
    fn pace(self) -> u64 {
        match self {
            Fault::Kill => 900,
            Fault::Upstream => 250,
            Fault::BrokerKill | Fault::Pause => 5_000,
            Fault::Network => 1_200,
            Fault::Replicas => 1_500,
            Fault::BrokerPause => 3_000,
            Fault::Clock => 2_000,
            Fault::Disk => 6_000,
            Fault::Nothing | Fault::Everything | Fault::Registry => 1_200,
        }
    }
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Fault, String> {
        let found = Fault::ALL.into_iter().find(|fault| fault.name() == text);
        found.ok_or_else(|| {
            let names: Vec<&str> = Fault::ALL.iter().map(|fault| fault.name()).collect();
            format!("no fault `{text}`, expected one of {}", names.join(", "))
        })
    }
}

/// What goes wrong in a run, in order of time: ms since its start, and what.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct History(pub Vec<(u64, Action)>);

impl History {
    /// The history of a seed.
    pub fn plan(seed: u64, fault: Fault, processes: usize, length_ms: u64) -> History {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut history = History::default();
        let mut at = random.random_range(0..=fault.pace());
        while at < length_ms {
            if let Some(action) = fault.draw(&mut random, processes) {
                history.0.push((at, action));
            }
            at += random.random_range(fault.pace() / 2..=fault.pace() * 3 / 2);
        }
        history
    }

    /// Whether the disk of the broker fills up in it.
    pub fn fills_disk(&self) -> bool {
        self.0.iter().any(|(_, action)| matches!(action, Action::DiskFull(_)))
    }

    /// Whether it is about a schema registry.
    pub fn needs_registry(&self) -> bool {
        self.0.iter().any(|(_, action)| matches!(action, Action::RegistryKill(_)))
    }

    /// How many processes it kills.
    pub fn kills(&self) -> usize {
        self.0.iter().filter(|(_, action)| matches!(action, Action::Kill(..))).count()
    }
}

const UPSTREAM: [(&str, Upstream); 9] = [
    ("unavailable", Upstream::Unavailable),
    ("too-many", Upstream::TooMany),
    ("unauthorized", Upstream::Unauthorized),
    ("slow", Upstream::Slow),
    ("cut", Upstream::Cut),
    ("lost-reply", Upstream::LostReply),
    ("lost-request", Upstream::LostRequest),
    ("empty-list", Upstream::EmptyList),
    ("short-list", Upstream::ShortList),
];

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::Kill(process, ms) => write!(f, "kill {process} {ms}"),
            Action::Pause(process, ms) => write!(f, "pause {process} {ms}"),
            Action::Terminate(process, ms) => write!(f, "terminate {process} {ms}"),
            Action::Roll(process) => write!(f, "roll {process}"),
            Action::BrokerKill(ms) => write!(f, "broker-kill {ms}"),
            Action::BrokerPause(ms) => write!(f, "broker-pause {ms}"),
            Action::Line(line, wire, ms) => {
                let (to, process) = match line {
                    Line::Broker(process) => ("broker", process),
                    Line::Upstream(process) => ("upstream", process),
                };
                match wire {
                    Wire::Cut => write!(f, "cut {to} {process} {ms}"),
                    Wire::CutOut => write!(f, "cut-out {to} {process} {ms}"),
                    Wire::CutIn => write!(f, "cut-in {to} {process} {ms}"),
                    Wire::Sever => write!(f, "sever {to} {process} {ms}"),
                    Wire::Delay(by) => write!(f, "delay {to} {process} {ms} {by}"),
                }
            }
            Action::Upstream(kind, times) => {
                let name = UPSTREAM.iter().find(|(_, known)| known == kind).map_or("", |(n, _)| n);
                write!(f, "upstream {name} {times}")
            }
            Action::Clock(process, by, ms) => write!(f, "clock {process} {by} {ms}"),
            Action::DiskFull(ms) => write!(f, "disk-full {ms}"),
            Action::RegistryKill(ms) => write!(f, "registry-kill {ms}"),
        }
    }
}

impl FromStr for Action {
    type Err = String;

    fn from_str(text: &str) -> Result<Action, String> {
        let wrong = || format!("`{text}` is no action");
        let words: Vec<&str> = text.split_whitespace().collect();
        let number = |word: &str| word.parse::<u64>().map_err(|_| wrong());
        let place = |word: &str| word.parse::<usize>().map_err(|_| wrong());
        let line = |to: &str, process: &str| match to {
            "broker" => Ok(Line::Broker(place(process)?)),
            "upstream" => Ok(Line::Upstream(place(process)?)),
            _ => Err(wrong()),
        };
        Ok(match words[..] {
            ["kill", process, ms] => Action::Kill(place(process)?, number(ms)?),
            ["pause", process, ms] => Action::Pause(place(process)?, number(ms)?),
            ["terminate", process, ms] => Action::Terminate(place(process)?, number(ms)?),
            ["roll", process] => Action::Roll(place(process)?),
            ["broker-kill", ms] => Action::BrokerKill(number(ms)?),
            ["broker-pause", ms] => Action::BrokerPause(number(ms)?),
            ["cut", to, process, ms] => Action::Line(line(to, process)?, Wire::Cut, number(ms)?),
            ["cut-out", to, process, ms] => {
                Action::Line(line(to, process)?, Wire::CutOut, number(ms)?)
            }
            ["cut-in", to, process, ms] => {
                Action::Line(line(to, process)?, Wire::CutIn, number(ms)?)
            }
            ["sever", to, process, ms] => {
                Action::Line(line(to, process)?, Wire::Sever, number(ms)?)
            }
            ["delay", to, process, ms, by] => {
                Action::Line(line(to, process)?, Wire::Delay(number(by)?), number(ms)?)
            }
            ["upstream", kind, times] => {
                let known = UPSTREAM.iter().find(|(name, _)| *name == kind);
                Action::Upstream(known.ok_or_else(wrong)?.1, number(times)?)
            }
            ["clock", process, by, ms] => {
                let by = by.parse().map_err(|_| wrong())?;
                Action::Clock(place(process)?, by, number(ms)?)
            }
            ["disk-full", ms] => Action::DiskFull(number(ms)?),
            ["registry-kill", ms] => Action::RegistryKill(number(ms)?),
            _ => return Err(wrong()),
        })
    }
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, action) in &self.0 {
            writeln!(f, "{at} {action}")?;
        }
        Ok(())
    }
}

impl FromStr for History {
    type Err = String;

    fn from_str(text: &str) -> Result<History, String> {
        let mut history = History::default();
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            let (at, action) = line.trim().split_once(' ').ok_or(format!("`{line}`: no time"))?;
            let at = at.parse().map_err(|_| format!("`{line}`: no time"))?;
            history.0.push((at, action.parse()?));
        }
        history.0.sort_by_key(|(at, _)| *at);
        Ok(history)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_history_is_read_back_as_it_was_printed() {
        for fault in Fault::ALL {
            let history = History::plan(5, fault, 3, 200_000);
            assert_eq!(history.to_string().parse(), Ok(history.clone()), "{}", fault.name());
            assert_eq!(fault.name().parse(), Ok(fault));
            assert_eq!(history.0.is_empty(), fault == Fault::Nothing);
        }
    }

    #[test]
    fn a_seed_has_one_history_and_another_seed_another() {
        let plan = |seed| History::plan(seed, Fault::Everything, 2, 60_000);
        assert_eq!(plan(1), plan(1));
        assert_ne!(plan(1), plan(2));
    }

    #[test]
    fn what_is_no_action_is_told() {
        for wrong in ["kill", "10 kill x 1", "10 upstream away 3", "10 clock 0 soon 1", "kill 0 1"]
        {
            assert!(wrong.parse::<History>().is_err(), "{wrong}");
        }
    }
}
