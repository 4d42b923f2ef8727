//! What is broken, and when: a history that can be printed, read, repeated and cut.
//!
//! Every action ends by itself, so a history stays meaningful whatever is left out of it. Those that
//! concern the same thing wait for one another.

mod action;
mod family;
mod scale;

use std::fmt;
use std::str::FromStr;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

pub use action::{Action, Line, Offsets, Operation, Topics, Upstream, Wire};
pub use family::Fault;
pub use scale::{PAST_LEASE_MS, Scale};

/// What goes wrong in a run, in order of time: ms since its start, and what.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct History(pub Vec<(u64, Action)>);

impl History {
    /// The history of a seed.
    pub fn plan(seed: u64, fault: Fault, scale: Scale) -> History {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut history = History(fault.fixed(scale));
        let mut at = random.random_range(0..=fault.pace());
        while at < scale.length_ms {
            if let Some(action) = fault.draw(&mut random, scale) {
                history.0.push((at, action));
            }
            at += random.random_range(fault.pace() / 2..=fault.pace() * 3 / 2);
        }
        history.0.sort_by_key(|(at, _)| *at);
        history
    }

    /// True if the disk of the broker fills up in it.
    pub fn fills_disk(&self) -> bool {
        self.has(|action| matches!(action, Action::DiskFull(_)))
    }

    /// True if a schema registry is killed in it.
    pub fn kills_registry(&self) -> bool {
        self.has(|action| matches!(action, Action::RegistryKill(_)))
    }

    /// True if a schema registry is emptied or slow in it.
    pub fn harms_registry(&self) -> bool {
        self.has(|action| matches!(action, Action::RegistryEmpty(_) | Action::RegistrySlow(..)))
    }

    /// True if the offsets of commands are changed in it.
    pub fn changes_offsets(&self) -> bool {
        self.has(|action| matches!(action, Action::Offsets(_)))
    }

    /// True if connectors are changed over REST in it.
    pub fn operates(&self) -> bool {
        self.has(|action| matches!(action, Action::Operate(..)))
    }

    /// True if partitions are added in it to these topics of a connector, which is one of so many.
    pub fn adds_partitions(&self, to: Topics, connector: usize, connectors: usize) -> bool {
        self.has(|action| match action {
            Action::Partitions(of, topics) => *topics == to && of % connectors == connector,
            _ => false,
        })
    }

    fn has(&self, is_meant: impl Fn(&Action) -> bool) -> bool {
        self.0.iter().any(|(_, action)| is_meant(action))
    }

    /// How many processes it kills.
    pub fn kills(&self) -> usize {
        self.0.iter().filter(|(_, action)| matches!(action, Action::Kill(..))).count()
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
    use crate::broker::On;

    const SCALE: Scale = Scale { on: On::Kafka, processes: 3, connectors: 5, length_ms: 200_000 };

    #[test]
    fn a_history_is_read_back_as_it_was_printed() {
        for fault in Fault::all() {
            let history = History::plan(5, fault, SCALE);
            assert_eq!(history.to_string().parse(), Ok(history.clone()), "{}", fault.name());
            assert_eq!(fault.name().parse(), Ok(fault));
            assert_eq!(history.0.is_empty(), fault == Fault::Nothing);
        }
    }

    #[test]
    fn a_seed_has_one_history_and_another_seed_another() {
        let plan = |seed| History::plan(seed, Fault::Everything, SCALE);
        assert_eq!(plan(1), plan(1));
        assert_ne!(plan(1), plan(2));
    }

    #[test]
    fn what_is_no_action_is_told() {
        for wrong in [
            "kill",
            "10 kill x 1",
            "10 upstream 0 away 3",
            "10 clock 0 soon 1",
            "kill 0 1",
            "10 partitions 0 results",
            "10 offsets lost",
            "10 operate 0 destroy",
        ] {
            assert!(wrong.parse::<History>().is_err(), "{wrong}");
        }
    }
}
