//! Families of faults: what a history is drawn from.

use std::str::FromStr;

use rand::RngExt;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

use super::action::{
    Action, Line, OFFSETS, OPERATIONS, Operation, Topics, UPSTREAM, Upstream, Wire,
};
use super::scale::{PAST_LEASE_MS, Scale};
use crate::broker::On;

/// How long opening a connector takes in a rolling restart, ms.
const OPENING_MS: u64 = 20_000;

/// How long a request to the schema registry takes in hand-overs, ms.
const OPENING_REQUEST_MS: u64 = 500;
/// How narrow a line is in hand-overs.
const NARROW_KB: u64 = 2_000;

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
    /// Hand-overs that take longer than session and lease.
    Handover,
    /// Partitions are added to topics in use.
    Partitions,
    /// The offsets of the commands' groups are reset.
    Offsets,
    /// The schema registry loses all schemas.
    RegistryEmpty,
    /// One scope of many is stuck while the others go on.
    ScopeStuck,
    /// All processes are replaced, one after another, while opening a connector takes long.
    Rolling,
    /// Connectors are paused, resumed, stopped, restarted, changed, deleted and made again over REST while
    /// processes are killed.
    Operate,
    /// All from `kill` to `clock`; the others need more around.
    Everything,
}

/// The families by name.
const NAMES: [(&str, Fault); 19] = [
    ("nothing", Fault::Nothing),
    ("kill", Fault::Kill),
    ("pause", Fault::Pause),
    ("replicas", Fault::Replicas),
    ("broker-kill", Fault::BrokerKill),
    ("broker-pause", Fault::BrokerPause),
    ("network", Fault::Network),
    ("upstream", Fault::Upstream),
    ("clock", Fault::Clock),
    ("disk", Fault::Disk),
    ("registry", Fault::Registry),
    ("handover", Fault::Handover),
    ("partitions", Fault::Partitions),
    ("offsets", Fault::Offsets),
    ("registry-empty", Fault::RegistryEmpty),
    ("scope-stuck", Fault::ScopeStuck),
    ("rolling", Fault::Rolling),
    ("operate", Fault::Operate),
    ("everything", Fault::Everything),
];

impl Fault {
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

    /// All families.
    pub fn all() -> impl Iterator<Item = Fault> {
        NAMES.into_iter().map(|(_, fault)| fault)
    }

    /// Its name in the table and on the command line.
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|(_, fault)| *fault == self).map_or("", |(name, _)| name)
    }

    /// True if the family needs Kafka: NATS has neither partitions nor offsets of groups.
    pub fn is_of_kafka(self) -> bool {
        matches!(self, Fault::Partitions | Fault::Offsets)
    }

    /// True if the family needs a schema registry that can be slow and can be emptied.
    pub fn needs_memory_registry(self, on: On) -> bool {
        match self {
            Fault::RegistryEmpty | Fault::Handover => true,
            // On Kafka a narrow line does what the registry does on NATS.
            Fault::Rolling => on == On::Nats,
            _ => false,
        }
    }

    /// What happens once, at a fixed time, ms since the start.
    pub(super) fn fixed(self, scale: Scale) -> Vec<(u64, Action)> {
        match self {
            Fault::Rolling => vec![(1_000, Action::Rolling(OPENING_MS))],
            // What is opened takes longer than the session and the lease: a look and a registration for
            // each feed, and on Kafka lines over which a large connector is not read back at once. All
            // that a process does on NATS shares one connection, which is left as it is.
            Fault::Handover => {
                let slow = (0, Action::RegistrySlow(OPENING_REQUEST_MS, scale.length_ms));
                let narrow = |process| {
                    let line = Line::Broker(process);
                    (0, Action::Line(line, Wire::Narrow(NARROW_KB), scale.length_ms))
                };
                let lines = if scale.on == On::Kafka { scale.processes } else { 0 };
                std::iter::once(slow).chain((0..lines).map(narrow)).collect()
            }
            Fault::ScopeStuck => {
                let stuck = |connector| (100, Action::ScopeStuck(connector, scale.length_ms));
                let handed_over =
                    (0..scale.processes).map(|process| (2_000, Action::Terminate(process, 500)));
                // Early, so that there is time for a feed to be seen to be stuck.
                (0..scale.connectors).map(stuck).chain(handed_over).collect()
            }
            _ => Vec::new(),
        }
    }

    /// One action of the family.
    pub(super) fn draw(self, random: &mut ChaCha8Rng, scale: Scale) -> Option<Action> {
        let process = random.random_range(0..scale.processes);
        let short = random.random_range(0..800);
        // A run with one connector draws as it did before there were several.
        let connector = |random: &mut ChaCha8Rng| match scale.connectors {
            1 => 0,
            connectors => random.random_range(0..connectors),
        };
        Some(match self {
            Fault::Nothing | Fault::Rolling | Fault::ScopeStuck => return None,
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
                let times = random.random_range(1..6);
                Action::Upstream(connector(random), kind, times)
            }
            Fault::Everything => {
                return Fault::MIXED.choose(random)?.draw(random, scale);
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
            Fault::Handover => match random.random_range(0..12) {
                0..3 => Action::Terminate(process, short),
                // Long enough that it joins in the middle of what its end has set off.
                3..6 => Action::Terminate(process, PAST_LEASE_MS + short * 4),
                6..9 => Action::Roll(process),
                9 | 10 => Action::Upstream(connector(random), Upstream::Slow, 4),
                _ => Action::PauseOpening(process, PAST_LEASE_MS + short),
            },
            Fault::Partitions => match random.random_range(0..5) {
                0 => Action::Partitions(connector(random), Topics::Feeds),
                1 => Action::Partitions(connector(random), Topics::Commands),
                2 => Action::Kill(process, short),
                _ => Action::Terminate(process, short),
            },
            Fault::Offsets => match random.random_range(0..3) {
                0 => Action::Offsets(OFFSETS.choose(random)?.1),
                1 => Action::Terminate(process, short),
                _ => Action::Kill(process, short),
            },
            Fault::Operate => match random.random_range(0..6) {
                0 => Action::Kill(process, short),
                // Else most of the run nothing runs.
                1 | 2 => Action::Operate(connector(random), Operation::Resume),
                _ => Action::Operate(connector(random), OPERATIONS.choose(random)?.1),
            },
            Fault::RegistryEmpty => match random.random_range(0..4) {
                0 => Action::RegistryEmpty(short),
                1 => Action::Kill(process, short),
                _ => Action::Terminate(process, short),
            },
        })
    }

    /// The mean time between two of them, ms.
    pub(super) fn pace(self) -> u64 {
        match self {
            Fault::Kill => 900,
            Fault::Operate => 700,
            Fault::Upstream => 250,
            Fault::BrokerKill | Fault::Pause => 5_000,
            Fault::Network => 1_200,
            Fault::Replicas => 1_500,
            Fault::BrokerPause => 3_000,
            Fault::Clock => 2_000,
            Fault::Disk => 6_000,
            Fault::Handover => 3_500,
            Fault::Partitions | Fault::RegistryEmpty | Fault::Offsets => 2_500,
            Fault::Nothing
            | Fault::Everything
            | Fault::Registry
            | Fault::Rolling
            | Fault::ScopeStuck => 1_200,
        }
    }
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Fault, String> {
        let found = NAMES.iter().find(|(name, _)| *name == text).map(|(_, fault)| *fault);
        found.ok_or_else(|| {
            let names = NAMES.map(|(name, _)| name).join(", ");
            format!("no fault `{text}`, expected one of {names}")
        })
    }
}
