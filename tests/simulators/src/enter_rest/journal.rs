use serde::Serialize;

/// Something that took effect in the hall.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Effect {
    /// When, ms since 1970 UTC.
    pub at_ms: i64,
    /// What: `invite`, `start`, `complete`, `new_ticket`, …
    pub what: &'static str,
    /// The workplace, the device or the identity; empty for the hall.
    pub place: String,
    /// What it was done to: a service in a ticket, a ticket, a question.
    pub to: String,
    /// Whether a request did it; else the life did.
    pub asked: bool,
}
