use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

/// One misbehaviour, and when it happens. As JSON:
/// `{"kind": "cut_after", "command": "nextConsumer", "after": 2, "times": 3}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fault {
    /// What happens.
    #[serde(flatten)]
    pub kind: FaultKind,
    /// Only for messages of this command; all by default.
    #[serde(default)]
    pub command: Option<String>,
    /// How many matching messages it happens to; until it is cleared by default.
    #[serde(default)]
    pub times: Option<u64>,
    /// How many matching messages are spared first.
    #[serde(default)]
    pub after: u64,
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
}

impl FaultKind {
    /// Whether it happens to what is sent, rather than to requests.
    pub fn is_of_messages(&self) -> bool {
        matches!(self, Self::Malformed | Self::Garbage | Self::EmptyList | Self::ShortList { .. })
    }
}

impl From<FaultKind> for Fault {
    /// The fault for all commands, until it is cleared.
    fn from(kind: FaultKind) -> Self {
        Self { kind, command: None, times: None, after: 0 }
    }
}

impl Fault {
    /// Restricts the fault to a command.
    #[must_use]
    pub fn at(self, command: &str) -> Self {
        Self { command: Some(command.to_owned()), ..self }
    }

    /// Ends the fault after so many messages.
    #[must_use]
    pub fn times(self, times: u64) -> Self {
        Self { times: Some(times), ..self }
    }

    /// Spares so many messages first.
    #[must_use]
    pub fn after(self, after: u64) -> Self {
        Self { after, ..self }
    }
}

/// The faults that are in force; a cheap handle, callable at any time.
#[derive(Clone, Debug, Default)]
pub struct Faults(Arc<Mutex<Vec<Active>>>);

#[derive(Debug)]
struct Active {
    fault: Fault,
    /// How many matching messages came.
    seen: u64,
}

impl Faults {
    /// Adds a fault; it counts messages from now on.
    pub fn add(&self, fault: impl Into<Fault>) {
        self.active().push(Active { fault: fault.into(), seen: 0 });
    }

    /// Removes all faults.
    pub fn clear(&self) {
        self.active().clear();
    }

    /// The faults that have not run out.
    pub fn list(&self) -> Vec<Fault> {
        self.active().iter().map(|one| one.fault.clone()).collect()
    }

    /// What happens to a request, or to what is sent; counts it.
    pub(super) fn strike(&self, command: &str, of_messages: bool) -> Vec<FaultKind> {
        let mut active = self.active();
        let mut kinds = Vec::new();
        for one in active.iter_mut() {
            let concerns = one.fault.command.as_ref().is_none_or(|of| of == command)
                && one.fault.kind.is_of_messages() == of_messages;
            if concerns {
                one.seen += 1;
                if one.seen > one.fault.after {
                    kinds.push(one.fault.kind.clone());
                }
            }
        }
        let is_over =
            |one: &Active| one.fault.times.is_some_and(|times| one.seen >= one.fault.after + times);
        active.retain(|one| !is_over(one));
        kinds
    }

    fn active(&self) -> MutexGuard<'_, Vec<Active>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
