//! One thing that goes wrong, as code and as a line of text.

use std::fmt;
use std::str::FromStr;

/// Something that goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// SIGKILL of a process, which is started again after so many ms.
    Kill(usize, u64),
    /// SIGSTOP of a process, SIGCONT after so many ms.
    Pause(usize, u64),
    /// SIGSTOP of a process as soon as it opens a connector, SIGCONT after so many ms.
    PauseOpening(usize, u64),
    /// SIGTERM of a process, which is started again after so many ms.
    Terminate(usize, u64),
    /// SIGTERM of a process, which is started at once with another configuration, and with the other
    /// program where there are two.
    Roll(usize),
    /// Every process is rolled, one after another. Opening a connector takes about so many ms meanwhile.
    Rolling(u64),
    /// SIGKILL of the broker, which is started again after so many ms.
    BrokerKill(u64),
    /// SIGSTOP of the broker for so many ms.
    BrokerPause(u64),
    /// A fault of a line between a process and something for so many ms.
    Line(Line, Wire, u64),
    /// A fault of the upstream of a connector in so many requests.
    Upstream(usize, Upstream, u64),
    /// One scope of a connector's upstream fails for so many ms.
    ScopeStuck(usize, u64),
    /// The clock of a process is set by so many ms, and back after so many ms.
    Clock(usize, i64, u64),
    /// The disk of the broker is full for so many ms.
    DiskFull(u64),
    /// SIGKILL of the schema registry, which is started again after so many ms.
    RegistryKill(u64),
    /// The schema registry is away for so many ms, and comes back empty: it counts on from another id.
    RegistryEmpty(u64),
    /// The schema registry takes so many ms a request, for so many ms.
    RegistrySlow(u64, u64),
    /// Partitions are added to topics of a connector.
    Partitions(usize, Topics),
    /// An operator changes how far the commands were read.
    Offsets(Offsets),
    /// An operator asks something of a connector, over REST.
    Operate(usize, Operation),
}

/// Between a process and something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Line {
    /// The broker.
    Broker(usize),
    /// The upstreams of all connectors.
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
    /// Each connection takes so many kilobytes a second to the process.
    Narrow(u64),
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

/// Topics of a connector that partitions are added to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topics {
    /// Those of all its feeds.
    Feeds,
    /// That of its commands.
    Commands,
}

/// What becomes of the offsets of the groups `{group}.{name}.commands` of all connectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offsets {
    /// They are set to the beginning while all processes are stopped.
    ResetStopped,
    /// They are set to the beginning while the processes run.
    ResetRunning,
    /// The groups are deleted while all processes are stopped.
    DeletedStopped,
}

/// What an operator asks of a connector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// It keeps its shard and does nothing.
    Pause,
    /// It runs.
    Resume,
    /// It gives its shard up.
    Stop,
    /// It is started anew.
    Restart,
    /// It gets another configuration.
    Reconfigure,
    /// It is deleted, and made again.
    Recreate,
}

pub(super) const OPERATIONS: [(&str, Operation); 6] = [
    ("pause", Operation::Pause),
    ("resume", Operation::Resume),
    ("stop", Operation::Stop),
    ("restart", Operation::Restart),
    ("reconfigure", Operation::Reconfigure),
    ("recreate", Operation::Recreate),
];

