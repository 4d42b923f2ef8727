//! A request between who asks and the task that writes.

use talon_sdk::Permit;
use tokio::sync::oneshot;

use super::failure::Failure;

/// A request that waits to be written.
pub(super) struct Outgoing {
    text: String,
    permit: Option<Permit>,
    /// Told when it is written, or why it is not. Closed where nobody waits any more.
    left: oneshot::Sender<Result<(), Failure>>,
}

impl Outgoing {
    /// A request, with the permit of what changes something; and where it is told that it left.
    pub(super) fn new(
        text: String,
        permit: Option<Permit>,
    ) -> (Outgoing, oneshot::Receiver<Result<(), Failure>>) {
        let (left, told) = oneshot::channel();
        (Outgoing { text, permit, left }, told)
    }

    /// What is to be written now, at once; `None` where it may not be written any more, or nobody waits
    /// for it.
    pub(super) fn leave(self) -> Option<String> {
        if self.left.is_closed() {
            return None;
        }
        let holds = self.permit.is_none_or(|permit| permit.check().is_ok());
        let told = self.left.send(if holds { Ok(()) } else { Err(Failure::NoPermit) });
        (holds && told.is_ok()).then_some(self.text)
    }
}
