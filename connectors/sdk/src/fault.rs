use std::time::Duration;

/// Why something failed. Each kind maps to one action of the runtime.
///
/// Reasons are shown to people and written to logs: they never carry a secret, a row's content or a
/// URL with a query.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The upstream cannot answer now: retried with capped, jittered back-off, not before
    /// `retry_after` where the upstream asked for that.
    #[error("{reason}")]
    Unavailable {
        /// What happened.
        reason: String,
        /// How long the upstream asked to be left alone.
        retry_after: Option<Duration>,
    },
    /// The upstream refused this request and will refuse it again: retried at the slowest pace, since
    /// the upstream may change.
    #[error("{reason}")]
    Rejected {
        /// What it refused.
        reason: String,
    },
    /// Configuration or credentials are wrong: shown to the operator, retried at the slowest pace.
    #[error("{reason}")]
    Misconfigured {
        /// What is wrong, which key it is about, and the remedy.
        reason: String,
    },
    /// A defect of Talon: logged as such, retried at the slowest pace.
    #[error("{reason}")]
    Internal {
        /// What should not have happened.
        reason: String,
    },
}

impl Fault {
    /// An [`Fault::Unavailable`] without a wish of the upstream.
    pub fn unavailable(reason: impl Into<String>) -> Fault {
        Fault::Unavailable { reason: reason.into(), retry_after: None }
    }

    /// The kind as a metric label and log field.
    pub fn kind(&self) -> &'static str {
        match self {
            Fault::Unavailable { .. } => "unavailable",
            Fault::Rejected { .. } => "rejected",
            Fault::Misconfigured { .. } => "misconfigured",
            Fault::Internal { .. } => "internal",
        }
    }
}