pub(super) const UPSTREAM: [(&str, Upstream); 9] = [
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

const TOPICS: [(&str, Topics); 2] = [("feeds", Topics::Feeds), ("commands", Topics::Commands)];

pub(super) const OFFSETS: [(&str, Offsets); 3] = [
    ("reset-stopped", Offsets::ResetStopped),
    ("reset-running", Offsets::ResetRunning),
    ("deleted-stopped", Offsets::DeletedStopped),
];

fn name<T: PartialEq>(names: &[(&'static str, T)], of: &T) -> &'static str {
    names.iter().find(|(_, known)| known == of).map_or("", |(name, _)| name)
}

fn named<T: Copy>(names: &[(&str, T)], word: &str) -> Option<T> {
    names.iter().find(|(name, _)| *name == word).map(|(_, named)| *named)
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::Kill(process, ms) => write!(f, "kill {process} {ms}"),
            Action::Pause(process, ms) => write!(f, "pause {process} {ms}"),
            Action::PauseOpening(process, ms) => write!(f, "pause-opening {process} {ms}"),
            Action::Terminate(process, ms) => write!(f, "terminate {process} {ms}"),
            Action::Roll(process) => write!(f, "roll {process}"),
            Action::Rolling(ms) => write!(f, "rolling {ms}"),
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
                    Wire::Narrow(kb) => write!(f, "narrow {to} {process} {ms} {kb}"),
                }
            }
            Action::Upstream(connector, kind, times) => {
                write!(f, "upstream {connector} {} {times}", name(&UPSTREAM, kind))
            }
            Action::ScopeStuck(connector, ms) => write!(f, "scope-stuck {connector} {ms}"),
            Action::Clock(process, by, ms) => write!(f, "clock {process} {by} {ms}"),
            Action::DiskFull(ms) => write!(f, "disk-full {ms}"),
            Action::RegistryKill(ms) => write!(f, "registry-kill {ms}"),
            Action::RegistryEmpty(ms) => write!(f, "registry-empty {ms}"),
            Action::RegistrySlow(by, ms) => write!(f, "registry-slow {by} {ms}"),
            Action::Partitions(connector, topics) => {
                write!(f, "partitions {connector} {}", name(&TOPICS, topics))
            }
            Action::Offsets(offsets) => write!(f, "offsets {}", name(&OFFSETS, offsets)),
            Action::Operate(connector, operation) => {
                write!(f, "operate {connector} {}", name(&OPERATIONS, operation))
            }
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
        let fails = |to: &str, process: &str, wire, ms: &str| {
            Ok::<_, String>(Action::Line(line(to, process)?, wire, number(ms)?))
        };
        Ok(match words[..] {
            ["kill", process, ms] => Action::Kill(place(process)?, number(ms)?),
            ["pause", process, ms] => Action::Pause(place(process)?, number(ms)?),
            ["pause-opening", process, ms] => Action::PauseOpening(place(process)?, number(ms)?),
            ["terminate", process, ms] => Action::Terminate(place(process)?, number(ms)?),
            ["roll", process] => Action::Roll(place(process)?),
            ["rolling", ms] => Action::Rolling(number(ms)?),
            ["broker-kill", ms] => Action::BrokerKill(number(ms)?),
            ["broker-pause", ms] => Action::BrokerPause(number(ms)?),
            ["cut", to, process, ms] => fails(to, process, Wire::Cut, ms)?,
            ["cut-out", to, process, ms] => fails(to, process, Wire::CutOut, ms)?,
            ["cut-in", to, process, ms] => fails(to, process, Wire::CutIn, ms)?,
            ["sever", to, process, ms] => fails(to, process, Wire::Sever, ms)?,
            ["delay", to, process, ms, by] => fails(to, process, Wire::Delay(number(by)?), ms)?,
            ["narrow", to, process, ms, kb] => fails(to, process, Wire::Narrow(number(kb)?), ms)?,
            ["upstream", connector, kind, times] => {
                let kind = named(&UPSTREAM, kind).ok_or_else(wrong)?;
                Action::Upstream(place(connector)?, kind, number(times)?)
            }
            ["scope-stuck", connector, ms] => Action::ScopeStuck(place(connector)?, number(ms)?),
            ["clock", process, by, ms] => {
                let by = by.parse().map_err(|_| wrong())?;
                Action::Clock(place(process)?, by, number(ms)?)
            }
            ["disk-full", ms] => Action::DiskFull(number(ms)?),
            ["registry-kill", ms] => Action::RegistryKill(number(ms)?),
            ["registry-empty", ms] => Action::RegistryEmpty(number(ms)?),
            ["registry-slow", by, ms] => Action::RegistrySlow(number(by)?, number(ms)?),
            ["partitions", connector, topics] => {
                let topics = named(&TOPICS, topics).ok_or_else(wrong)?;
                Action::Partitions(place(connector)?, topics)
            }
            ["operate", connector, operation] => {
                let operation = named(&OPERATIONS, operation).ok_or_else(wrong)?;
                Action::Operate(place(connector)?, operation)
            }
            ["offsets", offsets] => Action::Offsets(named(&OFFSETS, offsets).ok_or_else(wrong)?),
            _ => return Err(wrong()),
        })
    }
}
