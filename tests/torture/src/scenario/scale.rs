//! What a history is drawn for.

use crate::broker::On;

/// Longer than any lease or session that the processes are configured with.
pub const PAST_LEASE_MS: u64 = 3_500;

/// How large the run is that a history is drawn for.
#[derive(Debug, Clone, Copy)]
pub struct Scale {
    /// The bus.
    pub on: On,
    /// Processes, at least one.
    pub processes: usize,
    /// Connectors, at least one.
    pub connectors: usize,
    /// How long things go wrong, ms.
    pub length_ms: u64,
}
