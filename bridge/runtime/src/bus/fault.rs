//! Why a bus could not do something.

/// Why a bus could not do something. Each kind maps to one action of the shard.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BusFault {
    /// It does not answer: retried with back-off.
    #[error("{0}")]
    Unavailable(String),
    /// What was appended since the last commit is void: the shard recovers and reads again.
    #[error("{0}")]
    Aborted(String),
    /// The group has taken the shard back, or the process stops, before it was done. No fault of
    /// anybody: what was begun is left to the next owner.
    #[error("the shard was taken back before this was done")]
    Revoked,
    /// Another process owns the shard now: this one publishes nothing more.
    #[error("{0}")]
    Fenced(String),
    /// Configuration, credentials or rights are wrong: shown to the operator, retried slowly.
    #[error("{0}")]
    Misconfigured(String),
    /// The record is larger than the bus takes. Nothing else is affected.
    #[error("{0}")]
    TooLarge(String),
}

impl BusFault {
    /// The kind as a log field.
    pub fn kind(&self) -> &'static str {
        match self {
            BusFault::Unavailable(_) => "unavailable",
            BusFault::Aborted(_) => "aborted",
            BusFault::Revoked => "revoked",
            BusFault::Fenced(_) => "fenced",
            BusFault::Misconfigured(_) => "misconfigured",
            BusFault::TooLarge(_) => "too_large",
        }
    }
}
