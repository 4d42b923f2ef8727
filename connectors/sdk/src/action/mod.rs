//! Commands by their types: what one does, and how looking, sending once and reading back follow from it.
//!
//! A command's parameters are a type that implements [`Action`]. All of a connector stand in one table,
//! [`Actions`], which is also its list of [`CommandSpec`]s, and [`Actions::applier`] carries them.
//!
//! ```
//! use std::sync::Arc;
//!
//! use serde::{Deserialize, Serialize};
//! use talon_sdk::action::{Action, Actions, Scene, Unseen, actions};
//! use talon_sdk::{Answer, ApplyFault, CommandSpec, Finding, OrderingKey, Permit, Repeat};
//!
//! /// What sends: a client, the sessions, whatever the configuration says.
//! struct Desk;
//!
//! #[derive(Deserialize)]
//! struct CloseTicket {
//!     ticket_id: i64,
//! }
//!
//! /// What is kept of a look: it goes to the topic of results.
//! #[derive(Serialize, Deserialize)]
//! struct Standing {
//!     is_closed: bool,
//! }
//!
//! impl Action for CloseTicket {
//!     type Sender = Desk;
//!     const SPEC: &'static CommandSpec = &CommandSpec {
//!         call: "POST /tickets/{id}/close",
//!         probe: "whether the ticket is closed",
//!         ..CommandSpec::of("CloseTicket", OrderingKey::Params(&["ticket_id"]), Repeat::Converges)
//!     };
//!     type Seen = Standing;
//!     type Mark = Standing;
//!
//!     async fn see(&self, _: &Scene<'_, Desk>, _: Option<&Standing>) -> Result<Standing, Unseen> {
//!         Ok(Standing { is_closed: self.ticket_id == 7 })
//!     }
//!
//!     fn mark(&self, _: &Scene<'_, Desk>, seen: Standing) -> Standing {
//!         seen
//!     }
//!
//!     fn judge(&self, _: &Scene<'_, Desk>, _: &Standing, now: Standing) -> Finding {
//!         match now.is_closed {
//!             true => Finding::Applied(Answer::saying("read back: it is closed")),
//!             false => Finding::Absent,
//!         }
//!     }
//!
//!     async fn send(&self, _: &Scene<'_, Desk>, permit: &Permit) -> Result<Answer, ApplyFault> {
//!         permit.check()?;
//!         Ok(Answer::saying("done"))
//!     }
//! }
//!
//! static ACTIONS: Actions<Desk> = actions![CloseTicket];
//! assert_eq!(ACTIONS.specs()[0].name, "CloseTicket");
//! let applier = ACTIONS.applier(Arc::new(Desk));
//! # drop(applier);
//! ```

mod expect;
mod table;
mod typed;

use std::future::{self, Future};

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use expect::expected;
pub use table::{Actions, Kind, typed};

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

/// The part of an [`Action`] whose effect cannot be read back, and why.
#[macro_export]
macro_rules! unseen {
    ($why:literal) => {
        type Seen = ();
        type Mark = ();

        async fn see(
            &self,
            _: &$crate::action::Scene<'_, Self::Sender>,
            _: Option<&()>,
        ) -> Result<(), $crate::action::Unseen> {
            Err($crate::action::Unseen::Blind($why.to_owned()))
        }

        fn mark(&self, _: &$crate::action::Scene<'_, Self::Sender>, (): ()) {}

        fn judge(
            &self,
            _: &$crate::action::Scene<'_, Self::Sender>,
            (): &(),
            (): (),
        ) -> $crate::Finding {
            $crate::Finding::Unclear($why.to_owned())
        }
    };
}
pub use crate::unseen;

/// The table of a connector's commands: their types, in the order in which people see them.
#[macro_export]
macro_rules! actions {
    ($($action:ty),* $(,)?) => {
        $crate::action::Actions::new(&[$($crate::action::typed::<$action>()),*])
    };
}
pub use crate::actions;
