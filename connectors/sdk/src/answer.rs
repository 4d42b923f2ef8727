//! What a connector tells of a command: before it is sent, when it was sent, and when it is read back.

use crate::Fault;

/// What was seen upstream before a command was sent, for the probe to compare with: text that only
/// the connector understands, at most a few kilobytes.
///
/// It goes to the results topic: ids, marks, counts and hashes, never personal data or secrets.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Evidence(pub String);

/// What the upstream said. It goes to the results topic: no personal data, no secrets.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Answer {
    /// Status of the reply, such as that of HTTP.
    pub status: Option<u16>,
    /// The upstream's own code.
    pub code: Option<i64>,
    /// What that means, in words from the upstream's document.
    pub message: String,
    /// What it answered, as JSON text, redacted.
    pub response: Option<String>,
}

impl Answer {
    /// Words only.
    pub fn saying(message: impl Into<String>) -> Answer {
        Answer { message: message.into(), ..Answer::default() }
    }
}

/// Why a command is not known to be applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApplyFault {
    /// The upstream, or the look before, refused it: to send it again would not help. The command ends
    /// `REJECTED`.
    Refused(Answer),
    /// It was surely not applied, and may be sent later: nothing was sent, or the upstream said that
    /// it is too busy.
    NotApplied(Fault),
    /// It may have been applied: the reply was lost, or says nothing of it.
    Unclear(Answer),
}

/// What reading back showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// It was applied.
    Applied(Answer),
    /// It was surely not applied.
    Absent,
    /// It cannot be told, and why; reading again later would not help.
    Unclear(String),
}
