use serde::{Deserialize, Serialize};

/// One misbehaviour, and when it happens.
pub type Fault = crate::faults::Fault<FaultKind, Requests>;

/// The faults that are in force; a cheap handle, callable at any time.
pub type Faults = crate::faults::Faults<FaultKind, Requests>;

/// What a fault is restricted to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Requests {
    /// Only endpoints of the table that begin like this: `POST operation/`; all by default.
    pub at: Option<String>,
    /// Only this endpoint of the table.
    pub only: Option<String>,
}

/// What can go wrong.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum FaultKind {
    /// The request waits before anything happens.
    Slow {
        /// For how long, in ms.
        ms: u64,
    },
    /// The request is answered with a code, and has no effect.
    Status {
        /// The HTTP status, 100–999.
        code: u16,
        /// The header `Retry-After`, in seconds.
        #[serde(default)]
        retry_after_seconds: Option<u64>,
    },
    /// The connection is cut in mid-body.
    Cut,
    /// The connection is cut before anything happens.
    Dropped,
    /// The request takes effect, and the connection is cut without a reply.
    LostReply,
    /// The request takes effect, and the reply waits until [`Simulator::release`](super::Simulator::release).
    HeldReply,
    /// The answer is 200 with a page for people.
    HtmlError,
    /// The answer is 200 with another body; the request takes effect.
    OtherAnswer {
        /// The body.
        body: String,
    },
    /// A list has nothing in it.
    EmptyList,
    /// The `Id` of the first row of a list is an object.
    UndecodableRow,
    /// Somebody else signed in at the workplace: the token is good no more.
    TakenOver,
    /// The operator of the workplace acts right before the request does.
    Intruder,
}

impl Fault {
    /// Restricts the fault to endpoints of the table that begin like this.
    #[must_use]
    pub fn at(mut self, endpoint: &str) -> Self {
        self.to.at = Some(endpoint.to_owned());
        self
    }

    /// Restricts the fault to one endpoint of the table.
    #[must_use]
    pub fn only(mut self, endpoint: &str) -> Self {
        self.to.only = Some(endpoint.to_owned());
        self
    }
}

impl Faults {
    /// What happens to a request; counts it.
    pub(super) fn strike(&self, endpoint: &str) -> Vec<FaultKind> {
        self.happen(|Fault { to, .. }| {
            to.at.as_ref().is_none_or(|start| endpoint.starts_with(start.as_str()))
                && to.only.as_ref().is_none_or(|only| endpoint == only)
        })
    }
}
