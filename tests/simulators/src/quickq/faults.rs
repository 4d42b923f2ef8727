use serde::{Deserialize, Serialize};

/// One misbehaviour, and when it happens.
pub type Fault = crate::faults::Fault<FaultKind, Messages>;

/// The faults that are in force; a cheap handle, callable at any time.
pub type Faults = crate::faults::Faults<FaultKind, Messages>;

/// What a fault is restricted to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Messages {
    /// Only messages of this command; all by default.
    pub command: Option<String>,
}

/// What can go wrong. Those of [`FaultKind::is_of_messages`] happen to what is sent, answers and
/// pushes alike; the others to requests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum FaultKind {
    /// The socket is cut before anything happens.
    CutBefore,
    /// The effect happens, and the socket is cut without an answer.
    CutAfter,
    /// The peer dies without a word: from here on the socket stays open, and nothing is read or sent.
    Silence,
    /// The request is not answered and has no effect; all else goes on.
    NoReply,
    /// The request is refused with this error.
    Refused {
        /// `codeError`, other than 0.
        code: i64,
    },
    /// The answer waits until so many other messages were sent on this socket.
    Late {
        /// How many.
        messages: u32,
    },
    /// A message is cut in the middle of its JSON.
    Malformed,
    /// A message is no JSON at all.
    Garbage,
    /// A list is empty.
    EmptyList,
    /// A list has only its first rows.
    ShortList {
        /// How many.
        keep: usize,
    },
    /// An answer has other data.
    OtherData {
        /// The JSON.
        json: String,
    },
}

impl FaultKind {
    /// Whether it happens to what is sent, rather than to requests.
    pub fn is_of_messages(&self) -> bool {
        matches!(
            self,
            Self::Malformed
                | Self::Garbage
                | Self::EmptyList
                | Self::ShortList { .. }
                | Self::OtherData { .. }
        )
    }
}

impl Fault {
    /// Restricts the fault to a command.
    #[must_use]
    pub fn at(mut self, command: &str) -> Self {
        self.to.command = Some(command.to_owned());
        self
    }
}

impl Faults {
    /// What happens to a request, or to what is sent; counts it.
    pub(super) fn strike(&self, command: &str, of_messages: bool) -> Vec<FaultKind> {
        self.happen(|Fault { kind, to, .. }| {
            to.command.as_ref().is_none_or(|of| of == command)
                && kind.is_of_messages() == of_messages
        })
    }
}
