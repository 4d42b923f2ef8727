//! What a run is.

use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;

use crate::broker::On;

/// A family of faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Harm {
    /// Processes are killed (SIGKILL), and started again.
    Kill,
    /// Processes are stopped (SIGSTOP) for longer than session and lease, and go on.
    Pause,
    /// Brokers are killed, or stand still, one or both.
    Brokers,
    /// All of these, and processes that end in order.
    Everything,
    /// None.
    Nothing,
}

/// What a run is.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Of everything that is drawn.
    pub seed: u64,
    /// What goes wrong.
    pub harm: Harm,
    /// How long.
    pub length: Duration,
    /// Or how many kills.
    pub kills: Option<u32>,
    /// How many processes share the relays.
    pub processes: usize,
    /// Replicas of streams, 1 or 3.
    pub replicas: u16,
    /// Which bus says who runs what.
    pub home: On,
    /// Records a second to topics, and half as many to the stream.
    pub rate: f64,
    /// The program.
    pub program: PathBuf,
}
