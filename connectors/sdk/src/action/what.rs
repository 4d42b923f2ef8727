//! What one type of command does.

use std::future::{self, Future};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::expect::expected;
use crate::{Answer, ApplyFault, Command, CommandSpec, Fault, Finding, Permit};

/// The parameters of one type of command, and what follows from them.
///
/// Every method may be cancelled at any await.
pub trait Action: DeserializeOwned + Send + Sync + 'static {
    /// What sends it.
    type Sender: Send + Sync + 'static;
    /// Its name, its key, whether it may be sent again.
    const SPEC: &'static CommandSpec;
    /// What is read before and after.
    type Seen: Send;
    /// What is kept of it: ids, marks, statuses and hashes only.
    type Mark: Serialize + DeserializeOwned + Send + Sync;

    /// Whether it can be sent as it stands, and `expect` holds, asked first of all. By default nothing can
    /// be expected; one that needs no question of its own is asked in [`Action::admit`].
    fn check(
        &self,
        scene: &Scene<'_, Self::Sender>,
    ) -> impl Future<Output = Result<(), ApplyFault>> + Send {
        future::ready(expected(scene.command, |_| None))
    }

    /// Reads; `before` is what was kept of an earlier look.
    fn see(
        &self,
        scene: &Scene<'_, Self::Sender>,
        before: Option<&Self::Mark>,
    ) -> impl Future<Output = Result<Self::Seen, Unseen>> + Send;

    /// Whether it can be sent, by what was seen before.
    ///
    /// # Errors
    /// [`ApplyFault::Refused`] where not.
    fn admit(&self, _: &Scene<'_, Self::Sender>, _: &Self::Seen) -> Result<(), ApplyFault> {
        Ok(())
    }

    /// What to keep.
    fn mark(&self, scene: &Scene<'_, Self::Sender>, seen: Self::Seen) -> Self::Mark;

    /// Compares.
    fn judge(
        &self,
        scene: &Scene<'_, Self::Sender>,
        before: &Self::Mark,
        now: Self::Seen,
    ) -> Finding;

    /// The answer, where the look showed that this very command was done before.
    fn done_before(&self, _: &Self::Mark) -> Option<Answer> {
        None
    }

    /// Whether a refusal can mean that what the command wants is so already. Then it is read back, and
    /// [`Action::is_so`] says whether it is.
    fn may_be_so(&self, _: &Answer) -> bool {
        false
    }

    /// Whether what the command wants is so.
    fn is_so(&self, _: &Self::Seen) -> bool {
        false
    }

    /// Sends it, once; see [`Applier::apply`](crate::Applier::apply).
    fn send(
        &self,
        scene: &Scene<'_, Self::Sender>,
        permit: &Permit,
    ) -> impl Future<Output = Result<Answer, ApplyFault>> + Send;
}

/// One command on its way.
pub struct Scene<'s, S> {
    /// What sends it.
    pub sender: &'s S,
    /// The command.
    pub command: &'s Command,
}

impl<S> Clone for Scene<'_, S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S> Copy for Scene<'_, S> {}

/// Why nothing was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unseen {
    /// It cannot be read at all, and why.
    Blind(String),
    /// The upstream says that it is not there.
    Missing(Answer),
    /// Not now.
    Fault(Fault),
}

impl From<Fault> for Unseen {
    fn from(fault: Fault) -> Unseen {
        Unseen::Fault(fault)
    }
}
